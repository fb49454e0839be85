"""Receipts of providers: found by the reference that the provider gave, applied to the attempt at the whole message."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec.structs import replace

from modembank.messages.model import WHOLE, ReceiptFacts, ReportMatch
from modembank.messages.outbox.aggregate import AttemptRow
from modembank.modem.outcome import AttemptOutcome
from modembank.tpdu import ReportClass, ReportStatus

ORPHANS_KEPT = 10_000
"""Of all providers together; the oldest go first."""


def refer(conn: sqlite3.Connection, provider_id: int, reference: str, message_id: int, n: int) -> None:
    """Note by what a provider calls a message; a reference that it gives twice means the latest."""
    conn.execute(
        "INSERT INTO provider_references (provider_id, reference, message_id, n) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (provider_id, reference) DO UPDATE SET message_id = excluded.message_id, n = excluded.n",
        (provider_id, reference, message_id, n),
    )


def find(
    conn: sqlite3.Connection, provider_id: int, receipt: ReceiptFacts
) -> tuple[ReportMatch, tuple[int, int] | None]:
    """Return what a receipt belongs to (message, try), None when it tells nothing new or nobody knows yet."""
    row = conn.execute(
        "SELECT r.message_id, r.n, a.outcome, a.report_status FROM provider_references r"
        " LEFT JOIN attempts a ON a.message_id = r.message_id AND a.segment = ? AND a.n = r.n"
        " WHERE r.provider_id = ? AND r.reference = ?",
        (WHOLE, provider_id, receipt.reference),
    ).fetchone()
    if row is None:
        return ReportMatch.ORPHAN, None
    message_id, n, outcome, known = row
    if outcome is None or (known is not None and not _is_news(known, receipt.status)):
        return ReportMatch.DUPLICATE, None
    proved = outcome == AttemptOutcome.UNKNOWN and known is None
    return ReportMatch.PROVED if proved else ReportMatch.MATCHED, (message_id, n)


def keep_orphan(conn: sqlite3.Connection, provider_id: int, receipt: ReceiptFacts) -> None:
    """Keep a receipt for a message whose reference is not known yet."""
    added = conn.execute(
        "INSERT INTO orphan_receipts (provider_id, reference, body, received_at) VALUES (?, ?, ?, ?)",
        (provider_id, receipt.reference, msgspec.json.encode(receipt).decode(), receipt.received_at),
    )
    conn.execute("DELETE FROM orphan_receipts WHERE id <= ?", ((added.lastrowid or 0) - ORPHANS_KEPT,))


def take_orphans(conn: sqlite3.Connection, provider_id: int, reference: str) -> list[ReceiptFacts]:
    """Return the receipts that came too early for a reference, in order, and keep them no longer."""
    key = provider_id, reference
    rows = conn.execute(
        "SELECT body FROM orphan_receipts WHERE provider_id = ? AND reference = ? ORDER BY id", key
    ).fetchall()
    if rows:
        conn.execute("DELETE FROM orphan_receipts WHERE provider_id = ? AND reference = ?", key)
    return [msgspec.json.decode(row[0], type=ReceiptFacts) for row in rows]


def applied(attempt: AttemptRow, receipt: ReceiptFacts) -> AttemptRow:
    """Return the attempt with a receipt applied; its words are kept with the evidence."""
    evidence = msgspec.json.decode(attempt.evidence or "{}")
    if receipt.detail:
        evidence["receipt"] = receipt.detail
    return replace(
        attempt,
        awaiting=ReportStatus(receipt.status).report_class is ReportClass.PENDING,
        report_status=receipt.status,
        report_at=receipt.happened_at or receipt.received_at,
        evidence=msgspec.json.encode(evidence).decode(),
    )


def cause(attempt: AttemptRow) -> str:
    """Return why a message that a provider gave up did not arrive: as it says, else as the status does."""
    status = attempt.report_status or 0
    said = msgspec.json.decode(attempt.evidence or "{}").get("receipt")
    return f"report_{status:02x}: {attempt.slot}: {said or ReportStatus(status).meaning}"


def _is_news(known: int, status: int) -> bool:
    """Return whether a status says more than the one that is known: final ones stand, but for arrival."""
    was, is_now = ReportStatus(known).report_class, ReportStatus(status).report_class
    if was is ReportClass.PENDING:
        return is_now is not ReportClass.PENDING
    return was is ReportClass.FAILED and is_now is ReportClass.DELIVERED
