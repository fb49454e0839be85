"""Reading a memory: nothing is deleted that was not read whole and made durable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from fakes.delivers import text
from fakes.modem_hosts import RememberingSink
from fakes.talks import Talk, answering, talking
from modembank.modem.capabilities import Capabilities
from modembank.modem.place import Standing
from modembank.modem.reading import Reader, Storage

PDU = text("6 into the storm")
LENGTH = len(PDU) // 2 - 8
HEAD = f"+CMGR: 0,,{LENGTH}"


async def nothing() -> None:
    """Nobody waits."""


def reader_of(
    talk: Talk, *, preferred: str | None = "SM", between: Callable[[], Awaitable[None]] = nothing
) -> tuple[Reader, RememberingSink]:
    sink = RememberingSink()
    capabilities = Capabilities(memories=("SM",), preferred=preferred)
    return Reader(talk.channel, capabilities, Standing(7, "slot-01", lambda: 0), sink, between), sink


async def test_others_have_a_turn_after_each_message_of_a_full_memory() -> None:
    """A delivery report that comes meanwhile must be acknowledged soon, or the modem stops routing."""
    async with talking() as talk:
        left = []

        async def between() -> None:
            left.append(len(talk.modem.slots))

        reader, sink = reader_of(talk, between=between)
        talk.modem.slots |= dict.fromkeys((1, 2, 3), PDU)
        assert await reader.sweep("SM") == 3
        assert len(sink.stored) == 3
        assert left == [2, 1, 0]


async def test_a_whole_message_is_stored_and_then_deleted() -> None:
    async with talking() as talk:
        reader, sink = reader_of(talk)
        talk.modem.slots[3] = PDU
        assert await reader.fetch("SM", 3)
        assert (sink.pdus(), sink.freed, talk.modem.slots) == ([PDU], [1], {})
        assert talk.modem.heard == ["AT+CMGR=3", "AT+CMGD=3"]


@pytest.mark.parametrize("cut", [2, 16, 40])
async def test_what_was_broken_on_the_line_is_read_again(cut: int) -> None:
    """16 digits is what the SMSC takes: such a line has the length of the TPDU alone."""
    async with talking(answering({"AT+CMGR=3": [(HEAD, PDU[:-cut], "OK"), (HEAD, PDU, "OK")]})) as talk:
        reader, sink = reader_of(talk)
        assert await reader.fetch("SM", 3)
        assert sink.pdus() == [PDU]


async def test_what_lies_there_broken_reads_the_same_twice_and_is_taken() -> None:
    async with talking(answering({"AT+CMGR=3": (HEAD, PDU[:-10], "OK")})) as talk:
        reader, sink = reader_of(talk)
        assert await reader.fetch("SM", 3)
        assert sink.pdus() == [PDU[:-10]]
        assert talk.heard("AT+CMGR=3") == ["AT+CMGR=3"] * 2


async def test_what_reads_differently_each_time_stays_where_it_is() -> None:
    answers = {"AT+CMGR=3": [(HEAD, PDU[: -2 * place], "OK") for place in range(1, 5)]}
    async with talking(answering(answers)) as talk:
        reader, sink = reader_of(talk)
        assert not await reader.fetch("SM", 3)
        assert sink.stored == []
        assert talk.heard("AT+CMGD") == []


NOISE = "^RSSI:17"
OTHER = text("7 into the storm")


@pytest.mark.parametrize(
    "listed",
    [
        (f"+CMGL: 3,0,,{LENGTH}", PDU[:-16], f"+CMGL: 4,0,,{LENGTH}", OTHER, "OK"),
        (f"+CMGL: 3,0,,{LENGTH}", PDU[:31], NOISE, PDU[31:], "+CM", NOISE, f"GL: 4,0,,{LENGTH}", OTHER, "OK"),
        (f"+CMGL: 3,0,,{LENGTH}", PDU, "+CMGL: 4", NOISE, f"0,0,,{LENGTH}", OTHER, "OK"),
    ],
    ids=["a PDU cut short", "a PDU behind another's header", "an index cut short"],
)
async def test_a_listing_that_was_broken_makes_no_message_another(listed: tuple[str, ...]) -> None:
    """The second was seen to delete a message unread, and to take its neighbour twice."""
    answers = {"AT+CMGL=4": listed, 'AT+CPMS="SM"': ("+CPMS: 2,30,2,30,2,30", "OK")}
    async with talking(answering(answers)) as talk:
        reader, sink = reader_of(talk)
        talk.modem.slots |= {3: PDU, 4: OTHER}
        await reader.sweep("SM")
        assert reader.storage == {"SM": Storage("SM", 2, 30)}
        assert sorted([*sink.pdus(), *talk.modem.slots.values()]) == sorted([PDU, OTHER])


async def test_a_pdu_that_was_lost_on_the_line_is_read_again() -> None:
    broken = (HEAD, PDU[:31], NOISE, PDU[31:], "OK")
    async with talking(answering({"AT+CMGR=3": [broken, (HEAD, PDU, "OK")]})) as talk:
        reader, sink = reader_of(talk)
        assert await reader.fetch("SM", 3)
        assert sink.pdus() == [PDU]


async def test_a_message_without_its_centre_is_taken_after_a_second_look() -> None:
    bare = PDU[16:]
    async with talking(answering({"AT+CMGR=3": (HEAD, bare, "OK")})) as talk:
        reader, sink = reader_of(talk)
        assert await reader.fetch("SM", 3)
        assert sink.pdus() == [bare]


@pytest.mark.parametrize("said", [("OK",), ("ERROR",), ("+CMS ERROR: 321",), (HEAD, "OK"), ()])
async def test_an_empty_slot_is_none(said: tuple[str, ...]) -> None:
    async with talking(answering({"AT+CMGR=3": said})) as talk:
        reader, sink = reader_of(talk)
        assert not await reader.fetch("SM", 3)
        assert sink.stored == []


@pytest.mark.parametrize("stat", [2, 3])
async def test_somebodys_drafts_are_left_alone(stat: int) -> None:
    async with talking(answering({"AT+CMGR=3": (f"+CMGR: {stat},,{LENGTH}", PDU, "OK")})) as talk:
        reader, sink = reader_of(talk)
        assert not await reader.fetch("SM", 3)
        assert sink.stored == []


async def test_a_refused_deletion_is_no_second_message_but_is_not_called_free() -> None:
    async with talking(answering({"AT+CMGD=3": ("ERROR",)})) as talk:
        reader, sink = reader_of(talk)
        talk.modem.slots[3] = PDU
        assert await reader.fetch("SM", 3)
        assert (sink.pdus(), sink.freed) == ([PDU], [])


async def test_without_a_listing_every_slot_is_looked_into_until_all_were_found() -> None:
    answers = {"AT+CMGL=4": ("+CMS ERROR: 303",), 'AT+CPMS="SM"': ("+CPMS: 2,30,2,30,2,30", "OK")}
    async with talking(answering(answers)) as talk:
        reader, sink = reader_of(talk)
        talk.modem.slots |= {1: PDU, 5: text("five")}
        assert await reader.sweep("SM") == 2
        assert sink.pdus() == [PDU, text("five")]
        assert talk.heard("AT+CMGR")[-1] == "AT+CMGR=5"


async def test_a_modem_that_cannot_choose_is_swept_all_the_same() -> None:
    async with talking(answering({'AT+CPMS="SM"': ("ERROR",)})) as talk:
        reader, sink = reader_of(talk, preferred=None)
        talk.modem.slots[1] = PDU
        assert await reader.sweep("SM") == 1
        assert sink.pdus() == [PDU]


async def test_a_memory_that_is_not_there_is_not_swept() -> None:
    async with talking(answering({'AT+CPMS="SR"': ("+CMS ERROR: 302",)})) as talk:
        reader, sink = reader_of(talk)
        talk.modem.slots[1] = PDU
        assert await reader.sweep("SR") == 0
        assert not await reader.fetch("SR", 1)
        assert sink.stored == []
