"""The physical ledger: every PDU that came from a modem, once, known again by where it lay and what it was.

Content never decides that two messages are one: the same text may well be sent twice. A memory slot that holds the same
PDU until the modem confirms its deletion is one message. What came directly has no slot; an equal PDU (its service
centre's time stamp, in seconds, included) is the network's second try when it comes soon enough.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

import msgspec

from modembank.messages.inbound_content import kept_raw
from modembank.modem.inbound import RawInbound, Via

RESEND_MS = 3_600_000
"""An equal, dated PDU that comes directly within this time is a resend: centres repeat after minutes, then longer."""
UNDATED_RESEND_MS = 60_000
"""The same when its time stamp is no time: nothing but the clock tells a resend from a second message."""
KEEP_MS = 7 * 86_400_000
"""How long rows are kept, for questions, after the modem's slot is free."""
_LOOK_AT = 500
_UNDELETED = "FROM inbound_pdus INDEXED BY inbound_pdus_undeleted WHERE deleted_at IS NULL"


class Entry(msgspec.Struct, frozen=True):
    """A PDU's row; ``known`` when it was there before."""

    id: int
    known: bool


def fingerprint(raw: RawInbound) -> bytes:
    """Return what makes a PDU the same as another of its SIM: memory, index and octets."""
    place = f"{raw.memory}/{raw.index}/" if raw.via is Via.STORED else "direct/"
    whole = (place + raw.pdu.strip().upper()).encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).digest()[:16]


def enter(conn: sqlite3.Connection, raw: RawInbound, *, new_id: int, dated: bool) -> Entry:
    """Return the row of a PDU, made with ``new_id`` when it is new."""
    mark = fingerprint(raw)
    rows = conn.execute(
        "SELECT id, received_at FROM inbound_pdus WHERE sim_id = ? AND fingerprint = ? AND deleted_at IS NULL"
        " ORDER BY id DESC",
        (raw.sim_id, mark),
    ).fetchall()
    window = RESEND_MS if dated else UNDATED_RESEND_MS
    for known_id, received_at in rows:
        if raw.via is Via.STORED or abs(raw.received_at - received_at) <= window:
            return Entry(known_id, known=True)
    conn.execute(
        "INSERT INTO inbound_pdus (id, sim_id, slot, memory, slot_index, pdu, fingerprint, received_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (new_id, raw.sim_id, raw.slot, raw.memory, raw.index, kept_raw(raw.pdu), mark, raw.received_at),
    )
    return Entry(new_id, known=False)


def mark_deleted(conn: sqlite3.Connection, ids: Iterable[int], now: int) -> None:
    """Note that the modem's slots are free: an equal PDU there is a new message."""
    conn.executemany(
        "UPDATE inbound_pdus SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", [(now, one) for one in ids]
    )


def settled_direct(conn: sqlite3.Connection, now: int, most: int = _LOOK_AT) -> list[int]:
    """Return rows that came directly and of which no resend is expected any more; reads only."""
    rows = conn.execute(
        f"SELECT id {_UNDELETED} AND memory IS NULL AND received_at < ? LIMIT ?",
        (now - RESEND_MS, most),
    )
    return [row[0] for row in rows]


def stale(conn: sqlite3.Connection, now: int, after: int, most: int = _LOOK_AT) -> tuple[list[int], int]:
    """Return rows to forget among the ``most`` behind the id ``after``, and where to go on (0: from the front again).

    Rows are in the order of their coming, so that looking ends at the first one that came too late. Reads only.
    """
    rows = conn.execute(
        "SELECT id, received_at, deleted_at FROM inbound_pdus WHERE id > ? ORDER BY id LIMIT ?", (after, most)
    ).fetchall()
    limit = now - KEEP_MS
    old = [row for row in rows if row[1] < limit]
    found = [row[0] for row in old if row[2] is not None and row[2] < limit]
    return found, (rows[-1][0] if len(old) == most else 0)


def forget(conn: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Delete these rows."""
    conn.executemany("DELETE FROM inbound_pdus WHERE id = ?", [(one,) for one in ids])
