"""The words of forwarding: one address of one forward, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modembank.couriers import Retry
from modembank.mail_config import MailForwardConfig, MailOutConfig

RECEIVED = "message.received"
"""The one kind of event that is told."""
MOST_ASIDE = 100
"""Messages that a server refuses while it takes others; with more, it counts as failing."""


class Post(msgspec.Struct, frozen=True):
    """One address that a forward tells. Each has a place of its own: one that takes nothing holds up no other."""

    server: MailOutConfig
    forward: MailForwardConfig
    to: str

    @property
    def name(self) -> str:
        """By which it is known, for ever: what it has been told is kept under it."""
        return f"{self.forward.name}:{self.to.lower()}"


class Note(msgspec.Struct):
    """How far an address has been told, and how that goes; times are unix milliseconds."""

    place: int
    """The event up to which everything was told, is set aside, or is not for it."""
    aside: list[Retry] = msgspec.field(default_factory=list)
    failing_since: int | None = None
    failures: int = 0
    """In a row."""
    next_try_at: int | None = None
    last_error: str = ""
    delivered: int = 0
    given_up: int = 0
    given_up_at: int | None = None


class ForwardView(msgspec.Struct, frozen=True):
    """An address of a forward as it is now."""

    name: str
    forward: str
    to: str
    server: str
    """The host."""
    failing_since: int | None
    next_try_at: int | None
    last_error: str
    delivered: int
    given_up: int
    given_up_at: int | None
    aside: int


def view_of(post: Post, note: Note) -> ForwardView:
    """Return what may be shown."""
    return ForwardView(
        name=post.name,
        forward=post.forward.name,
        to=post.to,
        server=post.server.host,
        failing_since=note.failing_since,
        next_try_at=note.next_try_at,
        last_error=note.last_error,
        delivered=note.delivered,
        given_up=note.given_up,
        given_up_at=note.given_up_at,
        aside=len(note.aside),
    )


def is_for(post: Post, iccid: str | None, label: str) -> bool:
    """Return whether a message that came to a SIM is told."""
    forward = post.forward
    if not forward.sims and not forward.pools:
        return True
    return iccid in forward.sims or (bool(label) and label in forward.pools)


def shown(told: Mapping[str, Any]) -> bool:
    """Return whether a message is still there to be told of."""
    return "from" in told
