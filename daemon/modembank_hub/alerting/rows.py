"""Rows of alerts: those that hold, those that stand, and how each went; rules and silences."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from modembank_hub.alerting.deciding import Begin, Change, Clearing, Drop, End, Open, Pending, Regrade
from modembank_hub.alerting.facts import Held, Key
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.alerting.places import Places, Subject
from modembank_hub.alerting.rules import Rule
from modembank_hub.rows_of_config import groups

AGAIN_MS = 6 * 3_600_000
"""An alert that ended so short a time ago opens again; later it is another one."""
_STEPS = 200
OPEN, ACKNOWLEDGED, ENDED = "open", "acknowledged", "ended"
STATES = (OPEN, ACKNOWLEDGED, ENDED)
COLUMNS = (
    "a.id, a.kind, a.subject, a.topic, a.box_id, a.site, a.severity, a.state, a.detail, a.round, a.first_at,"
    " a.since_at, a.opened_at, a.clear_at, a.acked_at, a.acked_by, a.note, a.quiet_round, a.ended_at,"
    " coalesce((SELECT label FROM boxes WHERE id = a.box_id), '')"
)
"""Of an AlertRow, from ``alerts a``."""


class AlertRow(NamedTuple):
    """An alert as it is stored, with the label of its box."""

    id: int
    kind: str
    subject: str
    topic: str
    box_id: int | None
    site: str
    severity: str
    state: str
    detail: str
    round: int
    first_at: int
    since_at: int
    opened_at: int
    clear_at: int | None
    acked_at: int | None
    acked_by: str
    note: str
    quiet_round: int
    ended_at: int | None
    label: str

    @property
    def key(self) -> Key:
        """Which alert it is."""
        return Key(self.kind, self.subject, self.topic)

    @property
    def about(self) -> Subject:
        """What it is about."""
        return Subject(self.subject, self.site, self.label, self.box_id)


class StepRow(NamedTuple):
    """A step of an alert's way."""

    at: int
    what: str
    actor: str
    note: str


class SilenceRow(NamedTuple):
    """While it lasts, nobody is told of what opens there."""

    id: int
    kind: str
    place: str
    from_at: int
    until_at: int
    reason: str
    actor: str
    made_at: int


class Wanted(msgspec.Struct, frozen=True):
    """Which alerts; empty: all. ``active``: those that have not ended."""

    state: str = ""
    active: bool = False
    kind: str = ""
    site: str = ""
    severity: str = ""
    box_id: int | None = None


class Silences:
    """Those that last now."""

    def __init__(self, rows: Sequence[SilenceRow], places: Places) -> None:
        """Groups are as they are now."""
        self._rows = rows
        self._places = places

    def of(self, row: AlertRow) -> SilenceRow | None:
        """Return the one that silences an alert, that lasts longest."""
        return max(
            (one for one in self._rows if one.kind in {"", row.kind} and self._places.cover(one.place, row.about)),
            key=lambda one: one.until_at,
            default=None,
        )


def places(conn: sqlite3.Connection) -> Places:
    """Return what places cover now."""
    return Places(groups(conn))


# -- what a look finds, and what comes of it


def pending(conn: sqlite3.Connection) -> list[Pending]:
    """Return the conditions that have not held for long enough."""
    rows = conn.execute("SELECT kind, subject, topic, since_at FROM alert_pending")
    return [Pending(Key(kind, subject, topic), since) for kind, subject, topic, since in rows]


def standing(conn: sqlite3.Connection) -> list[AlertRow]:
    """Return the alerts that have not ended."""
    return _rows(conn.execute(f"SELECT {COLUMNS} FROM alerts a WHERE a.state <> 'ended'"))  # noqa: S608 - our own columns


def apply(conn: sqlite3.Connection, changes: Sequence[Change], silences: Silences, now: int) -> None:
    """Write down what a look decided; what a person did meanwhile stays."""
    for change in changes:
        match change:
            case Begin(held):
                conn.execute(
                    "INSERT INTO alert_pending VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (*held.key, held.subject.box_id, now),
                )
            case Drop(key):
                _drop(conn, key)
            case Open(held, since_at):
                _drop(conn, held.key)
                _open(conn, held, since_at, now)
            case Clearing(alert_id, at):
                conn.execute("UPDATE alerts SET clear_at = ? WHERE id = ? AND state <> 'ended'", (at, alert_id))
            case Regrade(alert_id, severity):
                conn.execute("UPDATE alerts SET severity = ? WHERE id = ?", (severity, alert_id))
            case End(alert_id, _):
                _end(conn, alert_id, silences, now)


def _drop(conn: sqlite3.Connection, key: Key) -> None:
    conn.execute("DELETE FROM alert_pending WHERE kind = ? AND subject = ? AND topic = ?", key)


def _open(conn: sqlite3.Connection, held: Held, since_at: int, now: int) -> None:
    detail = json.dumps(held.figures)
    if conn.execute(
        "SELECT 1 FROM alerts WHERE kind = ? AND subject = ? AND topic = ? AND state <> 'ended'", held.key
    ).fetchone():
        return
    if (
        held.subject.box_id is not None
        and not conn.execute("SELECT 1 FROM boxes WHERE id = ?", (held.subject.box_id,)).fetchone()
    ):  # forgotten between the look and the write
        return
    before = conn.execute(
        "SELECT id FROM alerts WHERE kind = ? AND subject = ? AND topic = ? AND ended_at >= ? ORDER BY ended_at DESC",
        (*held.key, now - AGAIN_MS),
    ).fetchone()
    if before is None:
        made = conn.execute(
            "INSERT INTO alerts (kind, subject, topic, box_id, site, severity, state, detail, first_at, since_at,"
            " opened_at) VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?, ?) RETURNING id",
            (
                *held.key, held.subject.box_id, held.subject.site, held.severity, detail, now, since_at, now,
            ),
        ).fetchone()  # fmt: skip
        add_step(conn, made[0], now, "opened")
        return
    conn.execute(
        "UPDATE alerts SET state = 'open', severity = ?, detail = ?, round = round + 1, since_at = ?, opened_at = ?,"
        " clear_at = NULL, ended_at = NULL, acked_at = NULL, acked_by = '' WHERE id = ?",
        (held.severity, detail, since_at, now, before[0]),
    )
    add_step(conn, before[0], now, "reopened")


def _end(conn: sqlite3.Connection, alert_id: int, silences: Silences, now: int) -> None:
    row = get(conn, alert_id)
    if row is None or row.state == ENDED:
        return
    quiet = row.quiet_round if silences.of(row) is None else row.round
    conn.execute(
        "UPDATE alerts SET state = 'ended', ended_at = ?, clear_at = NULL, quiet_round = ? WHERE id = ?",
        (now, quiet, alert_id),
    )
    add_step(conn, alert_id, now, "ended")


def add_step(conn: sqlite3.Connection, alert_id: int, now: int, what: str, actor: str = "", note: str = "") -> None:
    """Note a step of an alert's way."""
    conn.execute(
        "INSERT INTO alert_steps SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5 FROM alert_steps"
        " WHERE alert_id = ?1",
        (alert_id, now, what, actor, note),
    )


# -- what people see and do


def get(conn: sqlite3.Connection, alert_id: int) -> AlertRow | None:
    """Return one."""
    found = _rows(conn.execute(f"SELECT {COLUMNS} FROM alerts a WHERE a.id = ?", (alert_id,)))  # noqa: S608 - ours
    return found[0] if found else None


def page(conn: sqlite3.Connection, wanted: Wanted, before: tuple[int, int] | None, limit: int) -> list[AlertRow]:
    """Return alerts, that first which opened last; ``before``: when the last one of another page did, and its id."""
    place = before or (2**62, 2**62)
    return _rows(
        conn.execute(
            f"""SELECT {COLUMNS} FROM alerts a WHERE (a.opened_at, a.id) < (?1, ?9) AND (?2 = '' OR a.state = ?2)
            AND (?3 = 0 OR a.state <> 'ended') AND (?4 = '' OR a.kind = ?4) AND (?5 = '' OR a.site = ?5)
            AND (?6 = '' OR a.severity = ?6) AND (a.box_id = ?7 OR ?7 IS NULL)
            ORDER BY a.opened_at DESC, a.id DESC LIMIT ?8""",  # noqa: S608 - our own columns
            (
                place[0], wanted.state, int(wanted.active), wanted.kind, wanted.site, wanted.severity, wanted.box_id,
                limit, place[1],
            ),
        )
    )  # fmt: skip


def steps(conn: sqlite3.Connection, alert_id: int) -> list[StepRow]:
    """Return an alert's way, the oldest step first; of a long one its end."""
    rows = conn.execute(
        "SELECT at, what, actor, note FROM alert_steps WHERE alert_id = ? ORDER BY n DESC LIMIT ?", (alert_id, _STEPS)
    )
    return [StepRow(*row) for row in rows][::-1]


def acknowledge(conn: sqlite3.Connection, alert_id: int, actor: str, note: str, now: int) -> None:
    """Note that a person looks after it."""
    conn.execute(
        "UPDATE alerts SET state = 'acknowledged', acked_at = ?, acked_by = ?, note = ? WHERE id = ?",
        (now, actor, note, alert_id),
    )
    add_step(conn, alert_id, now, "acknowledged", actor, note)


def counts(conn: sqlite3.Connection) -> list[tuple[str, str, str, int]]:
    """Return how many stand, by kind, state and severity; those that may become alerts are ``pending``."""
    return conn.execute(
        """SELECT kind, state, severity, count(*) FROM alerts WHERE state <> 'ended' GROUP BY kind, state, severity
           UNION ALL SELECT kind, 'pending', '', count(*) FROM alert_pending GROUP BY kind"""
    ).fetchall()


def sites(conn: sqlite3.Connection) -> list[str]:
    """Return the sites of all boxes."""
    return [row[0] for row in conn.execute("SELECT DISTINCT site FROM boxes ORDER BY site")]


def drop_old(conn: sqlite3.Connection, older_than: int, most: int) -> int:
    """Delete what ended before a time, at most so much of each; return how many rows went."""
    gone = 0
    for table, column in (("alerts", "ended_at"), ("alert_silences", "until_at"), ("alert_letters", "settled_at")):
        gone += conn.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} < ? LIMIT ?)",  # noqa: S608 - ours
            (older_than, most),
        ).rowcount
    return gone


def _rows(found: sqlite3.Cursor) -> list[AlertRow]:
    return [AlertRow(*row) for row in found]


# -- rules


def rules(conn: sqlite3.Connection) -> list[Rule]:
    """Return the rules that somebody has set."""
    rows = conn.execute(
        "SELECT kind, place, active, severity, hold_s, clear_s, threshold, actor, at FROM alert_rules"
        " ORDER BY kind, place"
    )
    return [Rule(row[0], row[1], bool(row[2]), Severity(row[3]), *row[4:]) for row in rows]


def put_rule(conn: sqlite3.Connection, rule: Rule) -> None:
    """Set one."""
    conn.execute(
        """INSERT INTO alert_rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, place) DO UPDATE SET
           active = excluded.active, severity = excluded.severity, hold_s = excluded.hold_s,
           clear_s = excluded.clear_s, threshold = excluded.threshold, actor = excluded.actor, at = excluded.at""",
        msgspec.structs.astuple(rule),
    )


def drop_rule(conn: sqlite3.Connection, kind: str, place: str) -> bool:
    """Forget one; return whether it was there."""
    return conn.execute("DELETE FROM alert_rules WHERE kind = ? AND place = ?", (kind, place)).rowcount > 0


# -- silences


def silences(conn: sqlite3.Connection, now: int, *, begun: bool) -> list[SilenceRow]:
    """Return those that have not ended, by their end; ``begun``: only those that last now."""
    rows = conn.execute(
        "SELECT id, kind, place, from_at, until_at, reason, actor, made_at FROM alert_silences"
        " WHERE until_at > ?1 AND (?2 = 0 OR from_at <= ?1) ORDER BY until_at, id",
        (now, int(begun)),
    )
    return [SilenceRow(*row) for row in rows]


def add_silence(conn: sqlite3.Connection, row: SilenceRow) -> SilenceRow:
    """Add one; its id is given."""
    made = conn.execute(
        "INSERT INTO alert_silences (kind, place, from_at, until_at, reason, actor, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        row[1:],
    ).fetchone()
    return row._replace(id=made[0])


def end_silence(conn: sqlite3.Connection, silence_id: int, now: int) -> SilenceRow | None:
    """End one now and return it; None: there is none that lasts or is to come."""
    found = [row for row in silences(conn, now, begun=False) if row.id == silence_id]
    if found:
        conn.execute("UPDATE alert_silences SET until_at = ? WHERE id = ?", (now, silence_id))
    return found[0] if found else None


def silenced_now(conn: sqlite3.Connection, now: int) -> Silences:
    """Return what is silenced at a moment."""
    return Silences(silences(conn, now, begun=True), places(conn))
