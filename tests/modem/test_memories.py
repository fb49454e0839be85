"""Choosing the memory: what real makes answer to AT+CPMS, and what is said of those that cannot choose."""

from __future__ import annotations

import asyncio

import pytest

from fakes.talks import SHORT, answering, talking
from modembank.modem import Feature, Has
from modembank.modem.memories import USE, choose, select

OK, ERROR = ("OK",), ("ERROR",)
FILL = ("+CPMS: 0,10,0,10,0,10", "OK")


def offers(words: str, **answers: object) -> dict[str, object]:
    return {"AT+CPMS=?": (f"+CPMS: {words}", "OK"), **answers}


def test_the_command_names_one_memory_or_three() -> None:
    assert select("ME").text == 'AT+CPMS="ME"'
    assert select("SM", all_three=True).text == 'AT+CPMS="SM","SM","SM"'


async def test_the_larger_of_two_is_taken() -> None:
    answers = offers('("ME","SM"),("ME","SM"),("ME","SM")')
    answers |= {'AT+CPMS="ME"': ("+CPMS: 0,255,0,255,0,255", "OK"), 'AT+CPMS="SM"': ("+CPMS: 1,40,0,40,0,40", "OK")}
    async with talking(answering(answers)) as talk:
        memories = await choose(talk.dialogue)
        assert (memories.preferred, memories.readable) == ("ME", ("ME", "SM"))
        assert talk.findings[Feature.MEMORY].evidence == "ME holds 255"
        assert talk.heard("AT+CPMS=")[-1] == 'AT+CPMS="ME","ME","ME"'


async def test_a_memory_without_room_is_none() -> None:
    answers = offers('("ME","SM"),("ME","SM"),("ME","SM")')
    answers |= {'AT+CPMS="ME"': ("+CPMS: 0,0,0,0,0,0", "OK"), 'AT+CPMS="SM"': FILL}
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"


async def test_where_messages_cannot_be_received_none_is_looked_for() -> None:
    answers = offers('("ME","SM","SR"),("SM"),("SM")', **{'AT+CPMS="SM"': FILL})
    async with talking(answering(answers)) as talk:
        memories = await choose(talk.dialogue)
        assert memories.preferred == "SM"
        assert memories.readable == ("SM", "ME", "SR")
        assert 'AT+CPMS="ME"' not in talk.modem.heard


async def test_the_union_and_broadcasts_are_never_read() -> None:
    answers = offers('("BM","ME","SM","MT","TA"),("ME","SM"),("ME","SM")')
    answers |= {'AT+CPMS="ME"': FILL, 'AT+CPMS="SM"': ("+CPMS: 0,5,0,5,0,5", "OK")}
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).readable == ("ME", "SM")


async def test_a_modem_that_takes_only_one_memory_at_a_time() -> None:
    refused = {'AT+CPMS="SM","SM","SM"': ERROR, 'AT+CPMS="SM","SM"': ERROR}
    async with talking(answering(offers('("SM"),("SM"),("SM")', **refused, **{'AT+CPMS="SM"': FILL}))) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"


async def test_a_memory_that_cannot_be_read_gives_way_to_the_next() -> None:
    """EC200A with firmware A24: ME can be chosen and not read (forums.quectel.com, topic 38460)."""
    answers = offers('("ME","SM"),("ME","SM"),("ME","SM")')
    answers |= {
        'AT+CPMS="ME"': ("+CPMS: 0,255,0,255,0,255", "OK"),
        'AT+CPMS="SM"': FILL,
        "AT+CMGL=4": [("+CMS ERROR: 320",), OK],
        "AT+CMGR=0": ("+CMS ERROR: 320",),
        "AT+CMGR=1": ("+CMS ERROR: 320",),
    }
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"
        assert talk.findings[Feature.LIST_PDUS].has is Has.YES


async def test_no_listing_in_pdu_mode_is_no_obstacle_and_is_said() -> None:
    """EP06-A and EM06-A answer CMGL=4 with +CMS ERROR 303 (forums.quectel.com, topic 7820)."""
    answers = offers('("SM"),("SM"),("SM")', **{'AT+CPMS="SM"': FILL, "AT+CMGL=4": ("+CMS ERROR: 303",)})
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"
        assert talk.findings[Feature.LIST_PDUS].has is Has.NO
        assert talk.findings[Feature.LIST_PDUS].evidence == "AT+CMGL=4: CMS ERROR 303"


async def test_an_empty_memory_may_be_called_an_invalid_index() -> None:
    answers = offers('("SM"),("SM"),("SM")', **{'AT+CPMS="SM"': FILL, "AT+CMGL=4": ("+CMS ERROR: 321",)})
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"
        assert talk.findings[Feature.LIST_PDUS].has is Has.YES


@pytest.mark.parametrize("refusal", ["ERROR", "+CME ERROR: 4", "+CMS ERROR: 303", "+CMS ERROR: 302"])
async def test_a_modem_without_the_command_is_asked_once_and_believed(refusal: str) -> None:
    answers: dict[str, object] = {"AT+CPMS=?": (refusal,)}
    answers |= {f'AT+CPMS="{name}"': (refusal,) for name in ("ME", "SM")}
    async with talking(answering(answers)) as talk:
        memories = await choose(talk.dialogue)
        assert (memories.preferred, memories.readable) == (None, ("SM",))
        assert len(talk.heard("AT+CPMS")) == 3
        finding = talk.findings[Feature.MEMORY]
        assert finding.has is Has.NO
        assert finding.evidence.startswith('AT+CPMS="SM": ')


@pytest.mark.parametrize("busy", ["+CMS ERROR: 314", "+CMS ERROR: 515", "+CME ERROR: 14"])
async def test_a_sim_that_still_loads_is_asked_again(busy: str) -> None:
    answers = offers('("SM"),("SM"),("SM")', **{'AT+CPMS="SM"': [(busy,), (busy,), FILL]})
    async with talking(answering(answers)) as talk:
        assert (await choose(talk.dialogue)).preferred == "SM"
        assert talk.heard('AT+CPMS="SM"')[:3] == ['AT+CPMS="SM"'] * 3


@pytest.mark.parametrize(("settled", "asked"), [(False, 4), (True, 1)])
async def test_not_allowed_means_not_yet_only_until_the_service_is_ready(*, settled: bool, asked: int) -> None:
    async with talking(answering({"AT+CPMS?": ("+CMS ERROR: 302",)}), settled=settled) as talk:
        result = await talk.dialogue.ask_patiently(USE)
        assert result is not None
        assert result.code == 302
        assert len(talk.heard("AT+CPMS?")) == asked


@pytest.mark.parametrize("refusal", ["ERROR", "+CME ERROR: 3", "+CME ERROR: 4", "+CMS ERROR: 303"])
async def test_a_plain_refusal_is_never_waited_for(refusal: str) -> None:
    async with talking(answering({"AT+CPMS?": (refusal,)}), settled=False) as talk:
        await talk.dialogue.ask_patiently(USE)
        assert len(talk.heard("AT+CPMS?")) == 1


async def test_the_wait_ends_when_the_modem_says_that_it_is_ready() -> None:
    answers = {"AT+CPMS?": [("+CMS ERROR: 515",), ('+CPMS: "SM",0,10', "OK")]}
    async with talking(answering(answers), timings=SHORT.scaled(not_ready_s=60.0)) as talk:
        task = asyncio.create_task(talk.dialogue.ask_patiently(USE))
        async with asyncio.timeout(10):
            while not task.done():
                talk.ready.set()
                await asyncio.sleep(0.005)
        result = await task
        assert result is not None
        assert result.ok
