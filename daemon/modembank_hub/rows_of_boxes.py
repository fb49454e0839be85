"""Rows of boxes: presence, birth, the latest telemetry, and the lists that faces show."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

import msgspec

from modembank_fleet.wire import Address, Avail

STALE_PERIODS = 2.5
"""A box that said it was online and has been silent for so many periods is stale."""
_STALE = f"(?1 - seen_at > period_s * {int(STALE_PERIODS * 1000)})"
STANDING = f"CASE WHEN online = 0 THEN 'offline' WHEN {_STALE} THEN 'stale' ELSE 'online' END"
"""SQL of how a box stands at the time ?1."""
_COLUMNS = (
    "id, site, box, label, first_at, seen_at, epoch, boot, conn, online, why, presence_at, period_s, version, skew_ms,"
    " problems, birth, birth_at, tele, tele_at, modems, modems_at, reported, ota,"
    " (SELECT at FROM shut_out WHERE shut_out.site = boxes.site AND shut_out.box = boxes.box) AS out_at"
)


class BoxRow(NamedTuple):
    """A box as it is stored, and how it stands."""

    id: int
    site: str
    box: str
    label: str
    first_at: int
    seen_at: int
    epoch: str
    boot: int
    conn: int
    online: int
    why: str
    presence_at: int | None
    period_s: int
    version: str
    skew_ms: int | None
    problems: int
    birth: str | None
    birth_at: int | None
    tele: str | None
    tele_at: int | None
    modems: str | None
    modems_at: int | None
    reported: str | None
    ota: str | None
    out_at: int | None
    """When it was shut out (unix ms); None: it is not."""
    standing: str

    @property
    def name(self) -> str:
        """Site and box."""
        return f"{self.site}/{self.box}"


class Wanted(msgspec.Struct, frozen=True):
    """Which boxes; None or empty: all. ``text`` is a part of site, name or label."""

    standing: str | None = None
    text: str = ""
    version: str | None = None
    problems: bool = False


def known(conn: sqlite3.Connection, address: Address, now_ms: int) -> int:
    """Return the row id of a box that something came from just now; it is made when it is new."""
    row = conn.execute(
        "UPDATE boxes SET seen_at = CASE WHEN seen_at < ?3 THEN ?3 ELSE seen_at END WHERE site = ?1 AND box = ?2"
        " RETURNING id",
        (address.site, address.box, now_ms),
    ).fetchone()
    if row is None:
        row = conn.execute(
            "INSERT INTO boxes (site, box, first_at, seen_at) VALUES (?, ?, ?, ?) RETURNING id",
            (address.site, address.box, now_ms, now_ms),
        ).fetchone()
    return int(row[0])


def is_old_epoch(conn: sqlite3.Connection, box_id: int, epoch: str) -> bool:
    """Whether a box has had an epoch and left it."""
    row = conn.execute(
        "SELECT b.epoch FROM boxes b JOIN epochs e ON e.box_id = b.id WHERE b.id = ? AND e.epoch = ?", (box_id, epoch)
    ).fetchone()
    return row is not None and row[0] != epoch


def note_presence(conn: sqlite3.Connection, box_id: int, avail: Avail, now_ms: int) -> bool:
    """Let a presence count, or not: an offline only for the very connection that is known, an online never backwards.

    Returns whether anything changed.
    """
    epoch, boot, count, online = conn.execute(
        "SELECT epoch, boot, conn, online FROM boxes WHERE id = ?", (box_id,)
    ).fetchone()
    same = (avail.bs, avail.conn) == (boot, count)
    if avail.s == "offline":
        if epoch and not (avail.ep == epoch and same):
            return False
    elif avail.ep == epoch:
        if (avail.bs, avail.conn) < (boot, count) or (same and not online):
            return False
    elif is_old_epoch(conn, box_id, avail.ep):
        return False
    conn.execute(
        "INSERT INTO epochs (box_id, epoch, first_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (box_id, avail.ep, now_ms),
    )
    conn.execute(
        "UPDATE boxes SET epoch = ?, boot = ?, conn = ?, online = ?, why = ?, presence_at = ? WHERE id = ?",
        (avail.ep, avail.bs, avail.conn, avail.s == "online", avail.why, now_ms, box_id),
    )
    return True


def note_out(conn: sqlite3.Connection, site: str, box: str, now_ms: int) -> None:
    """A box is heard no more: it is offline, whatever it says."""
    conn.execute(
        "UPDATE boxes SET online = 0, why = 'revoked', presence_at = ? WHERE site = ? AND box = ?", (now_ms, site, box)
    )


def note_birth(conn: sqlite3.Connection, box_id: int, told: dict[str, Any]) -> None:
    """Keep a birth: the fields of ``told`` are columns."""
    conn.execute(
        "UPDATE boxes SET label = :label, version = :version, period_s = :period_s, birth = :birth,"
        " birth_at = :birth_at, skew_ms = :skew_ms WHERE id = :id",
        told | {"id": box_id},
    )


def latest_tele(conn: sqlite3.Connection, box_id: int) -> tuple[str | None, str | None, int | None]:
    """Return the latest telemetry, its epoch and its number."""
    row: tuple[str | None, str | None, int | None] = conn.execute(
        "SELECT tele, tele_epoch, tele_seq FROM boxes WHERE id = ?", (box_id,)
    ).fetchone()
    return row


def note_tele(conn: sqlite3.Connection, box_id: int, told: dict[str, Any]) -> None:
    """Keep a box's telemetry as the latest."""
    conn.execute(
        "UPDATE boxes SET tele = :tele, tele_at = :at, tele_epoch = :epoch, tele_seq = :seq, problems = :problems,"
        " skew_ms = :skew_ms WHERE id = :id",
        told | {"id": box_id},
    )


def note_modems(conn: sqlite3.Connection, box_id: int, epoch: str, seq: int, table: str, now_ms: int) -> None:
    """Keep the table of modems, unless a newer one of the same epoch is there."""
    conn.execute(
        "UPDATE boxes SET modems = ?1, modems_at = ?2, modems_epoch = ?3, modems_seq = ?4 WHERE id = ?5"
        " AND (modems_epoch IS DISTINCT FROM ?3 OR modems_seq < ?4)",
        (table, now_ms, epoch, seq, box_id),
    )


def note_whole(conn: sqlite3.Connection, box_id: int, column: str, text: str) -> None:
    """Keep what a box says as a whole: ``reported`` or ``ota``."""
    conn.execute(f"UPDATE boxes SET {column} = ? WHERE id = ?", (text, box_id))  # noqa: S608 - our own names


def reported(conn: sqlite3.Connection, box_id: int) -> dict[str, Any] | None:
    """Return what a box said last of its configuration."""
    (text,) = conn.execute("SELECT reported FROM boxes WHERE id = ?", (box_id,)).fetchone()
    return None if text is None else json.loads(text)


def get(conn: sqlite3.Connection, site: str, box: str, now_ms: int) -> BoxRow | None:
    """Return one box."""
    row = conn.execute(
        f"SELECT {_COLUMNS}, {STANDING} FROM boxes WHERE site = ?2 AND box = ?3",  # noqa: S608 - our own columns
        (now_ms, site, box),
    ).fetchone()
    return None if row is None else BoxRow(*row)


def page(conn: sqlite3.Connection, wanted: Wanted, after: tuple[str, str], limit: int, now_ms: int) -> list[BoxRow]:
    """Return boxes by site and name, after that one."""
    rows = conn.execute(
        f"""SELECT * FROM (SELECT {_COLUMNS}, {STANDING} AS standing FROM boxes WHERE (site, box) > (?2, ?3)
            AND (?4 = '' OR instr(site || '/' || box, ?4) > 0 OR instr(lower(label), ?4) > 0)
            AND (version = ?5 OR ?5 IS NULL) AND (?6 = 0 OR problems > 0)) AS found
            WHERE standing = ?7 OR ?7 IS NULL ORDER BY site, box LIMIT ?8""",  # noqa: S608 - our own columns
        (now_ms, *after, wanted.text.lower(), wanted.version, int(wanted.problems), wanted.standing, limit),
    )
    return [BoxRow(*row) for row in rows]


def totals(conn: sqlite3.Connection, now_ms: int) -> dict[str, int]:
    """Return how many boxes stand how, and the sums of what they told last."""
    row = conn.execute(
        f"""SELECT count(*), count(CASE WHEN standing = 'online' THEN 1 END),
            count(CASE WHEN standing = 'stale' THEN 1 END), count(CASE WHEN standing = 'offline' THEN 1 END),
            count(CASE WHEN problems > 0 THEN 1 END), coalesce(sum(json_extract(tele, '$.modems.ready')), 0),
            coalesce(sum(json_array_length(birth, '$.modems.rows')), 0),
            coalesce(sum(json_extract(tele, '$.q.ready') + json_extract(tele, '$.q.delayed')), 0),
            coalesce(sum(json_extract(tele, '$.q.unknown')), 0)
            FROM (SELECT problems, tele, birth, {STANDING} AS standing FROM boxes) AS found""",  # noqa: S608 - our own columns
        (now_ms,),
    ).fetchone()
    names = ("boxes", "online", "stale", "offline", "problems", "modems_ready", "modems", "waiting", "unknown")
    return dict(zip(names, map(int, row), strict=True))


def versions(conn: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return which versions run, with how many boxes have each."""
    return conn.execute(
        "SELECT version, count(*) FROM boxes WHERE version != '' GROUP BY version ORDER BY 2 DESC, 1"
    ).fetchall()
