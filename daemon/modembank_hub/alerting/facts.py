"""What holds now: read from what boxes told, and from how the hub itself does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from modembank_hub import rows_of_issues as issues
from modembank_hub.alerting import kinds_table as kinds
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.alerting.places import THE_HUB, Subject
from modembank_hub.alerting.rules import Rule, Rulebook
from modembank_hub.rows_of_boxes import STANDING
from modembank_hub.rows_of_telemetry import MINUTES

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_SENT_WITHIN_S = 600
Figures = Mapping[str, str | int | float]


class Key(NamedTuple):
    """Which alert: there is one at a time of each."""

    kind: str
    subject: str
    topic: str = ""


class Held(msgspec.Struct, frozen=True):
    """A condition that holds, by the rule that holds for it."""

    key: Key
    subject: Subject
    severity: Severity
    hold_s: int
    figures: Figures = {}


class HubState(msgspec.Struct, frozen=True):
    """How the hub itself does; times are unix milliseconds."""

    lines: int
    """Connections to the broker that stand, of so many."""
    wanted: int
    why_down: str = ""
    stuck_why: str = ""
    """Why the database takes nothing; empty: it does."""
    failing: Sequence[tuple[str, str]] = ()
    """Channels that take nothing: name, and why."""
    certificates: Sequence[tuple[str, float]] = ()
    """What each is for, and until when it is valid."""


class BoxFacts(NamedTuple):
    """What is known of one box."""

    id: int
    site: str
    box: str
    label: str
    standing: str
    seen_at: int
    presence_at: int | None
    why: str
    skew_ms: int | None
    waiting: int | None
    ready: int | None
    modems: int | None
    config: str | None
    version: int | None

    @property
    def subject(self) -> Subject:
        """As alerts name it."""
        return Subject(f"{self.site}/{self.box}", self.site, self.label, self.id)


class Situation(msgspec.Struct, frozen=True):
    """All that holds, and how boxes stand."""

    held: Mapping[Key, Held]
    standings: Mapping[str, str]
    """By name of the box."""


_BOXES = f"""SELECT b.id, b.site, b.box, b.label, {STANDING}, b.seen_at, b.presence_at, b.why, b.skew_ms,
    json_extract(b.tele, '$.q.ready'), json_extract(b.tele, '$.modems.ready'),
    CASE WHEN json_extract(b.tele, '$.modems.ready') = 0 THEN json_array_length(b.birth, '$.modems.rows') END,
    CASE WHEN c.told_ver = c.ver AND c.told_hash = v.hash THEN c.told_state END, c.ver
    FROM boxes b LEFT JOIN config_boxes c ON c.box_id = b.id
    LEFT JOIN config_versions v ON v.box_id = b.id AND v.ver = c.ver"""  # noqa: S608 - our own columns


def situation(conn: sqlite3.Connection, rulebook: Rulebook, hub: HubState, now_ms: int) -> Situation:
    """Return what holds at a moment (unix milliseconds)."""
    boxes = [BoxFacts(*row) for row in conn.execute(_BOXES, (now_ms,))]
    return Situation(
        held={held.key: held for held in _all(conn, boxes, rulebook, hub, now_ms)},
        standings={f"{box.site}/{box.box}": box.standing for box in boxes},
    )


def _all(
    conn: sqlite3.Connection, boxes: Sequence[BoxFacts], rulebook: Rulebook, hub: HubState, now: int
) -> Iterator[Held]:
    sent = _sent_lately(conn, now) if any(box.waiting for box in boxes) else set()
    for box in boxes:
        for kind, check in _OF_BOX.items():
            if (figures := check(box)) is not None:
                yield from _ruled(rulebook, kind, box.subject, figures)
        if box.waiting and box.standing == "online" and box.id not in sent:
            yield from _ruled(rulebook, kinds.STUCK, box.subject, {"waiting": box.waiting})
    known = {box.id: box.subject for box in boxes}
    for issue in issues.open_ones(conn):
        if issue.severity == Severity.CRITICAL:
            yield from _ruled(rulebook, kinds.ISSUE, known[issue.box_id], {"issue": issue.kind}, issue.issue)
    yield from _gaps(conn, known, rulebook, now)
    yield from _certificates(conn, known, rulebook, now)
    yield from _of_hub(conn, rulebook, hub, now)


def _ruled(rulebook: Rulebook, kind: str, subject: Subject, figures: Figures, topic: str = "") -> Iterator[Held]:
    """Yield it, unless the rule that holds there is off or has a threshold above what was measured."""
    rule = rulebook.of(kind, subject)
    if rule.active and _reaches(rule, figures):
        yield Held(Key(kind, subject.name, topic), subject, rule.severity, rule.hold_s, figures)


def _reaches(rule: Rule, figures: Figures) -> bool:
    measured = figures.get(_MEASURES.get(rule.kind, ""), None)
    if not isinstance(measured, int | float):
        return True
    return measured < rule.threshold if rule.kind in _BELOW else measured >= rule.threshold


_MEASURES = {
    kinds.QUEUE: "waiting", kinds.CLOCK: "off_s", kinds.QUARANTINE: "unreadable", kinds.GAP: "hours",
    kinds.CERTIFICATE: "days", kinds.BOX_CERTIFICATE: "days",
}  # fmt: skip
"""Which figure of a kind its threshold is compared with."""
_BELOW = {kinds.GAP, kinds.CERTIFICATE, kinds.BOX_CERTIFICATE}
"""Kinds that hold below their threshold."""


def _offline(box: BoxFacts) -> Figures | None:
    return {"why": box.why or "never connected"} if box.standing == "offline" else None


def _stale(box: BoxFacts) -> Figures | None:
    return {} if box.standing == "stale" else None


def _modems(box: BoxFacts) -> Figures | None:
    return {"modems": box.modems} if box.standing == "online" and box.ready == 0 and box.modems else None


def _queue(box: BoxFacts) -> Figures | None:
    return {"waiting": box.waiting} if box.standing == "online" and box.waiting else None


def _config(box: BoxFacts) -> Figures | None:
    if box.config not in {"rejected", "rolled_back"}:
        return None
    return {"state": box.config, "version": box.version or 0}


def _clock(box: BoxFacts) -> Figures | None:
    return {"off_s": abs(box.skew_ms) / 1000} if box.standing == "online" and box.skew_ms is not None else None


_OF_BOX: Mapping[str, Callable[[BoxFacts], Figures | None]] = {
    kinds.OFFLINE: _offline, kinds.STALE: _stale, kinds.MODEMS: _modems, kinds.QUEUE: _queue, kinds.CONFIG: _config,
    kinds.CLOCK: _clock,
}  # fmt: skip


def _sent_lately(conn: sqlite3.Connection, now: int) -> set[int]:
    since = now // 1000 - _SENT_WITHIN_S
    rows = conn.execute(
        "SELECT DISTINCT box_id FROM telemetry WHERE step = ? AND bucket >= ? AND sent > 0", (MINUTES, since - MINUTES)
    )
    return {row[0] for row in rows}


def _gaps(conn: sqlite3.Connection, known: Mapping[int, Subject], rulebook: Rulebook, now: int) -> Iterator[Held]:
    since = now - rulebook.most_threshold(kinds.GAP) * _HOUR_MS
    rows = conn.execute(
        """SELECT s.box_id, s.name, max(g.at), sum(CAST(g.last - g.first + 1 AS DOUBLE PRECISION))
           FROM gaps g JOIN streams s ON s.id = g.stream_id WHERE g.at >= ? GROUP BY s.box_id, s.name""",
        (since,),
    )
    for box_id, stream, at, lost in rows.fetchall():
        figures = {"stream": stream, "lost": int(lost), "hours": (now - at) / _HOUR_MS}
        yield from _ruled(rulebook, kinds.GAP, known[box_id], figures, stream)


def _certificates(
    conn: sqlite3.Connection, known: Mapping[int, Subject], rulebook: Rulebook, now: int
) -> Iterator[Held]:
    """Yield the boxes whose latest certificate ends soon; one that is shut out renews none."""
    rows = conn.execute(
        """SELECT b.id, max(c.ends_at) FROM boxes b JOIN certificates c ON c.site = b.site AND c.box = b.box
           WHERE c.revoked_at IS NULL GROUP BY b.id HAVING max(c.ends_at) < ?""",
        (now + rulebook.most_threshold(kinds.BOX_CERTIFICATE) * _DAY_MS,),
    )
    for box_id, until in rows.fetchall():
        days = (until - now) // _DAY_MS
        yield from _ruled(rulebook, kinds.BOX_CERTIFICATE, known[box_id], {"days": days})


def _of_hub(conn: sqlite3.Connection, rulebook: Rulebook, hub: HubState, now: int) -> Iterator[Held]:
    if hub.lines < hub.wanted:
        figures: Figures = {"stand": hub.lines, "of": hub.wanted, "why": hub.why_down[:300]}
        yield from _ruled(rulebook, kinds.BROKER, THE_HUB, figures)
    if hub.stuck_why:
        yield from _ruled(rulebook, kinds.DATABASE, THE_HUB, {"why": hub.stuck_why[:300]})
    (unreadable,) = conn.execute("SELECT count(*) FROM quarantine WHERE at >= ?", (now - _HOUR_MS,)).fetchone()
    if unreadable:
        yield from _ruled(rulebook, kinds.QUARANTINE, THE_HUB, {"unreadable": unreadable})
    for name, why in hub.failing:
        yield from _ruled(rulebook, kinds.CHANNEL, THE_HUB, {"channel": name, "why": why[:300]}, name)
    for name, until in hub.certificates:
        days = int((until - now) // _DAY_MS)
        yield from _ruled(rulebook, kinds.CERTIFICATE, THE_HUB, {"of": name, "days": days}, name)
