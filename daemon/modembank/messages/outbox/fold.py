"""The fold: moves the journal into attempts, messages, usage and counters, in order, each row exactly once.

An INTENT stays in the journal until its SETTLED row is there too, so that most attempts are written once and complete;
only one that is under way for long is moved open, so that everybody sees the message being sent.
"""

from __future__ import annotations

import sqlite3

import msgspec
import structlog
from msgspec.structs import replace

from modembank.events import MessageStateChanged
from modembank.failpoints import Failpoint, reach
from modembank.ids import public_id
from modembank.messages.model import (
    SET_ASIDE,
    WHOLE,
    JournalKind,
    MessageFlags,
    MessageState,
    OnUnknown,
    ReceiptFacts,
    ReportFacts,
    ReportMatch,
)
from modembank.messages.outbox import receipts, reports
from modembank.messages.outbox.aggregate import MAY_BE_SENT, AttemptRow, aggregate, all_sent
from modembank.messages.outbox.changes import Changes, MessageRow
from modembank.messages.outbox.journal import JournalRow, journal_rows, stored_attempts
from modembank.messages.outbox.together import take_together
from modembank.messages.views import MESSAGE_ID
from modembank.modem.outcome import AttemptOutcome
from modembank.sim import add_usage
from modembank.tpdu import ReportClass, ReportStatus

OPEN_AFTER_MS = 3_000
"""An attempt under way for longer is folded open."""
FOLD_LIMIT = 2_000
"""Journal rows in one fold: bounds how long it holds the writer."""
INTERRUPTED = "interrupted: the daemon stopped while it was being sent"
"""Cause of an attempt whose end nobody saw."""
_log = structlog.get_logger()


class FoldResult(msgspec.Struct):
    """What one fold did."""

    rows: int = 0
    full: bool = False
    """There may be more to fold at once."""
    open: int = 0
    """Intents that stay in the journal."""
    interrupted: int = 0
    held: int = 0
    resending: int = 0
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)
    settled: list[AttemptOutcome] = msgspec.field(default_factory=list)
    """(SIM, outcome) of each attempt that ended, for the metrics."""
    reports: list[ReportMatch] = msgspec.field(default_factory=list)
    """What each delivery report was found to belong to, for the metrics."""


class Fold:
    """One run, inside one transaction."""

    def __init__(self, conn: sqlite3.Connection, now: int) -> None:
        """Prepare; run() does it."""
        self._conn = conn
        self._now = now
        self._changes = Changes(conn, now)
        self._rows: dict[int, MessageRow | None] = {}
        self._touched: dict[int, None] = {}
        self._interrupted: set[int] = set()
        self._result = FoldResult()

    def run(self, *, everything: bool = False) -> FoldResult:
        """Fold what is due; with ``everything`` (at start) open intents too: what has no end is UNKNOWN."""
        journal = journal_rows(self._conn, -1 if everything else FOLD_LIMIT)
        done = self._apply(journal, everything)
        self._conn.executemany("DELETE FROM journal WHERE id = ?", [(each,) for each in done])
        self._result.rows = len(done)
        self._result.full = len(journal) == FOLD_LIMIT
        self._result.open = len(journal) - len(done)
        if everything:
            self._interrupt_open()
        for message_id in self._touched:
            self._refresh(message_id)
        self._result.events = self._changes.finish()
        if done:
            reach(Failpoint.FOLDED)
        return self._result

    def _apply(self, journal: list[JournalRow], everything: bool) -> list[int]:
        """Apply the rows in order; return the ids of those that are done with."""
        done: list[int] = []
        intents: dict[tuple[int, int, int], JournalRow] = {}
        for row in journal:
            if row.kind is JournalKind.INTENT:
                intents[row.key] = row
                continue
            if row.kind is JournalKind.REPORT:
                self._report(row.sim_id, row.report())
            elif row.kind is JournalKind.RECEIPT:
                self._receipt(-row.sim_id, row.receipt())
            else:
                intent = intents.pop(row.key, None)
                done += [intent.id] if intent else []
                self._settle(intent, row)
            done.append(row.id)
        for row in intents.values():
            if everything or row.at <= self._now - OPEN_AFTER_MS:
                self._insert(row.message_id, row.attempt())
                done.append(row.id)
        return done

    def _settle(self, intent: JournalRow | None, row: JournalRow) -> None:
        if intent is not None:
            self._insert(row.message_id, self._ended(row.message_id, row.settle(intent.attempt())))
            self._refer(row)
            return
        found = next(
            (one for one in stored_attempts(self._conn, row.message_id) if (one.segment, one.n) == row.key[1:]), None
        )
        if found is None or found.outcome is not None:
            _log.error(
                "settlement_without_attempt",
                message=public_id(MESSAGE_ID, row.message_id),
                segment=row.segment,
                n=row.n,
            )
            return
        self._update(row.message_id, self._ended(row.message_id, row.settle(found)))
        self._refer(row)

    def _refer(self, row: JournalRow) -> None:
        """Note by what a provider calls a message, and take the receipts that came before that was known."""
        reference = row.reference() if row.sim_id < 0 else None
        if reference is None:
            return
        receipts.refer(self._conn, -row.sim_id, reference, row.message_id, row.n)
        for early in receipts.take_orphans(self._conn, -row.sim_id, reference):
            self._receipt(-row.sim_id, early)

    def _ended(self, message_id: int, attempt: AttemptRow) -> AttemptRow:
        """Note an attempt's end: whether a report is awaited, and the report that came before it."""
        message = self._message(message_id)
        if attempt.outcome is not None:
            self._result.settled.append(attempt.outcome)
        if message is None or attempt.outcome not in MAY_BE_SENT or not message.flags & MessageFlags.DELIVERY_REPORT:
            return attempt
        if attempt.sim_id < 0:
            return replace(attempt, awaiting=True)
        early = reports.take_orphan(self._conn, attempt.sim_id, attempt.tp_mr, message.recipient, attempt.started_at)
        attempt = replace(attempt, awaiting=True)
        if early is None:
            return attempt
        if ReportMatch.ORPHAN in self._result.reports:  # it came in this very fold: count it once, as what it is now
            self._result.reports.remove(ReportMatch.ORPHAN)
            proved = attempt.outcome is AttemptOutcome.UNKNOWN
            self._result.reports.append(ReportMatch.PROVED if proved else ReportMatch.MATCHED)
        return _reported(attempt, early)

    def _report(self, sim_id: int, report: ReportFacts) -> None:
        match, found = reports.find(self._conn, sim_id, report)
        self._result.reports.append(match)
        if found is None:
            if match is ReportMatch.ORPHAN:
                reports.keep_orphan(self._conn, sim_id, report)
                self._report_together(sim_id, report)
            return
        self._apply_report(found, report)

    def _receipt(self, provider_id: int, receipt: ReceiptFacts) -> None:
        match, found = receipts.find(self._conn, provider_id, receipt)
        self._result.reports.append(match)
        if found is not None:
            message_id, n = found
            attempt = next(one for one in stored_attempts(self._conn, message_id) if (one.segment, one.n) == (WHOLE, n))
            self._update(message_id, receipts.applied(attempt, receipt))
        elif match is ReportMatch.ORPHAN:
            receipts.keep_orphan(self._conn, provider_id, receipt)

    def _report_together(self, sim_id: int, report: ReportFacts) -> None:
        """What one report alone could not tell, all of a message's may."""
        told = take_together(self._conn, sim_id, report)
        for found, facts in told:
            self._apply_report(found, facts)
        if told:
            self._result.reports[-1] = ReportMatch.PROVED

    def _apply_report(self, found: reports.Candidate, report: ReportFacts) -> None:
        attempt = next(
            one
            for one in stored_attempts(self._conn, found.message_id)
            if (one.segment, one.n) == (found.segment, found.n)
        )
        self._update(found.message_id, _reported(attempt, report))

    def _interrupt_open(self) -> None:
        rows = self._conn.execute("SELECT message_id, segment, n FROM attempts WHERE outcome IS NULL").fetchall()
        self._result.interrupted = len(rows)
        for message_id, segment, n in rows:
            self._interrupted.add(message_id)
            attempt = next(
                one for one in stored_attempts(self._conn, message_id) if (one.segment, one.n) == (segment, n)
            )
            ended = replace(
                attempt,
                finished_at=self._now,
                outcome=AttemptOutcome.UNKNOWN,
                cause=INTERRUPTED,
            )
            self._update(message_id, self._ended(message_id, ended))

    def _insert(self, message_id: int, attempt: AttemptRow) -> None:
        message = self._message(message_id)
        self._conn.execute(
            "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr,"
            " cause, evidence, awaiting, report_status, report_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (message_id, attempt.segment, attempt.n, attempt.sim_id, attempt.slot, attempt.started_at, *_tail(attempt)),
        )
        segments = message.segments if message and attempt.segment == WHOLE else 1
        add_usage(self._conn, attempt.sim_id, attempt.started_at, segments, message.recipient if message else None)
        self._touched[message_id] = None

    def _update(self, message_id: int, attempt: AttemptRow) -> None:
        self._conn.execute(
            "UPDATE attempts SET finished_at = ?, outcome = ?, tp_mr = ?, cause = ?, evidence = ?, awaiting = ?,"
            " report_status = ?, report_at = ? WHERE message_id = ? AND segment = ? AND n = ?",
            (*_tail(attempt), message_id, attempt.segment, attempt.n),
        )
        self._touched[message_id] = None

    def _message(self, message_id: int) -> MessageRow | None:
        if message_id not in self._rows:
            self._rows[message_id] = self._changes.read(message_id)
        return self._rows[message_id]

    def _refresh(self, message_id: int) -> None:
        """Bring a message's row in line with its attempts."""
        row = self._message(message_id)
        if row is None:
            _log.error("attempt_without_message", message=public_id(MESSAGE_ID, message_id))
            return
        attempts = stored_attempts(self._conn, message_id)
        state = aggregate(row.state, row.on_unknown, row.segments, attempts)
        row.tries = max([row.tries, *(attempt.n for attempt in attempts)])
        latest = max(attempts, key=lambda attempt: (attempt.started_at, attempt.n, attempt.segment))
        row.sim_id = latest.sim_id
        if row.sent_at is None and all_sent(row.segments, attempts):
            row.sent_at = max(attempt.finished_at or attempt.started_at for attempt in attempts)
        held = row.ready in SET_ASIDE and state < MessageState.SENT
        if row.ready == 1 or (state is not row.state and not held):  # who retries later, or is held, says why
            row.cause = _cause(state, row, attempts, latest)
        if message_id in self._interrupted:
            self._result.held += state is MessageState.UNKNOWN
            self._result.resending += state is MessageState.SENDING and row.on_unknown is OnUnknown.RESEND
        self._changes.save(row, state)


def _tail(attempt: AttemptRow) -> tuple[object, ...]:
    awaiting = 1 if attempt.awaiting else None
    evidence = attempt.evidence
    if evidence is None and attempt.concat is not None:  # no end was seen: the reference must not be lost with it
        evidence = f'{{"concat":{attempt.concat}}}'
    return (
        attempt.finished_at,
        attempt.outcome,
        attempt.tp_mr,
        attempt.cause,
        evidence,
        awaiting,
        attempt.report_status,
        attempt.report_at,
    )


def _reported(attempt: AttemptRow, report: ReportFacts) -> AttemptRow:
    """Return the attempt with a report applied; a pending one keeps it waiting for the final one."""
    return replace(
        attempt,
        tp_mr=report.tp_mr if attempt.tp_mr is None else attempt.tp_mr,
        awaiting=not reports.report_is_final(report.status),
        report_status=report.status,
        report_at=report.received_at if report.discharged_at is None else report.discharged_at,
    )


def _cause(state: MessageState, row: MessageRow, attempts: list[AttemptRow], latest: AttemptRow) -> str | None:
    if state in (MessageState.SENT, MessageState.DELIVERED):
        return None
    if state is MessageState.UNDELIVERED:
        failed = next(attempt for attempt in reversed(attempts) if attempt.report is ReportClass.FAILED)
        if failed.segment == WHOLE:
            return receipts.cause(failed)
        where = f"segment {failed.segment} of {row.segments}: " if row.segments > 1 else ""
        status = failed.report_status or 0
        return f"report_{status:02x}: {where}{ReportStatus(status).meaning}"
    if state is MessageState.UNKNOWN:
        unknown = [one for one in attempts if one.outcome is AttemptOutcome.UNKNOWN and one.report_status is None]
        return unknown[-1].cause if unknown else row.cause
    return latest.cause or row.cause
