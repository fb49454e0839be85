"""Telemetry without a broker: what it holds, and what it costs on the wire."""

import pytest
from msgspec.structs import replace

from fakes.fleets import ADDRESS, fleet_box
from modembank.modem import ModemState
from modembank_fleet.agent import Agent
from modembank_fleet.agent.agent import WILL_S
from modembank_fleet.agent.clocks import RELEASED, Timekeeper
from modembank_fleet.agent.commands import Trust
from modembank_fleet.agent.pool import Pool
from modembank_fleet.agent.telemetry import PERIODS, Telemetry
from modembank_fleet.agent.telling import Pseudonyms
from modembank_fleet.link import _properties
from modembank_fleet.wire import Address, PoolCredit, Queue, Totals, encode, pack
from modembank_hub.rows_of_boxes import STALE_PERIODS

RECORD = 5 + 1 + 16
"""Octets of a TLS 1.3 record around its content (RFC 8446, 5.2; 16 are the tag's)."""
SEGMENT = 20 + 32
"""Octets of a segment before its data: IPv4, and TCP with timestamps. Each message has another for its receipt."""
PING = 2 * (2 + RECORD) + 3 * SEGMENT
CONNECTION = 14_000
"""Octets of a handshake with births and what follows, as measured."""
BIRTH = 5_000


@pytest.fixture
async def told(tmp_path):
    box = await fleet_box(tmp_path, 1)
    life = await box.fleet.begin()
    names = Pseudonyms(life.secret)
    time = Timekeeper(box.clock)
    pool = Pool(box, time, life, lambda: None)
    yield Telemetry(box, time, life, Trust(ADDRESS, life.epoch, (), frozenset()), names, pool)
    await box.store.close()


def on_the_wire(topic: str, payload: bytes, how: str, period_s: float) -> int:
    """Return the octets of one message of QoS 0: the packet as it is sent, its TLS record, and two segments."""
    properties = _properties(2 * period_s, {"ce": how} if how else {}, "", b"").pack()
    rest = 2 + len(topic.encode()) + len(properties) + len(payload)
    return 1 + (1 if rest < 128 else 2) + rest + RECORD + 2 * SEGMENT


@pytest.fixture
def sixteen(told, monkeypatch):
    """The same box with sixteen modems that have been at work for a year."""
    view = told.app.bank.modems()[0]
    counters = replace(view.counters, accepted=1_234_567, rejected=12_345, unknown=12, received=345_678)
    views = [
        replace(view, slot=f"usb-1-1.4.{number}", state=ModemState.REGISTERED, sim_id=1, signal_dbm=-60 - number,
                registration="CREG home, CGREG home, CEREG home", counters=counters)
        for number in range(16)
    ]  # fmt: skip
    monkeypatch.setattr(told.app.bank, "modems", lambda: views)
    return told


@pytest.mark.parametrize(("profile", "most"), [("standard", 1_200_000), ("lean", 320_000), ("metered", 130_000)])
async def test_a_day_costs_less_than_it_may(sixteen, profile, most):
    """As tests/bench/bench_fleet_bytes.py measures it; here it is counted, with names as long as they may be."""
    address, period = Address("s" * 32, "b" * 32), PERIODS[profile]
    day = 2 * CONNECTION
    for what, made, every_s in (
        ("box", await sixteen.box(), period.box_s),
        ("modems", sixteen.modems(), period.modems_s),
    ):
        pool = PoolCredit(run="0123456789abcdef", window=50, held=50)
        said = replace(made, up=31_536_000.123, bs=1000) if what == "modems" else replace(
            made, up=31_536_000.123, bs=1000, pool=pool, issues=12,
            thr=Totals(sent=10_000_000, dlr=10_000_000, fail=100_000, recv=1_000_000),
            q=Queue(ready=10_000, delayed=1000, inflight=16, unknown=10),
        )  # fmt: skip
        day += 86_400 / every_s * on_the_wire(address.up("tele", what), *pack(encode(said)), every_s)
    day += 86_400 / period.keepalive_s * PING
    assert len(pack(encode(sixteen.birth(1)))[0]) < BIRTH
    assert day < most, f"{day:.0f} octets a day"


@pytest.mark.parametrize("profile", ["standard", "lean", "metered"])
def test_a_box_that_is_cut_off_is_offline_before_it_is_stale(profile):
    period = PERIODS[profile]
    assert 1.5 * period.keepalive_s + WILL_S < STALE_PERIODS * period.box_s


async def test_the_keep_alive_is_the_profile_s(tmp_path):
    box = await fleet_box(tmp_path, 1, profile="lean")
    await (agent := Agent(box)).prepare()  # type: ignore[arg-type]  # the parts that it uses
    assert agent._broker(None).keepalive_s == PERIODS["lean"].keepalive_s
    await box.store.close()


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
