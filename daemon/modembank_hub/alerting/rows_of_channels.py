"""Rows of channels, of the letters that wait for them, and of what each was told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from modembank.webhooks.model import Secret
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.alerting.rows import COLUMNS, AlertRow

WEBHOOK, MAIL = "webhook", "mail"
LATELY_MS = 7 * 86_400_000
"""Ends that are longer ago are told to nobody."""
_COLUMNS = (
    "id, name, means, url, allow_private, secrets, recipients, least, place, ends, active, stopped_why, since_at,"
    " made_at, failing_since, failures, delivered, last_at, last_error, created_at"
)
_CHANGEABLE = frozenset(_COLUMNS.split(", ")) - {"id", "means", "created_at"}
_LETTER = "id, channel_id, made_at, body, opened, ended, state, tries, next_at, error, settled_at"
_secrets = msgspec.json.Decoder(tuple[Secret, ...])


class Channel(msgspec.Struct, frozen=True):
    """Whom alerts are told to; times are unix milliseconds."""

    id: int
    name: str
    means: str
    url: str
    allow_private: bool
    secrets: tuple[Secret, ...]
    recipients: tuple[str, ...]
    least: Severity
    place: str
    ends: bool
    active: bool
    stopped_why: str | None
    since_at: int
    made_at: int | None
    failing_since: int | None
    failures: int
    delivered: int
    last_at: int | None
    last_error: str | None
    created_at: int

    @property
    def runs(self) -> bool:
        """Whether it is told anything."""
        return self.active and self.stopped_why is None

    @property
    def state(self) -> str:
        """In one word: working, failing, stopped."""
        return "stopped" if not self.runs else "failing" if self.failing_since is not None else "working"

    def signing(self, now: int) -> tuple[str, ...]:
        """Return the secrets that are signed with now, newest first."""
        return tuple(one.secret for one in self.secrets if one.until is None or one.until > now)


class LetterRow(NamedTuple):
    """What a channel is told at once."""

    id: int
    channel_id: int
    made_at: int
    body: str
    opened: int
    ended: int
    state: str
    tries: int
    next_at: int
    error: str | None
    settled_at: int | None


def listed(conn: sqlite3.Connection) -> list[Channel]:
    """Return all channels by name."""
    return [_channel(row) for row in conn.execute(f"SELECT {_COLUMNS} FROM alert_channels ORDER BY name")]  # noqa: S608


def get(conn: sqlite3.Connection, channel_id: int) -> Channel | None:
    """Return one."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM alert_channels WHERE id = ?", (channel_id,)).fetchone()  # noqa: S608
    return None if row is None else _channel(row)


def insert(conn: sqlite3.Connection, columns: Mapping[str, Any]) -> int:
    """Add one; return its id. Raises sqlite3.IntegrityError where the name is taken."""
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO alert_channels ({', '.join(columns)}) VALUES ({marks}) RETURNING id"  # noqa: S608 - our columns
    return int(conn.execute(sql, tuple(columns.values())).fetchone()[0])


def change(conn: sqlite3.Connection, channel_id: int, columns: Mapping[str, Any]) -> None:
    """Write some columns; raises sqlite3.IntegrityError where the name is taken."""
    if unknown := set(columns) - _CHANGEABLE:
        raise ValueError(unknown)
    sets = ", ".join(f"{name} = ?" for name in columns)
    conn.execute(f"UPDATE alert_channels SET {sets} WHERE id = ?", (*columns.values(), channel_id))  # noqa: S608


def delete(conn: sqlite3.Connection, channel_id: int) -> None:
    """Delete one with its letters."""
    conn.execute("DELETE FROM alert_channels WHERE id = ?", (channel_id,))


def begin_anew(conn: sqlite3.Connection, channel_id: int, now: int) -> None:
    """Let a channel be told what is open, as if it had been made now; what lay there for it is given up."""
    give_up(conn, channel_id, "the channel was stopped", now)
    conn.execute("DELETE FROM alert_told WHERE channel_id = ?", (channel_id,))
    conn.execute(
        "UPDATE alert_channels SET since_at = ?, stopped_why = NULL, failing_since = NULL, failures = 0 WHERE id = ?",
        (now, channel_id),
    )


def failing(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the channels that take nothing, with why."""
    return conn.execute(
        "SELECT name, coalesce(stopped_why, last_error, '') FROM alert_channels"
        " WHERE active = 1 AND (failing_since IS NOT NULL OR stopped_why IS NOT NULL) ORDER BY name"
    ).fetchall()


def secrets_text(secrets: Sequence[Secret]) -> str:
    """Return secrets as they are stored."""
    return msgspec.json.encode(list(secrets)).decode()


# -- letters


def untold(conn: sqlite3.Connection, channel: Channel, now: int) -> list[AlertRow]:
    """Return alerts of which a channel has not been told that they opened, or that they are over."""
    rows = conn.execute(
        f"""SELECT {COLUMNS} FROM alerts a LEFT JOIN alert_told t ON t.channel_id = ?1 AND t.alert_id = a.id
            WHERE a.state <> 'ended' AND (t.round IS NULL OR t.round < a.round)
            UNION ALL
            SELECT {COLUMNS} FROM alerts a LEFT JOIN alert_told t ON t.channel_id = ?1 AND t.alert_id = a.id
            WHERE a.ended_at >= ?2 AND ((t.round = a.round AND t.ended = 0 AND ?3 = 1) OR
            (coalesce(t.round, 0) < a.round AND a.opened_at >= ?4 AND a.quiet_round < a.round))
            ORDER BY 1""",  # noqa: S608 - our own columns
        (channel.id, now - LATELY_MS, int(channel.ends), channel.since_at),
    )
    found = [AlertRow(*row) for row in rows]
    return [row for row in found if Severity(row.severity).rank >= channel.least.rank]


def add_letter(
    conn: sqlite3.Connection, channel: Channel, body: Mapping[str, Any], told: Sequence[AlertRow], now: int
) -> LetterRow:
    """Keep a letter together with what it tells."""
    conn.executemany(
        "INSERT INTO alert_told VALUES (?, ?, ?, ?) ON CONFLICT (channel_id, alert_id)"
        " DO UPDATE SET round = excluded.round, ended = excluded.ended",
        [(channel.id, row.id, row.round, int(row.ended_at is not None)) for row in told],
    )
    conn.execute("UPDATE alert_channels SET made_at = ? WHERE id = ?", (now, channel.id))
    row = conn.execute(
        f"INSERT INTO alert_letters (channel_id, made_at, body, opened, ended, state, next_at)"  # noqa: S608 - ours
        f" VALUES (?, ?, ?, ?, ?, 'queued', ?) RETURNING {_LETTER}",
        (channel.id, now, json.dumps(body), body["opened_count"], body["ended_count"], now),
    ).fetchone()
    return LetterRow(*row)


def next_letter(conn: sqlite3.Connection, channel_id: int) -> LetterRow | None:
    """Return the oldest letter that was not taken."""
    row = conn.execute(
        f"SELECT {_LETTER} FROM alert_letters WHERE channel_id = ? AND state = 'queued' ORDER BY id LIMIT 1",  # noqa: S608
        (channel_id,),
    ).fetchone()
    return None if row is None else LetterRow(*row)


def letters(conn: sqlite3.Connection, channel_id: int, limit: int) -> list[LetterRow]:
    """Return a channel's letters, newest first."""
    rows = conn.execute(
        f"SELECT {_LETTER} FROM alert_letters WHERE channel_id = ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - ours
        (channel_id, limit),
    )
    return [LetterRow(*row) for row in rows]


def note_taken(conn: sqlite3.Connection, letter: LetterRow, now: int) -> None:
    """Note that a letter was taken."""
    conn.execute(
        "UPDATE alert_letters SET state = 'delivered', tries = tries + 1, error = NULL, settled_at = ? WHERE id = ?",
        (now, letter.id),
    )
    conn.execute(
        "UPDATE alert_channels SET delivered = delivered + 1, failing_since = NULL, failures = 0, last_at = ?,"
        " last_error = NULL WHERE id = ?",
        (now, letter.channel_id),
    )


def note_refused(conn: sqlite3.Connection, letter: LetterRow, error: str, next_at: int, now: int) -> None:
    """Note that a letter was not taken; it is tried again at ``next_at``."""
    conn.execute(
        "UPDATE alert_letters SET tries = tries + 1, error = ?, next_at = ? WHERE id = ?",
        (error[:400], next_at, letter.id),
    )
    conn.execute(
        "UPDATE alert_channels SET failures = failures + 1, failing_since = coalesce(failing_since, ?1), last_at = ?1,"
        " last_error = ?2 WHERE id = ?3",
        (now, error[:400], letter.channel_id),
    )


def give_up(conn: sqlite3.Connection, channel_id: int, why: str, now: int) -> None:
    """Give up what lies there for a channel."""
    conn.execute(
        "UPDATE alert_letters SET state = 'given_up', error = ?, settled_at = ?"
        " WHERE channel_id = ? AND state = 'queued'",
        (why, now, channel_id),
    )


def _channel(row: tuple[Any, ...]) -> Channel:
    values = list(row)
    for place in (4, 9, 10):
        values[place] = bool(row[place])
    values[5], values[6], values[7] = _secrets.decode(row[5]), tuple(json.loads(row[6])), Severity(row[7])
    return Channel(*values)
