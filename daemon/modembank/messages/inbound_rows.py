"""Rows of the inbox and of the quarantine, written inside a transaction of the store."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank import eventlog
from modembank.messages import search
from modembank.messages.conversing import note_inbound
from modembank.messages.inbound_content import Content, kept_raw
from modembank.messages.likeness import likeness
from modembank.modem.inbound import RawInbound

RECEIVED = "message.received"
_LAST_WRITER = "SELECT user_id FROM messages WHERE recipient = ? ORDER BY id DESC LIMIT 1"
QUARANTINE_ROWS = 1_000
"""What a modem that babbles may cost: with RAW_LIMIT, 4 MB at most."""


class Shown(msgspec.Struct, frozen=True):
    """A message that came to the inbox, or (``again``) was completed there."""

    id: int
    sim_id: int
    sender: str
    kind: str
    missing: int = 0
    again: bool = False
    likeness: int = 0


def show(
    conn: sqlite3.Connection,
    row_id: int,
    content: Content,
    *,
    sim_id: int,
    sender: str,
    received_at: int,
    owner: int | None = None,
) -> Shown:
    """Put a message into the inbox, the conversation it belongs to, and the event log.

    ``sender`` is in the form that recipients have, since the message is that user's who last wrote there, unless
    ``owner`` says whose it is. ``sim_id`` 0: no SIM received it.
    """
    user_id = owner or _last_writer(conn, sender)
    conn.execute(
        "INSERT INTO inbox (id, sim_id, sender, kind, text, octets, parts, missing, sent_at, received_at, user_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row_id,
            sim_id,
            sender,
            content.kind.value,
            content.text,
            content.octets,
            content.parts,
            msgspec.json.encode(content.missing).decode(),
            content.sent_at,
            received_at,
            user_id,
        ),
    )
    note_inbound(conn, sender, user_id, row_id)
    eventlog.append(conn, [eventlog.Entry(received_at, RECEIVED, user_id, row_id)])
    like = likeness(content.text)
    return Shown(row_id, sim_id, sender, content.kind.value, len(content.missing), likeness=like)


def show_again(conn: sqlite3.Connection, row_id: int, content: Content) -> Shown | None:
    """Complete a message where it stands, with its id, owner and time of arrival; None when it is there no more.

    What was taken away stays away.
    """
    search.remove(conn, search.INBOX, row_id)
    row = conn.execute(
        "UPDATE inbox SET kind = ?1, text = iif(hidden IS NULL, ?2, ''), octets = iif(hidden IS NULL, ?3, NULL),"
        " missing = ?4, sent_at = ?5 WHERE id = ?6"
        " RETURNING sim_id, sender",
        (
            content.kind.value,
            content.text,
            content.octets,
            msgspec.json.encode(content.missing).decode(),
            content.sent_at,
            row_id,
        ),
    ).fetchone()
    if row is None:
        return None
    search.put(conn, search.INBOX, row_id)
    sim_id, sender = row
    return Shown(row_id, sim_id, sender, content.kind.value, len(content.missing), again=True)


def quarantine(conn: sqlite3.Connection, raw: RawInbound, reason: str) -> None:
    """Keep what cannot be read, for a person to look at; of a flood, the newest QUARANTINE_ROWS."""
    added = conn.execute(
        "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (?, ?, ?, ?, ?)",
        (raw.sim_id, raw.slot, kept_raw(raw.pdu), reason, raw.received_at),
    )
    conn.execute("DELETE FROM quarantine WHERE id <= ?", ((added.lastrowid or 0) - QUARANTINE_ROWS,))


def _last_writer(conn: sqlite3.Connection, number: str) -> int | None:
    """Return the user who last wrote to a number; None when nobody did, or the box itself."""
    row = conn.execute(_LAST_WRITER, (number,)).fetchone()
    return None if row is None else int(row[0]) or None
