"""Seeing and setting quotas: what users may have accepted, and what of it is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
import structlog

from modembank import audit
from modembank.accounts import quotas, repository, users
from modembank.accounts.model import Actor, Scope, User
from modembank.accounts.quotas import Usage
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.store import Store

MOST = 100_000_000
"""Segments a month that no bank of modems could send."""
_log = structlog.get_logger()


class Allotment(msgspec.Struct, frozen=True):
    """A user's quotas and what of them is used."""

    user: str
    usage: Usage


class Quotas:
    """The quotas of users, on behalf of an actor; the accepting side is ``quotas.Spending``."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Use these."""
        self._store = store
        self._clock = clock

    async def list(self, actor: Actor) -> list[Allotment]:
        """Return every user's; raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())

        def read(conn: sqlite3.Connection) -> list[Allotment]:
            return [Allotment(user.name, quotas.usage(conn, user.id, now)) for user in repository.all_users(conn)]

        return await self._store.read(read)

    async def users(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Sequence[tuple[User, Usage]]:
        """Return users by age with what they use: those behind a user, where one is named.

        Raises Forbidden for all but admins, and InvalidRequest when there is no such user.
        """
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())

        def read(conn: sqlite3.Connection) -> Sequence[tuple[User, Usage]]:
            last = None if after is None else repository.user_named(conn, after)
            if after is not None and last is None:
                raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
            found = repository.users_after(conn, 0 if last is None else last.id, limit)
            return [(user, quotas.usage(conn, user.id, now)) for user in found]

        return await self._store.read(read)

    async def of(self, actor: Actor, name: str) -> Usage:
        """Return a user's; raises Forbidden for all but admins, and NotFound."""
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())
        return await self._store.read(lambda conn: quotas.usage(conn, users.named(conn, name).id, now))

    async def own(self, actor: Actor) -> Usage:
        """Return the actor's own."""
        now = to_ms(self._clock.now())
        return await self._store.read(lambda conn: quotas.usage(conn, actor.user_id, now))

    async def change(
        self, actor: Actor, name: str, *, per_day: int | None = None, per_month: int | None = None
    ) -> Allotment:
        """Set a user's quotas in segments; 0: none, None: as it is. Live for the next message.

        Raises Forbidden for all but admins, NotFound, and InvalidRequest.
        """
        actor.require(Scope.ADMIN)
        for pointer, value in (("/per_day", per_day), ("/per_month", per_month)):
            if value is not None and not 0 <= value <= MOST:
                raise InvalidRequest(FieldProblem(pointer, f"must be 0 (no quota) to {MOST} segments"))
        now = to_ms(self._clock.now())

        def change(conn: sqlite3.Connection) -> Allotment:
            user = users.named(conn, name)
            before = quotas.usage(conn, user.id, now)
            repository.set_quotas(conn, user.id, per_day, per_month)
            after = quotas.usage(conn, user.id, now)
            detail = {
                "per_day": [before.quota_per_day, after.quota_per_day],
                "per_month": [before.quota_per_month, after.quota_per_month],
            }
            audit.record(conn, actor, "quota.change", user.name, now, detail)
            return Allotment(user.name, after)

        changed = await self._store.write(change)
        _log.info("quota_changed", user=changed.user, actor=actor.name)
        return changed
