"""What has happened: immutable facts that leave a layer after they are durable."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Base of all events; ``at`` is unix milliseconds."""

    at: int


class MessagesReady(Event, frozen=True):
    """Outbound messages may be dispatched now: (route id, rank, message id) each; empty when a reload is due."""

    entries: tuple[tuple[int, int, int], ...]


class MessagesSetAside(Event, frozen=True):
    """Outbound messages (row ids) are not to be dispatched until MessagesReady names them again."""

    messages: tuple[int, ...]


class MessageStateChanged(Event, frozen=True):
    """An outbound message reached a new state (the value of a MessageState)."""

    message: int
    user: int
    state: int
    cause: str | None = None


class BatchGrown(Event, frozen=True):
    """Outbound messages were accepted into a counted batch: ``count`` from ``first`` on, all in the same state."""

    first: int
    count: int
    user: int
    state: int


class MailingChanged(Event, frozen=True):
    """Something of a user's mailings, or of a file that is checked for one, is not as it was shown before."""

    user: int


class ProvidersChanged(Event, frozen=True):
    """Providers or the rules that lead to them are not as they were."""


class MessageReceived(Event, frozen=True):
    """An inbound message is complete (or given up as incomplete) and in the inbox."""

    message: int
    sim: int
    sender: str
    likeness: int = 0
    """What its text shares with others that say the same; 0: nothing to go by."""


class ModemStateChanged(Event, frozen=True):
    """A modem's state machine moved; the strings are the values of ModemState and StateChangeReason."""

    slot: str
    old: str
    new: str
    reason: str
    detail: str = ""


class SimChanged(Event, frozen=True):
    """A SIM's row changed: limits, label, pause, or the modem it sits in."""

    sim: int


class IssueRaised(Event, frozen=True):
    """Something needs a person: ``issue`` is its row id, ``kind`` the check's name, ``subject`` what it is about."""

    issue: int
    kind: str
    subject: str
    severity: str
    summary: str


class IssueCleared(Event, frozen=True):
    """What needed a person needs nobody any more."""

    issue: int
    kind: str
    subject: str


class OptOutsChanged(Event, frozen=True):
    """Numbers want no messages any more, or want them again."""

    numbers: tuple[str, ...]
    out: bool


class LoopChanged(Event, frozen=True):
    """A number is held back because messages to it and from it chase each other, or is let go again."""

    number: str


class BoxChanged(Event, frozen=True):
    """What is told of the image that the box was started from, or is asked of it, is not as it was."""


class ModemForgotten(Event, frozen=True):
    """A slot that was found on the USB is none any more."""

    slot: str
