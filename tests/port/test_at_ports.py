"""Which tty of a modem takes AT commands: every row of the table, Huawei's marks, and whatever else comes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.port import Role, UsbDevice, UsbInterface, is_adapter, is_known, is_vendor_of_modems, role_of, taking_at
from modembank.port.at_ports import TABLE

ROWS = [line.split("\t") for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]


def device_of(
    usb_id: str,
    *numbers: int,
    driver: str = "option",
    kinds: dict[int, str] | None = None,
    without: frozenset[int] = frozenset(),
) -> UsbDevice:
    """A device with a tty, numbered as its interface, at each of these interfaces but those ``without``."""
    vendor, _, product = usb_id.partition(":")
    kinds = kinds or {}
    interfaces = tuple(
        UsbInterface(number, kinds.get(number, "ff/ff/ff"), driver, () if number in without else (f"ttyUSB{number}",))
        for number in numbers
    )
    return UsbDevice("1-1", 7, vendor, product, "", interfaces)


def chosen(device: UsbDevice) -> list[int]:
    return [tty.interface.number for tty in taking_at(device)]


def test_the_table_says_where_it_is_from() -> None:
    assert "ModemManager" in TABLE.read_text("utf-8").splitlines()[0]
    assert len(ROWS) == len({(row[0], row[1]) for row in ROWS}) == 258


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_row_gives_its_port_and_never_one_for_something_else(row: list[str]) -> None:
    vendor, product, first, second, others = row[:5]
    assert re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", f"{vendor}:{product}")
    device = device_of(f"{vendor}:{product}", *range(14))
    order = chosen(device)
    assert is_known(device)
    assert is_vendor_of_modems(device)
    seconds = [] if second == "-" else [int(number, 16) for number in second.split("/")]
    if first != "-":
        assert order[0] == int(first, 16)
        assert order[1 : 1 + len(seconds)] == sorted(seconds)
    for entry in others.split(","):
        number, _, word = entry.partition(":")
        if word and word != "AT_PPP":
            assert int(number, 16) not in order
        elif word:
            assert order[-1] == int(number, 16)


@pytest.mark.parametrize(
    ("usb_id", "there", "port"),
    [
        ("2c7c:0125", (0, 1, 2, 3), 2),
        ("2c7c:0125", (0, 1, 3), 3),  # the first has not come up
        ("2c7c:0125", (0, 1), None),
        ("1e0e:9011", (2, 3, 4, 5), 4),
        ("1e0e:9205", (0, 1, 3), 3),  # nothing but the one for data
        ("19d2:0001", (0, 1, 2), 0),
        ("12d1:1001", (0, 1, 2), 2),
        ("12d1:1436", (0, 3, 4), 4),
        ("1234:5678", (3, 1, 2), 1),  # nobody knows: in order
    ],
)
def test_the_best_that_is_there_is_taken(usb_id: str, there: tuple[int, ...], port: int | None) -> None:
    order = chosen(device_of(usb_id, *there))
    assert (order[0] if order else None) == port


def test_huawei_marks_its_interfaces() -> None:
    kinds = {0: "ff/02/01", 1: "ff/02/03", 2: "ff/02/02"}
    assert chosen(device_of("12d1:15ff", 0, 1, 2, kinds=kinds)) == [2, 1, 0]
    device = device_of("12d1:1506", 0, 1, 3, kinds={0: "ff/01/01", 1: "ff/01/02"})
    assert chosen(device)[0] == 1, "what it says itself comes first"


def test_an_interface_without_a_tty_is_never_chosen() -> None:
    assert chosen(device_of("2c7c:0125", 0, 1, 2, 3, without=frozenset({2}))) == [3]


def test_only_the_interface_that_is_named_counts() -> None:
    device = device_of("0403:6011", 0, 1, 2, 3, driver="ftdi_sio")
    assert [tty.name for tty in taking_at(device, 2)] == ["ttyUSB2"]
    assert taking_at(device, 7) == []


def test_drivers_tell_modems_and_adapters() -> None:
    assert is_known(device_of("1234:5678", 0, driver="option"))
    assert not is_known(device_of("1234:5678", 0, driver="cdc_acm"))
    adapter = device_of("1a86:7523", 0, driver="ch341")
    assert is_adapter(adapter)
    assert not is_known(adapter)
    assert not is_vendor_of_modems(adapter)


hexadecimal = st.text("0123456789abcdef", min_size=4, max_size=4)
ids = st.one_of(
    st.sampled_from([f"{row[0]}:{row[1]}" for row in ROWS]), st.builds("{}:{}".format, hexadecimal, hexadecimal)
)


@given(ids, st.sets(st.integers(0, 15)), st.sets(st.integers(0, 15)))
def test_whatever_is_plugged_in_the_choice_is_of_its_ttys_and_of_no_other_use(
    usb_id: str, numbers: set[int], without: set[int]
) -> None:
    device = device_of(usb_id, *sorted(numbers), without=frozenset(without))
    order = taking_at(device)
    assert {tty.interface.number for tty in order} <= numbers - without
    assert len(order) == len(set(order))
    roles = [role_of(device, tty.interface) for tty in order]
    assert not {Role.DIAGNOSTICS, Role.GPS, Role.AUDIO, Role.OTHER} & set(roles)
    ranks = [[Role.AT, Role.SECOND, Role.UNKNOWN, Role.PPP].index(role) for role in roles]
    assert ranks == sorted(ranks)
