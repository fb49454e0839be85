"""Rows of roll-outs: a revision of a group's document, or a version of the software, on its way to each box."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from modembank_hub.rows_of_config import FAILED

_COLUMNS = (
    "r.id, g.name, r.revision, r.actor, r.at, r.steps, r.limit_percent, r.wait_s, r.state, r.why, r.step, r.step_at,"
    " r.ended_at, r.software"
)
_FROM = "FROM rollouts r JOIN config_groups g ON g.id = r.group_id"
_BADLY = FAILED | {"failed", "expired", "unknown", "cancelled"}
"""How a box says that it has not what it was given, or says nothing any more."""
RUNNING, PAUSED, STOPPED, DONE, ABORTED = "running", "paused", "stopped", "done", "aborted"


class RolloutRow(NamedTuple):
    """A roll-out as it is stored."""

    id: int
    group: str
    revision: int
    actor: str
    at: int
    steps: str
    limit_percent: int
    wait_s: int
    state: str
    why: str
    step: int
    step_at: int
    ended_at: int | None
    software: str
    """Version and files, as JSON; empty: it is of a document."""

    @property
    def shares(self) -> list[int]:
        """Up to which share of the boxes each step goes, in percent."""
        found: list[int] = json.loads(self.steps)
        return found


class RolloutBox(NamedTuple):
    """A box of a roll-out; ``outcome`` is empty while it has said nothing, 'superseded' when it is to have another."""

    box_id: int
    site: str
    box: str
    step: int
    ver: int | None
    outcome: str
    errors: str
    forgiven: int
    """Whether it had failed when somebody let the roll-out go on: it counts no more against it."""
    command: str | None
    """That it was given, in a roll-out of software."""

    @property
    def name(self) -> str:
        """Site and box."""
        return f"{self.site}/{self.box}"

    @property
    def given(self) -> bool:
        """Whether it is to have it by now."""
        return self.ver is not None or self.command is not None


class Counts(NamedTuple):
    """How many boxes of a roll-out are how."""

    boxes: int
    given: int
    applied: int
    failed: int
    silent: int
    """Given, and nothing heard."""


class NewRollout(NamedTuple):
    """A roll-out as it begins."""

    group_id: int
    revision: int
    actor: str
    steps: Sequence[int]
    limit_percent: int
    wait_s: int
    software: str = ""


def add(conn: sqlite3.Connection, new: NewRollout, boxes: Sequence[tuple[int, str]], now_ms: int) -> int:
    """Begin one over boxes (row id and name): which go first is drawn anew each time, and the same after a restart."""
    rollout_id = int(
        conn.execute(
            "INSERT INTO rollouts (group_id, revision, actor, at, steps, limit_percent, wait_s, state, step_at,"
            " software) VALUES (?1, ?2, ?3, ?8, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
            (
                *(new.group_id, new.revision, new.actor, json.dumps(list(new.steps)), new.limit_percent, new.wait_s),
                *(RUNNING, now_ms, new.software),
            ),
        ).fetchone()[0]
    )
    drawn = sorted(boxes, key=lambda box: hashlib.sha256(f"{rollout_id} {box[1]}".encode()).digest())
    ends = [max(1, math.ceil(len(drawn) * share / 100)) for share in new.steps]
    for place, (box_id, _) in enumerate(drawn):
        step = next(number for number, end in enumerate(ends) if place < end)
        conn.execute(
            "INSERT INTO rollout_boxes (rollout_id, box_id, step) VALUES (?, ?, ?)", (rollout_id, box_id, step)
        )
    return rollout_id


def get(conn: sqlite3.Connection, rollout_id: int) -> RolloutRow | None:
    """Return one."""
    row = conn.execute(f"SELECT {_COLUMNS} {_FROM} WHERE r.id = ?", (rollout_id,)).fetchone()
    return None if row is None else RolloutRow(*row)


def page(conn: sqlite3.Connection, before: int | None, limit: int, group: str | None = None) -> list[RolloutRow]:
    """Return them, newest first."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE (r.id < ?1 OR ?1 IS NULL) AND (g.name = ?3 OR ?3 IS NULL)"
        " ORDER BY r.id DESC LIMIT ?2",
        (before, limit, group),
    )
    return [RolloutRow(*row) for row in rows]


def open_ones(conn: sqlite3.Connection, state: str | None = None) -> list[RolloutRow]:
    """Return those that have not ended."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE r.ended_at IS NULL AND (r.state = ?1 OR ?1 IS NULL) ORDER BY r.id",
        (state,),
    )
    return [RolloutRow(*row) for row in rows]


def boxes_of(conn: sqlite3.Connection, rollout_id: int) -> list[RolloutBox]:
    """Return the boxes of one by step and name, with what became of it."""
    rows = conn.execute(
        """SELECT b.id, b.site, b.box, o.step, o.ver,
           CASE WHEN o.command IS NOT NULL THEN CASE WHEN k.state = 'done' THEN 'applied'
             WHEN k.ended_at IS NULL AND k.id IS NOT NULL THEN '' ELSE coalesce(k.state, 'superseded') END
           WHEN o.ver IS NULL THEN '' WHEN v.ended != '' THEN v.ended WHEN c.ver != o.ver THEN 'superseded' ELSE '' END,
           CASE WHEN o.command IS NULL AND c.told_ver = o.ver THEN c.errors ELSE '[]' END, o.forgiven, o.command,
           CASE WHEN k.state = 'done' THEN '' ELSE coalesce(k.code, '') END, coalesce(k.data, '{}')
           FROM rollout_boxes o JOIN boxes b ON b.id = o.box_id LEFT JOIN config_boxes c ON c.box_id = b.id
           LEFT JOIN config_versions v ON v.box_id = b.id AND v.ver = o.ver LEFT JOIN commands k ON k.id = o.command
           WHERE o.rollout_id = ? ORDER BY o.step, b.site, b.box""",
        (rollout_id,),
    )
    return [_with_errors(RolloutBox(*row), code, data) for *row, code, data in rows]


def _with_errors(box: RolloutBox, code: str, data: str) -> RolloutBox:
    """Return a box with what its command says went wrong, in the form in which it tells of a document."""
    if box.command is None or not code:
        return box
    errors = [{"path": "", "code": code, "detail": str(json.loads(data).get("why") or "")}]
    return box._replace(errors=json.dumps(errors))


def counts_of(boxes: Sequence[RolloutBox]) -> Counts:
    """Return how many are how."""
    given = [box for box in boxes if box.given]
    return Counts(
        boxes=len(boxes),
        given=len(given),
        applied=sum(box.outcome == "applied" for box in given),
        failed=sum(box.outcome in _BADLY for box in given),
        silent=sum(not box.outcome for box in given),
    )


def note_given(conn: sqlite3.Connection, rollout_id: int, box_id: int, ver: int) -> None:
    """A box is to have it from now on, in its version."""
    conn.execute("UPDATE rollout_boxes SET ver = ? WHERE rollout_id = ? AND box_id = ?", (ver, rollout_id, box_id))


def note_command(conn: sqlite3.Connection, rollout_id: int, box_id: int, command_id: str) -> None:
    """A box was given a command for it."""
    conn.execute(
        "UPDATE rollout_boxes SET command = ? WHERE rollout_id = ? AND box_id = ?", (command_id, rollout_id, box_id)
    )


def forgive(conn: sqlite3.Connection, rollout_id: int, now_ms: int) -> None:
    """Somebody lets it go on: what has failed until now counts no more, and the step's time begins anew."""
    conn.execute(
        "UPDATE rollout_boxes SET forgiven = 1 WHERE rollout_id = ? AND (EXISTS (SELECT 1 FROM config_versions v"
        " WHERE v.box_id = rollout_boxes.box_id AND v.ver = rollout_boxes.ver"
        " AND v.ended IN ('rejected', 'rolled_back')) OR EXISTS (SELECT 1 FROM commands k"
        " WHERE k.id = rollout_boxes.command AND k.ended_at IS NOT NULL AND k.state != 'done'))",
        (rollout_id,),
    )
    conn.execute("UPDATE rollouts SET step_at = ? WHERE id = ?", (now_ms, rollout_id))


def settled(conn: sqlite3.Connection) -> dict[int, int]:
    """Return by group the revision that was rolled out to the whole of it last."""
    rows = conn.execute(
        "SELECT group_id, revision FROM rollouts WHERE id IN"
        " (SELECT max(id) FROM rollouts WHERE state = 'done' AND software = '' GROUP BY group_id)"
    )
    return dict(rows.fetchall())


def newcomers(conn: sqlite3.Connection) -> list[tuple[int, str, str]]:
    """Return boxes that were born and are to have nothing of ours yet: row id, name, label."""
    return conn.execute(
        "SELECT b.id, b.site || '/' || b.box, b.label FROM boxes b LEFT JOIN config_boxes c ON c.box_id = b.id"
        " WHERE b.birth IS NOT NULL AND coalesce(c.ver, 0) = 0 AND NOT EXISTS"
        " (SELECT 1 FROM rollout_boxes o JOIN rollouts r ON r.id = o.rollout_id"
        " WHERE o.box_id = b.id AND r.ended_at IS NULL)"
        " ORDER BY b.site, b.box"
    ).fetchall()


def move(conn: sqlite3.Connection, rollout_id: int, state: str, why: str, now_ms: int) -> None:
    """Note how it goes on."""
    ended = now_ms if state in {DONE, ABORTED} else None
    conn.execute("UPDATE rollouts SET state = ?, why = ?, ended_at = ? WHERE id = ?", (state, why, ended, rollout_id))


def begin_step(conn: sqlite3.Connection, rollout_id: int, step: int, now_ms: int) -> None:
    """Note that a step begins."""
    conn.execute("UPDATE rollouts SET step = ?, step_at = ? WHERE id = ?", (step, now_ms, rollout_id))
