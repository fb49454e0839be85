"""What has happened: immutable facts that leave a layer after they are durable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``at`` is unix milliseconds."""

    at: int


@dataclass(frozen=True, slots=True)
class MessagesReady(Event):
    """Outbound messages may be dispatched now: (route id, rank, message id) each; empty when a reload is due."""

    entries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class MessagesSetAside(Event):
    """Outbound messages (row ids) are not to be dispatched until MessagesReady names them again."""

    messages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageStateChanged(Event):
    """An outbound message reached a new state (the value of a MessageState)."""

    message: int
    user: int
    state: int
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class BatchGrown(Event):
    """Outbound messages were accepted into a counted batch: ``count`` from ``first`` on, all in the same state."""

    first: int
    count: int
    user: int
    state: int


@dataclass(frozen=True, slots=True)
class MailingChanged(Event):
    """Something of a user's mailings, or of a file that is checked for one, is not as it was shown before."""

    user: int


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """An inbound message is complete (or given up as incomplete) and in the inbox."""

    message: int
    sim: int
    sender: str
    likeness: int = 0
    """What its text shares with others that say the same; 0: nothing to go by."""


@dataclass(frozen=True, slots=True)
class ModemStateChanged(Event):
    """A modem's state machine moved; the strings are the values of ModemState and StateChangeReason."""

    slot: str
    old: str
    new: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SimChanged(Event):
    """A SIM's row changed: limits, label, pause, or the modem it sits in."""

    sim: int


@dataclass(frozen=True, slots=True)
class IssueRaised(Event):
    """Something needs a person: ``issue`` is its row id, ``kind`` the check's name, ``subject`` what it is about."""

    issue: int
    kind: str
    subject: str
    severity: str
    summary: str


@dataclass(frozen=True, slots=True)
class IssueCleared(Event):
    """What needed a person needs nobody any more."""

    issue: int
    kind: str
    subject: str


@dataclass(frozen=True, slots=True)
class OptOutsChanged(Event):
    """Numbers want no messages any more, or want them again."""

    numbers: tuple[str, ...]
    out: bool


@dataclass(frozen=True, slots=True)
class LoopChanged(Event):
    """A number is held back because messages to it and from it chase each other, or is let go again."""

    number: str


@dataclass(frozen=True, slots=True)
class BoxChanged(Event):
    """What is told of the image that the box was started from, or is asked of it, is not as it was."""


@dataclass(frozen=True, slots=True)
class ModemForgotten(Event):
    """A slot that was found on the USB is none any more."""

    slot: str
