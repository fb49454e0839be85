"""Events and webhooks of a real box: followed across cuts without a loss, and signatures that the client trusts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.client_kinds import QUICK, Either, Served
from fakes.cut_lines import pipe
from modembank.accounts import Role, Scope
from modembank.client import AsyncClient, Client, Event, Forbidden, InvalidRequest, NotFound, Retry
from modembank.eventlog import Entry, append

TO = "+447900900123"


@pytest.fixture
async def telling(served: Served) -> AsyncIterator[Served]:
    """A box that tells what happens."""
    served.box.events.start()
    yield served
    served.box.events.stop()


END = "box.restored"
START = "evt_0000000000000"
"""Before the very first: whoever names no event hears what happens from now on."""


async def happen(served: Served, *marks: str, end: bool = False) -> None:
    """Let issues be raised, each with a mark, and at the end what the followers end at."""
    entries = [Entry(1_000, "issue.raised", None, 1, json.dumps({"mark": mark})) for mark in marks]
    entries += [Entry(1_000, END, None, None, "{}")] if end else []
    await served.box.store.write(lambda conn: append(conn, entries))
    served.box.events.wake()


class Follower:
    """Follows with either client and remembers what it was given."""

    def __init__(self, kind: str, url: str, key: str, **wanted: Any) -> None:
        self.got: list[Event] = []
        self.news = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.work = asyncio.ensure_future(
            asyncio.to_thread(self._sync, url, key, wanted) if kind == "sync" else self._async(url, key, wanted)
        )

    def _take(self, event: Event) -> None:
        self.got.append(event)
        self.news.set()

    def _sync(self, url: str, key: str, wanted: dict[str, Any]) -> None:
        with Client(url, key, retry=QUICK) as client:
            for event in client.events(**wanted):
                self.loop.call_soon_threadsafe(self._take, event)
                if event.type == END:
                    return

    async def _async(self, url: str, key: str, wanted: dict[str, Any]) -> None:
        async with AsyncClient(url, key, retry=QUICK) as client:
            events = client.events(**wanted)
            async for event in events:
                self._take(event)
                if event.type == END:
                    break
            await events.aclose()  # type: ignore[attr-defined]

    @property
    def marks(self) -> list[str]:
        return [event.data.get("mark", "end") for event in self.got]

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()
        return self.marks


async def test_events_are_followed_across_cuts_in_order_and_none_twice(kind: str, telling: Served) -> None:
    await happen(telling, "before")
    async with pipe(telling.address) as line:
        follower = Follower(kind, line.url, telling.key, last_event_id=START)
        assert await follower.until(1) == ["before"]
        for number in range(3):
            line.cut()
            await happen(telling, f"n{number}", f"m{number}")
            await follower.until(3 + 2 * number)
        await happen(telling, end=True)
        await follower.work
    told = ["before", "n0", "m0", "n1", "m1", "n2", "m2", "end"]
    assert follower.marks == told
    assert len({event.id for event in follower.got}) == len(told)
    assert line.opened >= 4


async def test_who_hears_of_what_happens_from_now_on_loses_nothing_when_it_ends_before_the_first(
    kind: str, telling: Served
) -> None:
    await happen(telling, "before")
    async with pipe(telling.address) as line:
        follower = Follower(kind, line.url, telling.key)
        async with asyncio.timeout(20):
            while b": events follow" not in line.passed:
                await asyncio.sleep(0.01)
        line.end()
        await happen(telling, "while it was away", end=True)
        await follower.work
    assert follower.marks == ["while it was away", "end"]


async def test_only_the_kinds_asked_for_are_heard(kind: str, telling: Served) -> None:
    await happen(telling, "one", "two", end=True)
    follower = Follower(kind, telling.url, telling.key, types="box.*", last_event_id=START)
    await follower.work
    assert [event.type for event in follower.got] == [END]


async def test_who_may_not_follow_is_told_so(kind: str, telling: Served) -> None:
    key = await telling.box.key(Role.SENDER, Scope.WEBHOOKS)
    with pytest.raises(Forbidden):
        await Follower(kind, telling.url, key).work
    with pytest.raises(InvalidRequest):
        await Follower(kind, telling.url, telling.key, last_event_id="nonsense").work


async def test_leaving_the_loop_closes_the_connection(telling: Served) -> None:
    await happen(telling, "one", "two")
    async with AsyncClient(telling.url, telling.key, retry=Retry(tries=1)) as client:
        events = client.events(last_event_id=START)
        assert (await anext(events)).data["mark"] == "one"
        await events.aclose()  # type: ignore[attr-defined]
        assert (await client.preview("x")).segments == 1


async def test_webhooks_are_made_changed_and_deleted(client: Either) -> None:
    made = await client("add_webhook", "https://shop.example.com/sms", ["message.*"], label="orders")
    assert made.secret.startswith("whsec_")
    assert (made.events, made.label, made.active) == (("message.*",), "orders", True)
    assert [webhook.id for webhook in await client.list("webhooks")] == [made.id]
    assert (await client("change_webhook", made.id, active=False)).active is False
    found = await client("webhook", made.id)
    assert (found.active, found.secret) == (False, "")
    assert await client("delete_webhook", made.id) is None
    with pytest.raises(NotFound):
        await client("webhook", made.id)
    with pytest.raises(InvalidRequest):
        await client("add_webhook", "http://127.0.0.1/", ["message.*"])


async def test_opt_outs_are_added_listed_and_removed(client: Either) -> None:
    assert (await client("add_opt_out", TO, note="by phone")).state == "out"
    assert [(each.number, each.note) for each in await client.list("opt_outs", state="out")] == [(TO, "by phone")]
    with pytest.raises(InvalidRequest, match="has opted out"):
        await client("send", TO, "x")
    assert (await client("remove_opt_out", TO, reason="asked for it")).state == "in"
    assert (await client("send", TO, "x")).status == "queued"


async def test_conversations_are_read_and_answered(client: Either, served: Served) -> None:
    await client("send", TO, "Are you coming?")
    async with served.box.client(served.key) as http:
        sms = {"senderPhone": TO, "receiverPhone": "+447900900001", "messageText": "Yes", "timestamp": 1, "uuid": "1"}
        assert (await http.post("/api/receive-sms", json=sms)).status_code == 200
    (conversation,) = await client.list("conversations")
    assert (conversation.number, conversation.last_text, conversation.unread) == (TO, "Yes", 1)
    receipt = await client("reply", TO, "See you then")
    said = await client.list("conversation", TO)
    assert {(each.direction, each.text) for each in said} == {
        ("outbound", "Are you coming?"), ("inbound", "Yes"), ("outbound", "See you then"),
    }  # fmt: skip
    assert receipt.id in {each.id for each in said}
    assert [each.from_ for each in await client.list("inbox", sender=TO)] == [TO]
