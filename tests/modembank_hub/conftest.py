"""A hub's database in a folder of its own."""

import pytest

from fakes.voices import SaidBox, open_hub_store


@pytest.fixture
async def store(tmp_path):
    opened = await open_hub_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def box():
    return SaidBox()
