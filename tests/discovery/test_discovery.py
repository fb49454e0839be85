"""What is found on the USB: slots for modems, a sentence for everything else, and a nudge for what came back."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.far_ends import far_ends
from fakes.modem_hosts import eventually
from fakes.usb import FakeUsb
from modembank.config import BankConfig, PortEntry
from modembank.discovery import Discovery, Periods, Standing
from modembank.port import PortConfig, UsbPorts, UsbTree, open_port, place_in

ANSWER = b"\r\nOK\r\n"
QUICK = Periods(settle_s=0.02, calm_s=60.0, poll_s=0.05, ask_again_s=(0.02, 0.02), refused_s=0.05)


class Slots:
    """A bank's slots: a name and a path each, and what was woken."""

    def __init__(self, **paths: str) -> None:
        self.paths = dict(paths)
        self.woken: list[str] = []

    def slots(self) -> Mapping[str, str]:
        return dict(self.paths)

    def add(self, entry: PortEntry) -> str | None:
        name = entry.path.replace(":", "-")
        if name in self.paths:
            return None
        self.paths[name] = entry.path
        return name

    def wake(self, slot: str) -> None:
        self.woken.append(slot)


class Told:
    """A Watch that tells when a test says so."""

    def __init__(self, *, alive: bool = True) -> None:
        self.alive = False
        self._can = alive
        self.changed: Callable[[], None] = lambda: None

    async def start(self, changed: Callable[[], None]) -> None:
        self.alive, self.changed = self._can, changed

    def stop(self) -> None:
        self.alive = False


class Bench:
    """A discovery on a USB of a test's own."""

    def __init__(self, usb: FakeUsb, config: BankConfig, slots: Slots, *, alive: bool = True) -> None:
        self.usb, self.slots, self.watch = usb, slots, Told(alive=alive)
        tree = UsbTree(usb.sysfs, usb.dev)
        ports = UsbPorts(tree, open_port, 0.0)
        self.discovery = Discovery(config, slots, tree, ports, self.watch, QUICK)

    async def seen(self) -> dict[str, tuple[Standing, str]]:
        return {one.device.name: (one.standing, one.why) for one in await self.discovery.sightings()}


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path)


def bench_on(usb: FakeUsb, slots: Slots | None = None, *, alive: bool = True, **config) -> Bench:
    return Bench(usb, BankConfig(**{"discovery": "usb"} | config), slots or Slots(), alive=alive)


@asynccontextmanager
async def started(bench: Bench):
    await bench.discovery.start()
    try:
        yield bench
    finally:
        await bench.discovery.stop()


async def test_modems_of_the_table_get_a_slot_each_without_being_asked(usb: FakeUsb) -> None:
    usb.stick("1-1.1", {number: f"ttyUSB{number}" for number in range(4)})
    usb.stick("1-1.4.3", {0: "ttyUSB4", 1: "ttyUSB5", 2: "ttyUSB6"}, "12d1:1001", text="HUAWEI Mobile")
    bench = bench_on(usb)
    await bench.discovery.look()
    assert bench.slots.paths == {"usb-1-1.1": "usb:1-1.1", "usb-1-1.4.3": "usb:1-1.4.3"}
    first, second = await bench.discovery.sightings()
    assert (first.standing, first.slots, second.slots) == (Standing.SERVED, ("usb-1-1.1",), ("usb-1-1.4.3",))
    await bench.discovery.look()
    assert len(bench.slots.paths) == 2


async def test_what_is_no_modem_is_left_alone_and_said_to_be_so(usb: FakeUsb) -> None:
    with far_ends(b"", b"login: ") as [silent, talking]:
        usb.stick("1-1", {}, "046d:c31c", kinds={0: "03/01/01"}, text="Logitech Keyboard")
        usb.stick("1-2", {}, "0781:5567", kinds={0: "08/06/50"}, text="SanDisk Cruzer")
        usb.stick("1-3", {0: "ttyUSB0"}, "0403:6001", driver="ftdi_sio", far={"ttyUSB0": silent.path})
        usb.stick("1-4", {0: "ttyACM0"}, "2341:0043", driver="cdc_acm", far={"ttyACM0": talking.path})
        bench = bench_on(usb)
        await bench.discovery.look()
        assert bench.slots.paths == {}
        assert await bench.seen() == {
            "1-1": (Standing.NO_PORT, "it has no serial port"),
            "1-2": (Standing.NO_PORT, "it has no serial port"),
            "1-3": (Standing.SILENT, "it does not answer AT, so it is taken for no modem"),
            "1-4": (Standing.SILENT, "it does not answer AT, so it is taken for no modem"),
        }


async def test_a_silent_port_is_asked_a_few_times_and_then_no_more_until_it_is_plugged_in_again(usb: FakeUsb) -> None:
    with far_ends(b"") as [silent]:
        usb.stick("1-3", {0: "ttyUSB0"}, "0403:6001", driver="ftdi_sio", far={"ttyUSB0": silent.path})
        bench = bench_on(usb)
        for _ in range(5):
            await bench.discovery.look()
            await asyncio.sleep(0.03)
        assert silent.heard.count(b"\x1b") == 3
        usb.unplug("1-3")
        await bench.discovery.look()
        usb.stick("1-3", {0: "ttyUSB0"}, "0403:6001", driver="ftdi_sio", far={"ttyUSB0": silent.path})
        await bench.discovery.look()
        assert silent.heard.count(b"\x1b") == 4


async def test_an_unknown_device_that_answers_is_a_modem(usb: FakeUsb) -> None:
    with far_ends(b"", ANSWER) as [silent, good]:
        far = {"ttyACM0": silent.path, "ttyACM1": good.path}
        usb.stick("1-1", {0: "ttyACM0", 2: "ttyACM1"}, "1234:5678", driver="cdc_acm", far=far)
        bench = bench_on(usb)
        await bench.discovery.look()
        assert bench.slots.paths == {"usb-1-1": "usb:1-1"}


async def test_each_line_of_an_adapter_is_a_place_of_its_own(usb: FakeUsb) -> None:
    with far_ends(ANSWER, b"", ANSWER) as [first, silent, third]:
        far = {"ttyUSB0": first.path, "ttyUSB1": silent.path, "ttyUSB2": third.path}
        usb.stick("1-1", {0: "ttyUSB0", 1: "ttyUSB1", 2: "ttyUSB2"}, "0403:6011", driver="ftdi_sio", far=far)
        bench = bench_on(usb)
        await bench.discovery.look()
        assert sorted(bench.slots.paths.values()) == ["usb:1-1:1.0", "usb:1-1:1.2"]
        [sighting] = await bench.discovery.sightings()
        assert sorted(sighting.slots) == ["usb-1-1-1.0", "usb-1-1-1.2"]
        assert "does not answer" in sighting.why


async def test_a_disk_that_becomes_a_modem(usb: FakeUsb) -> None:
    usb.stick("1-1", {}, "12d1:1f01", kinds={0: "08/06/50"})
    bench = bench_on(usb)
    await bench.discovery.look()
    [(standing, why)] = (await bench.seen()).values()
    assert standing is Standing.WAITING
    assert "usb-modeswitch" in why
    usb.unplug("1-1")
    usb.stick("1-1", {2: "ttyUSB2"}, "12d1:1001")
    await bench.discovery.look()
    assert bench.slots.paths == {"usb-1-1": "usb:1-1"}


async def test_a_known_modem_without_a_driver_says_so(usb: FakeUsb) -> None:
    usb.stick("1-1", {}, kinds={2: "ff/00/00"})
    [(standing, why)] = (await bench_on(usb).seen()).values()
    assert standing is Standing.NO_PORT
    assert "kernel module option" in why


async def test_a_known_modem_with_nothing_but_diagnostics_waits_for_its_port(usb: FakeUsb) -> None:
    usb.stick("1-1", {0: "ttyUSB0"})
    bench = bench_on(usb)
    await bench.discovery.look()
    assert (await bench.seen())["1-1"] == (Standing.NO_PORT, "Quectel EC25 (2c7c:0125) has no port for AT commands")
    usb.interface("1-1", 2, "ttyUSB2")
    await bench.discovery.look()
    assert bench.slots.paths == {"usb-1-1": "usb:1-1"}


async def test_what_the_configuration_lists_or_ignores_gets_no_second_slot(usb: FakeUsb, tmp_path: Path) -> None:
    for number, place in enumerate(("1-1", "1-2", "1-3", "1-4")):
        usb.stick(place, {2: f"ttyUSB{number}"})
    tty = tmp_path / "link"
    tty.symlink_to("/dev/ttyUSB1")
    slots = Slots(left="usb:1-1", right=str(tty), line="usb:1-4:1.2", far="socket://10.0.0.7:7000")
    bench = bench_on(usb, slots, ignore=("usb:1-3",))
    await bench.discovery.look()
    assert len(bench.slots.paths) == 4
    assert (await bench.seen())["1-3"][0] is Standing.IGNORED
    assert [one.slots for one in await bench.discovery.sightings()] == [("left",), ("right",), (), ("line",)]


async def test_static_ports_stay_alone_and_the_rest_is_called_unused(usb: FakeUsb) -> None:
    usb.stick("1-1", {2: "ttyUSB0"})
    bench = bench_on(usb, discovery="static")
    await bench.discovery.look()
    assert bench.slots.paths == {}
    assert (await bench.seen())["1-1"][0] is Standing.UNUSED


async def test_a_name_that_another_slot_has_is_not_given_twice(usb: FakeUsb) -> None:
    usb.stick("1-1", {2: "ttyUSB0"})
    bench = bench_on(usb, Slots(**{"usb-1-1": "/dev/elsewhere"}))
    await bench.discovery.look()
    assert (await bench.seen())["1-1"][0] is Standing.REFUSED


async def test_a_port_that_another_program_has_is_tried_again(usb: FakeUsb) -> None:
    with far_ends(ANSWER) as [end]:
        other = await open_port(PortConfig(str(end.path)), on_data=lambda _: None, on_lost=lambda _: None)
        usb.stick("1-1", {0: "ttyUSB0"}, "1a86:7523", driver="ch341", far={"ttyUSB0": end.path})
        bench = bench_on(usb)
        await bench.discovery.look()
        standing, why = (await bench.seen())["1-1"]
        assert standing is Standing.REFUSED
        assert f"usb:1-1 ({usb.dev}/ttyUSB0): busy" in why
        other.close()
        await other.wait_closed()
        async with started(bench):
            await eventually(lambda: bench.slots.paths == {"usb-1-1": "usb:1-1"})


async def test_slots_are_woken_when_their_device_is_new_and_only_then(usb: FakeUsb) -> None:
    usb.stick("1-1", {2: "ttyUSB0"})
    bench = bench_on(usb, Slots(one="usb:1-1", other="usb:1-2"), discovery="static")
    await bench.discovery.look()
    await bench.discovery.look()
    assert bench.slots.woken == ["one"]
    usb.unplug("1-1")
    await bench.discovery.look()
    usb.stick("1-1", {2: "ttyUSB4"})
    usb.stick("1-2", {2: "ttyUSB5"})
    await bench.discovery.look()
    assert bench.slots.woken == ["one", "one", "other"]
    usb.interface("1-2", 3, "ttyUSB6")
    await bench.discovery.look()
    assert bench.slots.woken[3:] == ["other"], "it has a port more"


async def test_what_is_told_is_looked_at_at_once(usb: FakeUsb) -> None:
    usb.stick("1-1", {2: "ttyUSB0"})
    async with started(bench_on(usb)) as bench:
        assert bench.discovery.watching
        await eventually(lambda: "usb-1-1" in bench.slots.paths)
        usb.stick("1-2", {2: "ttyUSB1"})
        bench.watch.changed()
        await eventually(lambda: "usb-1-2" in bench.slots.paths)  # long before it looks by itself


async def test_where_nobody_tells_it_is_looked_again_and_again(usb: FakeUsb) -> None:
    async with started(bench_on(usb, alive=False)) as bench:
        assert not bench.discovery.watching
        usb.stick("1-1", {2: "ttyUSB0"})
        await eventually(lambda: bench.slots.paths == {"usb-1-1": "usb:1-1"})


async def test_without_a_place_on_the_usb_nothing_is_watched(usb: FakeUsb) -> None:
    bench = bench_on(usb, Slots(one="/dev/ttyUSB0"), discovery="static")
    async with started(bench):
        assert not bench.discovery.watching
    async with started(bench_on(usb, Slots(one="usb:1-1"), discovery="static")) as bench:
        assert bench.discovery.watching
    assert not bench.discovery.watching


async def test_a_modem_that_starts_slowly_is_found_when_it_answers(usb: FakeUsb) -> None:
    with far_ends(b"") as [end]:
        usb.stick("1-1", {0: "ttyUSB0"}, "1a86:7523", driver="ch341", far={"ttyUSB0": end.path})
        async with started(bench_on(usb)) as bench:
            await eventually(lambda: end.heard.count(b"AT") >= 2)
            end.says = ANSWER
            await eventually(lambda: bench.slots.paths == {"usb-1-1": "usb:1-1"})


places = st.sampled_from(["1-1.1", "1-1.4.3", "1-2", "2-1"])
ids = st.sampled_from(["2c7c:0125", "12d1:1001", "12d1:1f01", "1e2d:0053", "0403:6011", "046d:c31c"])
sticks = st.fixed_dictionaries(
    {
        "usb_id": ids,
        "driver": st.sampled_from(["option", "cdc_acm", "ftdi_sio"]),
        "numbers": st.sets(st.integers(0, 6)),
        "kinds": st.dictionaries(st.integers(7, 9), st.sampled_from(["08/06/50", "03/01/01", "ff/ff/ff"])),
    }
)


@settings(max_examples=40)
@given(st.dictionaries(places, sticks))
def test_whatever_is_plugged_in_each_device_is_seen_once_and_only_places_on_it_get_slots(plugged) -> None:
    async def look(folder: Path) -> None:
        usb, count = FakeUsb(folder), itertools.count()
        for place, stick in plugged.items():
            ttys = {number: f"ttyUSB{next(count)}" for number in sorted(stick["numbers"])}
            usb.stick(place, ttys, stick["usb_id"], driver=stick["driver"], kinds=stick["kinds"])
        bench = bench_on(usb)
        await bench.discovery.look()
        sightings = await bench.discovery.sightings()
        assert [one.device.name for one in sightings] == sorted(plugged)
        for one in sightings:
            assert (one.standing is Standing.SERVED) == bool(one.slots)
            assert one.why or one.slots
            if not plugged[one.device.name]["numbers"]:
                assert one.standing in {Standing.NO_PORT, Standing.WAITING}
        for path in bench.slots.paths.values():
            place = place_in(path)
            assert place is not None
            assert place.device in plugged
        before = dict(bench.slots.paths)
        await bench.discovery.look()
        assert bench.slots.paths == before

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(look(Path(folder)))
