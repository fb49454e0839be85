"""The one stream of each page: it names what has changed, and whatever shows that asks for itself again.

Nothing but names goes over it, so there is nothing in it to be escaped or kept from anybody, and a page that missed
some is right again after one look. Changes gather for a second: a thousand messages sent are one look. What changed
between the making of a page and the opening of its stream is told too: the page says which pulse it was made at.

A browser hides from a page with which status its stream was refused. So a refusal that the page can act upon is told
in the stream: ``ended`` (the session; the page leads to the login), ``full`` (too many streams; it tries later).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from functools import partial

import msgspec

from modembank.accounts import Actor, NotLoggedIn
from modembank.errors import Forbidden, ModembankError
from modembank.eventlog import TooManyFollowers, TooManyOfYours
from modembank.events import (
    BatchGrown,
    BoxChanged,
    Event,
    IssueCleared,
    IssueRaised,
    LoopChanged,
    MailingChanged,
    MessageReceived,
    MessagesReady,
    MessageStateChanged,
    ModemForgotten,
    ModemStateChanged,
    OptOutsChanged,
    ProvidersChanged,
    SimChanged,
)
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import LIVE, Page, admit
from modembank_web.streaming import Stream

GATHER_S = 1.0
BEAT_S = 15.0
TOPICS: dict[type[Event], tuple[str, ...]] = {
    ModemStateChanged: ("bank",),
    ModemForgotten: ("bank",),
    SimChanged: ("bank",),
    MessageStateChanged: ("messages", "mailings", "conversations", "bank"),
    BatchGrown: ("messages", "mailings", "conversations"),
    MailingChanged: ("mailings",),
    MessagesReady: ("messages", "mailings"),
    MessageReceived: ("conversations",),
    IssueRaised: ("issues",),
    IssueCleared: ("issues",),
    LoopChanged: ("issues",),
    OptOutsChanged: ("optouts", "conversations"),
    BoxChanged: ("box",),
    ProvidersChanged: ("providers",),
}
"""What of a page is out of date after an event, by the names that stand in its ``data-live-on``."""


class Since(msgspec.Struct, frozen=True):
    """What the page has seen: the event log's pulse when it was made; None: nobody can say."""

    pulse: int | None = None


async def live(topics: Mapping[type[Event], tuple[str, ...]], call: Call) -> Answer:
    """Follow what changes, told by the names of ``topics``."""
    try:
        await admit((), call)
        stream = _stream(topics, call, call.query(Since).pulse)
        await anext(stream)  # enters the block in which it is counted
    except (NotLoggedIn, Forbidden):
        return Stream(_told("ended"))
    except (TooManyFollowers, TooManyOfYours):
        return Stream(_told("full"))
    return Stream(stream)


async def _told(kind: str) -> AsyncGenerator[bytes, None]:
    yield _event(kind, kind)


async def _stream(
    topics: Mapping[type[Event], tuple[str, ...]], call: Call, seen: int | None
) -> AsyncGenerator[bytes, None]:
    changed: set[str] = set()
    actor = call.caller

    def note(event: Event) -> None:
        if _concerns(actor, event):
            changed.update(topics.get(type(event), ()))

    loop = asyncio.get_running_loop()
    unsubscribe = call.app.bus.subscribe(Event, note)
    try:
        with call.app.events.follow(actor.user_id) as follower:
            yield b""
            yield _event("hello", "hello")
            if seen is not None and seen != call.app.events.pulse:
                changed.update(*topics.values())
            spoke = loop.time()
            while not follower.ended:
                follower.looks()
                if changed:
                    await asyncio.sleep(GATHER_S)
                if changed or loop.time() - spoke >= BEAT_S:
                    if not await _still_here(call):
                        yield _event("ended", "ended")
                        return
                    told, spoke = " ".join(sorted(changed)), loop.time()
                    changed.clear()
                    yield _event("changed", told) if told else b": still here\n\n"
                    continue
                await follower.wait(BEAT_S)
    finally:
        unsubscribe()


def _concerns(actor: Actor, event: Event) -> bool:
    """Whether an event can change what the actor sees; a sender sees its own messages and mailings."""
    if actor.is_admin or not isinstance(event, MessageStateChanged | BatchGrown | MailingChanged):
        return True
    return event.user == actor.user_id


async def _still_here(call: Call) -> bool:
    """Whether the session lasts; whoever is gone is led to the login by the page it was."""
    try:
        await admit((), call)
    except ModembankError:
        return False
    return True


def _event(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()


def live_page(topics: Mapping[type[Event], tuple[str, ...]]) -> Page:
    """Return the page that streams what changes by these names."""
    return Page("live", "GET", LIVE, partial(live, topics), open=True, stream=True)


PAGES = (live_page(TOPICS),)
