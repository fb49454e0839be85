"""The first start: whoever can read a code on the box itself becomes its admin; there is no password before (S1).

The code lies in a file of the data folder that only the box's own user can read, where its console and its command
line find it. It is good for a day and for one admin; wrong codes are counted like wrong passwords, across restarts.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from modembank.accounts import login_limits, repository
from modembank.accounts.errors import TooManyLogins
from modembank.accounts.model import User
from modembank.accounts.service import Accounts
from modembank.clock import Clock, to_ms
from modembank.durable import replace_text
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank.store import Store

FILE_NAME = "setup-code"
GOOD_FOR_MS = 86_400_000
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LENGTH = 26
"""Of 32 characters: 130 bits."""
_AIM = "the set-up code"
"""No user can have this name, so its tries have a meter of their own."""
_TAKEN = "this box has an admin already: log in"
_log = structlog.get_logger()


class SetupCode(msgspec.Struct, frozen=True):
    """A code as it lies in its file, and when it was made (unix milliseconds)."""

    text: str
    made_at: int

    def is_good(self, now_ms: int) -> bool:
        """Whether it is not too old; a clock that was set back by much makes it so."""
        return -GOOD_FOR_MS < now_ms - self.made_at < GOOD_FOR_MS


class FirstStart:
    """Knows whether the box still waits for its first admin, and lets that one in."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts, folder: Path) -> None:
        """The code's file lies in ``folder``."""
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._path = folder / FILE_NAME
        self._over = False

    async def is_open(self) -> bool:
        """Whether no admin can log in yet; once one can, it is over for as long as the daemon runs."""
        if not self._over:
            self._over = await self._store.read(repository.an_admin_can_log_in)
            if self._over:
                await asyncio.to_thread(forget_code, self._path.parent)
        return not self._over

    async def offer(self) -> None:
        """Have a good code lie ready, and tell it in the log, if the box waits for its first admin."""
        if not await self.is_open():
            return
        code = await asyncio.to_thread(ready_code, self._path.parent, self._now())
        _log.warning("setup_code", code=code.text, page="/ui/setup")

    async def begin(self, code: str, name: str, password: str, *, source: str) -> User:
        """Make the first admin.

        Raises TooManyLogins before it has looked, InvalidRequest (code, name or password), and Conflict when there is
        an admin already, or the name is taken.
        """
        if not await self.is_open():
            raise Conflict(why=_TAKEN)
        now = self._now()
        aims = login_limits.aims_of(_AIM, source)
        wait = await self._store.write(lambda conn: login_limits.charge(conn, aims, now))
        if wait:
            _log.warning("setup_put_off", source=source, wait_ms=wait)
            raise TooManyLogins(wait)
        known = await asyncio.to_thread(read_code, self._path.parent)
        if known is None or not known.is_good(now):
            await self.offer()
            raise InvalidRequest(
                FieldProblem("/code", "is too old: read the new one on the box's console or in its log")
            )
        if not hmac.compare_digest(_plain(code).encode(), _plain(known.text).encode()):
            _log.warning("setup_code_wrong", source=source)
            raise InvalidRequest(FieldProblem("/code", "is not the one that the box shows"))

        def settle(conn: sqlite3.Connection) -> None:
            if repository.an_admin_can_log_in(conn):
                raise Conflict(why=_TAKEN)
            login_limits.forgive(conn, aims)

        user = await self._accounts.add_first_admin(name, password, source, settle)
        self._over = True
        await asyncio.to_thread(forget_code, self._path.parent)
        return user

    def _now(self) -> int:
        return to_ms(self._clock.now())


def ready_code(folder: Path, now_ms: int) -> SetupCode:
    """Return the code that lies in a data folder, a new one where there is none that is good; raises OSError."""
    known = read_code(folder)
    if known is not None and known.is_good(now_ms):
        return known
    made = SetupCode(_new_code(), now_ms)
    path = folder / FILE_NAME
    path.with_suffix(".new").touch(0o600)
    replace_text(path, f"{made.text}\n{made.made_at}\n")
    return made


def read_code(folder: Path) -> SetupCode | None:
    """Return the code that lies in a data folder, however old; None when there is none."""
    try:
        text, made_at = (folder / FILE_NAME).read_text("ascii").split()
        return SetupCode(text, int(made_at))
    except (FileNotFoundError, ValueError):
        return None


def forget_code(folder: Path) -> None:
    """Delete the code's file."""
    with suppress(FileNotFoundError):
        (folder / FILE_NAME).unlink()


def _new_code() -> str:
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(drawn[at : at + 5] for at in range(0, _LENGTH, 5))


def _plain(code: str) -> str:
    """Return a code as it is compared: however it was typed."""
    return "".join(char for char in code.upper() if char in _ALPHABET)[:100]
