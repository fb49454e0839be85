"""Server-sent events over a real server: what is heard, from where on, by whom, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.config import WebConfig
from modembank.eventlog import Entry, append, followers
from modembank.events import IssueRaised, ModemStateChanged
from modembank.ids import public_id
from modembank_web import serve
from modembank_web.api.v1 import events as face

PATH = "/api/v1/events"


@pytest.fixture
async def url(box: Box) -> AsyncIterator[str]:
    """The address of a real server, which ends although somebody listens."""
    box.events.start()
    server = await serve(box.web, WebConfig(listen="127.0.0.1:0"))
    yield f"http://127.0.0.1:{server.address[1]}"
    box.events.stop()
    assert await server.stop(3.0)


async def happen(box: Box, *entries: tuple[str, int | None, int | None], body: str | None = None) -> None:
    """Log events: kind, user, subject."""
    written = [Entry(1_000, kind, user, subject, body) for kind, user, subject in entries]
    await box.store.write(lambda conn: append(conn, written))
    box.events.wake()


class Listener:
    """An open stream, read field by field."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next event, without comments."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if line == "" and "data" in found:
                    return found
                if name:
                    found[name] = json.loads(value) if name == "data" else value
        raise EOFError

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return await anext(self._lines)


@contextlib.asynccontextmanager
async def listening(url: str, key: str, query: str = "", **headers: str) -> AsyncIterator[Listener]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        sent = {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with client.stream("GET", f"{url}{PATH}{query}", headers=sent) as answer:
            yield Listener(answer)


async def test_events_are_told_as_they_happen(box: Box, url: str) -> None:
    async with listening(url, await box.key()) as listener:
        assert listener.answer.headers["content-type"] == "text/event-stream"
        assert listener.answer.headers["cache-control"] == "no-store"
        assert await listener.line() == "retry: 3000"
        await happen(box, ("message.delivered", 1, 7))
        told = await listener.next()
    assert told["event"] == "message.delivered"
    assert told["id"] == told["data"]["id"] == public_id("evt", 1)
    assert told["data"]["data"] == {"id": public_id("msg", 7), "status": "delivered"}


async def test_a_client_that_comes_again_goes_on_where_it_was(box: Box, url: str) -> None:
    key = await box.key()
    await happen(box, *(("message.sent", 1, subject) for subject in range(1, 301)))
    async with listening(url, key, last_event_id=public_id("evt", 298)) as listener:
        assert [(await listener.next())["id"] for _ in range(2)] == [public_id("evt", 299), public_id("evt", 300)]
    async with listening(url, key, f"?last_event_id={public_id('evt', 50)}&for_s=0") as listener:
        assert [(await listener.next())["id"] for _ in range(250)] == [public_id("evt", n) for n in range(51, 301)]
        with pytest.raises(EOFError):
            await listener.next()
    async with listening(url, key, f"?last_event_id={public_id('evt', 9_000)}") as listener:
        assert (await listener.next())["id"] == public_id("evt", 1)  # an id of another life of the box


async def test_a_real_message_is_told_with_what_it_is_now(box: Box, url: str) -> None:
    key = await box.key(Role.SENDER, name="shop")
    async with box.client(key) as client, listening(url, key, "?types=message.*") as listener:
        sent = (
            await client.post("/api/v1/messages", json={"to": "+447900900123", "text": "x", "reference": "r"})
        ).json()
        await client.post(f"/api/v1/messages/{sent['id']}/cancel")
        box.events.wake()
        told = (await listener.next())["data"]
    data = told["data"]
    assert told["type"] == "message.cancelled"
    assert (data["id"], data["to"], data["status"], data["reference"]) == (
        sent["id"],
        "+447900900123",
        "cancelled",
        "r",
    )
    assert data["segments"] == 1
    assert "text" not in data


async def test_s10_a_sender_hears_of_nothing_but_its_own(box: Box, url: str) -> None:
    key = await box.key(Role.SENDER, name="shop")
    mine = next(user.id for user in await box.accounts.users(LOCAL_ADMIN) if user.name == "shop")
    async with listening(url, key) as listener:
        await happen(
            box, ("message.sent", mine + 1, 1), ("message.received", None, 2), ("issue.raised", None, 3),
            ("modem.failed", None, None), ("log.unknown", mine, 4), ("message.sent", mine, 5),
        )  # fmt: skip
        assert (await listener.next())["data"]["data"]["id"] == public_id("msg", 5)
    async with box.client(key) as client:
        assert (await client.get(f"{PATH}?types=issue.*&for_s=0")).status_code == 403
        assert (await client.get(f"{PATH}?types=nothing.*&for_s=0")).json()["errors"][0]["pointer"] == "/types"
        assert (await client.get(f"{PATH}?last_event_id=msg_1&for_s=0")).json()["errors"][0][
            "pointer"
        ] == "/last_event_id"


async def test_the_box_tells_of_itself_to_whoever_may_hear_it(box: Box, url: str) -> None:
    key = await box.key(Role.ADMIN, Scope.MODEMS)
    async with listening(url, key, "?types=modem.*,sim.changed,issue.*") as listener:
        box.bus.publish(ModemStateChanged(1_000, "slot-03", "registered", "opening", "reset"))
        box.bus.publish(ModemStateChanged(2_000, "slot-03", "opening", "failed", "quarantined", "no reply"))
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        first = (await listener.next())["data"]
        await box.sims.pause(sim.id, "unpaid")
        second = (await listener.next())["data"]
        box.bus.publish(IssueRaised(3_000, 5, "made_up", "slot-03", "warning", "It is so."))
        third = (await listener.next())["data"]
    assert first["type"] == "modem.failed"
    assert first["data"] == {
        "slot": "slot-03", "state": "failed", "before": "opening", "reason": "quarantined", "detail": "no reply",
    }  # fmt: skip
    assert (second["type"], second["data"]["paused_reason"]) == ("sim.changed", "unpaid")
    assert third["data"] | {"id": ""} == {
        "id": "", "kind": "made_up", "subject": "slot-03", "severity": "warning", "summary": "It is so.",
    }  # fmt: skip


async def test_s14_nothing_in_an_event_passes_for_a_field_of_the_stream(box: Box, url: str) -> None:
    nasty = "a\nid: evt_x\n\ndata: {}\r\n\u2028\u202e\x00end"
    async with listening(url, await box.key()) as listener:
        await happen(box, ("issue.raised", None, 1), body=json.dumps({"summary": nasty}))
        told = await listener.next()
    assert told["data"]["data"]["summary"] == nasty
    assert told["id"] == public_id("evt", 1)


async def test_silence_is_broken_by_comments(box: Box, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(face, "LOOK_S", 0.05)
    async with listening(url, await box.key()) as listener:
        while await listener.line() != ": still here":
            pass


async def test_s10_a_key_that_is_revoked_hears_nothing_more(box: Box, url: str) -> None:
    text = await box.key()
    async with listening(url, text) as listener:
        await listener.line()
        (key,) = await box.accounts.keys(LOCAL_ADMIN)
        await box.accounts.revoke_key(LOCAL_ADMIN, key.public_id)
        await happen(box, ("message.sent", 1, 1))
        with pytest.raises(EOFError):
            await listener.next()


async def _revoke(box: Box, text: str) -> None:
    await box.accounts.revoke_key(LOCAL_ADMIN, text[3:11])


async def _disable(box: Box, _: str) -> None:
    await box.accounts.set_user_active(LOCAL_ADMIN, "root", False)


async def _demote(box: Box, _: str) -> None:
    await box.accounts.change_user(LOCAL_ADMIN, "root", role=Role.SENDER)


@pytest.mark.parametrize("withdraw", [_revoke, _disable, _demote])
async def test_s10_a_stream_ends_with_what_let_it_also_when_nothing_happens(
    box: Box, url: str, monkeypatch: pytest.MonkeyPatch, withdraw: Callable[[Box, str], Awaitable[None]]
) -> None:
    monkeypatch.setattr(face, "LOOK_S", 3_600.0)
    await box.key()  # another admin stays
    text = await box.key(name="root")
    async with listening(url, text) as listener:
        while await listener.line() != ": events follow":
            pass
        await withdraw(box, text)
        with pytest.raises(EOFError):
            await listener.next()


async def test_there_is_an_end_to_how_many_listen(box: Box, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "MOST_OF_ONE", 2)
    monkeypatch.setattr(followers, "MOST_FOLLOWERS", 3)
    admin, sender = await box.key(), await box.key(Role.SENDER, name="shop")
    async with contextlib.AsyncExitStack() as open_streams:
        for key in (admin, admin, sender):
            listener = await open_streams.enter_async_context(listening(url, key))
            assert listener.answer.status_code == 200
        for key, status in ((admin, 429), (sender, 503)):
            async with listening(url, key) as refused:
                assert refused.answer.status_code == status
                assert refused.answer.headers["retry-after"]
                assert refused.answer.headers["content-type"] == "application/problem+json"
    async with asyncio.timeout(5):
        while box.events._followers:
            await asyncio.sleep(0.01)
    async with listening(url, admin) as listener:
        assert listener.answer.status_code == 200


async def test_whoever_listens_is_let_go_when_the_box_stops(box: Box, url: str) -> None:
    async with listening(url, await box.key()) as listener:
        await listener.line()
        box.events.stop()
        with pytest.raises(EOFError):
            await listener.next()
        async with box.client(await box.key()) as client:
            assert (await client.get(f"{PATH}?for_s=0")).status_code == 503
