"""The one stream of a page: what it names, when, for whom, and how it is refused so that a page can act upon it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from fakes.guards import HandClock, make_cheap
from fakes.pages import ADMIN, OTHER, SENDER, people, token_of
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Accounts
from modembank.config import WebConfig
from modembank.eventlog import followers
from modembank.events import IssueCleared, IssueRaised, MessageStateChanged
from modembank_web import serve
from modembank_web.pages import live
from modembank_web.pages.live import TOPICS

RAISED = IssueRaised(0, 1, "disk", "", "warning", "little room")


@pytest.fixture
async def url(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The address of a real server; changes gather for no longer than they need to be published."""
    await people(box)
    monkeypatch.setattr(live, "GATHER_S", 0.05)
    box.events.start()
    server = await serve(box.web, WebConfig(listen="127.0.0.1:0"))
    yield f"http://127.0.0.1:{server.address[1]}"
    box.events.stop()
    assert await server.stop(3.0)


class Listener:
    """An open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, str]:
        """Return the next event and its data."""
        kind = ""
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    return kind, value
        raise EOFError


@contextlib.asynccontextmanager
async def listening(url: str, token: str, query: str = "") -> AsyncIterator[Listener]:
    headers = {"Cookie": f"__Host-mb={token}"} if token else {}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{url}/ui/live{query}", headers=headers) as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        yield Listener(answer)


def sent(box: Box, user: str, ids: dict[str, int], message: int = 7) -> None:
    box.bus.publish(MessageStateChanged(0, message, ids[user], 40))


async def ids_of(box: Box) -> dict[str, int]:
    return {user.name: user.id for user in await box.accounts.users(LOCAL_ADMIN)}


async def test_what_happens_is_named_once_however_often_it_happens(box: Box, url: str) -> None:
    ids = await ids_of(box)
    async with listening(url, await token_of(box, ADMIN)) as listener:
        assert await listener.next() == ("hello", "hello")
        for message in range(1_000):
            sent(box, SENDER, ids, message)
        box.bus.publish(RAISED)
        assert await listener.next() == ("changed", "bank conversations issues mailings messages")
        box.bus.publish(IssueCleared(0, 1, "disk", ""))
        assert await listener.next() == ("changed", "issues")


async def test_a_sender_hears_of_its_own_messages_alone(box: Box, url: str) -> None:
    ids = await ids_of(box)
    async with listening(url, await token_of(box, SENDER)) as listener:
        await listener.next()
        sent(box, OTHER, ids)
        box.bus.publish(RAISED)
        assert await listener.next() == ("changed", "issues")
        sent(box, SENDER, ids)
        assert "messages" in (await listener.next())[1]


async def test_what_happened_between_the_page_and_its_stream_is_told(box: Box, url: str) -> None:
    token, before = await token_of(box, ADMIN), box.events.pulse
    box.bus.publish(RAISED)
    async with listening(url, token, f"?pulse={before}") as listener:
        assert await listener.next() == ("hello", "hello")
        kind, topics = await listener.next()
        assert (kind, set(topics.split(" "))) == ("changed", {name for names in TOPICS.values() for name in names})
    async with listening(url, token, f"?pulse={box.events.pulse}") as listener:
        await listener.next()
        box.bus.publish(RAISED)
        assert await listener.next() == ("changed", "issues")


@pytest.mark.parametrize("token", ["", "A" * 43])
async def test_whoever_is_not_logged_in_is_told_so_in_the_stream(url: str, token: str) -> None:
    async with listening(url, token) as listener:
        assert await listener.next() == ("ended", "ended")
        with pytest.raises(EOFError):
            await listener.next()


async def test_a_session_that_is_ended_ends_its_streams(box: Box, url: str) -> None:
    async with listening(url, await token_of(box, SENDER)) as listener:
        await listener.next()
        (session,) = await box.accounts.sessions.list(LOCAL_ADMIN)
        await box.accounts.sessions.end(LOCAL_ADMIN, session.public_id)
        box.bus.publish(RAISED)
        assert await listener.next() == ("ended", "ended")


async def test_s04_a_stream_keeps_no_session(box: Box, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    box.accounts = make_cheap(Accounts(box.store, clock))
    async with listening(url, await token_of(box, SENDER)) as listener:
        await listener.next()
        for minutes, told in ((20, "changed"), (11, "ended")):
            clock.turn(minutes * 60)
            box.bus.publish(RAISED)
            assert (await listener.next())[0] == told


async def test_too_many_streams_are_told_to_wait(box: Box, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "MOST_OF_ONE", 1)
    token = await token_of(box, SENDER)
    async with listening(url, token) as first, listening(url, token) as second:
        assert await first.next() == ("hello", "hello")
        assert await second.next() == ("full", "full")
