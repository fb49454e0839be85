"""Accounts of the Twilio dialect: who makes them, who comes in with them, and the couriers that tell their clients."""

from __future__ import annotations

import hmac
import sqlite3

import structlog
from msgspec import UNSET

from modembank import audit
from modembank.accounts import Accounts, Actor, Scope, Unauthorized, user_named
from modembank.couriers import Crew, Means
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.outgoing import why_refused
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

    def __init__(self, means: Means, accounts: Accounts, talk: Talk) -> None:
        """Tell nobody before ``start``."""
        self.talk = talk
        self._means = means
        self._store = means.store
        self._accounts = accounts
        self._crew = Crew()
        means.events.keep_for(rows.needed_after)

    # -- the couriers

    async def start(self) -> None:
        """Begin to tell."""
        self._crew.open()
        for account in await self._store.read(rows.listed):
            self._launch(account.sid)

    async def stop(self) -> None:
        """Tell no more; what is being posted may be finished, and is told again after the next start if it is not."""
        await self._crew.close()

    def retry_now(self, sid: str) -> bool:
        """Let the courier of an account try at once; return whether there is one."""
        return self._crew.poke(_task_of(sid))

    async def all(self) -> list[Account]:
        """Return every account, for the box itself."""
        return await self._store.read(rows.listed)

    def _launch(self, sid: str) -> None:
        self._crew.send(_task_of(sid), lambda: Courier(sid, self._means, self.talk))

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
            user_id = user_named(conn, wanted.user).id
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
        await self._crew.halt(_task_of(sid))

    async def _one(self, actor: Actor, sid: str) -> Account:
        actor.require(Scope.ADMIN)
        return _there(await self._store.read(lambda conn: rows.get(conn, sid)), sid)

    def _now(self) -> int:
        return self._means.now_ms


def _there(found: Account | None, sid: str) -> Account:
    if found is None:
        raise NotFound(what="account", which=ascii(sid[:40]))
    return found


def _check_addresses(urls: dict[str, str | None], *, allow_private: bool) -> None:
    found = {name: why_refused(url, allow_private=allow_private) for name, url in urls.items() if url is not None}
    problems = [FieldProblem(f"/{name}", why) for name, why in found.items() if why is not None]
    if problems:
        raise InvalidRequest(*problems)


def _task_of(sid: str) -> str:
    return f"twilio[{sid}].courier"
