"""The write-ahead journal of sending: appended before Ctrl-Z, read together with what is folded already."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from modembank import optouts
from modembank.messages.model import (
    WHOLE,
    BeginVerdict,
    Intent,
    JournalKind,
    MessageFlags,
    MessageState,
    OnUnknown,
    ReceiptFacts,
    ReportFacts,
    Settlement,
)
from modembank.messages.outbox.aggregate import AttemptRow, Fate, fate_of
from modembank.modem.outcome import AttemptOutcome

_APPEND = "INSERT INTO journal (kind, message_id, segment, n, sim_id, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
_ROWS = "SELECT id, kind, message_id, segment, n, sim_id, at, body FROM journal"
_COLUMNS = "segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr, cause, evidence, awaiting"
_ATTEMPTS = f"SELECT {_COLUMNS}, report_status, report_at FROM attempts WHERE message_id = ?"  # noqa: S608 - constants
_ATTEMPTS_OF_MANY = (
    f"SELECT message_id, {_COLUMNS}, report_status, report_at FROM attempts"  # noqa: S608 - constants
    " WHERE message_id IN (SELECT value FROM json_each(?)) ORDER BY message_id, segment, n"
)


class SettledBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a SETTLED row; short keys, for every octet of it is written to the card."""

    o: int
    mr: int | None = None
    cause: str | None = None
    ev: str = "{}"
    ref: str | None = None


class IntentBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an INTENT row."""

    slot: str
    concat: int | None = None


class JournalRow(msgspec.Struct, frozen=True):
    """One row of the journal."""

    id: int
    kind: JournalKind
    message_id: int
    segment: int
    n: int
    sim_id: int
    at: int
    body: str

    @property
    def key(self) -> tuple[int, int, int]:
        """The attempt that it is about."""
        return self.message_id, self.segment, self.n

    def attempt(self) -> AttemptRow:
        """Return the open attempt that an INTENT stands for."""
        body = msgspec.json.decode(self.body, type=IntentBody)
        return AttemptRow(self.segment, self.n, self.sim_id, body.slot, self.at, concat=body.concat)

    def settle(self, attempt: AttemptRow) -> AttemptRow:
        """Return ``attempt`` with the end that this SETTLED row tells."""
        body = msgspec.json.decode(self.body, type=SettledBody)
        return replace(
            attempt,
            finished_at=self.at,
            outcome=AttemptOutcome(body.o),
            tp_mr=body.mr,
            cause=body.cause,
            evidence=_with_concat(body.ev, attempt.concat),
        )

    def report(self) -> ReportFacts:
        """Return the delivery report that a REPORT row holds."""
        return msgspec.json.decode(self.body, type=ReportFacts)

    def receipt(self) -> ReceiptFacts:
        """Return the provider's receipt that a RECEIPT row holds."""
        return msgspec.json.decode(self.body, type=ReceiptFacts)

    def reference(self) -> str | None:
        """Return by what a provider calls the message that a SETTLED row is about."""
        return msgspec.json.decode(self.body, type=SettledBody).ref


def begin(conn: sqlite3.Connection, intent: Intent, is_over: Callable[[int], bool] = lambda _: False) -> BeginVerdict:
    """Append the intent if the segment may still be sent now; the last check before the network can have it.

    ``is_over`` says whether a message must not begin any more; the rest of one that has begun follows.
    """
    row = conn.execute(
        "SELECT state, ready, expires_at, on_unknown, recipient, flags FROM messages WHERE id = ?",
        (intent.message_id,),
    ).fetchone()
    if row is None:
        return BeginVerdict.GONE
    state, ready, expires_at, policy, recipient, flags = row
    verdict = _verdict(MessageState(state), ready, expires_at, intent.at)
    if verdict is BeginVerdict.GO and not _is_free(conn, intent, OnUnknown(policy)):
        verdict = BeginVerdict.GONE
    if verdict is BeginVerdict.GO and is_over(intent.message_id) and not _has_begun(conn, intent.message_id):
        verdict = BeginVerdict.EXPIRED
    if verdict is BeginVerdict.GO and not flags & MessageFlags.CONSENT and optouts.is_out(conn, recipient):
        verdict = BeginVerdict.OPTED_OUT
    if verdict is BeginVerdict.GO:
        append_intent(conn, intent)
    return verdict


def append_intent(conn: sqlite3.Connection, intent: Intent) -> None:
    """Append an INTENT."""
    body = msgspec.json.encode(IntentBody(intent.slot, intent.concat)).decode()
    row = (JournalKind.INTENT, intent.message_id, intent.segment, intent.n, intent.sim_id, intent.at, body)
    conn.execute(_APPEND, row)


def append_settlement(conn: sqlite3.Connection, settlement: Settlement) -> None:
    """Append how an attempt ended."""
    intent = settlement.intent
    body = SettledBody(
        settlement.outcome, settlement.tp_mr, settlement.cause, settlement.evidence, settlement.reference
    )
    conn.execute(
        _APPEND,
        (
            JournalKind.SETTLED,
            intent.message_id,
            intent.segment,
            intent.n,
            intent.sim_id,
            settlement.at,
            msgspec.json.encode(body).decode(),
        ),
    )


def append_report(conn: sqlite3.Connection, sim_id: int, report: ReportFacts, ledger_id: int) -> None:
    """Append a delivery report; nobody knows its message yet, so ``segment`` holds the ledger's id instead."""
    body = msgspec.json.encode(report).decode()
    conn.execute(_APPEND, (JournalKind.REPORT, 0, ledger_id, report.status, sim_id, report.received_at, body))


def append_receipt(conn: sqlite3.Connection, provider_id: int, receipt: ReceiptFacts) -> None:
    """Append a provider's receipt; nobody knows its message yet."""
    body = msgspec.json.encode(receipt).decode()
    conn.execute(_APPEND, (JournalKind.RECEIPT, 0, 0, receipt.status, -provider_id, receipt.received_at, body))


def journal_rows(conn: sqlite3.Connection, limit: int = -1) -> list[JournalRow]:
    """Return the oldest rows of the journal in order."""
    return [_journal_row(row) for row in conn.execute(f"{_ROWS} ORDER BY id LIMIT ?", (limit,))]


def stored_attempts(conn: sqlite3.Connection, message_id: int) -> list[AttemptRow]:
    """Return the folded attempts at a message, by segment and number."""
    return [_attempt(row) for row in conn.execute(_ATTEMPTS + " ORDER BY segment, n", (message_id,))]


def attempts_by_message(conn: sqlite3.Connection, messages: Sequence[int]) -> dict[int, list[AttemptRow]]:
    """Return the folded attempts at many messages, those at each by segment and number."""
    found: dict[int, list[AttemptRow]] = {}
    for message, *row in conn.execute(_ATTEMPTS_OF_MANY, (msgspec.json.encode(messages).decode(),)):
        found.setdefault(message, []).append(_attempt(row))
    return found


def attempts_of(conn: sqlite3.Connection, message_id: int) -> list[AttemptRow]:
    """Return all attempts at a message, folded or still in the journal, by segment and number."""
    rows = conn.execute(
        f"{_ROWS} WHERE message_id = ? AND kind IN (1, 2) ORDER BY id",
        (message_id,),
    )
    return merged(stored_attempts(conn, message_id), [_journal_row(row) for row in rows])


def journalled_attempts(conn: sqlite3.Connection) -> dict[int, list[JournalRow]]:
    """Return what the journal holds of attempts, in order, by message."""
    found: dict[int, list[JournalRow]] = {}
    for row in conn.execute(f"{_ROWS} WHERE kind IN (1, 2) ORDER BY id"):
        found.setdefault(row[2], []).append(_journal_row(row))
    return found


def merged(stored: list[AttemptRow], journal: list[JournalRow]) -> list[AttemptRow]:
    """Return stored attempts brought up to date with one message's journal rows, by segment and number."""
    found = {(attempt.segment, attempt.n): attempt for attempt in stored}
    for row in journal:
        key = row.segment, row.n
        if row.kind is JournalKind.INTENT:
            found.setdefault(key, row.attempt())
        elif key in found and found[key].outcome is None:
            found[key] = row.settle(found[key])
    return [found[key] for key in sorted(found)]


def may_cancel(conn: sqlite3.Connection, message_id: int) -> bool:
    """Return whether nothing of a message was ever handed to a modem; to be asked inside the cancelling write."""
    for table in ("journal WHERE kind = 1 AND", "attempts WHERE"):
        found = conn.execute(f"SELECT 1 FROM {table} message_id = ? LIMIT 1", (message_id,))  # noqa: S608 - constants
        if found.fetchone() is not None:
            return False
    return True


def _verdict(state: MessageState, ready: int | None, expires_at: int, now: int) -> BeginVerdict:
    if state is MessageState.CANCELLED:
        return BeginVerdict.CANCELLED
    if state is MessageState.EXPIRED:
        return BeginVerdict.EXPIRED
    if state >= MessageState.SENT or ready != 1:
        return BeginVerdict.GONE
    return BeginVerdict.EXPIRED if now >= expires_at else BeginVerdict.GO


def _has_begun(conn: sqlite3.Connection, message_id: int) -> bool:
    """Return whether a part of a message is on its way, or may be."""
    attempts = attempts_of(conn, message_id)
    return any(attempt.outcome in (None, AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN) for attempt in attempts)


def _is_free(conn: sqlite3.Connection, intent: Intent, policy: OnUnknown) -> bool:
    """Return whether no earlier attempt at the segment forbids this one."""
    about = {intent.segment, WHOLE}
    attempts = [
        attempt
        for attempt in attempts_of(conn, intent.message_id)
        if intent.segment == WHOLE or attempt.segment in about
    ]
    if any(attempt.n >= intent.n for attempt in attempts):
        return False
    fate = fate_of(attempts)
    return fate <= Fate.FREE or (fate is Fate.UNKNOWN and policy is OnUnknown.RESEND)


def _journal_row(row: tuple[Any, ...]) -> JournalRow:
    return JournalRow(row[0], JournalKind(row[1]), *row[2:])


def _attempt(row: Sequence[Any]) -> AttemptRow:
    values = list(row)
    outcome = values[6]
    values[6] = None if outcome is None else AttemptOutcome(outcome)
    values[10] = values[10] == 1
    values.append(_concat(values[9]))
    return AttemptRow(*values)


def _with_concat(evidence: str, concat: int | None) -> str:
    """Keep the concatenation reference in the evidence: the rest of the message needs it, maybe after a restart."""
    if concat is None:
        return evidence
    return msgspec.json.encode({**msgspec.json.decode(evidence or "{}"), "concat": concat}).decode()


def _concat(evidence: str | None) -> int | None:
    if not evidence or "concat" not in evidence:
        return None
    found = msgspec.json.decode(evidence).get("concat")
    return found if isinstance(found, int) else None
