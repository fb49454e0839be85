"""USSD: one code, one answer, and never an open session left behind (3GPP TS 27.007 7.15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fakes.delivers import packed as septets
from fakes.talks import SHORT, Talk, answering, talking
from modembank.at import AtCommand, Urc
from modembank.modem import UssdFailed
from modembank.modem.quirks import GENERIC, Quirks, quirks_for
from modembank.modem.ussd import MAX_CODE, Ussd

OK = ("OK",)
ASKED = 'AT+CUSD=1,"*100#",15'


@asynccontextmanager
async def sessions(
    answers: dict[str, object] | None = None, quirks: Quirks = GENERIC, wait_s: float = 5.0
) -> AsyncIterator[tuple[Talk, Ussd]]:
    heard: list[Ussd] = []

    def hear(urc: Urc) -> None:
        heard[0].heard(urc)

    given = {ASKED: OK, "AT+CUSD=2": OK, **(answers or {})}
    timings = SHORT.scaled(ussd_s=wait_s)
    async with talking(answering(given), timings=timings, on_urc=hear) as talk:
        heard.append(Ussd(talk.channel, timings, quirks, "slot-01"))
        yield talk, heard[0]


async def answer(talk: Talk, ussd: Ussd, said: str, code: str = "*100#") -> tuple[str, str]:
    task = asyncio.create_task(ussd.ask(code))
    async with asyncio.timeout(5):
        while not talk.heard("AT+CUSD=1"):
            await asyncio.sleep(0.002)
    talk.modem.say(said)
    found = await task
    return found.text, found.state


@pytest.mark.parametrize(
    ("said", "text", "state"),
    [
        ('+CUSD: 0,"Balance 12.50",15', "Balance 12.50", "done"),
        ('+CUSD: 0,"Balance 12.50"', "Balance 12.50", "done"),
        ("+CUSD: 2", "", "ended"),
        ("+CUSD: 3", "", "answered_elsewhere"),
        ("+CUSD: 4", "", "not_supported"),
        ("+CUSD: 5", "", "network_timeout"),
        ('+CUSD: 0,"00420061006C",72', "Bal", "done"),
        ('+CUSD: 0,"",15', "", "done"),
    ],
)
async def test_an_answer_that_ends_the_session(said: str, text: str, state: str) -> None:
    async with sessions() as (talk, ussd):
        assert await answer(talk, ussd, said) == (text, state)
        assert talk.heard("AT+CUSD=2") == []


async def test_a_question_is_given_back_and_the_session_closed() -> None:
    async with sessions() as (talk, ussd):
        assert await answer(talk, ussd, '+CUSD: 1,"1 Balance 2 Help",15') == ("1 Balance 2 Help", "asks")
        assert talk.heard("AT+CUSD=2") == ["AT+CUSD=2"]


async def test_no_answer_in_time_closes_the_session() -> None:
    async with sessions(wait_s=0.05) as (talk, ussd):
        with pytest.raises(UssdFailed, match="did not answer in time"):
            await ussd.ask("*100#")
        assert talk.heard("AT+CUSD=2") == ["AT+CUSD=2"]


@pytest.mark.parametrize("said", ["ERROR", "+CME ERROR: 100", "+CME ERROR: 30"])
async def test_a_refusal_names_itself(said: str) -> None:
    async with sessions({ASKED: (said,)}) as (_, ussd):
        with pytest.raises(UssdFailed, match="the modem refused it"):
            await ussd.ask("*100#")
        with pytest.raises(UssdFailed, match="the modem refused it"):  # and no session is thought to be open
            await ussd.ask("*100#")


@pytest.mark.parametrize(
    "code", ["", "abc", '*1"#', "*100#\r", "*100#\rAT+CFUN=0", "9" * (MAX_CODE + 1), "*100 #", "٣"]
)
async def test_what_is_no_code_never_reaches_the_modem(code: str) -> None:
    async with sessions() as (talk, ussd):
        with pytest.raises(UssdFailed, match="digits"):
            await ussd.ask(code)
        assert talk.modem.heard == []


async def test_only_one_at_a_time() -> None:
    async with sessions() as (talk, ussd):
        first = asyncio.create_task(ussd.ask("*100#"))
        async with asyncio.timeout(5):
            while not talk.heard("AT+CUSD=1"):
                await asyncio.sleep(0.002)
        with pytest.raises(UssdFailed, match="another code"):
            await ussd.ask("*101#")
        talk.modem.say('+CUSD: 0,"one",15')
        assert (await first).text == "one"


async def test_what_nobody_asked_for_is_dropped() -> None:
    async with sessions() as (talk, ussd):
        talk.modem.say('+CUSD: 0,"advertisement",15')
        await talk.channel.execute(AtCommand("AT"))  # what stood before its answer has been heard
        assert await answer(talk, ussd, '+CUSD: 0,"mine",15') == ("mine", "done")


async def test_huawei_is_given_packed_septets() -> None:
    packed = 'AT+CUSD=1,"AA180C3602",15'
    async with sessions({packed: OK}, quirks_for("huawei", "")) as (talk, ussd):
        said = f'+CUSD: 0,"{septets("Balance 12.50 EUR")}",15'
        assert await answer(talk, ussd, said) == ("Balance 12.50 EUR", "done")
        assert talk.heard("AT+CUSD=1") == [packed]


async def test_a_lost_port_is_a_failure_in_words() -> None:
    async with sessions() as (talk, ussd):
        task = asyncio.create_task(ussd.ask("*100#"))
        async with asyncio.timeout(5):
            while not talk.heard("AT+CUSD=1"):
                await asyncio.sleep(0.002)
        await talk.channel.close()
        talk.modem.say("+CUSD: 2")
        with pytest.raises(UssdFailed):
            await asyncio.wait_for(task, 10)
