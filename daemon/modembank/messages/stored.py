"""Messages as they are stored, brought up to date with the journal of sending; functions run inside one read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from modembank.messages.model import JournalKind, MessageFlags, MessageState, OnUnknown
from modembank.messages.outbox import AttemptRow, aggregate, all_sent
from modembank.messages.outbox.journal import JournalRow, attempts_by_message, journal_rows, merged
from modembank.tpdu import Encoding

_ENCODINGS = (Encoding.AUTO, Encoding.GSM7, Encoding.UCS2)
_SELECT = (  # many rows with one statement, in the order asked for
    "SELECT id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id,"  # noqa: S608 - constants
    " rank, state, ready, not_before, expires_at, window, on_unknown, reference, created_at, sim_id, cause, sent_at,"
    " settled_at, subject"
    f" FROM (SELECT key AS place, value AS wanted FROM json_each(?)) CROSS JOIN messages ON id = wanted"
    f" WHERE flags & {int(MessageFlags.HIDDEN)} = 0 ORDER BY place"
)


def encoding_code(encoding: Encoding) -> int:
    """Return the number under which an encoding is stored."""
    return _ENCODINGS.index(encoding)


def encoding_of(code: int) -> Encoding:
    """Return the encoding that is stored under a number."""
    return _ENCODINGS[code]


class StoredMessage(msgspec.Struct, frozen=True):
    """A message's row; times are unix milliseconds."""

    id: int
    batch_id: int | None
    user_id: int
    recipient: str
    text: str
    encoding: Encoding
    segments: int
    flags: MessageFlags
    route_id: int
    rank: int
    state: MessageState
    ready: int | None
    not_before: int | None
    expires_at: int
    window: str | None
    on_unknown: OnUnknown
    reference: str | None
    created_at: int
    sim_id: int | None
    cause: str | None
    sent_at: int | None
    settled_at: int | None
    subject: str | None


class ShownSim(msgspec.Struct, frozen=True):
    """What a message tells of the SIM or the provider it went through."""

    iccid: str | None
    msisdn: str | None
    provider: str | None = None


class Story(msgspec.Struct, frozen=True):
    """A message with all attempts at it, by segment and number."""

    message: StoredMessage
    attempts: tuple[AttemptRow, ...]


class Stories(msgspec.Struct, frozen=True):
    """Messages as of one commit, and the SIMs that they name."""

    stories: tuple[Story, ...]
    sims: dict[int, ShownSim]


def read_stories(conn: sqlite3.Connection, ids: Iterable[int]) -> Stories:
    """Return those of the messages that exist and were not deleted, in the order asked for."""
    journal: dict[int, list[JournalRow]] = {}
    for entry in journal_rows(conn):
        if entry.kind is not JournalKind.REPORT:
            journal.setdefault(entry.message_id, []).append(entry)
    messages = [_message(row) for row in conn.execute(_SELECT, (msgspec.json.encode(list(ids)).decode(),))]
    attempts = attempts_by_message(conn, [message.id for message in messages])
    found = [_story(message, attempts.get(message.id, []), journal.get(message.id, [])) for message in messages]
    return Stories(tuple(found), _sims(conn) if any(story.attempts for story in found) else {})


def _story(message: StoredMessage, attempts: list[AttemptRow], journal: list[JournalRow]) -> Story:
    if journal and (attempts := merged(attempts, journal)):
        message = _brought_up(message, attempts)
    return Story(message, tuple(attempts))


def _brought_up(message: StoredMessage, attempts: list[AttemptRow]) -> StoredMessage:
    """Show already what the fold will write in a moment, so that the message does not contradict its attempts."""
    state = aggregate(message.state, message.on_unknown, message.segments, attempts)
    latest = max(attempts, key=lambda attempt: (attempt.started_at, attempt.n, attempt.segment))
    sent_at = message.sent_at
    if sent_at is None and all_sent(message.segments, attempts):
        sent_at = max(attempt.finished_at or attempt.started_at for attempt in attempts)
    cause = None if state is MessageState.SENT else latest.cause or message.cause
    return replace(message, state=state, sim_id=latest.sim_id, sent_at=sent_at, cause=cause)


def _message(row: tuple[Any, ...]) -> StoredMessage:
    values = list(row)
    values[5] = _ENCODINGS[row[5]]
    values[7], values[10], values[15] = MessageFlags(row[7]), MessageState(row[10]), OnUnknown(row[15])
    return StoredMessage(*values)


def _sims(conn: sqlite3.Connection) -> dict[int, ShownSim]:
    found = {row[0]: ShownSim(row[1], row[2]) for row in conn.execute("SELECT id, iccid, msisdn FROM sims")}
    providers = conn.execute("SELECT id, name FROM providers")
    return found | {-row[0]: ShownSim(None, None, row[1]) for row in providers}
