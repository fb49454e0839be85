"""Opening by place: the tty of now, the one that answers, and a sentence where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.far_ends import far_ends
from fakes.usb import FakeUsb
from modembank.port import PortConfig, PortError, PortFailure, UsbPorts, UsbTree, open_port

PLACE = PortConfig("usb:1-1.4.3")


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path)


def ports_of(usb: FakeUsb, settle_s: float = 0.0) -> UsbPorts:
    return UsbPorts(UsbTree(usb.sysfs, usb.dev), open_port, settle_s)


async def opened(ports: UsbPorts, ear, config: PortConfig = PLACE) -> tuple[str, str]:
    """The tty that is opened, by name, and what errors call it."""
    port = await ports(config, on_data=ear.on_data, on_lost=ear.on_lost)
    try:
        return Path(port.config.path).name, port.config.name
    finally:
        port.close()
        await port.wait_closed()


async def test_the_port_of_the_table_is_opened_without_a_word_where_it_is_the_only_one(usb: FakeUsb, ear) -> None:
    with far_ends(b"") as [end]:
        usb.stick("1-1.4.3", {0: "ttyUSB0", 1: "ttyUSB1", 2: "ttyUSB2"}, far={"ttyUSB2": end.path})
        name, called = await opened(ports_of(usb), ear)
        assert name == "ttyUSB2"
        assert called == f"usb:1-1.4.3 ({usb.dev}/ttyUSB2)"
        assert end.heard == b""


async def test_each_opening_finds_the_tty_of_now(usb: FakeUsb, ear) -> None:
    ports = ports_of(usb)
    with far_ends(b"") as [end]:
        for first in (0, 7):
            ttys = {number: f"ttyUSB{first + number}" for number in range(3)}
            usb.stick("1-1.4.3", ttys, far={ttys[2]: end.path})
            assert (await opened(ports, ear))[0] == ttys[2]
            usb.unplug("1-1.4.3")


async def test_the_second_port_serves_while_the_first_is_mute(usb: FakeUsb, ear) -> None:
    with far_ends(b"", b"AT\r\r\nOK\r\n") as [mute, good]:
        far = {"ttyUSB2": mute.path, "ttyUSB3": good.path}
        usb.stick("1-1.4.3", {2: "ttyUSB2", 3: "ttyUSB3"}, far=far)
        assert (await opened(ports_of(usb), ear))[0] == "ttyUSB3"
        assert mute.heard == b"\x1bAT\rAT\r", "ESC first, never Ctrl-Z"


async def test_of_unknown_ports_the_first_that_answers_is_taken(usb: FakeUsb, ear) -> None:
    with far_ends(b"$GPGGA,OK,\r\n", b"\r\nOK\r\n", b"\r\nOK\r\n") as [position, good, _]:
        names = ("ttyACM0", "ttyACM1", "ttyACM2")
        far = dict(zip(names, (position.path, good.path, _.path), strict=True))
        usb.stick("1-1.4.3", dict(enumerate(names)), "1234:5678", driver="cdc_acm", far=far)
        assert (await opened(ports_of(usb), ear))[0] == "ttyACM1"
        assert _.heard == b""


async def test_where_none_answers_the_best_is_opened_and_judged_like_any_port(usb: FakeUsb, ear) -> None:
    with far_ends(b"", b"") as [first, second]:
        far = {"ttyUSB2": first.path, "ttyUSB3": second.path}
        usb.stick("1-1.4.3", {2: "ttyUSB2", 3: "ttyUSB3"}, far=far)
        assert (await opened(ports_of(usb), ear))[0] == "ttyUSB2"


async def test_one_line_of_an_adapter_can_be_named(usb: FakeUsb, ear) -> None:
    with far_ends(b"", b"") as [_, end]:
        far = {"ttyUSB0": _.path, "ttyUSB1": end.path}
        usb.stick("1-1.4.3", {0: "ttyUSB0", 1: "ttyUSB1"}, "0403:6010", driver="ftdi_sio", far=far)
        assert (await opened(ports_of(usb), ear, PortConfig("usb:1-1.4.3:1.1")))[0] == "ttyUSB1"


@pytest.mark.parametrize(
    ("kinds", "ttys", "words"),
    [
        (None, {}, "nothing is plugged in there"),
        ({0: "08/06/50"}, {}, "shows itself as a disk and no modem yet"),
        ({0: "03/01/01"}, {}, "Quectel EC25 (2c7c:0125) has no port for AT commands"),
        ({}, {0: "ttyUSB0", 1: "ttyUSB1"}, "has no port for AT commands"),
    ],
)
async def test_a_place_without_a_port_is_missing_and_says_why(usb: FakeUsb, ear, kinds, ttys, words) -> None:
    if kinds is not None:
        usb.stick("1-1.4.3", ttys, kinds=kinds)
    with pytest.raises(PortError, match=r"usb:1-1\.4\.3: missing") as caught:
        await opened(ports_of(usb), ear)
    assert caught.value.failure is PortFailure.MISSING
    assert words in caught.value.detail


async def test_a_tty_without_a_node_names_place_and_tty(usb: FakeUsb, ear) -> None:
    usb.stick("1-1.4.3", {2: "ttyUSB2"})
    with pytest.raises(PortError) as caught:
        await opened(ports_of(usb), ear)
    assert (caught.value.failure, caught.value.path) == (PortFailure.MISSING, f"usb:1-1.4.3 ({usb.dev}/ttyUSB2)")


async def test_what_is_still_coming_up_is_waited_for(usb: FakeUsb, ear) -> None:
    with far_ends(b"", b"") as [first, second]:
        far = {"ttyUSB2": first.path, "ttyUSB3": second.path}
        usb.stick("1-1.4.3", {3: "ttyUSB3"}, kinds={2: "ff/00/00"}, far=far)
        ports = ports_of(usb, settle_s=60.0)
        with pytest.raises(PortError, match="has just been plugged in"):
            await opened(ports, ear)
        usb.interface("1-1.4.3", 2, "ttyUSB2")
        assert (await opened(ports, ear))[0] == "ttyUSB2"
        (usb.dev / "ttyUSB2").unlink()


async def test_what_never_comes_up_is_not_waited_for_longer(usb: FakeUsb, ear) -> None:
    with far_ends(b"") as [end]:
        usb.stick("1-1.4.3", {3: "ttyUSB3"}, kinds={4: "ff/ff/ff"}, far={"ttyUSB3": end.path})
        assert (await opened(ports_of(usb), ear))[0] == "ttyUSB3"


async def test_a_modem_that_another_program_uses_is_left_alone(usb: FakeUsb, ear) -> None:
    with far_ends(b"\r\nOK\r\n", b"\r\nOK\r\n") as [first, second]:
        far = {"ttyUSB2": first.path, "ttyUSB3": second.path}
        usb.stick("1-1.4.3", {2: "ttyUSB2", 3: "ttyUSB3"}, far=far)
        other = await open_port(PortConfig(str(first.path)), on_data=ear.on_data, on_lost=ear.on_lost)
        with pytest.raises(PortError, match="busy"):
            await opened(ports_of(usb), ear)
        assert second.heard == b"", "its second port belongs to that program too"
        other.close()
        await other.wait_closed()


async def test_any_other_path_is_opened_as_it_is(usb: FakeUsb, wire, ear) -> None:
    assert (await opened(ports_of(usb), ear, wire.config))[1] == wire.path
