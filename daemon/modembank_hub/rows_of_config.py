"""Rows of configurations: documents as they were written, what each box is to have, and what it says that it has."""

from __future__ import annotations

import fnmatch
import json
import sqlite3
from typing import Any, NamedTuple

from modembank_fleet.wire import CfgReported, hash_of

AGAIN_MS = 300_000
"""After so long what a box has not said that it has is published again."""
ENDED = frozenset({"applied", "rejected", "rolled_back"})
FAILED = frozenset({"rejected", "rolled_back"})
LABEL = "label:"
STATES = ("none", "waiting", "pending", "applied", "rejected", "rolled_back")
_LATELY = 5_000
"""Events of a box, the newest, among which its site's wishes are looked for."""
_VERSION = "box_id, ver, doc, hash, own_rev, group_rev, actor, at, why, ended, ended_at"
_STANDS = (
    "b.id, b.site, b.box, b.label, b.epoch, b.online, c.ver, c.publish_at, c.sent_at, c.told_ver, c.told_hash,"
    " c.told_state, c.told_eff, c.told_at, c.errors, c.local, v.hash, v.doc, v.actor, v.at, v.ended, v.group_rev,"
    " v.own_rev"
)
_FROM = (
    "FROM boxes b LEFT JOIN config_boxes c ON c.box_id = b.id"
    " LEFT JOIN config_versions v ON v.box_id = b.id AND v.ver = c.ver"
)
_HEARD = "NOT EXISTS (SELECT 1 FROM shut_out o WHERE o.site = b.site AND o.box = b.box)"
"""Of boxes that are told anything at all."""


class GroupRow(NamedTuple):
    """A group with its newest document."""

    id: int
    name: str
    pattern: str
    created_at: int
    revision: int
    doc: str
    actor: str
    at: int

    def has(self, name: str, label: str) -> bool:
        """Whether a box belongs to it."""
        if self.pattern.startswith(LABEL):
            return fnmatch.fnmatchcase(label.lower(), self.pattern.removeprefix(LABEL).strip().lower())
        return fnmatch.fnmatchcase(name, self.pattern)


class VersionRow(NamedTuple):
    """What a box was to have from a moment on."""

    box_id: int
    ver: int
    doc: str
    hash: str
    own_rev: int | None
    group_rev: int | None
    actor: str
    at: int
    why: str
    ended: str
    ended_at: int | None


class StandsRow(NamedTuple):
    """How a box stands to what it is to have; None: nothing of ours, or it has said nothing."""

    box_id: int
    site: str
    box: str
    label: str
    epoch: str
    online: int
    ver: int | None
    publish_at: int | None
    sent_at: int | None
    told_ver: int | None
    told_hash: str | None
    told_state: str | None
    told_eff: int | None
    told_at: int | None
    errors: str | None
    local: str | None
    hash: str | None
    doc: str | None
    actor: str | None
    at: int | None
    ended: str | None
    group_rev: int | None
    own_rev: int | None

    @property
    def name(self) -> str:
        """Site and box."""
        return f"{self.site}/{self.box}"

    @property
    def has_it(self) -> bool:
        """Whether the box has said that it took what it is to have."""
        return bool(self.ver) and (self.told_ver, self.told_hash) == (self.ver, self.hash)

    @property
    def state(self) -> str:
        """In one word: none, waiting, or the box's own."""
        if not self.ver:
            return "none"
        return (self.told_state or "waiting") if self.has_it else "waiting"


# -- what people write


def add_revision(
    conn: sqlite3.Connection,
    doc: str,
    actor: str,
    now_ms: int,
    *,
    group_id: int | None = None,
    box_id: int | None = None,
) -> int:
    """Keep a document as it was written; return its number."""
    return int(
        conn.execute(
            "INSERT INTO config_revisions (group_id, box_id, doc, actor, at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (group_id, box_id, doc, actor, now_ms),
        ).fetchone()[0]
    )


def document_of(conn: sqlite3.Connection, revision: int | None) -> dict[str, Any]:
    """Return a document that was written; an empty one for none."""
    row = conn.execute("SELECT doc FROM config_revisions WHERE id = ?", (revision,)).fetchone()
    return {} if row is None else json.loads(row[0])


def groups(conn: sqlite3.Connection, name: str | None = None) -> list[GroupRow]:
    """Return groups by name, each with its newest document."""
    rows = conn.execute(
        "SELECT g.id, g.name, g.pattern, g.created_at, r.id, r.doc, r.actor, r.at FROM config_groups g"
        " JOIN config_revisions r ON r.id = (SELECT max(id) FROM config_revisions WHERE group_id = g.id)"
        " WHERE g.name = ?1 OR ?1 IS NULL ORDER BY g.name",
        (name,),
    )
    return [GroupRow(*row) for row in rows]


def put_group(conn: sqlite3.Connection, name: str, pattern: str, now_ms: int) -> int:
    """Make a group, or give it another pattern; return its row id."""
    return int(
        conn.execute(
            "INSERT INTO config_groups (name, pattern, created_at) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (name) DO UPDATE SET pattern = ?2 RETURNING id",
            (name, pattern, now_ms),
        ).fetchone()[0]
    )


def drop_group(conn: sqlite3.Connection, group_id: int) -> None:
    """Forget a group with its documents and roll-outs; what boxes are to have stays."""
    conn.execute("DELETE FROM config_groups WHERE id = ?", (group_id,))


# -- what boxes are to have


def merged(group: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a box's own document over its group's, key by key; quiet hours are one key."""
    found = dict(group)
    for name, value in own.items():
        there = found.get(name)
        deeper = isinstance(there, dict) and isinstance(value, dict) and name != "quiet_hours"
        found[name] = merged(there, value) if deeper and isinstance(there, dict) else value
    return found


def stands(conn: sqlite3.Connection, box_id: int) -> StandsRow:
    """Return how a box stands."""
    return StandsRow(*conn.execute(f"SELECT {_STANDS} {_FROM} WHERE b.id = ?", (box_id,)).fetchone())


def all_stand(conn: sqlite3.Connection, after: tuple[str, str], limit: int, *, behind: bool = False) -> list[StandsRow]:
    """Return how boxes stand, by site and name; only those that are not as they are to be, if that is wanted."""
    rows = conn.execute(
        f"""SELECT {_STANDS} {_FROM} WHERE (b.site, b.box) > (?, ?) AND (? = 0 OR coalesce(c.ver, 0) > 0 AND
            (c.told_ver != c.ver OR c.told_hash != v.hash OR c.told_state != 'applied' OR c.local != '[]'))
            ORDER BY b.site, b.box LIMIT ?""",
        (*after, behind, limit),
    )
    return [StandsRow(*row) for row in rows]


def give(
    conn: sqlite3.Connection,
    box_id: int,
    *,
    own_rev: int | None,
    group_rev: int | None,
    actor: str,
    why: str,
    now_ms: int,
) -> int:
    """Let a box be to have a document over another; return its version, the one that it has when nothing is new."""
    now = stands(conn, box_id)
    doc = merged(document_of(conn, group_rev), document_of(conn, own_rev))
    named = hash_of(doc)
    if now.ver and now.hash == named and now.ended not in FAILED:
        conn.execute(
            "UPDATE config_versions SET own_rev = ?, group_rev = ? WHERE box_id = ? AND ver = ?",
            (own_rev, group_rev, box_id, now.ver),
        )
        return now.ver
    ver = max(now.ver or 0, now.told_ver or 0) + 1
    new = VersionRow(box_id, ver, json.dumps(doc), named, own_rev, group_rev, actor, now_ms, why, "", None)
    conn.execute(f"INSERT INTO config_versions ({_VERSION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", new)  # noqa: S608
    conn.execute(
        "INSERT INTO config_boxes (box_id, ver, publish_at) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (box_id) DO UPDATE SET ver = ?2, publish_at = ?3, sent_at = NULL",
        (box_id, ver, now_ms),
    )
    return ver


def versions(conn: sqlite3.Connection, box_id: int, before: int | None, limit: int) -> list[VersionRow]:
    """Return what a box was to have, newest first."""
    rows = conn.execute(
        f"SELECT {_VERSION} FROM config_versions WHERE box_id = ?1 AND (ver < ?2 OR ?2 IS NULL)"  # noqa: S608
        " ORDER BY ver DESC LIMIT ?3",
        (box_id, before, limit),
    )
    return [VersionRow(*row) for row in rows]


# -- what boxes say, and what is due


def note_reported(conn: sqlite3.Connection, box_id: int, told: CfgReported, now_ms: int) -> None:
    """Let a report count; what the box has not taken is due at once, above whatever it has."""
    conn.execute(
        "INSERT INTO config_boxes (box_id, told_ver, told_hash, told_state, told_eff, told_at, errors, local)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (box_id) DO UPDATE SET told_ver = ?2, told_hash = ?3,"
        " told_state = ?4, told_eff = ?5, told_at = ?6, errors = ?7, local = ?8",
        (
            *(box_id, told.ver, told.hash[:64], told.st, told.eff, now_ms),
            json.dumps([{"path": one.path, "code": one.code, "detail": one.detail} for one in told.errs]),
            json.dumps(told.local),
        ),
    )
    now = stands(conn, box_id)
    if not now.ver:
        return
    if now.has_it:
        conn.execute("UPDATE config_boxes SET publish_at = NULL WHERE box_id = ?", (box_id,))
        if told.st in ENDED and now.ended != told.st:
            conn.execute(
                "UPDATE config_versions SET ended = ?, ended_at = ? WHERE box_id = ? AND ver = ?",
                (told.st, now_ms, box_id, now.ver),
            )
        return
    if told.ver >= now.ver:  # of another hub, or of ours before it was restored: ours goes above it
        conn.execute(
            f"INSERT INTO config_versions ({_VERSION}) SELECT box_id, ?1, doc, hash, own_rev, group_rev, 'hub', ?2,"  # noqa: S608
            " 'the box had a later one', '', NULL FROM config_versions WHERE box_id = ?3 AND ver = ?4",
            (told.ver + 1, now_ms, box_id, now.ver),
        )
        conn.execute("UPDATE config_boxes SET ver = ? WHERE box_id = ?", (told.ver + 1, box_id))
        conn.execute(
            "UPDATE rollout_boxes SET ver = ?1 WHERE box_id = ?2 AND ver = ?3", (told.ver + 1, box_id, now.ver)
        )
    make_due(conn, box_id, now_ms)


def wishes(conn: sqlite3.Connection, box_id: int) -> dict[str, Any]:
    """Return what a site wants of keys of the hub, by their paths: the newest of each that the box told lately.

    None where it wants what its file says, or where its words stay on the box.
    """
    rows = conn.execute(
        f"""SELECT body FROM (SELECT e.seq, e.type, e.body FROM streams s JOIN boxes b ON b.id = s.box_id
            AND b.epoch = s.epoch JOIN events e ON e.stream_id = s.id WHERE s.box_id = ? AND s.name = 'ev'
            ORDER BY e.seq DESC LIMIT {_LATELY}) AS late WHERE type = 'cfg.proposed' ORDER BY seq""",  # noqa: S608 - our own number
        (box_id,),
    )
    told = [json.loads(body) for (body,) in rows]
    return {f"sims.{one.get('sim')}.{one.get('key')}": one.get("value", one.get("text")) for one in told}


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """Return how many boxes stand how, in the words of ``StandsRow.state``."""
    rows = conn.execute(
        f"""SELECT CASE WHEN coalesce(c.ver, 0) = 0 THEN 'none' WHEN c.told_ver = c.ver AND c.told_hash = v.hash
            THEN c.told_state ELSE 'waiting' END, count(*) {_FROM} GROUP BY 1"""
    )
    return dict(rows.fetchall())


def make_due(conn: sqlite3.Connection, box_id: int, now_ms: int) -> bool:
    """Publish it now, unless the box has it; return whether it is due."""
    now = stands(conn, box_id)
    if not now.ver or now.has_it:
        return False
    conn.execute("UPDATE config_boxes SET publish_at = ? WHERE box_id = ?", (now_ms, box_id))
    return True


def compare_all(conn: sqlite3.Connection, now_ms: int) -> int:
    """Make due what boxes do not have and nobody would publish; return how many."""
    return conn.execute(
        "UPDATE config_boxes SET publish_at = ?1 WHERE publish_at IS NULL AND ver > 0 AND EXISTS (SELECT 1 FROM"
        " config_versions v WHERE v.box_id = config_boxes.box_id AND v.ver = config_boxes.ver"
        " AND (v.ver != told_ver OR v.hash != told_hash))",
        (now_ms,),
    ).rowcount


def due(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[StandsRow]:
    """Return the boxes to which theirs is to be published now."""
    rows = conn.execute(
        f"SELECT {_STANDS} {_FROM} WHERE c.publish_at <= ? AND {_HEARD} ORDER BY c.publish_at LIMIT ?",
        (now_ms, limit),
    )
    return [StandsRow(*row) for row in rows]


def next_due(conn: sqlite3.Connection) -> int | None:
    """Return when the next is due."""
    query = f"SELECT min(c.publish_at) {_FROM} WHERE c.publish_at IS NOT NULL AND {_HEARD}"
    at: int | None = conn.execute(query).fetchone()[0]
    return at


def note_published(conn: sqlite3.Connection, box_id: int, ver: int, now_ms: int, *, sent: bool) -> None:
    """The broker has it, or would not have it: it is due again unless the box says that it has it."""
    conn.execute(
        "UPDATE config_boxes SET publish_at = ?3 + ?4, sent_at = CASE WHEN ?5 = 1 THEN ?3 ELSE sent_at END"
        " WHERE box_id = ?1 AND ver = ?2 AND publish_at IS NOT NULL",
        (box_id, ver, now_ms, AGAIN_MS, sent),
    )
