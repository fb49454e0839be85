"""Rows of mailings, read and written inside a transaction of the store. Times are unix milliseconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from modembank import eventlog
from modembank.ids import public_id
from modembank.mailings.canaries import Canary
from modembank.mailings.model import KEPT_ROWS, ImportPhase, Layout, MailingState, Row, Wish
from modembank.messages.batches import Terms
from modembank.messages.requests import KEY_LIFETIME_MS

MAILING_ID = "mlg"
_COLUMNS = (
    "id, user_id, name, phase, wish, walk, cause, layout, terms, valid_for_s, expires_at, file, octets, total, rows,"
    " accepted, refused, duplicates, segments, created_at, imported_at, started_at, finished_at, canary"
)
_SELECT = f"SELECT {_COLUMNS} FROM mailings"  # noqa: S608 - constants


class Mailing(msgspec.Struct):
    """One row; change it and write it back with save()."""

    id: int
    user_id: int
    name: str
    phase: ImportPhase
    wish: Wish
    walk: int | None
    cause: str | None
    layout: Layout
    terms: Terms
    valid_for_s: int
    expires_at: int
    file: str
    octets: int
    total: int = 0
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    segments: int = 0
    created_at: int = 0
    imported_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    canary: Canary | None = None

    @property
    def public_id(self) -> str:
        """The id that callers know."""
        return public_id(MAILING_ID, self.id)

    @property
    def importing(self) -> bool:
        """Whether rows of its file are still to be read."""
        return self.phase in (ImportPhase.CHECKING, ImportPhase.LOADING)

    @property
    def goes(self) -> bool:
        """Whether any of its messages may be sent."""
        return self.wish in (Wish.GO, Wish.CANARY)

    @property
    def onward(self) -> Wish:
        """What is to become of it when it is started, or resumed: its canary goes first."""
        return Wish.GO if self.canary is None or self.canary.continued_at is not None else Wish.CANARY

    def due(self, now: int) -> bool:
        """Whether its time has come."""
        return self.terms.not_before is None or self.terms.not_before <= now

    def state(self, now: int) -> MailingState:
        """Return where it is."""
        if self.phase is ImportPhase.FAILED:
            return MailingState.FAILED
        if self.wish is Wish.CANCEL:
            return MailingState.CANCELLED
        if self.finished_at is not None:
            return MailingState.FINISHED
        if self.wish is Wish.PAUSE:
            return MailingState.PAUSED
        if self.importing:
            return MailingState.IMPORTING
        if self.wish is Wish.HOLD:
            return MailingState.READY
        if not self.due(now):
            return MailingState.SCHEDULED
        return MailingState.CANARY if self.wish is Wish.CANARY else MailingState.SENDING


def insert(conn: sqlite3.Connection, mailing: Mailing, key: str | None, digest: bytes, now: int) -> None:
    """Store a new one."""
    values = (*_values(mailing), mailing.state(now), key, digest)
    marks = ", ".join("?" * len(values))
    conn.execute(f"INSERT INTO mailings ({_COLUMNS}, state, key, digest) VALUES ({marks})", values)  # noqa: S608 - constants


def any_sending(conn: sqlite3.Connection) -> bool:
    """Whether there is one whose messages are being sent; one that waits for a person is none."""
    states = (MailingState.IMPORTING, MailingState.SENDING)
    query = "SELECT 1 FROM mailings WHERE (finished_at IS NULL OR walk IS NOT NULL) AND state IN (?, ?) LIMIT 1"
    return conn.execute(query, states).fetchone() is not None


def save(conn: sqlite3.Connection, mailing: Mailing, now: int) -> None:
    """Write one back."""
    names = [name.strip() for name in _COLUMNS.split(",")]
    assigned = ", ".join(f"{name} = ?" for name in names[1:])
    values = (*_values(mailing)[1:], mailing.state(now), mailing.id)
    conn.execute(f"UPDATE mailings SET {assigned}, state = ? WHERE id = ?", values)  # noqa: S608 - constants


def read(conn: sqlite3.Connection, mailing_id: int) -> Mailing | None:
    """Return one, or None when there is none."""
    row = conn.execute(f"{_SELECT} WHERE id = ?", (mailing_id,)).fetchone()
    return None if row is None else _mailing(row)


def by_key(conn: sqlite3.Connection, user_id: int, key: str, now: int) -> tuple[int, bytes] | None:
    """Return the user's mailing that was asked for with this idempotency key, and its digest."""
    row: tuple[int, bytes] | None = conn.execute(
        "SELECT id, digest FROM mailings WHERE user_id = ? AND key = ? AND created_at > ? ORDER BY id DESC LIMIT 1",
        (user_id, key, now - KEY_LIFETIME_MS),
    ).fetchone()
    return row


def page(conn: sqlite3.Connection, user_id: int | None, before: int | None, limit: int) -> list[Mailing]:
    """Return the newest before an id, of one user or of all."""
    where, params = ("user_id = ? AND", (user_id,)) if user_id is not None else ("", ())
    rows = conn.execute(
        f"{_SELECT} WHERE {where} id < ? ORDER BY id DESC LIMIT ?",
        (*params, (1 << 62) if before is None else before, limit),
    )
    return [_mailing(row) for row in rows]


def owners(conn: sqlite3.Connection, mailings: Sequence[int]) -> dict[int, str]:
    """Return the names of those who made mailings."""
    marks = ", ".join("?" * len(mailings))
    query = f"SELECT m.id, u.name FROM mailings m JOIN users u ON u.id = m.user_id WHERE m.id IN ({marks})"  # noqa: S608
    return dict(conn.execute(query, tuple(mailings)).fetchall())


def open_ones(conn: sqlite3.Connection) -> list[Mailing]:
    """Return those of which something is still to be done, oldest first."""
    rows = conn.execute(f"{_SELECT} WHERE finished_at IS NULL OR walk IS NOT NULL ORDER BY id")
    return [_mailing(row) for row in rows]


def keep_rows(conn: sqlite3.Connection, mailing: Mailing, refused: Sequence[Row]) -> None:
    """Store rows that gave no message, as far as there is room for them, and count them."""
    if not refused:
        return
    room = max(KEPT_ROWS - mailing.refused - mailing.duplicates, 0)
    conn.executemany(
        "INSERT OR IGNORE INTO mailing_rows (mailing_id, line, number, kind, reason) VALUES (?, ?, ?, ?, ?)",
        [
            (mailing.id, row.line, row.written, "duplicate" if row.duplicate else "refused", row.reason)
            for row in refused[:room]
        ],
    )
    duplicates = sum(row.duplicate for row in refused)
    mailing.duplicates += duplicates
    mailing.refused += len(refused) - duplicates


def break_off(conn: sqlite3.Connection, now: int) -> int:
    """End every import in data that is restored: its rows may have become messages, and been sent, since the backup.

    Returns how many there were. What was made of them already is to be held with all other messages.
    """
    broken = [mailing for mailing in open_ones(conn) if mailing.importing]
    for mailing in broken:
        loading = mailing.phase is ImportPhase.LOADING
        mailing.phase = ImportPhase.DONE if loading else ImportPhase.FAILED
        mailing.cause = f"the data is restored from a backup: the rows behind {mailing.rows} were not imported"
        mailing.imported_at, mailing.finished_at = (now, None) if loading else (None, now)
        save(conn, mailing, now)
        tell(conn, mailing, "imported" if loading else "failed", now)
    return len(broken)


def refused_rows(conn: sqlite3.Connection, mailing_id: int, after: int, limit: int) -> list[tuple[int, str, str, str]]:
    """Return stored rows behind a line: line, number as written, kind, reason."""
    rows = conn.execute(
        "SELECT line, number, kind, reason FROM mailing_rows WHERE mailing_id = ? AND line > ? ORDER BY line LIMIT ?",
        (mailing_id, after, limit),
    )
    return rows.fetchall()


def tell(conn: sqlite3.Connection, mailing: Mailing, what: str, now: int) -> None:
    """Append to the event log what happened to one."""
    body = {
        "id": mailing.public_id,
        "name": mailing.name,
        "state": mailing.state(now).word,
        "accepted": mailing.accepted,
        "refused": mailing.refused,
        "duplicates": mailing.duplicates,
    }
    stopped = None if mailing.canary is None else mailing.canary.stopped
    if mailing.cause is not None or stopped is not None:
        body["cause"] = mailing.cause or f"canary: {stopped}"
    text = msgspec.json.encode(body).decode()
    eventlog.append(conn, [eventlog.Entry(now, f"mailing.{what}", mailing.user_id, mailing.id, text)])


def _values(mailing: Mailing) -> tuple[object, ...]:
    names: Iterable[str] = (name.strip() for name in _COLUMNS.split(","))
    given = {name: getattr(mailing, name) for name in names}
    given["layout"] = msgspec.json.encode(mailing.layout).decode()
    given["terms"] = msgspec.json.encode(mailing.terms).decode()
    given["canary"] = None if mailing.canary is None else msgspec.json.encode(mailing.canary).decode()
    return tuple(given.values())


def _mailing(row: tuple[Any, ...]) -> Mailing:
    values = list(row)
    values[3], values[4] = ImportPhase(values[3]), Wish(values[4])
    values[7] = msgspec.json.decode(values[7], type=Layout)
    values[8] = msgspec.json.decode(values[8], type=Terms)
    values[-1] = None if values[-1] is None else msgspec.json.decode(values[-1], type=Canary)
    return Mailing(*values)
