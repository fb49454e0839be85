"""Long messages from their parts (3GPP TS 23.040 9.2.3.24.1).

Parts belong together by SIM, sender, reference and total, when their time stamps are near enough. References are
reused, by some senders for every message, so several groups may be open under one key: a part whose number all of them
hold with other content starts a new one, else it goes to the one that lacks it and is stamped nearest to it.

All state is in two tables. A row of ``inbound_groups`` is a message of which parts came, and ``inbound_parts`` holds
them. A group waits; when that takes too long it is shown as an inbox message that lacks something, which a late part
completes in place. When a group is complete, its parts are deleted, and their digests are remembered for a while, so
that a part which the network repeats late is known.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from modembank.messages.inbound_content import content_of, kept_raw, moment_ms, read_part
from modembank.messages.inbound_rows import Shown, show, show_again
from modembank.tpdu import Concat, DeliverTpdu

SHOW_AFTER_MS = 30 * 60_000
"""A message is shown incomplete when no further part came for this long; early, for it can be completed in place."""
KEEP_MS = 48 * 3_600_000
"""How long the parts of a message shown incomplete, and the memory of a complete one, are kept after the last part."""
TOGETHER_MS = 6 * 3_600_000
"""Parts whose service centre's time stamps (times of arrival, for parts without) are further apart are strangers."""
MOST_GROUPS = 16
"""Groups open under one key; beyond it, a part is shown by itself at once."""
_LOOK_AT = 500
_REMEMBERED = 32
_WIDE = 1 << 16
_KEY = "sim_id = ? AND sender = ? AND reference = ? AND total = ?"
TakeId = Callable[[], int]
NumberOf = Callable[[str], str]
"""From a sender as it came to the form in which it is shown."""


class Part(msgspec.Struct, frozen=True):
    """One part as it came; ``received_at`` is unix milliseconds."""

    sim_id: int
    tpdu: DeliverTpdu
    concat: Concat
    pdu: str
    received_at: int
    number_of: NumberOf = str

    @property
    def sender(self) -> str:
        """The originator as it came."""
        return self.tpdu.originator.number

    @property
    def key(self) -> tuple[int, str, int, int]:
        """What all parts of a message have in common."""
        reference = self.concat.reference + (_WIDE if self.concat.wide else 0)
        return self.sim_id, self.sender, reference, self.concat.total


class _Group(msgspec.Struct, frozen=True):
    """A message that is not complete, and what is here of it: part number to (PDU, time of arrival)."""

    id: int
    inbox_id: int | None
    """The message as which it is shown; None while it waits."""
    parts: dict[int, tuple[str, int]]

    @property
    def since(self) -> tuple[int, int]:
        """Sorts the oldest group first; of the same millisecond, the one begun first."""
        return min(at for _, at in self.parts.values()), self.id

    def tpdus(self) -> list[DeliverTpdu]:
        """Return the parts decoded."""
        found = (read_part(pdu) for pdu, _ in self.parts.values())
        return [tpdu for tpdu in found if tpdu is not None]


def add_part(conn: sqlite3.Connection, take_id: TakeId, part: Part) -> Shown | None:
    """Keep a part; return the message that it completed, in the inbox by now, or None."""
    if _is_remembered(conn, part):
        return None
    everything = _open_groups(conn, part.key)
    groups = [group for group in everything if _apart_ms(group, part) <= TOGETHER_MS]
    if any(_holds(group, part) for group in groups):
        return None
    group = _nearest_lacking(groups, part)
    if group is None and len(everything) >= MOST_GROUPS:
        return _show_new(conn, take_id, [part.tpdu], part)
    grown = _put(conn, group or _begin(conn, part), part)
    return _after_new_part(conn, take_id, grown, part)


def has_overdue(conn: sqlite3.Connection, now: int) -> bool:
    """Return whether a group waited long enough; reads only."""
    return bool(_overdue(conn, now, 1))


def show_overdue(
    conn: sqlite3.Connection, take_id: TakeId, now: int, most: int = 100, number_of: NumberOf = str
) -> list[Shown]:
    """Show what waited long enough, as incomplete; the parts stay for the ones that come late."""
    shown = []
    for group_id, sim_id, sender in _overdue(conn, now, most):
        tpdus = _Group(group_id, None, _parts(conn, group_id)).tpdus()
        if not tpdus:
            _delete_group(conn, group_id)
            continue
        content, number = content_of(tpdus), number_of(sender)
        message = show(conn, take_id(), content, sim_id=sim_id, sender=number, received_at=now)
        conn.execute("UPDATE inbound_groups SET inbox_id = ? WHERE id = ?", (message.id, group_id))
        shown.append(message)
    return shown


def stale_groups(conn: sqlite3.Connection, now: int, most: int = _LOOK_AT) -> list[int]:
    """Return groups in the inbox whose parts, or memory, are not needed any more; reads only."""
    rows = conn.execute(
        "SELECT id FROM inbound_groups WHERE inbox_id IS NOT NULL AND last_at < ? ORDER BY last_at LIMIT ?",
        (now - KEEP_MS, most),
    )
    return [row[0] for row in rows]


def forget_groups(conn: sqlite3.Connection, group_ids: Iterable[int], now: int) -> None:
    """Delete these groups, except those that a late part came to meanwhile."""
    conn.executemany(
        "DELETE FROM inbound_groups WHERE id = ? AND inbox_id IS NOT NULL AND last_at < ?",
        [(group_id, now - KEEP_MS) for group_id in group_ids],
    )


def _after_new_part(conn: sqlite3.Connection, take_id: TakeId, group: _Group, part: Part) -> Shown | None:
    """Show what the part completed; bring up to date what is shown already."""
    complete = len(group.parts) == part.concat.total
    if group.inbox_id is not None:
        shown = show_again(conn, group.inbox_id, content_of(group.tpdus()))
    elif complete:
        shown = _show_new(conn, take_id, group.tpdus(), part)
    else:
        return None
    if not complete:
        return None
    if shown is None:  # somebody deleted it from the inbox
        _delete_group(conn, group.id)
    else:
        _remember(conn, group, shown.id)
    return shown


def _show_new(conn: sqlite3.Connection, take_id: TakeId, tpdus: Sequence[DeliverTpdu], last: Part) -> Shown:
    content, number = content_of(tpdus), last.number_of(last.sender)
    return show(conn, take_id(), content, sim_id=last.sim_id, sender=number, received_at=last.received_at)


def _begin(conn: sqlite3.Connection, part: Part) -> _Group:
    made = conn.execute(
        "INSERT INTO inbound_groups (sim_id, sender, reference, total, last_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (*part.key, part.received_at),
    )
    return _Group(made.fetchone()[0], None, {})


def _put(conn: sqlite3.Connection, group: _Group, part: Part) -> _Group:
    """Add a part to its group; return the group with it."""
    number = part.concat.sequence
    conn.execute(
        "INSERT INTO inbound_parts (group_id, part, pdu, received_at) VALUES (?, ?, ?, ?)",
        (group.id, number, kept_raw(part.pdu), part.received_at),
    )
    conn.execute("UPDATE inbound_groups SET last_at = max(last_at, ?) WHERE id = ?", (part.received_at, group.id))
    return replace(group, parts={**group.parts, number: (part.pdu, part.received_at)})


def _remember(conn: sqlite3.Connection, group: _Group, inbox_id: int) -> None:
    """Keep of a complete message only what its parts were."""
    marks = " ".join(_content(tpdu).stamped for tpdu in group.tpdus())
    conn.execute("DELETE FROM inbound_parts WHERE group_id = ?", (group.id,))
    conn.execute("UPDATE inbound_groups SET inbox_id = ?, remembered = ? WHERE id = ?", (inbox_id, marks, group.id))


def _is_remembered(conn: sqlite3.Connection, part: Part) -> bool:
    """Return whether the part, time stamp and all, is one of a message that is complete already."""
    if moment_ms(part.tpdu.timestamp) is None:
        return False  # without a time it may as well be the next message of a sender that repeats itself
    rows = conn.execute(
        f"SELECT remembered FROM inbound_groups WHERE {_KEY} AND remembered IS NOT NULL"  # noqa: S608 - constants
        " ORDER BY id DESC LIMIT ?",
        (*part.key, _REMEMBERED),
    )
    mark = _content(part.tpdu).stamped
    return any(mark in marks.split() for (marks,) in rows)


def _open_groups(conn: sqlite3.Connection, key: tuple[int, str, int, int]) -> list[_Group]:
    rows = conn.execute(
        f"SELECT id, inbox_id FROM inbound_groups WHERE {_KEY} AND remembered IS NULL ORDER BY id",  # noqa: S608 - constants
        key,
    ).fetchall()
    groups = [_Group(group_id, inbox_id, _parts(conn, group_id)) for group_id, inbox_id in rows]
    return [group for group in groups if group.parts]


def _parts(conn: sqlite3.Connection, group_id: int) -> dict[int, tuple[str, int]]:
    rows = conn.execute(
        "SELECT part, pdu, received_at FROM inbound_parts WHERE group_id = ? ORDER BY part", (group_id,)
    )
    return {number: (pdu, received_at) for number, pdu, received_at in rows}


def _overdue(conn: sqlite3.Connection, now: int, most: int) -> list[tuple[int, int, str]]:
    """Return id, SIM and sender of groups that waited long enough, the longest wait first."""
    return conn.execute(
        "SELECT id, sim_id, sender FROM inbound_groups WHERE inbox_id IS NULL AND last_at <= ?"
        " ORDER BY last_at, id LIMIT ?",
        (now - SHOW_AFTER_MS, most),
    ).fetchall()


def _delete_group(conn: sqlite3.Connection, group_id: int) -> None:
    """Delete a group and, by the schema, its parts."""
    conn.execute("DELETE FROM inbound_groups WHERE id = ?", (group_id,))


class _Content(msgspec.Struct, frozen=True):
    """What tells one part from another of the same place; the bits that a second transmission may change left out."""

    body: str
    stamped: str
    """With the service centre's time stamp."""


def _content(tpdu: DeliverTpdu) -> _Content:
    data = tpdu.user_data
    fields: Sequence[object] = (tpdu.pid, tpdu.dcs.value, data.payload, data.udh)
    return _Content(_digest(fields), _digest((*fields, tpdu.timestamp.octets)))


def _digest(fields: Sequence[object]) -> str:
    return hashlib.sha256(repr(tuple(fields)).encode()).hexdigest()[:16]


def _nearest_lacking(groups: Iterable[_Group], part: Part) -> _Group | None:
    """Return the group that a part goes to: of those that lack it, the one stamped nearest, then the oldest."""
    return min(
        (group for group in groups if part.concat.sequence not in group.parts),
        key=lambda group: (_apart_ms(group, part), group.since),
        default=None,
    )


def _holds(group: _Group, part: Part) -> bool:
    row = group.parts.get(part.concat.sequence)
    tpdu = None if row is None else read_part(row[0])
    return tpdu is not None and _content(tpdu).body == _content(part.tpdu).body


def _apart_ms(group: _Group, part: Part) -> int:
    """Return how far a part is from the nearest of a group, by the service centre's clock where it stamped both."""
    theirs = moment_ms(part.tpdu.timestamp)
    return min(
        abs(part.received_at - received_at) if ours is None or theirs is None else abs(theirs - ours)
        for ours, received_at in ((_stamped_ms(pdu), received_at) for pdu, received_at in group.parts.values())
    )


def _stamped_ms(pdu: str) -> int | None:
    tpdu = read_part(pdu)
    return None if tpdu is None else moment_ms(tpdu.timestamp)
