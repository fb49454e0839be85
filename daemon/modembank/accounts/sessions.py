"""Sessions: what a person who logged in with a password holds, for pages and whoever else keeps cookies.

A token of 256 random bits stands for the session; the store has its SHA-256 alone. A session ends half an hour after
it was last used, twelve hours after it began, when it is ended, and when its user is disabled, gets another role or
another password.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable

import msgspec
import structlog

from modembank import audit
from modembank.accounts import session_rows
from modembank.accounts.errors import NotLoggedIn
from modembank.accounts.granting import check_covers
from modembank.accounts.logins import Logins
from modembank.accounts.model import ROLE_SCOPES, Actor, Session
from modembank.accounts.session_rows import Began
from modembank.clock import Clock, to_ms
from modembank.errors import NotFound
from modembank.store import Store, StoreError, Urgency

IDLE_MS = 30 * 60_000
LONGEST_MS = 12 * 3_600_000
SEEN_EVERY_MS = 60_000
"""How often at most it is written down that a session is used."""
CLOCK_BACK_MS = 60_000
"""A clock set back by more leaves nobody able to tell how old a session is: it ends."""
MOST_OF_A_USER = 20
CACHE_S = 0.5
"""How long a session is believed without asking the store: what was ended beside the daemon ends within this."""

_MOST_CACHED = 1_024
_TOKEN_OCTETS = 32
_TOKEN_LENGTH = 43
_ENDED = "there is no such session, or it has ended: log in again"
_log = structlog.get_logger()


class _Known(msgspec.Struct):
    """A session that lasted when it was last looked up (monotonic seconds)."""

    actor: Actor
    created_at: int
    seen_at: int
    written_at: int
    looked_up: float


class Sessions:
    """Begins, knows, lists and ends sessions."""

    def __init__(self, store: Store, clock: Clock, logins: Logins, withdrawn: Callable[[], None]) -> None:
        """Know none yet; ``withdrawn`` is called when one may have ended."""
        self._store = store
        self._clock = clock
        self._logins = logins
        self._withdrawn = withdrawn
        self._known: dict[bytes, _Known] = {}
        self._withdrawals = 0
        """Counts what was taken away: a look-up that began before must not be believed after."""

    async def begin(
        self, name: str, password: str, *, source: str, agent: str = "", former: str = ""
    ) -> tuple[Session, str, Actor]:
        """Log in; return the session, its token, which is told only this once, and who it is.

        ``former`` is the token that came with the request: its session ends, whatever it was. Raises TooManyLogins
        and NotLoggedIn.
        """
        proven = await self._logins.prove(name, password, source)
        holder, now = proven.holder, self._now()
        token = secrets.token_urlsafe(_TOKEN_OCTETS)
        shown_agent = "".join(char for char in agent if char.isprintable())[:200]
        session = Session(f"ses_{secrets.token_hex(8)}", holder.name, now, now, source, shown_agent)
        actor = Actor(holder.user_id, holder.name, holder.role, ROLE_SCOPES[holder.role], source, session.public_id)

        def insert(conn: sqlite3.Connection) -> None:
            proven.settle(conn)
            if former:
                session_rows.end_token(conn, _digest(former))
            session_rows.insert(conn, session, holder.user_id, _digest(token))
            session_rows.tidy(conn, holder.user_id, MOST_OF_A_USER, now - IDLE_MS, now - LONGEST_MS)
            audit.record(conn, actor, "session.begin", holder.name, now, {"session": session.public_id})

        await self._store.write(insert)
        self.forget()
        _log.info("session_begun", user=holder.name, session=session.public_id, source=source)
        return session, token, actor

    async def authenticate(self, token: str, *, used: bool = True) -> Actor:
        """Return the actor behind a session's token; raises NotLoggedIn when there is none, or no longer.

        It lasts on from now only when it is ``used``: what a page asks by itself is nobody's doing.
        """
        if len(token) != _TOKEN_LENGTH or not token.isascii():
            raise NotLoggedIn(why=_ENDED)
        digest, moment = _digest(token), self._clock.monotonic()
        known = self._known.get(digest)
        if known is None or moment - known.looked_up > CACHE_S:
            known = await self._look_up(digest, moment)
        now = self._now()
        if not _lasts(known.created_at, known.seen_at, now):
            self._known.pop(digest, None)
            raise NotLoggedIn(why=_ENDED)
        if not used:
            return known.actor
        known.seen_at = max(known.seen_at, now)
        if now - known.written_at >= SEEN_EVERY_MS:
            known.written_at = now
            self._note_seen(known.actor.session, now)
        return known.actor

    async def list(self, actor: Actor) -> list[Session]:
        """Return the sessions that last, newest first: the actor's own, or everybody's for an admin."""
        whose, now = None if actor.is_admin else actor.user_id, self._now()
        return await self._store.read(
            lambda conn: session_rows.sessions_of(conn, whose, now - IDLE_MS, now - LONGEST_MS)
        )

    async def end(self, actor: Actor, public_id: str) -> Session:
        """End a session at once, any for an admin; whoever else its own, with a key that can do as much as it.

        Raises NotFound, Forbidden.
        """
        whose, now = None if actor.is_admin else actor.user_id, self._now()

        def delete(conn: sqlite3.Connection) -> Session | None:
            if not actor.is_admin and session_rows.is_of(conn, public_id, actor.user_id):
                check_covers(actor, ROLE_SCOPES[actor.role], "ended")
            ended = session_rows.end(conn, public_id, whose)
            if ended is not None:
                audit.record(conn, actor, "session.end", ended.user, now, {"session": public_id})
            return ended

        ended = await self._store.write(delete)
        self.forget()
        if ended is None:
            raise NotFound(what="session", which=f"{public_id[:40]!a}")
        _log.info("session_ended", user=ended.user, session=public_id, actor=actor.name)
        return ended

    def forget(self) -> None:
        """Believe nothing any more: the next request of every session asks the store."""
        self._withdrawals += 1
        self._known.clear()
        self._withdrawn()

    async def _look_up(self, digest: bytes, moment: float) -> _Known:
        earlier, withdrawals = self._known.pop(digest, None), self._withdrawals
        found = await self._store.read(lambda conn: session_rows.with_token(conn, digest))
        if found is None or not found.active:
            raise NotLoggedIn(why=_ENDED)
        seen_at = found.seen_at if earlier is None else max(found.seen_at, earlier.seen_at)
        known = _Known(_actor(found), found.created_at, seen_at, found.seen_at, moment)
        if earlier is not None:
            known.written_at = max(earlier.written_at, found.seen_at)
        if withdrawals == self._withdrawals:
            if len(self._known) >= _MOST_CACHED:
                self._known.clear()
            self._known[digest] = known
        return known

    def _note_seen(self, public_id: str, now: int) -> None:
        """Write it down when something else is written; nobody waits for it."""
        done = self._store.submit(lambda conn: session_rows.note_seen(conn, public_id, now), Urgency.LAZY)
        done.add_done_callback(lambda future: _tell(future.exception() if not future.cancelled() else None))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _actor(found: Began) -> Actor:
    return Actor(found.user_id, found.user_name, found.role, ROLE_SCOPES[found.role], session=found.public_id)


def _lasts(created_at: int, seen_at: int, now: int) -> bool:
    return now - seen_at < IDLE_MS and now - created_at < LONGEST_MS and seen_at - now <= CLOCK_BACK_MS


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _tell(error: BaseException | None) -> None:
    if isinstance(error, StoreError):
        _log.warning("session_use_not_recorded", error=str(error))
