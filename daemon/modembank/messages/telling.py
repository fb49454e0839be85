"""What the event log tells of messages: read from their rows when it is told, so that what was redacted stays so."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modembank.clock import rfc3339
from modembank.eventlog import Logged
from modembank.ids import public_id
from modembank.messages.inbound_rows import RECEIVED
from modembank.messages.model import MessageState
from modembank.messages.showing import channel_of
from modembank.messages.views import BATCH_ID, INBOX_ID, MESSAGE_ID

_OUTBOUND = (
    "SELECT m.id, m.recipient, s.msisdn, m.state, m.reference, m.batch_id, m.segments, s.iccid, m.cause, m.created_at,"
    " m.sent_at, p.name, m.flags FROM messages m LEFT JOIN sims s ON s.id = m.sim_id"
    " LEFT JOIN providers p ON p.id = -m.sim_id WHERE m.id IN ({})"
)
_INBOUND = (
    "SELECT i.id, i.sender, s.msisdn, i.kind, i.text, i.missing, s.iccid, i.sent_at, i.received_at,"
    " p.name, p.channel FROM inbox i LEFT JOIN sims s ON s.id = i.sim_id"
    " LEFT JOIN providers p ON p.id = -i.sim_id WHERE i.id IN ({})"
)


def told_of_messages(conn: sqlite3.Connection, entries: Sequence[Logged]) -> Mapping[int, Mapping[str, Any]]:
    """Return the data of ``message.*`` events by the entry's id. A message that was deleted leaves its id."""
    came = [logged for logged in entries if logged.entry.kind == RECEIVED]
    went = [logged for logged in entries if logged.entry.kind != RECEIVED]
    inbound = {row[0]: row for row in _rows(conn, _INBOUND, came)}
    outbound = {row[0]: row for row in _rows(conn, _OUTBOUND, went)}
    return {logged.id: _received(logged, inbound.get(logged.entry.subject)) for logged in came} | {
        logged.id: _changed(logged, outbound.get(logged.entry.subject)) for logged in went
    }


def _rows(conn: sqlite3.Connection, select: str, entries: Sequence[Logged]) -> list[tuple[Any, ...]]:
    ids = sorted({logged.entry.subject for logged in entries if logged.entry.subject is not None})
    return conn.execute(select.format(", ".join("?" * len(ids))), ids).fetchall() if ids else []


def _changed(logged: Logged, row: tuple[Any, ...] | None) -> dict[str, Any]:
    entry = logged.entry
    told: dict[str, Any] = {"id": public_id(MESSAGE_ID, entry.subject or 0), "status": entry.kind.partition(".")[2]}
    if row is None:
        return told
    _, recipient, msisdn, state, reference, batch, segments, iccid, cause, created_at, sent_at, *way = row
    still = MessageState(state).word == told["status"]  # the cause is that of the latest state
    return told | {
        "to": recipient,
        "from": msisdn,
        "reference": reference,
        "batch": None if batch is None else public_id(BATCH_ID, batch),
        "segments": segments,
        "channel": channel_of(way[1]),
        "sim": iccid,
        "provider": way[0],
        "cause": cause if still else None,
        "created_at": rfc3339(created_at),
        "sent_at": _moment(sent_at),
    }


def _received(logged: Logged, row: tuple[Any, ...] | None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": public_id(INBOX_ID, logged.entry.subject or 0)}
    if row is None:
        return told
    _, sender, msisdn, kind, text, missing, iccid, sent_at, received_at, provider, channel = row
    return told | {
        "from": sender,
        "to": msisdn,
        "kind": kind,
        "text": text,
        "missing": msgspec.json.decode(missing, type=tuple[int, ...]),
        "channel": channel or "sms",
        "sim": iccid,
        "provider": provider,
        "sent_at": _moment(sent_at),
        "received_at": rfc3339(received_at),
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
