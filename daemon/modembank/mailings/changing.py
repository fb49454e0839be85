"""What a person can have done with a mailing: started, paused, resumed, continued behind its canary, cancelled.

Each is a function of the write that changes it, and raises Conflict when the mailing is not where that makes sense.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from modembank.errors import Conflict
from modembank.mailings import rows
from modembank.mailings.model import ImportPhase, Wish
from modembank.mailings.rows import Mailing
from modembank.mailings.walking import go_on, wish

Change = Callable[[sqlite3.Connection, Mailing, int], None]


def start(conn: sqlite3.Connection, one: Mailing, now: int) -> None:
    """Let it go that was held; its validity counts from now."""
    if one.wish is not Wish.HOLD or one.phase is ImportPhase.FAILED:
        raise Conflict(why=f"it is {one.state(now).word}: only one that is held can be started")
    one.expires_at = max(now, one.terms.not_before or 0) + one.valid_for_s * 1000
    wish(conn, one, one.onward)


def pause(conn: sqlite3.Connection, one: Mailing, now: int) -> None:
    """Have what was not attempted wait, its canary too."""
    if one.finished_at is not None or one.wish not in (Wish.GO, Wish.CANARY, Wish.PAUSE):
        raise Conflict(why=f"it is {one.state(now).word}: only one that goes on can be paused")
    if one.wish is not Wish.PAUSE:
        wish(conn, one, Wish.PAUSE)
        rows.tell(conn, one, "paused", now)


def resume(conn: sqlite3.Connection, one: Mailing, now: int) -> None:
    """Let it go on where it was paused: its canary, when that was not over."""
    if one.finished_at is not None or one.wish not in (Wish.GO, Wish.PAUSE):
        hint = "continue lets the rest go" if one.wish is Wish.CANARY else "only one that is paused can be resumed"
        raise Conflict(why=f"it is {one.state(now).word}: {hint}")
    if one.wish is Wish.PAUSE:
        wish(conn, one, one.onward)
        rows.tell(conn, one, "resumed", now)


def proceed(conn: sqlite3.Connection, one: Mailing, now: int) -> None:
    """Let all of it go, whatever its canary does."""
    if one.finished_at is not None or one.wish is not Wish.CANARY:
        why = "only one whose canary goes, and that is not paused, can be continued"
        raise Conflict(why=f"it is {one.state(now).word}: {why}")
    go_on(conn, one, now)


def cancel(by: str) -> Change:
    """Return what cancels all that was not attempted, and what of the file is not imported, on behalf of somebody."""

    def change(conn: sqlite3.Connection, one: Mailing, now: int) -> None:
        if one.wish is Wish.CANCEL:
            return
        if one.finished_at is not None:
            raise Conflict(why=f"it is {one.state(now).word} already")
        one.cause = f"cancelled: by {by}"
        if one.importing:
            one.phase, one.imported_at = ImportPhase.DONE, now
        wish(conn, one, Wish.CANCEL)

    return change
