"""uhubctl: its real output formats, and a real subprocess that behaves well and badly."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.usb import FakeUsb
from modembank.port import HubError, Uhubctl
from modembank.port import uhubctl as module
from modembank.port.uhubctl import parse

# As printed by versions 2.4 to 2.6 (its README, and reports such as mvp/uhubctl#327 and #374).
LISTED = """\
Current status for hub 2 [1d6b:0003 Linux 5.4.79-v7l+ xhci-hcd xHCI Host Controller 01:00.0, USB 3.00, 4 ports, ppps]
  Port 1: 02a0 power 5gbps Rx.Detect
  Port 2: 0203 power 5gbps U0 enable connect [152d:0567 USB 3.0 Device USB 3.0 Device 000000004685]
Current status for hub 1-1.4 [2109:3431 USB2.0 Hub, USB 2.10, 4 ports, ppps]
  Port 3: 0103 power enable connect [1a86:7523 USB2.0-Serial]
  Port 4: 0507 power highspeed suspend enable connect []
"""
CYCLED = """\
Current status for hub 2 [1d6b:0003, USB 3.00, 4 ports, ppps]
  Port 3: 02a0 power 5gbps Rx.Detect
Sent power off request
New status for hub 2 [1d6b:0003, USB 3.00, 4 ports, ppps]
  Port 3: 0080 off
Current status for hub 1-1 [2109:3431, USB 2.10, 4 ports, ppps]
  Port 3: 0103 power enable connect [1a86:7523]
Sent power off request
New status for hub 1-1 [2109:3431, USB 2.10, 4 ports, ppps]
  Port 3: 0000 off

Current status for hub 1-1 [2109:3431, USB 2.10, 4 ports, ppps]
  Port 3: 0000 off
Sent power on request
New status for hub 1-1 [2109:3431, USB 2.10, 4 ports, ppps]
  Port 3: 0101 power connect []
"""


def test_a_listing_is_read() -> None:
    root, hub = parse(LISTED)
    assert (root.hub, root.new, root.after, sorted(root.ports)) == ("2", False, None, [1, 2])
    assert root.about.endswith("4 ports, ppps")
    assert hub.ports == {
        3: frozenset({"power", "enable", "connect"}),
        4: frozenset({"power", "highspeed", "suspend", "enable", "connect"}),
    }


def test_a_cycle_of_both_halves_of_a_hub_is_read() -> None:
    dark = [(status.hub, status.ports[3]) for status in parse(CYCLED) if status.new and status.after == "off"]
    assert dark == [("2", frozenset({"off"})), ("1-1", frozenset({"off"}))]


@pytest.mark.parametrize(
    "line",
    [
        "  Port x: 0000 off",
        "  Port 1: off",
        "Current status for hub 1-1",
        "Sent power maybe request",
        "  Port 1: 0000",
    ],
)
def test_what_is_not_understood_is_not_guessed(line: str) -> None:
    with pytest.raises(HubError, match="not understood"):
        parse(line)


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {1: None, 3: None})
    return usb


async def test_one_port_is_cycled_without_a_shell(usb: FakeUsb) -> None:
    await Uhubctl(str(usb.program)).cycle("1-1.4", 3)
    assert usb.calls == ["-N -l 1-1.4 -p 3 -a cycle -d 2"]


async def test_all_ports_together(usb: FakeUsb) -> None:
    await Uhubctl(str(usb.program)).cycle("1-1.4", None)
    assert usb.calls == ["-N -l 1-1.4 -a cycle -d 2"]


async def test_a_hub_that_can_switch_is_looked_at(usb: FakeUsb) -> None:
    status = await Uhubctl(str(usb.program)).look("1-1.4")
    assert sorted(status.ports) == [1, 3]
    assert usb.calls == ["-N -l 1-1.4"]


async def test_a_hub_that_cannot_is_named(usb: FakeUsb) -> None:
    with pytest.raises(HubError, match="No compatible devices detected at location 1-1"):
        await Uhubctl(str(usb.program)).cycle("1-1", 2)
    with pytest.raises(HubError, match="No compatible devices"):
        await Uhubctl(str(usb.program)).look("1-1")


async def test_a_port_that_keeps_its_power_or_is_not_there_was_not_cycled(usb: FakeUsb) -> None:
    with pytest.raises(HubError, match=r"port 2 of hub 1-1\.4 keeps its power"):
        await Uhubctl(str(usb.program)).cycle("1-1.4", 2)
    usb.rule(works=False)
    with pytest.raises(HubError, match=r"port 3 of hub 1-1\.4 keeps its power"):
        await Uhubctl(str(usb.program)).cycle("1-1.4", 3)


async def test_output_of_another_version_is_a_failure(usb: FakeUsb) -> None:
    usb.rule(babbles=True)
    with pytest.raises(HubError, match="something that no version says"):
        await Uhubctl(str(usb.program)).cycle("1-1.4", 3)


async def test_a_program_that_is_missing_or_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(HubError, match="not installed"):
        await Uhubctl("uhubctl-that-nobody-has").look("1-1")
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/python\n")
    broken.chmod(0o755)
    with pytest.raises(HubError, match="cannot be run"):
        await Uhubctl(str(broken)).look("1-1")


async def test_one_that_hangs_is_ended_and_the_power_switched_on_again(
    usb: FakeUsb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CYCLE_S", 0.5)
    usb.rule(hangs=True)
    with pytest.raises(HubError, match=r"not done within 0\.5 s"):
        await Uhubctl(str(usb.program)).cycle("1-1.4", 3)
    assert usb.calls == ["-N -l 1-1.4 -p 3 -a cycle -d 2", "-N -l 1-1.4 -p 3 -a on"]


async def test_a_cycle_that_began_is_finished_when_nobody_waits_any_more(usb: FakeUsb, tmp_path: Path) -> None:
    usb.rule(dark_s=0.3)
    program = Uhubctl(str(usb.program))
    cycling = asyncio.create_task(program.cycle("1-1.4", 3))
    while not usb.calls:
        await asyncio.sleep(0.01)
    assert usb.finished == 0
    cycling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cycling
    assert (usb.finished, len(usb.calls)) == (1, 1)  # it was waited for, and not ended between off and on


async def test_one_that_hangs_when_nobody_waits_any_more_leaves_no_port_without_power(
    usb: FakeUsb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon stops in the middle of a cycle that does not end by itself."""
    monkeypatch.setattr(module, "CYCLE_S", 0.5)
    usb.rule(hangs=True)
    cycling = asyncio.create_task(Uhubctl(str(usb.program)).cycle("1-1.4", 3))
    while not usb.calls:
        await asyncio.sleep(0.01)
    cycling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cycling
    assert usb.calls == ["-N -l 1-1.4 -p 3 -a cycle -d 2", "-N -l 1-1.4 -p 3 -a on"]
    assert usb.finished == 1
