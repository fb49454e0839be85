"""The heartbeat: what it notices in a modem that still answers, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fakes.talks import SHORT, Talk, answering, known, talking
from modembank.at import Urc, UrcKind
from modembank.modem import Hung, Trouble
from modembank.modem.initialization import Initialized
from modembank.modem.timings import Timings
from modembank.modem.watching import REGISTRATION_KINDS, Radio, Restarted, Watch

Answers = dict[str, object]
QUIET = SHORT.scaled(beat_s=60.0, search_s=60.0, verify_s=60.0)
LIVELY = SHORT.scaled(beat_s=0.02, search_s=0.02, verify_s=0.0)


@asynccontextmanager
async def watching(
    answers: Answers | None = None, timings: Timings = QUIET, initialized: Initialized | None = None
) -> AsyncIterator[tuple[Talk, Watch, list[bool]]]:
    told: list[bool] = []
    watches: list[Watch] = []

    def hear(urc: Urc) -> None:
        if urc.kind is UrcKind.RING:
            watches[0].ringing()
        elif urc.kind in REGISTRATION_KINDS:
            watches[0].heard(urc)

    given: Answers = {"AT+CNMI?": ("+CNMI: 2,1,0,1,0", "OK"), **(answers or {})}
    async with talking(answering(given), timings=timings, on_urc=hear) as talk:
        watches.append(Watch(talk.channel, timings, initialized or known(), told.append))
        yield talk, watches[0], told


async def beats(watch: Watch, until: Callable[[], bool]) -> None:
    """Let it beat until something holds."""
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(10):
            while not until():
                if task.done():
                    task.result()
                await asyncio.sleep(0.002)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ends(watch: Watch) -> BaseException:
    """What ends it."""
    async with asyncio.timeout(10):
        with pytest.raises((Restarted, Hung)) as caught:
            await watch.run()
    return caught.value


@pytest.mark.parametrize(
    ("stat", "registered", "word"),
    [
        (1, True, "home"),
        (5, True, "roaming"),
        (6, True, "home, SMS only"),
        (7, True, "roaming, SMS only"),
        (0, False, "off"),
        (2, False, "searching"),
        (3, False, "denied"),
        (4, False, "unknown"),
        (8, False, "emergency only"),
    ],
)
async def test_every_state_of_registration(*, stat: int, registered: bool, word: str) -> None:
    async with watching({"AT+CREG?": (f"+CREG: 2,{stat}", "OK")}) as (_, watch, told):
        await beats(watch, lambda: bool(told) and watch.radio.signal_dbm is not None)
        assert told == [registered]
        assert watch.radio.describe() == f"CREG {word}"
        assert watch.radio.denied is (stat == 3)
        assert watch.radio.signal_dbm == -73


async def test_any_domain_that_carries_messages_is_enough() -> None:
    answers: Answers = {"AT+CREG?": ("+CREG: 2,0", "OK"), "AT+CEREG?": ("+CEREG: 2,1", "OK")}
    both = known(registrations=("+CREG", "+CEREG"))
    async with watching(answers, initialized=both) as (_, watch, told):
        await beats(watch, lambda: bool(told))
        assert told == [True]
        assert watch.radio.describe() == "CREG off, CEREG home"


async def test_losing_the_network_is_told_at_once_and_its_return_after_a_look_at_the_sim() -> None:
    async with watching() as (talk, watch, told):
        task = asyncio.create_task(watch.run())
        async with asyncio.timeout(10):
            while told != [True]:
                await asyncio.sleep(0.002)
            talk.modem.say("+CREG: 2")
            while told != [True, False]:
                await asyncio.sleep(0.002)
            asked = len(talk.heard("AT+CIMI"))
            talk.modem.say("+CREG: 1")
            while told != [True, False, True]:
                await asyncio.sleep(0.002)
        assert len(talk.heard("AT+CIMI")) > asked
        task.cancel()
        await asyncio.wait([task])


async def test_an_unanswered_question_is_no_news() -> None:
    async with watching({"AT+CREG?": ("ERROR",), "AT+CSQ": ("ERROR",)}) as (_, watch, told):
        await beats(watch, lambda: bool(told))
        assert told == [False]
        assert watch.radio.signal_dbm is None
        assert watch.radio.describe() == ""


async def test_the_operator_is_asked_for_once_registered_and_cleaned() -> None:
    async with watching({"AT+COPS?": ('+COPS: 0,0,"Net\x07work",7', "OK")}) as (_, watch, _told):
        await beats(watch, lambda: watch.radio.operator is not None)
        assert watch.radio.operator == "Net\ufffdwork"


async def test_without_an_operators_name_it_is_not_asked_for_ever() -> None:
    async with watching({"AT+COPS?": ("+COPS: 0", "OK")}, SHORT.scaled(beat_s=0.01, verify_s=60.0)) as (talk, watch, _):
        await beats(watch, lambda: len(talk.heard("AT+CSQ")) >= 5)
        assert len(talk.heard("AT+COPS?")) == 1


async def test_the_fill_of_every_memory_is_noted() -> None:
    answers: Answers = {"AT+CPMS?": ('+CPMS: "ME",20,23,"SM",1,10,"ME",20,23', "OK")}
    async with watching(answers, LIVELY) as (_, watch, _told):
        await beats(watch, lambda: len(watch.storage) == 2)
        assert watch.storage["ME"].filling
        assert not watch.storage["SM"].filling


# -- what ends a stretch of service


async def test_a_routing_that_was_reset_is_a_restart_without_a_word() -> None:
    async with watching({"AT+CNMI?": ("+CNMI: 0,0,0,0,0", "OK")}, LIVELY) as (_, watch, _told):
        error = await ends(watch)
        assert isinstance(error, Restarted)
        assert not error.sim_changed
        assert "routing" in error.detail


async def test_a_flush_mode_that_differs_is_none() -> None:
    async with watching({"AT+CNMI?": ("+CNMI: 2,1,0,1,1", "OK")}, LIVELY) as (talk, watch, _):
        await beats(watch, lambda: len(talk.heard("AT+CNMI?")) >= 3)


@pytest.mark.parametrize("code", [13, 15])
async def test_a_sim_that_fails_is_a_trouble(code: int) -> None:
    async with watching({"AT+CPIN?": (f"+CME ERROR: {code}",)}) as (_, watch, _told):
        error = await ends(watch)
        assert isinstance(error, Hung)
        assert error.trouble is Trouble.SIM_DROPPED


@pytest.mark.parametrize("said", [("+CME ERROR: 10",), ("+CPIN: SIM PIN", "OK"), ("+CPIN: NOT INSERTED", "OK")])
async def test_a_sim_that_was_taken_out_or_locked_is_a_change(said: tuple[str, ...]) -> None:
    async with watching({"AT+CPIN?": said}) as (_, watch, _told):
        error = await ends(watch)
        assert isinstance(error, Restarted)
        assert error.sim_changed


async def test_another_subscriber_is_a_change() -> None:
    async with watching(initialized=known(imsi="001010000000001")) as (_, watch, told):
        error = await ends(watch)
        assert isinstance(error, Restarted)
        assert error.sim_changed
        assert told == []  # nobody is told that the wrong SIM is registered


@pytest.mark.parametrize("said", [("ERROR",), ("+CME ERROR: 14",), ("+CPIN: strange", "OK"), ("OK",)])
async def test_an_odd_answer_about_the_sim_is_no_change(said: tuple[str, ...]) -> None:
    async with watching({"AT+CPIN?": said}) as (_, watch, told):
        await beats(watch, lambda: bool(told))
        assert told == [True]


# -- calls


async def test_a_call_is_hung_up_so_that_sending_can_go_on() -> None:
    async with watching() as (talk, watch, told):
        task = asyncio.create_task(watch.run())
        async with asyncio.timeout(10):
            while not told:
                await asyncio.sleep(0.002)
            talk.modem.say("RING")
            while not watch.calls_refused:
                await asyncio.sleep(0.002)
            while not talk.heard("AT+CHUP"):
                await asyncio.sleep(0.002)
        assert talk.heard("ATH") == []
        task.cancel()
        await asyncio.wait([task])


async def test_the_old_way_to_hang_up_where_the_new_one_is_refused() -> None:
    async with watching({"AT+CHUP": ("ERROR",)}) as (talk, watch, _):
        watch.ringing()
        await beats(watch, lambda: bool(talk.heard("ATH")))
        assert watch.calls_refused == 1


def test_a_radio_that_was_never_asked_is_not_registered() -> None:
    radio = Radio({})
    assert not radio.registered
    assert not radio.denied
    assert radio.describe() == ""
