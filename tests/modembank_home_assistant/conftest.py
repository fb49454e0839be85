"""What the tests of the link to Home Assistant share."""

import pytest

from fakes.brokers import Mosquitto
from fakes.homes import home_box


@pytest.fixture
def mosquitto(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as broker:
        yield broker


@pytest.fixture
async def box(tmp_path, mosquitto):
    made = await home_box(tmp_path, mosquitto.port)
    yield made
    await made.store.close()
