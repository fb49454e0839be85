"""Long messages from their parts (3GPP TS 23.040 9.2.3.24.1); all state is in the table ``inbound_parts``.

Parts belong together by SIM, sender, reference and total, when their time stamps are near enough. References are
reused, by some senders for every message, so several groups may be open under one key: a part whose number all of them
hold with other content starts a new one, else it goes to the oldest group that lacks it.

A row's id says where its group stands: ``id >> 8`` is the group's number, ``id & 255`` the part's. A negative number is
a group that waits; a positive one is the id of the inbox message as which the group is shown already, incomplete: a
late part completes that message in place. When a message is complete, its parts are deleted, and one row with part
number 0 remembers for a while what they were, so that a part which the network repeats late is known.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from modembank.messages.inbound_content import content_of, kept_raw, moment_ms, read_part
from modembank.messages.inbound_rows import Shown, show, show_again
from modembank.tpdu import Concat, DeliverTpdu

SHOW_AFTER_MS = 30 * 60_000
"""A message is shown incomplete when no further part came for this long; early, for it can be completed in place."""
KEEP_MS = 48 * 3_600_000
"""How long the parts of a message shown incomplete, and the memory of a complete one, are kept after the last part."""
TOGETHER_MS = 6 * 3_600_000
"""Parts whose service centre's time stamps (times of arrival, for parts without) are further apart are strangers."""
NEAR_MS = 10 * 60_000
"""Of the groups that lack a part, those stamped within this time of it are preferred."""
MOST_GROUPS = 16
"""Groups open under one key; beyond it, a part is shown by itself at once."""
_LOOK_AT = 500
_REMEMBERED = 32
_WIDE = 1 << 16
_KEY = "sim_id = ? AND sender = ? AND reference = ? AND total = ?"
_INSERT = (
    "INSERT INTO inbound_parts (id, sim_id, sender, reference, total, part, pdu, received_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
TakeId = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it came; ``received_at`` is unix milliseconds."""

    sim_id: int
    tpdu: DeliverTpdu
    concat: Concat
    pdu: str
    received_at: int

    @property
    def sender(self) -> str:
        """The originator as it came."""
        return self.tpdu.originator.number

    @property
    def key(self) -> tuple[int, str, int, int]:
        """What all parts of a message have in common."""
        reference = self.concat.reference + (_WIDE if self.concat.wide else 0)
        return self.sim_id, self.sender, reference, self.concat.total


@dataclass(frozen=True, slots=True)
class _Group:
    """The parts that are here of one message: number to (PDU, time of arrival)."""

    number: int
    rows: dict[int, tuple[str, int]]

    @property
    def since(self) -> tuple[int, int]:
        """Sorts the oldest group first; of waiting ones of the same millisecond, the one begun first."""
        return min(at for _, at in self.rows.values()), -self.number

    def tpdus(self) -> list[DeliverTpdu]:
        """Return the parts decoded."""
        found = (read_part(pdu) for pdu, _ in self.rows.values())
        return [tpdu for tpdu in found if tpdu is not None]


def add_part(conn: sqlite3.Connection, take_id: TakeId, part: Part) -> Shown | None:
    """Keep a part; return the message that it completed, in the inbox by now, or None."""
    if _is_remembered(conn, part):
        return None
    everything = _open_groups(conn, part.key)
    groups = [group for group in everything if _apart_ms(group, part) <= TOGETHER_MS]
    number = part.concat.sequence
    content = _content(part.tpdu)
    if any(_holds(group, number, content) for group in groups):
        return None
    lacking = sorted(
        (group for group in groups if number not in group.rows),
        key=lambda group: (_apart_ms(group, part) > NEAR_MS, group.since),
    )
    if lacking:
        group = lacking[0]
    elif len(everything) < MOST_GROUPS:
        group = _Group(_new_number(conn), {})
    else:
        alone = content_of([part.tpdu])
        return show(conn, take_id(), alone, sim_id=part.sim_id, sender=part.sender, received_at=part.received_at)
    conn.execute(_INSERT, (group.number << 8 | number, *part.key, number, kept_raw(part.pdu), part.received_at))
    grown = _Group(group.number, {**group.rows, number: (part.pdu, part.received_at)})
    return _after_new_part(conn, take_id, grown, part)


def has_overdue(conn: sqlite3.Connection, now: int) -> bool:
    """Return whether a group waited long enough; reads only."""
    return bool(_overdue(conn, now, 1))


def show_overdue(conn: sqlite3.Connection, take_id: TakeId, now: int, most: int = 100) -> list[Shown]:
    """Show what waited long enough, as incomplete; the parts stay for the ones that come late."""
    shown = []
    for number in _overdue(conn, now, most):
        rows = conn.execute(
            "SELECT sim_id, sender, part, pdu, received_at FROM inbound_parts WHERE id BETWEEN ? AND ? ORDER BY id",
            _span(number),
        ).fetchall()
        sim_id, sender = rows[0][:2]
        tpdus = _Group(number, {row[2]: (row[3], row[4]) for row in rows}).tpdus()
        if not tpdus:
            _delete_group(conn, number)
            continue
        row_id = take_id()
        shown.append(show(conn, row_id, content_of(tpdus), sim_id=sim_id, sender=sender, received_at=now))
        conn.execute(
            "UPDATE inbound_parts SET id = ? | (id & 255) WHERE id BETWEEN ? AND ?", (row_id << 8, *_span(number))
        )
    return shown


def stale_groups(conn: sqlite3.Connection, now: int, most: int = _LOOK_AT) -> list[int]:
    """Return groups in the inbox whose parts, or memory, are not needed any more; reads only.

    They are in the order in which they were shown: looking at the first ``most`` rows finds the oldest.
    """
    rows = conn.execute(
        "SELECT id >> 8, received_at FROM inbound_parts WHERE id > 0 ORDER BY id LIMIT ?", (most,)
    ).fetchall()
    newest = {number: max(at for _, at in group) for number, group in groupby(rows, key=lambda row: int(row[0]))}
    return [number for number, at in newest.items() if at < now - KEEP_MS]


def forget_groups(conn: sqlite3.Connection, numbers: Iterable[int], now: int) -> None:
    """Delete these groups, except those that a late part came to meanwhile."""
    for number in numbers:
        (newest,) = conn.execute(
            "SELECT max(received_at) FROM inbound_parts WHERE id BETWEEN ? AND ?", _span(number)
        ).fetchone()
        if newest is not None and newest < now - KEEP_MS:
            _delete_group(conn, number)


def _after_new_part(conn: sqlite3.Connection, take_id: TakeId, group: _Group, part: Part) -> Shown | None:
    """Show what the part completed; bring up to date what is shown already."""
    complete = len(group.rows) == part.concat.total
    if not complete and group.number < 0:
        return None
    content = content_of(group.tpdus())
    if group.number > 0:
        shown = show_again(conn, group.number, content)
    else:
        shown = show(conn, take_id(), content, sim_id=part.sim_id, sender=part.sender, received_at=part.received_at)
    if complete:
        _delete_group(conn, group.number)
        if shown is not None:
            _remember(conn, shown.id, group, part)
    return shown if complete else None


def _remember(conn: sqlite3.Connection, inbox_id: int, group: _Group, last: Part) -> None:
    marks = " ".join(_content(tpdu).stamped for tpdu in group.tpdus())
    conn.execute(_INSERT, (inbox_id << 8, *last.key, 0, marks, last.received_at))


def _is_remembered(conn: sqlite3.Connection, part: Part) -> bool:
    """Return whether the part, time stamp and all, is one of a message that is complete already."""
    if moment_ms(part.tpdu.timestamp) is None:
        return False  # without a time it may as well be the next message of a sender that repeats itself
    rows = conn.execute(
        f"SELECT pdu FROM inbound_parts WHERE {_KEY} AND id > 0 AND (id & 255) = 0"  # noqa: S608 - constants
        " ORDER BY id DESC LIMIT ?",
        (*part.key, _REMEMBERED),
    )
    mark = _content(part.tpdu).stamped
    return any(mark in marks.split() for (marks,) in rows)


def _open_groups(conn: sqlite3.Connection, key: tuple[int, str, int, int]) -> list[_Group]:
    rows = conn.execute(
        f"SELECT id, pdu, received_at FROM inbound_parts WHERE {_KEY} AND (id & 255) > 0 ORDER BY id",  # noqa: S608 - constants
        key,
    )
    return [
        _Group(number, {row[0] & 255: (row[1], row[2]) for row in members})
        for number, members in groupby(rows, key=lambda row: int(row[0]) >> 8)
    ]


def _new_number(conn: sqlite3.Connection) -> int:
    (lowest,) = conn.execute("SELECT min(id) FROM inbound_parts").fetchone()
    return min((lowest or 0) >> 8, 0) - 1


def _overdue(conn: sqlite3.Connection, now: int, most: int) -> list[int]:
    rows = conn.execute(
        "SELECT id >> 8 AS number FROM inbound_parts WHERE id < 0 GROUP BY number HAVING max(received_at) <= ?"
        " ORDER BY number DESC LIMIT ?",
        (now - SHOW_AFTER_MS, most),
    )
    return [row[0] for row in rows]


def _delete_group(conn: sqlite3.Connection, number: int) -> None:
    conn.execute("DELETE FROM inbound_parts WHERE id BETWEEN ? AND ?", _span(number))


def _span(number: int) -> tuple[int, int]:
    """Return the lowest and highest id of a group's rows."""
    return number << 8, number << 8 | 255


@dataclass(frozen=True, slots=True)
class _Content:
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


def _holds(group: _Group, number: int, content: _Content) -> bool:
    row = group.rows.get(number)
    tpdu = None if row is None else read_part(row[0])
    return tpdu is not None and _content(tpdu).body == content.body


def _apart_ms(group: _Group, part: Part) -> int:
    """Return how far apart a part and a group are, by the service centre's clock when it stamped both."""
    pdu, received_at = next(iter(group.rows.values()))
    tpdu = read_part(pdu)
    ours = None if tpdu is None else moment_ms(tpdu.timestamp)
    theirs = moment_ms(part.tpdu.timestamp)
    if ours is None or theirs is None:
        return abs(part.received_at - received_at)
    return abs(theirs - ours)
