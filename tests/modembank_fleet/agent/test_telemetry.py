"""Telemetry without a broker: what it holds, and what it costs on the wire."""

import pytest
from msgspec.structs import replace

from fakes.fleets import ADDRESS, fleet_box
from modembank.modem import ModemState
from modembank_fleet.agent.clocks import RELEASED, Timekeeper
from modembank_fleet.agent.commands import Trust
from modembank_fleet.agent.pool import Pool
from modembank_fleet.agent.telemetry import PERIODS, Telemetry
from modembank_fleet.agent.telling import Pseudonyms
from modembank_fleet.wire import encode, pack

OVERHEAD = 178
"""Octets of a publish of QoS 0 around its payload: topic, TLS, TCP and IP, as measured with ss(8)."""
BIRTH, MOST_A_DAY = 5_000, 1_200_000


@pytest.fixture
async def told(tmp_path):
    box = await fleet_box(tmp_path, 1)
    life = await box.fleet.begin()
    names = Pseudonyms(life.secret)
    time = Timekeeper(box.clock)
    pool = Pool(box, time, life, lambda: None)
    yield Telemetry(box, time, life, Trust(ADDRESS, life.epoch, (), frozenset()), names, pool)
    await box.store.close()


async def test_a_day_of_standard_telemetry_of_sixteen_modems_costs_less_than_it_may(told, monkeypatch):
    view = told.app.bank.modems()[0]
    views = [
        replace(view, slot=f"usb-1-1.4.{number}", state=ModemState.REGISTERED, sim_id=1, signal_dbm=-60 - number,
                registration="CREG home, CGREG home, CEREG home")
        for number in range(16)
    ]  # fmt: skip
    monkeypatch.setattr(told.app.bank, "modems", lambda: views)
    box, modems = (len(pack(encode(one))[0]) + OVERHEAD for one in (await told.box(), told.modems()))
    period = PERIODS["standard"]
    day = 86_400 * (box / period.box_s + modems / period.modems_s) + 2 * BIRTH
    assert len(pack(encode(told.birth(1)))[0]) < BIRTH
    assert day < MOST_A_DAY, f"{day:.0f} octets a day"


async def test_modems_of_all_kinds_are_counted(told, monkeypatch):
    view = told.app.bank.modems()[0]
    views = [replace(view, state=state) for state in ModemState]
    monkeypatch.setattr(told.app.bank, "modems", lambda: views)
    counts = (await told.box()).modems
    assert (counts.ready, counts.err, counts.cool) == (1, 4, 0)


class Hands:
    """A clock that is set by hand."""

    wall, mono = RELEASED + 100.0, 50.0

    def now(self):
        return self.wall

    def monotonic(self):
        return self.mono


def test_time_is_told_only_when_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("modembank_fleet.agent.clocks._kernel_is_synchronized", lambda: False)
    clock, mark = Hands(), tmp_path / "synchronized"
    clock.wall = 1000.0
    time = Timekeeper(clock, mark)
    assert (time.state(), time.now(), time.up_s()) == ("unsync", None, 0.0)
    assert time.step() is None
    clock.mono += 30
    clock.wall = RELEASED + 500
    assert time.state() == "rtc"
    stepped = time.step()
    assert (stepped["up"], stepped["utc"]) == (30.0, RELEASED + 500)
    assert stepped["set_by"] == pytest.approx(RELEASED + 500 - 1030)
    assert time.step() is None
    mark.touch()
    assert time.state() == "ntp"
    clock.wall += 4
    assert time.step() is None
    clock.wall -= 60
    assert time.step()["set_by"] == pytest.approx(-60)


def test_the_kernel_can_be_asked():
    assert Timekeeper(Hands()).state() in ("ntp", "rtc")
