"""The events of the box as they happen, by server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.eventlog import EVENT_ID, EventLog, Told, Viewer, viewer_of
from modembank.ids import public_id, row_id
from modembank.store import StoreClosed
from modembank_web.answer import Answer
from modembank_web.api.v1 import event_examples as examples
from modembank_web.operation import Call, Operation, Reply
from modembank_web.problems import sort_failure
from modembank_web.streaming import EVENT_STREAM, Stream

PATH = "/api/v1/events"
HEARTBEAT_S = 15.0
LOOK_S = 5.0
"""Without being woken: for entries that no event on the bus went with."""
RETRY_MS = 3_000
_MOST_STAY_S = 86_400
_LAST = b"last-event-id"


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events, from where on, and for how long."""

    types: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    last_event_id: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    for_s: Annotated[float, msgspec.Meta(ge=0, le=_MOST_STAY_S)] | None = None


async def follow_events(call: Call) -> Answer:
    """Stream events after the last one that the client had, then new ones as they happen."""
    query = call.query(EventsQuery)
    patterns = ["*"] if query.types is None else [word.strip() for word in query.types.split(",")]
    viewer = viewer_of(call.caller, patterns, "/types")
    events = call.app.events
    after = await _start(events, _given(call, query))
    stream = _stream(call, viewer, after, query.for_s)
    await anext(stream)  # enters the block in which it is counted: a refusal is a problem with a status of its own
    return Stream(stream)


def _given(call: Call, query: EventsQuery) -> str:
    """Return the id of the last event that the client had, or an empty text."""
    header = call.headers.get(_LAST, b"").decode("latin-1")
    return header or query.last_event_id or ""


async def _start(events: EventLog, given: str) -> int:
    """Return after which id to read; an id of another life of the box lets everything be told that is kept."""
    latest = await events.latest()
    if not given:
        return latest
    last = row_id(EVENT_ID, given)
    if last is None:
        raise InvalidRequest(FieldProblem("/last_event_id", "is no id of an event, such as evt_0000000000042"))
    return last if last <= latest else 0


async def _stream(call: Call, viewer: Viewer, after: int, stay_s: float | None) -> AsyncGenerator[bytes, None]:
    """Yield an empty chunk once it is sure that there is room, then what is to be sent."""
    events = call.app.events
    loop = asyncio.get_running_loop()
    until = None if stay_s is None else loop.time() + stay_s
    spoke = loop.time()
    with events.follow(call.caller.user_id) as follower:
        yield b""
        # An id without data is where to go on (HTML standard, clause 9.2.6), also for who is cut off before an event.
        yield f"retry: {RETRY_MS}\nid: {public_id(EVENT_ID, after)}\n: events follow\n\n".encode()
        while not follower.ended:
            follower.looks()
            try:
                page = await events.page(after, viewer)
            except StoreClosed:
                return
            after = page.upto
            if not await _still_admitted(call):  # asked each time that it was woken, as it is when a key is revoked
                return
            if page.events or loop.time() - spoke >= HEARTBEAT_S:
                spoke = loop.time()
                yield b"".join(_written(told) for told in page.events) or b": still here\n\n"
            if page.more:
                continue
            left_s = LOOK_S if until is None else min(LOOK_S, until - loop.time())
            if left_s <= 0:
                return
            await follower.wait(left_s)


async def _still_admitted(call: Call) -> bool:
    """Whether the key may still be used, and for the same: it may have been revoked while its holder listened, and
    what is heard goes by what its user was allowed at first.
    """
    if call.admit_again is None:
        return True
    before = call.caller
    try:
        await call.admit_again(call)
    except ModembankError as error:
        if sort_failure(error).kind.status in {401, 403}:
            return False
        raise
    now = call.caller
    return (now.user_id, now.role, now.scopes) == (before.user_id, before.role, before.scopes)


def _written(told: Told) -> bytes:
    """Return one event on the wire. JSON in ASCII has no line breaks, so nothing in it can pass for a field."""
    data = json.dumps(told.public(), separators=(",", ":"))
    return f"id: {told.id}\nevent: {told.kind}\ndata: {data}\n\n".encode()


OPERATIONS = (
    Operation(
        id="followEvents",
        method="GET",
        path=PATH,
        tag="Events",
        summary="Follow the events",
        description="Server-sent events: what happens, as it happens, each with an `id`, its kind as `event`, and"
        " `data` in the shape of a webhook's body. A client that reconnects with `Last-Event-ID` goes on where it was;"
        " without one it hears what happens from now on. Events are kept for seven days. A sender hears of its own"
        " messages, an admin of everything. A comment comes every 15 seconds when nothing happens.",
        run=follow_events,
        needs=(Scope.MESSAGES_READ, Scope.MAILINGS, Scope.OPT_OUTS, Scope.MODEMS),
        query=EventsQuery,
        headers={"Last-Event-ID": ("The `id` of the last event that the client had", "evt_0000000000042")},
        replies=(Reply(200, "The events; it goes on", None, examples.STREAM, media=EVENT_STREAM.decode()),),
        raises=("too_many_requests",),
    ),
)
