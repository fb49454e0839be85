"""What the tests of the agent share: a broker, and streams that do not wait for more."""

import pytest

from fakes.brokers import Mosquitto
from modembank_fleet.agent import streams


@pytest.fixture
def quick(monkeypatch):
    """Streams that go out at once."""
    monkeypatch.setattr(streams, "GATHER_S", 0.02)
    monkeypatch.setattr(streams, "PACE_S", 0.0)


@pytest.fixture
def mosquitto(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as broker:
        yield broker
