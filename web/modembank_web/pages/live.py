"""The one stream of each page: it names what has changed, and whatever shows that asks for itself again.

Nothing but names goes over it, so there is nothing in it to be escaped or kept from anybody, and a page that missed
some is right again after one look. Changes gather for a second: a thousand messages sent are one look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from modembank.accounts import Actor
from modembank.errors import ModembankError
from modembank.events import (
    Event,
    IssueCleared,
    IssueRaised,
    LoopChanged,
    MessageReceived,
    MessagesReady,
    MessageStateChanged,
    ModemStateChanged,
    OptOutsChanged,
    SimChanged,
)
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import Page
from modembank_web.streaming import Stream

GATHER_S = 1.0
BEAT_S = 15.0
TOPICS: dict[type[Event], tuple[str, ...]] = {
    ModemStateChanged: ("bank",),
    SimChanged: ("bank",),
    MessageStateChanged: ("messages", "mailings", "conversations", "bank"),
    MessagesReady: ("messages", "mailings"),
    MessageReceived: ("conversations",),
    IssueRaised: ("issues",),
    IssueCleared: ("issues",),
    LoopChanged: ("issues",),
    OptOutsChanged: ("optouts", "conversations"),
}
"""What of a page is out of date after an event, by the names that stand in its ``data-live-on``."""


async def live(call: Call) -> Answer:
    """Follow what changes."""
    stream = _stream(call)
    await anext(stream)  # enters the block in which it is counted: a refusal has a status of its own
    return Stream(stream)


async def _stream(call: Call) -> AsyncGenerator[bytes, None]:
    changed: set[str] = set()
    actor = call.caller

    def note(event: Event) -> None:
        if _concerns(actor, event):
            changed.update(TOPICS.get(type(event), ()))

    loop = asyncio.get_running_loop()
    unsubscribe = call.app.bus.subscribe(Event, note)
    try:
        with call.app.events.follow(actor.user_id) as follower:
            yield b""
            yield b"event: hello\ndata: hello\n\n"
            spoke = loop.time()
            while not follower.ended:
                follower.looks()
                if changed:
                    await asyncio.sleep(GATHER_S)
                if changed or loop.time() - spoke >= BEAT_S:
                    if not await _still_here(call):
                        yield b"event: ended\ndata: ended\n\n"
                        return
                    told, spoke = " ".join(sorted(changed)), loop.time()
                    changed.clear()
                    yield f"event: changed\ndata: {told}\n\n".encode() if told else b": still here\n\n"
                    continue
                await follower.wait(BEAT_S)
    finally:
        unsubscribe()


def _concerns(actor: Actor, event: Event) -> bool:
    """Whether an event can change what the actor sees; a sender sees its own messages."""
    return actor.is_admin or not isinstance(event, MessageStateChanged) or event.user == actor.user_id


async def _still_here(call: Call) -> bool:
    """Whether the session lasts; whoever is gone is led to the login by the page it was."""
    assert call.admit_again is not None
    try:
        await call.admit_again(call)
    except ModembankError:
        return False
    return True


PAGES = (Page("live", "GET", "/ui/live", live),)
