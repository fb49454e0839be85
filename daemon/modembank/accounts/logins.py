"""Looking at a password that somebody gave: within the limits, and with the same work whoever it is said to be."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import structlog

from modembank.accounts import login_limits, repository
from modembank.accounts.errors import NotLoggedIn, TooManyLogins
from modembank.accounts.login_limits import Aim
from modembank.accounts.passwords import LONGEST, Passwords
from modembank.accounts.repository import Holder
from modembank.clock import Clock, to_ms
from modembank.store import Store

_WRONG = "no user is known by this name and password"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Proven:
    """A user whose password was right, and what to do about it in the write that follows."""

    holder: Holder
    aims: tuple[Aim, ...]
    fresh_hash: str | None = field(repr=False)
    """To be stored, when the parameters have changed since it was hashed."""

    def settle(self, conn: sqlite3.Connection) -> None:
        """Take back what the try had cost; raises NotLoggedIn when the password has changed in the meantime."""
        now = repository.holder_named(conn, self.holder.name)
        if now is None or not now.active or now.password_hash != self.holder.password_hash:
            raise NotLoggedIn(why=_WRONG)
        login_limits.forgive(conn, self.aims)
        if self.fresh_hash is not None:
            repository.set_password_hash(conn, self.holder.user_id, self.fresh_hash)


class Logins:
    """Looks at passwords."""

    def __init__(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        """Use these."""
        self._store = store
        self._clock = clock
        self._passwords = passwords

    async def prove(self, name: str, password: str, source: str) -> Proven:
        """Return the active user of that name and password.

        Raises TooManyLogins before it has looked, and NotLoggedIn: with the same words and after the same work,
        whether the name is unknown, the user has no password or is not active, or the password is wrong.
        """
        aims, now = login_limits.aims_of(name, source), to_ms(self._clock.now())

        def charge(conn: sqlite3.Connection) -> tuple[int, Holder | None]:
            return login_limits.charge(conn, aims, now), repository.holder_named(conn, name)

        wait, holder = await self._store.write(charge)
        if wait:
            _log.warning("login_put_off", source=source, wait_ms=wait)
            raise TooManyLogins(wait)
        stored = holder.password_hash if holder is not None and holder.active else None
        right = await self._passwords.matches(stored, password[: LONGEST + 1])
        if not right or holder is None or stored is None:
            _log.warning("login_failed", user=None if holder is None else holder.name, source=source)
            raise NotLoggedIn(why=_WRONG)
        outdated = self._passwords.is_outdated(stored)
        return Proven(holder, aims, await self._passwords.hashed(password) if outdated else None)
