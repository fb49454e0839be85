"""Users and their API keys: who may come in, and what a key lets its holder do."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
import structlog

from modembank import audit
from modembank.accounts import repository, users
from modembank.accounts.allotments import Quotas
from modembank.accounts.errors import NotLoggedIn, Unauthorized
from modembank.accounts.granting import KeyRequest, check_covers, grant
from modembank.accounts.keys import digest_of, new_key, public_id_of
from modembank.accounts.logins import Logins
from modembank.accounts.model import LOCAL_ADMIN, ROLE_SCOPES, Actor, ApiKey, Role, Scope, User
from modembank.accounts.networks import lies_in, read_networks
from modembank.accounts.passwords import Passwords, password_problem
from modembank.accounts.repository import Credential
from modembank.accounts.sessions import CLOCK_BACK_MS, Sessions
from modembank.accounts.users import UserChange
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, Forbidden, InvalidRequest, NotFound
from modembank.store import Store

CACHE_S = 0.5
"""How long a key is believed without asking the store: a revocation made beside the daemon works within this."""

_MOST_CACHED = 4096
_FROM_THE_TOP = (1 << 63) - 1
_INVALID = "the API key is not valid"
_ELSEWHERE = "the API key is not for use from this address"
_log = structlog.get_logger()


class _Known(msgspec.Struct):
    """A key that was valid when it was last looked up (monotonic seconds)."""

    digest: bytes
    actor: Actor
    created_at: int
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
        self._passwords = Passwords()
        self._logins = Logins(store, clock, self._passwords)
        self._listeners: list[Callable[[], None]] = []
        self.sessions = Sessions(store, clock, self._logins, self._withdrawn)
        self.quotas = Quotas(store, clock)

    def on_withdrawal(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever a key, a session or a user was taken away: whoever is served must ask again."""
        self._listeners.append(listener)

    def _withdrawn(self) -> None:
        for listener in self._listeners:
            listener()

    async def authenticate(self, key: str, source: str = "") -> Actor:
        """Return the actor behind an API key; raises Unauthorized when there is none, or no longer.

        ``source`` is the address it comes from; a key that is bound to networks is good for nothing without one.
        """
        known = self._known.get(key[3:11])
        now = self._clock.monotonic()
        if known is None or now - known.looked_up > CACHE_S:
            actor = await self._look_up(key, now)
            if actor.networks and not lies_in(source, actor.networks):
                raise Unauthorized(why=_ELSEWHERE)
            return actor
        if not hmac.compare_digest(known.digest, digest_of(key)):
            raise Unauthorized(why=_INVALID)
        if known.expires_at is not None:
            self._check_expiry(known.created_at, known.expires_at)
        actor = known.actor
        if actor.networks and not lies_in(source, actor.networks):
            raise Unauthorized(why=_ELSEWHERE)
        return actor

    async def add_user(self, actor: Actor, name: str, role: Role, password: str | None = None) -> User:
        """Add a user, without a password or with one.

        Raises Conflict when the name is taken, InvalidRequest when it is no name or the password cannot be taken.
        """
        actor.require(Scope.ADMIN)
        users.check_name(name)
        hashed = None if password is None else await self._hashed(name, password)
        now_ms = self._now_ms()
        user = await self._store.write(lambda conn: users.add(conn, actor, name, role, hashed, now_ms))
        _log.info("user_added", user=name, role=role.value, actor=actor.name)
        return user

    async def add_first_admin(
        self, name: str, password: str, source: str, settle: Callable[[sqlite3.Connection], None]
    ) -> User:
        """Add the admin with whom a box begins; ``settle`` runs in that write, and may refuse it.

        Raises InvalidRequest, Conflict (the name is taken) and what ``settle`` raises.
        """
        users.check_name(name)
        hashed, now_ms = await self._hashed(name, password), self._now_ms()

        def write(conn: sqlite3.Connection) -> User:
            settle(conn)
            return users.add(conn, LOCAL_ADMIN.at(source), name, Role.ADMIN, hashed, now_ms)

        user = await self._store.write(write)
        _log.info("first_admin_added", user=name, source=source)
        return user

    async def users(self, actor: Actor) -> list[User]:
        """Return every user."""
        actor.require(Scope.ADMIN)
        return await self._store.read(repository.all_users)

    async def user(self, actor: Actor, name: str) -> User:
        """Return one user: oneself, or anybody for an admin; raises NotFound and Forbidden."""
        if not _is_own(actor, name):
            actor.require(Scope.ADMIN)
        return await self._store.read(lambda conn: users.named(conn, name))

    async def change_user(
        self,
        actor: Actor,
        name: str,
        *,
        role: Role | None = None,
        active: bool | None = None,
        password: str | None = None,
        current_password: str | None = None,
    ) -> User:
        """Change a user; what is None stays. Its sessions end with any of these, its keys follow its role at once.

        An admin may all. Whoever else may set the own password, with the current one; so must an admin who changes
        the own one. Raises Forbidden, NotFound, Conflict (the last active admin), InvalidRequest, TooManyLogins.
        """
        own = _is_own(actor, name)
        if role is not None or active is not None or not own:
            actor.require(Scope.ADMIN)
        if role is None and active is None and password is None:
            raise InvalidRequest(FieldProblem("", "names nothing to change: role, active or password"))
        change = UserChange(role, active)
        if password is not None:
            change = await self._with_password(change, actor, name, password, current_password)
        now_ms = self._now_ms()
        user = await self._store.write(lambda conn: users.change(conn, actor, name, change, now_ms))
        self._withdrawals += 1
        self._known.clear()
        self.sessions.forget()
        _log.info(
            "user_changed",
            user=user.name,
            role=user.role.value,
            active=user.active,
            password_set=password is not None,
            actor=actor.name,
        )
        return user

    async def set_user_active(self, actor: Actor, name: str, active: bool) -> None:
        """Let a user's keys and sessions work or not; raises NotFound and Conflict."""
        actor.require(Scope.ADMIN)
        await self.change_user(actor, name, active=active)

    async def set_password(self, actor: Actor, name: str, password: str, current_password: str | None = None) -> User:
        """Set a password; raises what change_user() raises."""
        return await self.change_user(actor, name, password=password, current_password=current_password)

    async def add_key(
        self,
        actor: Actor,
        user_name: str,
        *,
        scopes: Iterable[Scope] | None = None,
        label: str = "",
        expires_at: int | None = None,
        networks: Iterable[str] = (),
    ) -> tuple[ApiKey, str]:
        """Make a key for a user and return it with its text, which is told only this once.

        Without ``scopes`` it carries all that the user's role allows, or all that the maker's own key carries.
        ``expires_at`` is unix milliseconds, ``networks`` are those that it may be used from (none: any). An admin
        makes keys for anybody, whoever else for itself and with no more than it has. Raises NotFound (user),
        Forbidden and InvalidRequest.
        """
        now_ms, fresh = self._now_ms(), new_key()
        wanted = None if scopes is None else frozenset(scopes)
        request = KeyRequest(user_name, wanted, label, expires_at, read_networks(networks))
        if not (actor.is_admin or _is_own(actor, user_name)):
            raise Forbidden(why="only an admin makes keys for others")

        def insert(conn: sqlite3.Connection) -> ApiKey:
            user = users.named(conn, user_name)
            granted = grant(actor, user, request, now_ms)
            key = ApiKey(
                *(fresh.public_id, user.name, label, granted.scopes, now_ms, granted.expires_at),
                networks=granted.networks,
            )
            repository.insert_key(conn, key, user.id, fresh.digest)
            audit.record(conn, actor, "key.add", fresh.public_id, now_ms, _told(key))
            return key

        key = await self._store.write(insert)
        _log.info("api_key_added", key=key.public_id, user=key.user, actor=actor.name)
        return key, fresh.text

    async def keys(self, actor: Actor) -> list[ApiKey]:
        """Return the keys the actor may see: its own, or everybody's for an admin."""
        whose = None if actor.is_admin else actor.user_id
        return await self._store.read(lambda conn: repository.keys_of(conn, whose))

    async def newest_keys(
        self, actor: Actor, *, of: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[ApiKey]:
        """Return keys the actor may see, newest first: of that user alone, and older than that key, where given.

        Raises InvalidRequest when ``before`` is no key that it may see.
        """
        whose = None if actor.is_admin else actor.user_id

        def read(conn: sqlite3.Connection) -> list[ApiKey]:
            row = _FROM_THE_TOP if before is None else repository.key_row(conn, before, whose)
            if row is None:
                raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
            return repository.keys_before(conn, whose, of, row, limit)

        return await self._store.read(read)

    async def revoke_key(self, actor: Actor, public_id: str) -> ApiKey:
        """End a key at once, any for an admin; whoever else its own, if they can do no more than the actor's key.

        Raises NotFound, Forbidden. Twice is as good as once.
        """
        whose, now_ms = None if actor.is_admin else actor.user_id, self._now_ms()

        def revoke(conn: sqlite3.Connection) -> ApiKey | None:
            if not actor.is_admin:
                check_covers(actor, repository.scopes_of(conn, public_id, actor.user_id), "revoked")
            key, changed = repository.revoke_key(conn, public_id, whose, now_ms)
            if key is not None and changed:
                audit.record(conn, actor, "key.revoke", public_id, now_ms, {"user": key.user, "label": key.label})
            return key

        key = await self._store.write(revoke)
        self._withdrawals += 1
        self._known.pop(public_id, None)
        self._withdrawn()
        if key is None:
            raise NotFound(what="API key", which=f"{public_id[:40]!a}")
        _log.info("api_key_revoked", key=public_id, user=key.user, actor=actor.name)
        return key

    async def _with_password(
        self, change: UserChange, actor: Actor, name: str, password: str, current: str | None
    ) -> UserChange:
        """Add a new password to a change, once the actor has shown that it may set it."""
        user = await self._store.read(lambda conn: users.named(conn, name))
        problem = password_problem(password, user.name)
        if problem is not None:
            raise InvalidRequest(problem)
        proven = None
        if _is_own(actor, name) and (user.has_password or not actor.is_admin):
            if not user.has_password:  # a narrow key must not become a full session
                raise Forbidden(why="an admin sets your first password")
            if current is None:
                raise InvalidRequest(FieldProblem("/current_password", "is required to change your own password"))
            try:
                proven = await self._logins.prove(user.name, current, actor.source)
            except NotLoggedIn:
                raise InvalidRequest(FieldProblem("/current_password", "is not your present password")) from None
        return replace(change, password_hash=await self._passwords.hashed(password), proven=proven)

    async def _hashed(self, name: str, password: str) -> str:
        problem = password_problem(password, name)
        if problem is not None:
            raise InvalidRequest(problem)
        return await self._passwords.hashed(password)

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
        return _Known(found.digest, self._judge(found, digest_of(key)), found.created_at, found.expires_at, now)

    def _judge(self, found: Credential, digest: bytes) -> Actor:
        if not hmac.compare_digest(found.digest, digest):
            raise Unauthorized(why=_INVALID)
        if found.revoked_at is not None:
            raise Unauthorized(why="the API key was revoked")
        if not found.active:
            raise Unauthorized(why="the user of this API key is not active")
        if found.expires_at is not None:
            self._check_expiry(found.created_at, found.expires_at)
        return Actor(
            found.user_id,
            found.user_name,
            found.role,
            found.scopes & ROLE_SCOPES[found.role],
            networks=found.networks,
            expires_at=found.expires_at,
        )

    def _check_expiry(self, created_at: int, expires_at: int) -> None:
        now = self._now_ms()
        if now >= expires_at:
            raise Unauthorized(why="the API key has expired")
        if now < created_at - CLOCK_BACK_MS:
            raise Unauthorized(
                why="the box's clock is before this key was made: nobody can tell whether it has expired"
            )

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def _is_own(actor: Actor, name: str) -> bool:
    return actor.user_id != 0 and actor.name.casefold() == name.casefold()


def _told(key: ApiKey) -> dict[str, object]:
    """Return what the audit log keeps of a new key."""
    return {
        "user": key.user,
        "label": key.label,
        "scopes": sorted(scope.value for scope in key.scopes),
        "expires_at": key.expires_at,
        "networks": list(key.networks),
    }
