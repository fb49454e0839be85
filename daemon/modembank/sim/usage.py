"""What every SIM sent, in the database: booked with the attempts, read at the start, folded as it ages."""

from __future__ import annotations

import sqlite3

from modembank.modem.outcome import AttemptOutcome
from modembank.sim.limits import DAY_MS, MINUTE_MS, MONTH_MS
from modembank.sim.window import Bucket

MINUTES_KEPT_MS = 2 * DAY_MS
"""Minute buckets older than this become hours: longer than the longest window that needs minutes."""
USAGE_KEPT_MS = MONTH_MS + DAY_MS
KEPT_MARK = ""
"""The recipient of the row that says: this SIM's recipients are kept."""


def add_usage(
    connection: sqlite3.Connection, sim_id: int, at_ms: int, segments: int, recipient: str | None = None
) -> None:
    """Book segments on a SIM, in the transaction that makes their attempt durable: exactly once each.

    ``at_ms`` is when they were admitted (unix milliseconds). The recipient may always be given; it is stored only for
    SIMs whose recipients are kept.
    """
    connection.execute(
        "INSERT INTO sim_usage (bucket, sim_id, segments, last_at) VALUES (?, ?, ?, ?) ON CONFLICT (bucket, sim_id)"
        " DO UPDATE SET segments = segments + excluded.segments, last_at = max(last_at, excluded.last_at)",
        (at_ms // MINUTE_MS, sim_id, segments, at_ms),
    )
    if recipient:
        connection.execute(
            "INSERT INTO sim_recipients (sim_id, recipient, last_at) SELECT ?1, ?2, ?3 WHERE EXISTS"
            " (SELECT 1 FROM sim_recipients WHERE sim_id = ?1 AND recipient = ?4)"
            " ON CONFLICT (sim_id, recipient) DO UPDATE SET last_at = max(last_at, excluded.last_at)",
            (sim_id, recipient, at_ms, KEPT_MARK),
        )


def load_usage(connection: sqlite3.Connection) -> dict[int, list[Bucket]]:
    """Return every stored bucket by SIM, however old: with a wrong clock only the ledger can tell what counts."""
    found: dict[int, list[Bucket]] = {}
    for sim_id, last_at, segments in connection.execute("SELECT sim_id, last_at, segments FROM sim_usage"):
        found.setdefault(sim_id, []).append(Bucket(last_at, segments))
    return found


def segments_between(connection: sqlite3.Connection, since_ms: int, before_ms: int) -> dict[int, int]:
    """Return what each SIM sent in a stretch of time (unix ms): tries of segments that may have gone out.

    Exact to the minute for two days, then to the hour; nothing is known that is older than USAGE_KEPT_MS.
    """
    rows = connection.execute(
        "SELECT sim_id, sum(segments) FROM sim_usage WHERE bucket >= ? AND bucket < ? GROUP BY sim_id",
        (-(-since_ms // MINUTE_MS), -(-before_ms // MINUTE_MS)),
    )
    return dict(rows.fetchall())


def load_recipients(connection: sqlite3.Connection) -> dict[int, dict[str, int]]:
    """Return recipient -> last time by SIM, for the SIMs whose recipients are kept."""
    found: dict[int, dict[str, int]] = {}
    for sim_id, recipient, last_at in connection.execute("SELECT sim_id, recipient, last_at FROM sim_recipients"):
        entries = found.setdefault(sim_id, {})
        if recipient != KEPT_MARK:
            entries[recipient] = last_at
    return found


def keep_recipients(connection: sqlite3.Connection, sim_id: int) -> None:
    """From this transaction on, add_usage() stores the SIM's recipients."""
    connection.execute(
        "INSERT OR IGNORE INTO sim_recipients (sim_id, recipient, last_at) VALUES (?, ?, 0)", (sim_id, KEPT_MARK)
    )


def drop_recipients(connection: sqlite3.Connection, sim_id: int) -> None:
    """Forget the SIM's recipients and store no more."""
    connection.execute("DELETE FROM sim_recipients WHERE sim_id = ?", (sim_id,))


def recipients_from_history(connection: sqlite3.Connection, sim_id: int, since_ms: int) -> dict[str, int]:
    """Return recipient -> last time from the attempts and the journal: for a SIM whose recipients were not kept.

    An attempt that never left is not counted, one of unknown outcome is. Reads all attempts; use a reader.
    """
    rows = connection.execute(
        "SELECT m.recipient, max(sent.at) FROM ("
        " SELECT message_id, started_at AS at FROM attempts"
        "  WHERE sim_id = ?1 AND started_at > ?2 AND coalesce(outcome, 0) <> ?3"
        " UNION ALL SELECT message_id, at FROM journal WHERE sim_id = ?1 AND at > ?2"
        ") AS sent JOIN messages AS m ON m.id = sent.message_id GROUP BY m.recipient",
        (sim_id, since_ms, int(AttemptOutcome.NOT_SENT)),
    )
    return dict(rows.fetchall())


def store_recipients(connection: sqlite3.Connection, sim_id: int, recipients: dict[str, int]) -> dict[str, int]:
    """Add recipients to a SIM's kept ones and return all of them."""
    connection.executemany(
        "INSERT INTO sim_recipients (sim_id, recipient, last_at) VALUES (?, ?, ?)"
        " ON CONFLICT (sim_id, recipient) DO UPDATE SET last_at = max(last_at, excluded.last_at)",
        [(sim_id, recipient, at) for recipient, at in recipients.items()],
    )
    rows = connection.execute(
        "SELECT recipient, last_at FROM sim_recipients WHERE sim_id = ? AND recipient <> ?", (sim_id, KEPT_MARK)
    )
    return dict(rows.fetchall())


def compact_usage(connection: sqlite3.Connection, now_ms: int) -> None:
    """Fold old minutes into hours and drop what no window reaches; cheap when called once an hour.

    Ages are counted from the newest entry when the clock is ahead of it by more than that: a clock that is wrong by
    years must not empty the ledger.
    """
    newest: int | None = connection.execute("SELECT max(last_at) FROM sim_usage").fetchone()[0]
    if newest is None:
        return
    reference = min(now_ms, newest)
    hours_before = (reference - MINUTES_KEPT_MS) // MINUTE_MS // 60 * 60
    connection.execute(
        "INSERT INTO sim_usage (bucket, sim_id, segments, last_at)"
        " SELECT bucket - bucket % 60, sim_id, sum(segments), max(last_at) FROM sim_usage"
        " WHERE bucket < ? AND bucket % 60 <> 0 GROUP BY 1, 2 ON CONFLICT (bucket, sim_id) DO UPDATE"
        " SET segments = segments + excluded.segments, last_at = max(last_at, excluded.last_at)",
        (hours_before,),
    )
    connection.execute("DELETE FROM sim_usage WHERE bucket < ? AND bucket % 60 <> 0", (hours_before,))
    connection.execute("DELETE FROM sim_usage WHERE bucket < ?", ((reference - USAGE_KEPT_MS) // MINUTE_MS,))
    connection.execute(
        "DELETE FROM sim_recipients WHERE last_at <= ? AND recipient <> ?", (reference - USAGE_KEPT_MS, KEPT_MARK)
    )


def move_usage(connection: sqlite3.Connection, source: int, target: int) -> None:
    """Book everything of one SIM's row on another: two rows turned out to be one card."""
    connection.execute(
        "INSERT INTO sim_usage (bucket, sim_id, segments, last_at)"
        " SELECT bucket, ?2, segments, last_at FROM sim_usage WHERE sim_id = ?1 ON CONFLICT (bucket, sim_id) DO UPDATE"
        " SET segments = segments + excluded.segments, last_at = max(last_at, excluded.last_at)",
        (source, target),
    )
    connection.execute("DELETE FROM sim_usage WHERE sim_id = ?", (source,))
    recipients = load_recipients(connection).get(source)
    if recipients is not None:
        keep_recipients(connection, target)
        store_recipients(connection, target, recipients)
        drop_recipients(connection, source)
