"""Users and their API keys: who may come in, and what a key lets its holder do."""

from __future__ import annotations

import hmac
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from modembank.accounts import repository
from modembank.accounts.errors import Unauthorized
from modembank.accounts.keys import digest_of, new_key, public_id_of
from modembank.accounts.model import ROLE_SCOPES, Actor, ApiKey, Role, Scope, User
from modembank.accounts.repository import Credential
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.store import Store

CACHE_S = 0.5
"""How long a key is believed without asking the store: a revocation made beside the daemon works within this."""

_MOST_CACHED = 4096
_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_INVALID = "the API key is not valid"
_log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    """A key that was valid when it was last looked up (monotonic seconds)."""

    digest: bytes
    actor: Actor
    expires_at: int | None
    looked_up: float


class Accounts:
    """Adds and lists users and keys, and turns a presented key into an Actor."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Start with an empty cache over the store."""
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._withdrawals = 0
        """Counts what was taken away: a look-up that began before must not be believed after."""

    async def authenticate(self, key: str) -> Actor:
        """Return the actor behind an API key; raises Unauthorized when there is none, or no longer."""
        known = self._known.get(key[3:11])
        now = self._clock.monotonic()
        if known is None or now - known.looked_up > CACHE_S:
            return await self._look_up(key, now)
        if not hmac.compare_digest(known.digest, digest_of(key)):
            raise Unauthorized(why=_INVALID)
        if known.expires_at is not None:
            self._check_expiry(known.expires_at)
        return known.actor

    async def add_user(self, actor: Actor, name: str, role: Role) -> User:
        """Add a user without a password; raises Conflict when the name is taken, InvalidRequest when it is no name."""
        actor.require(Scope.ADMIN)
        if _USER_NAME.fullmatch(name) is None:
            detail = "a name has 1 to 64 letters, digits or . _ @ -, and starts with a letter or digit"
            raise InvalidRequest(FieldProblem("/name", detail))
        now_ms = self._now_ms()
        user = await self._store.write(lambda conn: repository.insert_user(conn, name, role, now_ms))
        if user is None:
            raise Conflict(why=f"there is already a user {name}")
        _log.info("user_added", user=name, role=role.value, actor=actor.name)
        return user

    async def users(self, actor: Actor) -> list[User]:
        """Return every user."""
        actor.require(Scope.ADMIN)
        return await self._store.read(repository.all_users)

    async def set_user_active(self, actor: Actor, name: str, active: bool) -> None:
        """Let a user's keys work or not; raises NotFound."""
        actor.require(Scope.ADMIN)

        def change(conn: sqlite3.Connection) -> None:
            repository.set_active(conn, _user(conn, name).id, active)

        await self._store.write(change)
        self._withdrawals += 1
        self._known.clear()
        _log.info("user_changed", user=name, active=active, actor=actor.name)

    async def add_key(
        self,
        actor: Actor,
        user_name: str,
        *,
        scopes: Iterable[Scope] | None = None,
        label: str = "",
        expires_at: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key for a user and return it with its text, which is told only this once.

        Without ``scopes`` it carries all that the user's role allows. ``expires_at`` is unix milliseconds. Raises
        NotFound (user) and InvalidRequest (scopes beyond the role).
        """
        actor.require(Scope.ADMIN)
        now_ms = self._now_ms()
        fresh = new_key()
        wanted = None if scopes is None else frozenset(scopes)

        def insert(conn: sqlite3.Connection) -> ApiKey:
            user = _user(conn, user_name)
            granted = _granted(user.role, wanted)
            key = ApiKey(fresh.public_id, user.name, label[:100], granted, now_ms, expires_at)
            repository.insert_key(conn, key, user.id, fresh.digest)
            return key

        key = await self._store.write(insert)
        _log.info("api_key_added", key=key.public_id, user=key.user, actor=actor.name)
        return key, fresh.text

    async def keys(self, actor: Actor) -> list[ApiKey]:
        """Return the keys the actor may see: its own, or everybody's for an admin."""
        whose = None if actor.is_admin else actor.user_id
        return await self._store.read(lambda conn: repository.keys_of(conn, whose))

    async def revoke_key(self, actor: Actor, public_id: str) -> ApiKey:
        """End a key at once, the actor's own or any for an admin; raises NotFound. Twice is as good as once."""
        whose, now_ms = None if actor.is_admin else actor.user_id, self._now_ms()
        key = await self._store.write(lambda conn: repository.revoke_key(conn, public_id, whose, now_ms))
        self._withdrawals += 1
        self._known.pop(public_id, None)
        if key is None:
            raise NotFound(what="API key", which=public_id)
        _log.info("api_key_revoked", key=public_id, user=key.user, actor=actor.name)
        return key

    async def _look_up(self, key: str, now: float) -> Actor:
        public_id = public_id_of(key)
        if public_id is None:
            raise Unauthorized(why=_INVALID)
        stale = self._known.get(public_id)
        if stale is not None:
            stale.looked_up = now  # the other callers of this moment use it while one asks the store
        fresh: _Known | None = None
        withdrawals = self._withdrawals
        try:
            fresh = await self._asked(public_id, key, now)
        finally:
            if fresh is None:  # refused, failed or cancelled: nobody goes on with what was believed before
                self._known.pop(public_id, None)
        if withdrawals == self._withdrawals:
            if len(self._known) >= _MOST_CACHED:
                self._known.clear()
            self._known[public_id] = fresh
        return fresh.actor

    async def _asked(self, public_id: str, key: str, now: float) -> _Known:
        found = await self._store.read(lambda conn: repository.credential(conn, public_id))
        if found is None:
            raise Unauthorized(why=_INVALID)
        return _Known(found.digest, self._judge(found, digest_of(key)), found.expires_at, now)

    def _judge(self, found: Credential, digest: bytes) -> Actor:
        if not hmac.compare_digest(found.digest, digest):
            raise Unauthorized(why=_INVALID)
        if found.revoked_at is not None:
            raise Unauthorized(why="the API key was revoked")
        if not found.active:
            raise Unauthorized(why="the user of this API key is not active")
        if found.expires_at is not None:
            self._check_expiry(found.expires_at)
        return Actor(found.user_id, found.user_name, found.role, found.scopes & ROLE_SCOPES[found.role])

    def _check_expiry(self, expires_at: int) -> None:
        if to_ms(self._clock.now()) >= expires_at:
            raise Unauthorized(why="the API key has expired")

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def _user(conn: sqlite3.Connection, name: str) -> User:
    user = repository.user_named(conn, name)
    if user is None:
        raise NotFound(what="user", which=name)
    return user


def _granted(role: Role, wanted: frozenset[Scope] | None) -> frozenset[Scope]:
    allowed = ROLE_SCOPES[role]
    if wanted is None:
        return allowed
    if not wanted:
        raise InvalidRequest(FieldProblem("/scopes", "a key needs at least one scope"))
    beyond = sorted(scope.value for scope in wanted - allowed)
    if beyond:
        raise InvalidRequest(FieldProblem("/scopes", f"a {role.value} cannot carry {', '.join(beyond)}"))
    return wanted
