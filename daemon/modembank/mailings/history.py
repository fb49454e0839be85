"""How a mailing went on: its counters at some moments, which lie the further apart the longer it takes.

So a chart of any mailing has a few hundred points, however long it goes on. Times are unix milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

import msgspec

from modembank.messages import MessageState

LEAST_MS = 10_000
"""Between two moments."""
PARTS = 200
"""The next moment comes after this part of the time that has passed."""
MOST = 2_000
"""Moments that are read."""
Counts = Mapping[MessageState, int]


class Sampler:
    """Tells when the counters of a mailing are worth being noted."""

    def __init__(self) -> None:
        """Nothing is noted yet."""
        self._last: dict[int, tuple[int, Counts]] = {}

    def due(self, mailing: int, created_at: int, counts: Counts, now: int) -> bool:
        """Return whether to note them now, and remember that it is done."""
        last = self._last.get(mailing)
        if not counts or (last is not None and (last[1] == counts or now - last[0] < _apart(now - created_at))):
            return False
        self._last[mailing] = (now, counts)
        return True

    def forget(self, but: Collection[int]) -> None:
        """Forget all mailings but these."""
        self._last = {mailing: last for mailing, last in self._last.items() if mailing in but}


def note(conn: sqlite3.Connection, mailing: int, counts: Counts, now: int) -> None:
    """Store the counters of a moment."""
    text = msgspec.json.encode({str(int(state)): n for state, n in counts.items() if n}).decode()
    conn.execute(
        "INSERT OR REPLACE INTO mailing_history (mailing_id, at, counts) VALUES (?, ?, ?)", (mailing, now, text)
    )


def moments(conn: sqlite3.Connection, mailing: int) -> list[tuple[int, Counts]]:
    """Return the moments that were noted, the oldest first."""
    rows = conn.execute(
        "SELECT at, counts FROM mailing_history WHERE mailing_id = ? ORDER BY at DESC LIMIT ?", (mailing, MOST)
    ).fetchall()
    return [(at, _counts(text)) for at, text in reversed(rows)]


def _apart(passed: int) -> int:
    return max(LEAST_MS, passed // PARTS)


def _counts(text: str) -> Counts:
    return {MessageState(int(state)): n for state, n in msgspec.json.decode(text, type=dict[str, int]).items()}
