"""What a caller sees of conversations: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from modembank.messages import InboxView, MessageView


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """A number from which something came, with the newest of it."""

    number: str
    user: str | None
    """Whose it is; None: nobody had written to the number."""
    last_id: str
    """Of the newest inbound message."""
    last_text: str
    """The beginning of its text."""
    last_kind: str
    last_at: str
    unread: int
    opted_out: bool
    last_sent_id: str | None
    """Of the newest message to the number, among the last ones that the box has."""
    last_sent_status: str | None


Said: TypeAlias = InboxView | MessageView


class Thread(msgspec.Struct, frozen=True):
    """A part of what was said with a number, newest first; ``cursor`` asks for what came before, None at the end."""

    number: str
    opted_out: bool
    items: tuple[Said, ...]
    cursor: str | None


class ReadView(msgspec.Struct, frozen=True):
    """What is unread of a number after some was marked as read."""

    number: str
    unread: int
