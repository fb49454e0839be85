"""Accounts of the Twilio dialect: who makes them, who comes in with them, and the couriers that tell their clients."""

from __future__ import annotations

import hmac
import sqlite3

import structlog
from msgspec import UNSET

from modembank import audit
from modembank.accounts import Accounts, Actor, Scope, Unauthorized
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.eventlog import EventLog
from modembank.outgoing import AddressRefused, Poster, check_url
from modembank.store import Store
from modembank.supervision import Supervisor
from modembank.twilio import rows
from modembank.twilio.courier import Courier
from modembank.twilio.model import (
    MOST,
    SCOPES,
    Account,
    NewTwilioAccount,
    TwilioAccountPatch,
    TwilioAccountView,
    TwilioAccountWithToken,
    account_view,
    account_with_token,
)
from modembank.twilio.sids import is_account_sid, new_account_sid, new_token
from modembank.twilio.talking import Talk

_WRONG = "the account's sid or its auth token is not valid"
_log = structlog.get_logger()


class Twilio:
    """The dialect. ``talk`` is what clients ask for; all else here is for admins and the process."""

    def __init__(
        self, store: Store, events: EventLog, clock: Clock, accounts: Accounts, talk: Talk, poster: Poster | None = None
    ) -> None:
        """Tell nobody before ``start``."""
        self.talk = talk
        self._store = store
        self._events = events
        self._clock = clock
        self._accounts = accounts
        self._poster = poster or Poster()
        self._couriers: dict[str, Courier] = {}
        self._supervisor = Supervisor()
        self._started = False
        events.keep_for(rows.needed_after)

    # -- the couriers

    async def start(self) -> None:
        """Begin to tell."""
        self._started = True
        for account in await self._store.read(rows.listed):
            self._launch(account.sid)

    async def stop(self, within_s: float = 1.0) -> None:
        """Tell no more; what is being posted may be finished, and is told again after the next start if it is not."""
        self._started = False
        for courier in self._couriers.values():
            courier.leave()
        await self._supervisor.wait_for(self._supervisor.names(), within_s)
        await self._supervisor.stop_all(1.0)
        self._couriers.clear()

    def _launch(self, sid: str) -> None:
        if not self._started:
            return
        if _task_of(sid) in self._supervisor.names():
            self._couriers[sid].poke()
            return
        self._couriers[sid] = Courier(sid, self._store, self._events, self._poster, self._clock, self.talk)
        self._supervisor.start(_task_of(sid), self._couriers[sid].run)

    # -- who comes in

    async def authenticate(self, sid: str, password: str, source: str = "") -> Actor:
        """Return on whose behalf a client acts; raises Unauthorized.

        ``password`` is the account's auth token, or an API key of its user, which may do what the key may.
        """
        found = None
        if is_account_sid(sid):
            found = await self._store.read(lambda conn: rows.get(conn, sid))
        # Compared also when there is no such account: the time taken must not tell which sids exist.
        token = new_token() if found is None else found.auth_token
        fits = hmac.compare_digest(token.encode(), password.encode())
        if found is None or not (fits or password.startswith("mb_")):
            raise Unauthorized(why=_WRONG)
        if fits:
            if not found.active:
                raise Unauthorized(why="the user of this account is not active")
            return found.actor(source)
        actor = await self._accounts.authenticate(password, source)
        if actor.user_id != found.user_id:
            raise Unauthorized(why=_WRONG)
        return Actor(actor.user_id, actor.name, actor.role, actor.scopes & SCOPES, source)

    async def account_of(self, actor: Actor, sid: str) -> Account:
        """Return the account that a path names; raises NotFound unless it is the caller's own."""
        found = await self._store.read(lambda conn: rows.get(conn, sid)) if is_account_sid(sid) else None
        if found is None or found.user_id != actor.user_id:
            raise NotFound(what="account", which=ascii(sid[:40]))
        return found

    # -- what admins do

    async def list(self, actor: Actor) -> list[TwilioAccountView]:
        """Return all accounts, without their tokens. Raises Forbidden."""
        actor.require(Scope.ADMIN)
        return [account_view(account) for account in await self._store.read(rows.listed)]

    async def get(self, actor: Actor, sid: str) -> TwilioAccountWithToken:
        """Return one with its token. Raises Forbidden, NotFound."""
        return account_with_token(await self._one(actor, sid))

    async def create(self, actor: Actor, wanted: NewTwilioAccount) -> TwilioAccountWithToken:
        """Make an account for a user. Raises Forbidden, InvalidRequest, NotFound, and Conflict when it has one."""
        actor.require(Scope.ADMIN)
        urls = {"sms_url": wanted.sms_url, "status_callback": wanted.status_callback}
        _check_addresses(urls, allow_private=wanted.allow_private)
        sid, now = new_account_sid(), self._now()
        columns = {**urls, "auth_token": new_token(), "allow_private": int(wanted.allow_private)}

        def insert(conn: sqlite3.Connection) -> Account:
            user_id = rows.user_id_of(conn, wanted.user)
            if user_id is None:
                raise NotFound(what="user", which=ascii(wanted.user[:60]))
            earlier = rows.of_user(conn, user_id)
            if earlier is not None:
                raise Conflict(why=f"the user {wanted.user} has the account {earlier.sid} already")
            if len(rows.listed(conn)) >= MOST:
                raise Conflict(why=f"a box has at most {MOST} accounts")
            rows.insert(conn, sid, user_id, now, columns)
            audit.record(conn, actor, "twilio.create", sid, now, {"user": wanted.user, **urls})
            return _there(rows.get(conn, sid), sid)

        made = await self._store.write(insert, reserve=False)
        _log.info("twilio_account_added", account=sid, user=made.user, actor=actor.name)
        self._launch(sid)
        return account_with_token(made)

    async def change(self, actor: Actor, sid: str, patch: TwilioAccountPatch) -> TwilioAccountWithToken:
        """Change addresses, or give a new token: the one before is worth nothing at once. Raises as ``create``."""
        before, now = await self._one(actor, sid), self._now()
        given = {"sms_url": patch.sms_url, "status_callback": patch.status_callback}
        columns: dict[str, object] = {name: url for name, url in given.items() if url is not UNSET}
        if patch.allow_private is not UNSET:
            columns["allow_private"] = int(patch.allow_private)
        changed = sorted([*columns, *(["auth_token"] if patch.rotate_token else [])])
        if patch.rotate_token:
            columns["auth_token"] = new_token()

        def write(conn: sqlite3.Connection) -> Account:
            rows.change(conn, sid, columns)
            after = _there(rows.get(conn, sid), sid)
            urls = {"sms_url": after.sms_url, "status_callback": after.status_callback}
            _check_addresses(urls, allow_private=after.allow_private)
            audit.record(conn, actor, "twilio.change", sid, now, {"changed": changed})
            return after

        after = await self._store.write(write) if columns else before
        self._launch(sid)
        return account_with_token(after)

    async def delete(self, actor: Actor, sid: str) -> None:
        """End an account: what it has not been told yet, it will not be. Raises Forbidden, NotFound."""
        found, now = await self._one(actor, sid), self._now()

        def write(conn: sqlite3.Connection) -> None:
            rows.delete(conn, sid)
            audit.record(conn, actor, "twilio.delete", sid, now, {"user": found.user})

        await self._store.write(write)
        _log.info("twilio_account_removed", account=sid, user=found.user, actor=actor.name)
        courier = self._couriers.pop(sid, None)
        if courier is not None:
            courier.leave()
            await self._supervisor.wait_for([_task_of(sid)], 1.0)
            await self._supervisor.stop(_task_of(sid))

    async def _one(self, actor: Actor, sid: str) -> Account:
        actor.require(Scope.ADMIN)
        return _there(await self._store.read(lambda conn: rows.get(conn, sid)), sid)

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _there(found: Account | None, sid: str) -> Account:
    if found is None:
        raise NotFound(what="account", which=ascii(sid[:40]))
    return found


def _check_addresses(urls: dict[str, str | None], *, allow_private: bool) -> None:
    problems = []
    for name, url in urls.items():
        try:
            if url is not None:
                check_url(url, allow_private)
        except AddressRefused as error:
            problems.append(FieldProblem(f"/{name}", error.reason))
    if problems:
        raise InvalidRequest(*problems)


def _task_of(sid: str) -> str:
    return f"twilio[{sid}].courier"
