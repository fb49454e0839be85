"""Work that waits for the writer: one complete function each, ordered and dated by its urgency."""

from __future__ import annotations

import asyncio
import enum
import itertools
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from modembank.store.errors import StoreClosed

Work = Callable[[sqlite3.Connection], Any]
GROUP_LIMIT = 512
"""Functions in one transaction at most: bounds how long an urgent one can wait behind a flood."""


class Urgency(enum.Enum):
    """How soon a write must be durable."""

    NOW = "now"
    """Commit as soon as the writer is free."""
    SOON = "soon"
    """Commit within ``soon_s``; joins any group that is made before."""
    LAZY = "lazy"
    """Commit within ``lazy_s`` together with the other lazy ones; does not ride with single urgent commits."""


class Job(msgspec.Struct, eq=False):
    """One write: its function, and where the result goes."""

    work: Work
    urgency: Urgency
    reserve: bool
    future: asyncio.Future[Any]
    submitted: float
    due: float


class JobQueue(msgspec.Struct):
    """Hands groups of jobs from the event loops' threads to the writer's thread.

    NOW and SOON share one line in the order of submission, so that whatever was submitted SOON before a NOW is
    committed no later than it. LAZY has a line of its own, taken as a whole when its first one is due.
    """

    soon_s: float
    lazy_s: float
    _urgent: deque[Job] = msgspec.field(default_factory=deque)
    _lazy: deque[Job] = msgspec.field(default_factory=deque)
    _now: int = 0
    _changed: threading.Condition = msgspec.field(default_factory=threading.Condition)
    _waits_until: float = 0.0
    _flush: bool = False
    _closed: bool = False
    _taken_since: float | None = None
    _taken: int = 0

    def put(self, work: Work, urgency: Urgency, future: asyncio.Future[Any], *, reserve: bool) -> None:
        """Append a job; raises StoreClosed after close()."""
        now = time.monotonic()
        wait_s = {Urgency.NOW: 0.0, Urgency.SOON: self.soon_s, Urgency.LAZY: self.lazy_s}[urgency]
        job = Job(work, urgency, reserve, future, now, now + wait_s)
        with self._changed:
            if self._closed:
                raise StoreClosed
            (self._lazy if urgency is Urgency.LAZY else self._urgent).append(job)
            self._now += urgency is Urgency.NOW
            if job.due < self._waits_until:
                self._changed.notify()

    def flush(self) -> None:
        """Make everything that waits due now."""
        with self._changed:
            self._flush = True
            self._changed.notify()

    def close(self) -> None:
        """Refuse new jobs; what waits is due now, and take() returns None when all is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, idle_s: float) -> list[Job] | None:
        """Wait for the next group; [] after ``idle_s`` seconds without one, None when closed and empty.

        Called by the writer's thread only.
        """
        with self._changed:
            self._taken, self._taken_since = 0, None
            give_up = time.monotonic() + idle_s
            while True:
                now = time.monotonic()
                due = self._due()
                if due <= now:
                    return self._group(now)
                if self._closed:
                    return None
                if now >= give_up:
                    return []
                self._waits_until = min(due, give_up)
                self._changed.wait(self._waits_until - now)
                self._waits_until = 0.0

    def abandon(self) -> list[Job]:
        """Close, and return all jobs that nobody will ever take."""
        with self._changed:
            self._closed = True
            left = [*self._urgent, *self._lazy]
            self._urgent.clear()
            self._lazy.clear()
            self._now = self._taken = 0
            self._taken_since = None
            return left

    def has_urgent(self) -> bool:
        """Return whether a NOW job waits; read without the lock, a hint."""
        return self._now > 0

    def is_wanted(self) -> bool:
        """Return whether anybody waits beside a single job that is being written; read without the lock, a hint."""
        return self._now > 0 or self._taken > 1

    def depth(self) -> int:
        """Return how many jobs wait or are being written."""
        return len(self._urgent) + len(self._lazy) + self._taken

    def overdue_s(self) -> float:
        """Return for how long the most overdue job should have been taken, or the group in hand is being written."""
        with self._changed:
            now = time.monotonic()
            late = 0.0 if self._due() > now else now - self._due_by_date()
            return max(late, 0.0 if self._taken_since is None else now - self._taken_since)

    def _due(self) -> float:
        if not self._urgent and not self._lazy:
            self._flush = False
            return float("inf")
        if self._now or self._flush or self._closed:
            return 0.0
        return self._due_by_date()

    def _due_by_date(self) -> float:
        heads = [line[0].due for line in (self._urgent, self._lazy) if line]
        return min(heads, default=float("inf"))

    def _group(self, now: float) -> list[Job]:
        group = _pop(self._urgent, GROUP_LIMIT)
        self._now -= sum(job.urgency is Urgency.NOW for job in group)
        if self._lazy and (self._flush or self._closed or self._lazy[0].due <= now):
            group += _pop(self._lazy, GROUP_LIMIT)
        self._taken, self._taken_since = len(group), now
        return group


def _pop(line: deque[Job], most: int) -> list[Job]:
    if len(line) <= most:
        popped = list(line)
        line.clear()
        return popped
    return [line.popleft() for _ in itertools.repeat(None, most)]
