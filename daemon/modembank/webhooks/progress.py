"""How far a webhook has been told, and how it does: in memory at once, in the store soon after."""

from __future__ import annotations

import asyncio
import sqlite3

import msgspec

from modembank.outgoing import Outcome
from modembank.store import Store, StoreError, Urgency
from modembank.webhooks import rows
from modembank.webhooks.model import Webhook


class Progress(msgspec.Struct):
    """Kept by a courier. One write is under way at most, so that a flood of events is one row a second."""

    store: Store
    webhook_id: int
    place: int = 0
    """The event up to which everything was told or is kept to be tried again."""
    ahead: set[int] = msgspec.field(default_factory=set)
    """Events beyond it that were taken already."""
    failing_since: int | None = None
    failures: int = 0
    next_try_at: int | None = None
    _last: tuple[int, int | None, str | None] | None = None
    _delivered: int = 0
    _given_up: int = 0
    _given_up_at: int = 0
    _stored: int = 0
    _dirty: bool = False
    _task: asyncio.Task[None] | None = None

    def begin(self, webhook: Webhook) -> None:
        """Go on where the last run was."""
        self.place = self._stored = webhook.place
        self.failing_since, self.failures = webhook.failing_since, webhook.failures

    def note(self, outcome: Outcome, at: int, *, given_up: bool = False) -> None:
        """Note how a post ended."""
        self._last = at, outcome.status, outcome.error
        self._delivered += outcome.error is None
        self.give_up(int(given_up), at)

    def give_up(self, events: int, at: int) -> None:
        """Note that events were given up."""
        self._given_up += events
        self._given_up_at = at if events else self._given_up_at

    def save_soon(self) -> None:
        """Write lazily what has changed."""
        self._dirty = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._save(Urgency.LAZY), name=f"webhook[{self.webhook_id}].save")

    async def save(self) -> None:
        """Write what has changed and return when it is durable, or cannot be."""
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._save(Urgency.SOON)

    async def _save(self, urgency: Urgency) -> None:
        while self._dirty:
            self._dirty = False
            try:
                await self._write(urgency)
            except StoreError:  # told again after a restart, at worst
                return

    async def _write(self, urgency: Urgency) -> None:
        before, place = self._stored, self.place
        delivered, given_up, given_up_at = self._delivered, self._given_up, self._given_up_at
        columns: dict[str, object] = {
            "failing_since": self.failing_since,
            "failures": self.failures,
            "next_try_at": self.next_try_at,
        }
        if self._last is not None:
            columns["last_at"], columns["last_status"], columns["last_error"] = self._last

        def write(conn: sqlite3.Connection) -> bool:
            rows.change(conn, self.webhook_id, columns)
            rows.add_counts(conn, self.webhook_id, delivered, given_up, given_up_at)
            return rows.move(conn, self.webhook_id, before, place)

        moved = await self.store.write(write, urgency)
        self._delivered -= delivered
        self._given_up -= given_up
        if moved:
            self._stored = place
