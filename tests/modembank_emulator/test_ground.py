"""Identities, latencies, emulated time, command lines, cards: the small parts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modembank_emulator
from modembank_emulator import identities
from modembank_emulator.at_line import AtError, Command, Op, integers, parse, split_args
from modembank_emulator.card import MessageStore, PinState, SimCard, StoredMessage
from modembank_emulator.dialects import DIALECTS, dialect_for
from modembank_emulator.latency import Fixed, LatencyModel, LogNormal
from modembank_emulator.schedule import Schedule


def test_the_emulator_imports_nothing_of_the_product() -> None:
    for source in Path(modembank_emulator.__file__).parent.rglob("*.py"):
        for line in source.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"modembank", "modembankd", "modembank_web"}, source


def test_public_names_exist_and_are_sorted_out() -> None:
    assert len(set(modembank_emulator.__all__)) == len(modembank_emulator.__all__)
    assert all(hasattr(modembank_emulator, name) for name in modembank_emulator.__all__)


@pytest.mark.parametrize("index", [0, 1, 2, 63, 1000])
def test_numbers_have_valid_check_digits(index: int) -> None:
    assert len(identities.imei(index)) == 15
    assert identities.luhn_valid(identities.imei(index))
    assert len(identities.iccid(index)) == (19 if index % 2 == 0 else 20)
    assert identities.luhn_valid(identities.iccid(index))
    assert identities.imsi(index).startswith("00101")
    assert len(identities.imsi(index)) == 15


def test_luhn_of_a_published_imei() -> None:
    assert identities.luhn_digit("49015420323751") == "8"
    assert not identities.luhn_valid("490154203237519")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("zero", LatencyModel()),
        ("fixed:0.4", LatencyModel(submit=Fixed(0.4))),
        ("lognormal:2", LatencyModel(submit=LogNormal(2.0))),
        ("lognormal:2:0.1", LatencyModel(submit=LogNormal(2.0, 0.1))),
    ],
)
def test_latency_names(text: str, model: LatencyModel) -> None:
    assert LatencyModel.parse(text) == model


@pytest.mark.parametrize("text", ["", "fast", "fixed", "fixed:x", "lognormal:1:2:3", "lte:1"])
def test_unknown_latencies_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"latency|float"):
        LatencyModel.parse(text)


def test_lognormal_keeps_its_median_and_its_ceiling() -> None:
    random = Random(1)
    draws = sorted(LogNormal(3.0, 1.0, ceiling=20.0).draw(random) for _ in range(2001))
    assert 2.6 < draws[1000] < 3.4
    assert draws[-1] == 20.0


async def test_skipped_time_runs_everything_in_its_order() -> None:
    schedule = Schedule()
    schedule.start()
    seen: list[tuple[str, float]] = []
    schedule.after(600, lambda: seen.append(("second", schedule.now())))
    schedule.after(60, lambda: schedule.after(30, lambda: seen.append(("first", schedule.now()))))
    never = schedule.after(70, lambda: seen.append(("never", 0)))
    never.cancel()
    schedule.advance(599)
    assert [name for name, _ in seen] == ["first"]
    assert seen[0][1] == pytest.approx(90, abs=5)
    schedule.advance(2)
    assert [name for name, _ in seen] == ["first", "second"]
    schedule.close()


async def test_real_time_runs_too_and_nothing_runs_inside_after() -> None:
    schedule = Schedule()
    schedule.start()
    done = asyncio.Event()
    schedule.after(0, lambda: schedule.after(0.001, done.set))
    assert not done.is_set()
    async with asyncio.timeout(20):
        await done.wait()
    schedule.close()


def test_a_schedule_must_be_started() -> None:
    with pytest.raises(RuntimeError):
        Schedule().now()


@pytest.mark.parametrize(
    ("body", "commands"),
    [
        ("", []),
        ("E0", [Command("E", Op.RUN, "0")]),
        ("e0v1", [Command("E", Op.RUN, "0"), Command("V", Op.RUN, "1")]),
        ("&F", [Command("&F", Op.RUN, "")]),
        ("E0&F+CMEE=2", [Command("E", Op.RUN, "0"), Command("&F", Op.RUN, ""), Command("+CMEE", Op.SET, "2")]),
        ("S0=0", [Command("S0", Op.SET, "0")]),
        ("+csq", [Command("+CSQ", Op.RUN, "")]),
        ("+CSQ;+CREG?", [Command("+CSQ", Op.RUN, ""), Command("+CREG", Op.READ, "")]),
        ("+CNMI=?", [Command("+CNMI", Op.TEST, "")]),
        ('+CUSD=1,"*1;2#",15', [Command("+CUSD", Op.SET, '1,"*1;2#",15')]),
        ("^CURC=0", [Command("^CURC", Op.SET, "0")]),
        ("D+123;", [Command("D", Op.RUN, "+123;")]),
    ],
)
def test_command_lines(body: str, commands: list[Command]) -> None:
    assert parse(body) == commands


@given(body=st.text(st.characters(codec="latin-1"), max_size=60))
def test_any_line_parses_or_fails_as_declared(body: str) -> None:
    try:
        parse(body)
    except AtError:
        return


def test_arguments_keep_commas_inside_quotes() -> None:
    assert split_args('1,"a,b",,2') == ["1", "a,b", "", "2"]
    assert split_args("") == []
    assert integers("2,,1") == [2, 0, 1]
    with pytest.raises(AtError):
        integers("x")


def test_a_card_counts_wrong_pins_and_blocks() -> None:
    card = SimCard(0, "i", "s", "+1", pin="1234")
    assert card.pin_state is PinState.PIN
    assert not card.enter_pin("0000")
    assert card.pin_tries == 2
    assert card.enter_pin("1234")
    assert (card.pin_tries, card.pin_state) == (3, PinState.READY)
    card.power_down()
    assert [card.enter_pin("9999") for _ in range(3)] == [False] * 3
    assert card.pin_state is PinState.PUK
    assert not card.enter_pin("1234")
    assert not card.enter_puk("00000000", "5678")
    assert card.puk_tries == 9
    assert card.enter_puk("12345678", "5678")
    assert card.pin_state is PinState.READY


def test_references_start_at_0_and_wrap_after_255() -> None:
    card = SimCard(0, "i", "s", "+1")
    assert [card.next_reference() for _ in range(257)] == [*range(256), 0]


def test_a_store_reuses_the_lowest_free_slot() -> None:
    store = MessageStore(2)
    assert [store.put(StoredMessage(0, "", 0)) for _ in range(3)] == [0, 1, None]
    del store.slots[0]
    assert store.put(StoredMessage(0, "", 0)) == 0
    assert store.full


def test_mixed_banks_deal_the_four_dialects() -> None:
    assert [dialect_for("mixed", index).name for index in range(5)] == [
        "quectel",
        "huawei",
        "simcom",
        "generic",
        "quectel",
    ]
    assert set(DIALECTS) == {"quectel", "huawei", "simcom", "generic", "poor"}
    with pytest.raises(KeyError):
        dialect_for("nokia", 0)
