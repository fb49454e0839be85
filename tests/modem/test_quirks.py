"""Every vendor's file states a difference, and the difference is what goes over the line."""

from __future__ import annotations

import pytest

from modembank.modem.quirks import GENERIC, VENDORS, Acknowledge, Quirks, quirks_for
from modembank.modem.quirks.difference import CARD_NUMBER, ROUTINGS, first, says

BY_NAME = {quirks.name: quirks for quirks in VENDORS}


def test_names_are_unique_and_none_is_generic() -> None:
    assert len(BY_NAME) == len(VENDORS)
    assert GENERIC.name not in BY_NAME


@pytest.mark.parametrize("quirks", VENDORS, ids=lambda quirks: quirks.name)
def test_each_differs_from_what_is_usual_and_loses_nothing_of_it(quirks: Quirks) -> None:
    assert quirks.manufacturer is not None
    assert quirks != GENERIC
    assert set(quirks.routings) == set(ROUTINGS)
    assert set(quirks.card_number) == set(CARD_NUMBER)
    assert quirks.pin_counters
    assert quirks.hang_up == GENERIC.hang_up


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("huawei", "AT^ICCID?"),
        ("quectel", "AT+QCCID"),
        ("simcom", "AT+CICCID"),
        ("telit", "AT#CCID"),
        ("sierra", "AT!ICCID?"),
        ("zte", "AT+CCID"),
        ("cinterion", "AT+CCID"),
    ],
)
def test_its_own_way_to_the_card_number_comes_first(name: str, command: str) -> None:
    assert BY_NAME[name].card_number[0].text == command


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("huawei", ["AT^RESET"]),
        ("quectel", []),
        ("simcom", ["AT+CRESET"]),
        ("telit", ["AT#REBOOT"]),
        ("sierra", ["AT!RESET"]),
        ("zte", ["AT+ZRST"]),
        ("cinterion", []),
    ],
)
def test_only_restarts_that_come_back_by_themselves_are_known(name: str, commands: list[str]) -> None:
    assert [order.text for order in BY_NAME[name].resets] == commands


def test_who_acknowledges_how() -> None:
    forms = {name: quirks.acknowledge for name, quirks in BY_NAME.items()}
    assert forms.pop("simcom") is Acknowledge.NEVER
    assert forms.pop("cinterion") is Acknowledge.POSITIVE
    assert set(forms.values()) == {Acknowledge.PLAIN}


def test_single_differences() -> None:
    assert [name for name, quirks in BY_NAME.items() if quirks.packed_ussd] == ["huawei"]
    assert [name for name, quirks in BY_NAME.items() if quirks.report_memory] == ["quectel"]
    assert [name for name, quirks in BY_NAME.items() if not quirks.keep_link] == ["cinterion"]
    assert [order.text for order in BY_NAME["huawei"].quiet] == ["AT^CURC=0"]
    assert [name for name, quirks in BY_NAME.items() if quirks.routings != ROUTINGS] == ["huawei"]


@pytest.mark.parametrize("maker", ["QUECTEL", "quectel", "Quectel Wireless", "Manufacturer: QUECTEL"])
def test_neither_the_case_of_a_name_nor_its_place_matters(maker: str) -> None:
    assert quirks_for(maker, "") is BY_NAME["quectel"]


@pytest.mark.parametrize("maker", ["", "u-blox", "MODEM", "Fibocom"])
def test_an_unknown_name_is_no_vendor(maker: str) -> None:
    assert quirks_for(maker, "") is GENERIC


def test_the_parts_they_are_made_of() -> None:
    assert says("a.b", "c").search("x A.Bx")
    assert not says("a.b").search("aXb")
    own = CARD_NUMBER[3]
    assert first(own)[0] is own
    assert first(own).count(own) == 1
    assert len(first(own)) == len(CARD_NUMBER)
