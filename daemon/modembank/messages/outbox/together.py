"""Delivery reports that are understood only together: several parts of one message, none with a known reference.

Each report alone could belong to any of them. Once there are as many reports as such attempts, each has its own, and
the order in which the modem gave out references tells which (3GPP TS 23.040 9.2.3.6: they count up and wrap at 255).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from modembank.messages.model import ReportFacts
from modembank.messages.outbox.reports import (
    Candidate,
    report_is_final,
    same_number,
    timely_unknown,
    unknown_candidates,
)

_MOST = 64


def take_together(conn: sqlite3.Connection, sim_id: int, report: ReportFacts) -> list[tuple[Candidate, ReportFacts]]:
    """Remove and return the kept reports that, with this one (kept too), belong to all unknown attempts at a message.

    Empty while one is missing, or when something does not fit: then nothing is guessed.
    """
    attempts = timely_unknown(unknown_candidates(conn, sim_id), report)
    if len(attempts) < 2 or len({one.message_id for one in attempts}) != 1:
        return []
    kept = [(row, facts) for row, facts in _kept(conn, sim_id, report) if timely_unknown(attempts, facts) == attempts]
    best: dict[int, ReportFacts] = {}
    for _, facts in sorted(kept, key=lambda one: (report_is_final(one[1].status), one[1].received_at)):
        best[facts.tp_mr] = facts
    ordered = _in_order(list(best.values()))
    if len(ordered) != len(attempts):
        return []
    conn.executemany("DELETE FROM orphan_reports WHERE id = ?", [(row,) for row, _ in kept])
    made = sorted(attempts, key=lambda one: (one.started_at, one.segment, one.n))
    return list(zip(made, ordered, strict=True))


def _kept(conn: sqlite3.Connection, sim_id: int, report: ReportFacts) -> list[tuple[int, ReportFacts]]:
    rows = conn.execute(
        "SELECT id, tp_mr, recipient, status, submitted_at, discharged_at, received_at, pdu FROM orphan_reports"
        " WHERE sim_id = ? ORDER BY received_at DESC LIMIT ?",
        (sim_id, _MOST),
    ).fetchall()
    found = [(row[0], ReportFacts(*row[1:])) for row in rows]
    return [(row, facts) for row, facts in found if same_number(facts.recipient, report.recipient)]


def _in_order(reports: Sequence[ReportFacts]) -> list[ReportFacts]:
    """Return reports by the order of their references, [] when they do not lie within half a round."""
    for first in reports:
        behind = {(report.tp_mr - first.tp_mr) % 256: report for report in reports}
        if max(behind) < 128:
            return [behind[distance] for distance in sorted(behind)]
    return []
