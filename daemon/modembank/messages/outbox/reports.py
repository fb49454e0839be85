"""Delivery reports: finding the attempt that one belongs to (3GPP TS 23.040 9.2.2.3, 9.2.3.15).

TP-MR has 8 bits and wraps: the key is SIM, TP-MR and recipient, and of several attempts the newest that was made before
the service centre's time stamp. A report may come before the attempt's end is known, twice, days late, or name the
recipient in another form (national for international).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from modembank.messages.model import ReportFacts, ReportMatch
from modembank.modem.outcome import AttemptOutcome
from modembank.tpdu import ReportClass, ReportStatus

CLOCKS_APART_MS = 5 * 60_000
"""How far the service centre's clock may be from ours; well below the 17 minutes in which 15 a minute wrap TP-MR."""
UNKNOWN_WINDOW_MS = 10 * 60_000
"""An attempt whose TP-MR is not known may be matched by time when the centre had the message this soon after it."""
REPORT_GRACE_MS = 24 * 3_600_000
"""How long after the message's validity a report is still waited for: centres round and deliver late."""
ORPHAN_LIFE_MS = 3 * 24 * 3_600_000
_MIN_COMMON_DIGITS = 6  # shorter numbers are short codes and must be equal
_CANDIDATES = (
    "SELECT a.message_id, a.segment, a.n, a.started_at, m.expires_at, m.recipient, a.outcome, a.report_status"
    " FROM attempts a JOIN messages m ON m.id = a.message_id WHERE a.sim_id = ?"
)
_SETTLED = (
    " AND a.message_id IN (SELECT id FROM messages WHERE recipient = ? ORDER BY id DESC LIMIT 300)"
    " AND a.tp_mr = ? AND a.awaiting IS NULL AND a.report_status IS NOT NULL"
)


class Candidate(msgspec.Struct, frozen=True):
    """An attempt that a report could belong to."""

    message_id: int
    segment: int
    n: int
    started_at: int
    expires_at: int
    recipient: str
    outcome: AttemptOutcome | None
    report_status: int | None


def same_number(one: str, other: str) -> bool:
    """Return whether two numbers can be one: equal, or one the national form of the other (the last digits decide)."""
    a, b = _significant(one), _significant(other)
    if a == b:
        return True
    if one.startswith("+") and other.startswith("+"):
        return False
    shorter, longer = sorted((a, b), key=len)
    return len(shorter) >= _MIN_COMMON_DIGITS and longer.endswith(shorter)


def choose(candidates: Sequence[Candidate], report: ReportFacts) -> Candidate | None:
    """Return the newest attempt to the report's recipient that its time stamp allows, or None.

    When the time stamps allow none but there is just one attempt to the recipient, the clocks differ and it is the one.
    """
    ours = [
        one
        for one in candidates
        if same_number(one.recipient, report.recipient) and one.started_at <= report.received_at + CLOCKS_APART_MS
    ]
    timely = [one for one in ours if _allows(one, report)]
    if timely:
        return max(timely, key=lambda one: (one.started_at, one.message_id, one.n))
    return ours[0] if len(ours) == 1 else None


def choose_unknown(candidates: Sequence[Candidate], report: ReportFacts) -> Candidate | None:
    """Return the one attempt without a TP-MR that recipient and time leave; None when none or several fit."""
    ours = timely_unknown(candidates, report)
    return ours[0] if len(ours) == 1 else None


def comes_before(one: int, other: int) -> bool:
    """Return whether one TP-MR was given out before another: they count up and wrap at 255 (TS 23.040 9.2.3.6)."""
    return 0 < (other - one) % 256 < 128


def find(conn: sqlite3.Connection, sim_id: int, report: ReportFacts) -> tuple[ReportMatch, Candidate | None]:
    """Return what a report belongs to; reads only."""
    live = _candidates(conn, " AND a.tp_mr = ? AND a.awaiting = 1", (sim_id, report.tp_mr))
    found = choose(live, report)
    if found is not None:
        return _kind(found), found
    settled = _settled(conn, sim_id, report)
    if settled is not None:  # before anything is proved: what repeats a known end says nothing of another message
        return (ReportMatch.MATCHED, settled) if _corrects(settled, report) else (ReportMatch.DUPLICATE, None)
    unknown = unknown_candidates(conn, sim_id)
    found = choose_unknown(unknown, report) or _by_order(conn, sim_id, unknown, report)
    if found is not None:
        return ReportMatch.PROVED, found
    return ReportMatch.ORPHAN, None


def unknown_candidates(conn: sqlite3.Connection, sim_id: int) -> list[Candidate]:
    """Return a SIM's attempts that may have been sent and never told their reference."""
    return _candidates(conn, " AND a.tp_mr IS NULL AND a.awaiting = 1", (sim_id,))


def keep_orphan(conn: sqlite3.Connection, sim_id: int, report: ReportFacts) -> None:
    """Keep a report for an attempt whose end is not known yet, once: a slot that cannot be freed is read for days."""
    conn.execute(
        "INSERT INTO orphan_reports (sim_id, tp_mr, recipient, status, discharged_at, received_at, pdu, submitted_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
        " WHERE NOT EXISTS (SELECT 1 FROM orphan_reports WHERE sim_id = ?1 AND tp_mr = ?2 AND pdu = ?7)",
        (
            sim_id,
            report.tp_mr,
            report.recipient,
            report.status,
            report.discharged_at,
            report.received_at,
            report.pdu,
            report.submitted_at,
        ),
    )


def take_orphan(
    conn: sqlite3.Connection, sim_id: int, tp_mr: int | None, recipient: str, started_at: int
) -> ReportFacts | None:
    """Remove and return the best report that came before an attempt's end was known; None when there is none.

    Without a TP-MR the single report for the recipient within the window is taken, as proof that it was sent. Final
    reports are preferred over pending ones, which are dropped with them.
    """
    rows = conn.execute(
        "SELECT id, tp_mr, recipient, status, discharged_at, received_at, pdu FROM orphan_reports"
        " WHERE sim_id = ?1 AND (?2 IS NULL OR tp_mr = ?2) AND received_at BETWEEN ?3 AND ?4"
        " ORDER BY received_at LIMIT 64",
        (sim_id, tp_mr, started_at - 1000, started_at + (UNKNOWN_WINDOW_MS if tp_mr is None else ORPHAN_LIFE_MS)),
    ).fetchall()
    ours = [row for row in rows if same_number(row[2], recipient)]
    if not ours or (tp_mr is None and len({row[1] for row in ours}) > 1):
        return None
    conn.executemany("DELETE FROM orphan_reports WHERE id = ?", [(row[0],) for row in ours])
    reports = [ReportFacts(row[1], row[2], row[3], None, row[4], row[5], row[6]) for row in ours]
    return max(reports, key=lambda report: (report_is_final(report.status), report.received_at))


def forget_orphans(conn: sqlite3.Connection, now: int, most: int = 200) -> int:
    """Delete reports that nothing claimed in days, at most ``most``; return how many."""
    deleted = conn.execute(
        "DELETE FROM orphan_reports WHERE id IN (SELECT id FROM orphan_reports WHERE received_at < ? LIMIT ?)",
        (now - ORPHAN_LIFE_MS, most),
    )
    return deleted.rowcount


def report_is_final(status: int) -> bool:
    """Return whether no other report can follow: everything but 'still trying' (TS 23.040 9.2.3.15)."""
    return not 0x20 <= status < 0x40


def _candidates(conn: sqlite3.Connection, where: str, params: tuple[int, ...]) -> list[Candidate]:
    rows = conn.execute(_CANDIDATES + where, params)
    return [_candidate(row) for row in rows]


def _candidate(row: tuple[Any, ...]) -> Candidate:
    values = (*row[:6], None if row[6] is None else AttemptOutcome(row[6]), row[7])
    return Candidate(*values)


def _kind(found: Candidate) -> ReportMatch:
    proves = found.outcome is AttemptOutcome.UNKNOWN and found.report_status is None
    return ReportMatch.PROVED if proves else ReportMatch.MATCHED


def timely_unknown(candidates: Sequence[Candidate], report: ReportFacts) -> list[Candidate]:
    """Return the attempts to the report's recipient that its time stamp allows."""
    submitted = report.received_at if report.submitted_at is None else report.submitted_at
    return [
        one
        for one in candidates
        if same_number(one.recipient, report.recipient)
        and -CLOCKS_APART_MS <= submitted - one.started_at <= UNKNOWN_WINDOW_MS
    ]


def _by_order(
    conn: sqlite3.Connection, sim_id: int, candidates: Sequence[Candidate], report: ReportFacts
) -> Candidate | None:
    """Of several attempts at one message, return the one that the references given out before and after it leave."""
    ours = timely_unknown(candidates, report)
    if len({one.message_id for one in ours}) != 1:
        return None
    known = conn.execute(
        "SELECT started_at, tp_mr FROM attempts WHERE message_id = ? AND sim_id = ? AND tp_mr IS NOT NULL",
        (ours[0].message_id, sim_id),
    ).fetchall()
    left = [one for one in ours if all(_in_order(one, report.tp_mr, *anchor) for anchor in known)]
    return left[0] if len(left) == 1 else None


def _in_order(one: Candidate, tp_mr: int, anchor_at: int, anchor_mr: int) -> bool:
    if one.started_at < anchor_at:
        return comes_before(tp_mr, anchor_mr)
    return comes_before(anchor_mr, tp_mr)


def _settled(conn: sqlite3.Connection, sim_id: int, report: ReportFacts) -> Candidate | None:
    """Return the attempt that an earlier final report has settled and that this one speaks of again."""
    settled = conn.execute(_CANDIDATES + _SETTLED, (sim_id, report.recipient, report.tp_mr))
    ours = [one for row in settled if _is_of(one := _candidate(row), report)]
    return max(ours, key=lambda one: (one.started_at, one.message_id, one.n), default=None)


def _is_of(one: Candidate, report: ReportFacts) -> bool:
    """Return whether the centre had the message when the attempt was made, as far as its time stamp tells."""
    if report.submitted_at is None:
        return report.status == one.report_status
    return -CLOCKS_APART_MS <= report.submitted_at - one.started_at <= UNKNOWN_WINDOW_MS


def _corrects(settled: Candidate, report: ReportFacts) -> bool:
    """Return whether it arrived after all: some centres report a failed try as final, then deliver."""
    before = ReportStatus(settled.report_status or 0).report_class
    return before is ReportClass.FAILED and ReportStatus(report.status).report_class is ReportClass.DELIVERED


def _allows(one: Candidate, report: ReportFacts) -> bool:
    if report.submitted_at is None:
        return one.started_at <= report.received_at
    ends = one.expires_at + REPORT_GRACE_MS
    return one.started_at - CLOCKS_APART_MS <= report.submitted_at <= ends


def _significant(number: str) -> str:
    digits = number.removeprefix("+")
    if not number.startswith("+") and digits.startswith("00"):
        digits = digits[2:]
    return digits if len(digits) < _MIN_COMMON_DIGITS else digits.lstrip("0")
