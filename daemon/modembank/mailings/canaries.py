"""Canaries: the first messages of a mailing go, and the rest waits until a person or a rule lets it go on.

The messages of a canary are the first ones of the file, so that an id tells them from the rest. All functions run
inside a write or read of the store. Times are unix milliseconds.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from typing import Literal

import msgspec

from modembank.messages import MessageState

MOST = 10_000
"""Messages of one canary."""
_BAD = (MessageState.FAILED, MessageState.UNDELIVERED, MessageState.EXPIRED, MessageState.UNKNOWN)
CanaryState = Literal["waiting", "sending", "settling", "left", "stopped", "continued"]


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and how far it is."""

    share: float | None = None
    """Percent of the messages; else ``count``."""
    count: int | None = None
    minutes: int | None = None
    """After so many minutes since the last of it has left the rest goes on by itself; None: by hand."""
    max_failed: float = 5.0
    """Percent that may have failed, or be unknown, for that."""
    size: int = 0
    """Messages of it; 0 until the file is checked."""
    last: int | None = None
    """The last of its messages that there is so far."""
    left_at: int | None = None
    """When nothing of it was left to be sent."""
    stopped: str | None = None
    """Why the rule did not let the rest go on."""
    continued_at: int | None = None

    def sized(self, accepted: int) -> Canary:
        """Return it for so many messages in all."""
        wanted = self.count if self.count is not None else math.ceil(accepted * (self.share or 0) / 100)
        return msgspec.structs.replace(self, size=max(1, min(wanted, accepted, MOST)))

    def room(self, accepted: int) -> int:
        """Return how many of the next messages are its own, when there are so many already."""
        return max(self.size - accepted, 0)

    def continues_at(self) -> int | None:
        """Return when its rule decides; None: it has none, or it is not known yet."""
        if self.minutes is None or self.left_at is None or self.stopped is not None or self.continued_at is not None:
            return None
        return self.left_at + self.minutes * 60_000

    @property
    def state(self) -> CanaryState:
        """How far it is, but for a mailing that waits as a whole."""
        if self.continued_at is not None:
            return "continued"
        if self.stopped is not None:
            return "stopped"
        if self.left_at is None:
            return "sending" if self.last is not None else "waiting"
        return "left" if self.minutes is None else "settling"


def counts(conn: sqlite3.Connection, batch: int, canary: Canary) -> dict[MessageState, int]:
    """Return how many of its messages are in each state; reads all of them."""
    if canary.last is None:
        return {}
    rows = conn.execute(
        "SELECT state, count(*) FROM messages WHERE batch_id = ? AND id <= ? GROUP BY state", (batch, canary.last)
    )
    return {MessageState(state): n for state, n in rows}


def judged(canary: Canary, by_state: Mapping[MessageState, int], now: int) -> Canary:
    """Return it as it is now that its messages are in these states: gone on by its rule, stopped, or neither."""
    if any(n for state, n in by_state.items() if state < MessageState.SENT):
        return canary
    canary = msgspec.structs.replace(canary, left_at=now if canary.left_at is None else canary.left_at)
    due = canary.continues_at()
    if due is None or now < due:
        return canary
    bad, all_ = sum(by_state.get(state, 0) for state in _BAD), sum(by_state.values())
    if bad * 100 > canary.max_failed * all_:
        why = f"{bad} of {all_} failed or may have, and {canary.max_failed:g} % may: continue lets the rest go"
        return msgspec.structs.replace(canary, stopped=why)
    return msgspec.structs.replace(canary, continued_at=now)
