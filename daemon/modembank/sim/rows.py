"""The SIMs' rows: finding the one a modem tells of, making it at first sight, changing it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

import msgspec

from modembank.sim.model import IMSI_PREFIX, iccid_spellings
from modembank.sim.usage import move_usage

_MERGED_PREFIX = "merged:"
"""'merged:<id of the other>:<own id>' stands for the ICCID of a row that turned out to be the same card as another."""


class SimRow(msgspec.Struct, frozen=True):
    """A row of table sims as it is stored."""

    id: int
    iccid: str
    imsi: str | None
    msisdn: str | None
    operator: str | None
    label: str
    limits: str
    paused_reason: str | None
    paused_at: int | None
    slot: str | None
    first_seen_at: int
    last_seen_at: int

    @property
    def merged_into(self) -> int | None:
        """The row that this one's card goes on as, when it was merged."""
        return int(self.iccid.split(":")[1]) if self.iccid.startswith(_MERGED_PREFIX) else None


class Told(msgspec.Struct, frozen=True):
    """What a modem told, normalised: at least one of ICCID and IMSI is there."""

    iccid: str | None
    imsi: str | None
    msisdn: str | None
    operator: str | None
    slot: str


class Found(msgspec.Struct, frozen=True):
    """The row of a card, and the row that was merged into it just now."""

    row: SimRow
    absorbed: int | None = None
    new: bool = False


def all_rows(connection: sqlite3.Connection) -> list[SimRow]:
    """Return every row, merged ones included, by id."""
    rows = connection.execute(
        "SELECT id, iccid, imsi, msisdn, operator, label, limits, paused_reason, paused_at, slot, first_seen_at,"
        " last_seen_at FROM sims ORDER BY id"
    )
    return [SimRow(*row) for row in rows]


def one_row(connection: sqlite3.Connection, sim_id: int) -> SimRow | None:
    """Return a row, or None."""
    return next((row for row in all_rows(connection) if row.id == sim_id), None)


def find_or_add(connection: sqlite3.Connection, told: Told, now_ms: int) -> Found:
    """Return the card's row, updated by what the modem told; one card has one row, whatever was told of it before.

    A card first seen by its IMSI alone keeps its row when the ICCID becomes known. When each had a row of its own, the
    ICCID's goes on and the other's usage is booked on it.
    """
    rows = [row for row in all_rows(connection) if row.merged_into is None]
    by_iccid = _by_iccid(rows, told.iccid) if told.iccid else None
    by_imsi = _by_imsi(rows, told) if told.imsi else None
    known = by_iccid or by_imsi
    absorbed = by_imsi.id if by_iccid and by_imsi and by_iccid.id != by_imsi.id else None
    if known is None:
        return Found(_add(connection, told, now_ms), new=True)
    if absorbed is not None:
        _merge(connection, absorbed, known.id)
    return Found(_refresh(connection, known, told, now_ms), absorbed)


def set_label(connection: sqlite3.Connection, sim_id: int, label: str) -> SimRow | None:
    """Set a row's label; this and the like return the row, None when there is none."""
    connection.execute("UPDATE sims SET label = ? WHERE id = ?", (label, sim_id))
    return one_row(connection, sim_id)


def set_limits(connection: sqlite3.Connection, sim_id: int, changes: Mapping[str, float | None]) -> SimRow | None:
    """Lay changes over a row's own limits: a number sets one, None returns to what the file says."""
    row = one_row(connection, sim_id)
    if row is None:
        return None
    merged = {**json.loads(row.limits), **changes}
    kept = {name: value for name, value in merged.items() if value is not None}
    connection.execute("UPDATE sims SET limits = ? WHERE id = ?", (json.dumps(kept, sort_keys=True), sim_id))
    return one_row(connection, sim_id)


def pause(connection: sqlite3.Connection, sim_id: int, reason: str, now_ms: int) -> SimRow | None:
    """Pause a SIM, or give its pause another reason; since when stays."""
    connection.execute(
        "UPDATE sims SET paused_reason = ?, paused_at = coalesce(paused_at, ?) WHERE id = ?", (reason, now_ms, sim_id)
    )
    return one_row(connection, sim_id)


def resume(connection: sqlite3.Connection, sim_id: int) -> SimRow | None:
    """End a SIM's pause."""
    connection.execute("UPDATE sims SET paused_reason = NULL, paused_at = NULL WHERE id = ?", (sim_id,))
    return one_row(connection, sim_id)


def _by_iccid(rows: list[SimRow], iccid: str) -> SimRow | None:
    spellings = iccid_spellings(iccid)  # as it is told comes first
    return min((row for row in rows if row.iccid in spellings), key=lambda row: row.iccid != iccid, default=None)


def _by_imsi(rows: list[SimRow], told: Told) -> SimRow | None:
    """With an ICCID only a row that waits for its ICCID; without one the card last seen with the IMSI."""
    provisional = f"{IMSI_PREFIX}{told.imsi}"
    fitting = (row for row in rows if (row.iccid == provisional if told.iccid else row.imsi == told.imsi))
    return max(fitting, key=lambda row: row.last_seen_at, default=None)


def _add(connection: sqlite3.Connection, told: Told, now_ms: int) -> SimRow:
    iccid = told.iccid or f"{IMSI_PREFIX}{told.imsi}"
    added = connection.execute(
        "INSERT INTO sims (iccid, imsi, msisdn, operator, slot, first_seen_at, last_seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (iccid, told.imsi, told.msisdn, told.operator, told.slot, now_ms, now_ms),
    )
    row = one_row(connection, added.lastrowid or 0)
    if row is None:
        message = "a row just inserted is not there"
        raise sqlite3.DataError(message)
    return row


def _refresh(connection: sqlite3.Connection, known: SimRow, told: Told, now_ms: int) -> SimRow:
    row = msgspec.structs.replace(
        known,
        iccid=told.iccid if told.iccid and known.iccid.startswith(IMSI_PREFIX) else known.iccid,
        imsi=told.imsi or known.imsi,
        msisdn=told.msisdn or known.msisdn,
        operator=told.operator or known.operator,
        slot=told.slot,
        last_seen_at=now_ms,
    )
    connection.execute(
        "UPDATE sims SET iccid = ?, imsi = ?, msisdn = ?, operator = ?, slot = ?, last_seen_at = ? WHERE id = ?",
        (row.iccid, row.imsi, row.msisdn, row.operator, row.slot, row.last_seen_at, row.id),
    )
    return row


def _merge(connection: sqlite3.Connection, source: int, target: int) -> None:
    move_usage(connection, source, target)
    connection.execute(
        "UPDATE sims SET iccid = ?, imsi = NULL, slot = NULL WHERE id = ?",
        (f"{_MERGED_PREFIX}{target}:{source}", source),
    )
