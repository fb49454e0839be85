"""Days that are over are counted once, until one of their messages comes to another end or the clock goes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modembank.bus import Bus
from modembank.events import MessageStateChanged
from modembank.figures import past
from modembank.figures.past import SETTLED_MS, Past
from modembank.messages import MessageState
from modembank.sim import add_usage
from modembank.store import Store

DAY = 86_400_000
SPANS = [(day * DAY, (day + 1) * DAY) for day in range(1, 4)]
NOW = 3 * DAY + SETTLED_MS
"""The third day goes on."""


class Days:
    """A store with a message on each day, and what is counted of them."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self.store, self.bus, self.past = store, bus, Past(store, bus)

    async def put(self, message: int, at: int, state: MessageState) -> None:
        sql = (
            "INSERT OR REPLACE INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank,"
            " state, expires_at, on_unknown, created_at) VALUES (?, 1, '', '', 0, 1, 0, 1, 4, ?, 0, 0, ?)"
        )
        await self.store.write(lambda conn: conn.execute(sql, (message, int(state), at)).rowcount)

    async def failed(self, now: int = NOW) -> list[int]:
        return [day.ends[MessageState.FAILED] for day in await self.past.days(SPANS, now)]

    async def sent(self, now: int = NOW) -> list[int]:
        return [sum(day.sent.values()) for day in await self.past.days(SPANS, now)]


@pytest.fixture
async def days(tmp_path: Path) -> AsyncIterator[Days]:
    store = await Store.open(tmp_path / "box.db")
    days = Days(store, Bus())
    for at in (1, 2, 3):
        await days.put(100 * at, at * DAY + 7, MessageState.SENT)
    yield days
    await store.close()


async def test_a_day_that_is_over_is_counted_once_and_the_others_always(days: Days, monkeypatch: Any) -> None:
    counted: list[tuple[int, int]] = []
    real = past.segments_between
    monkeypatch.setattr(past, "segments_between", lambda *given: (counted.append(given[1:]), real(*given))[1])
    assert await days.sent() == [0, 0, 0]
    await days.store.write(lambda conn: [add_usage(conn, 1, day * DAY, day) for day in (1, 2, 3)])
    assert await days.sent() == [0, 0, 3]
    assert counted == [*SPANS, SPANS[2]]
    assert await days.sent(NOW + 1) == [0, 0, 3]


async def test_a_day_counts_as_over_only_when_all_of_it_is_booked(days: Days) -> None:
    assert await days.sent(NOW - 1) == [0, 0, 0]
    await days.store.write(lambda conn: [add_usage(conn, 1, day * DAY, day) for day in (1, 2)])
    assert await days.sent(NOW) == [0, 2, 0]


async def test_a_late_end_has_its_day_counted_anew(days: Days) -> None:
    assert await days.failed() == [0, 0, 0]
    for at in (1, 2):
        await days.put(100 * at, at * DAY + 7, MessageState.FAILED)
    days.bus.publish(MessageStateChanged(NOW, 200, 1, MessageState.FAILED))
    assert await days.failed() == [0, 1, 0], "nobody told of the first"


async def test_what_changes_while_a_day_is_read_is_not_missed(days: Days, monkeypatch: Any) -> None:
    real = past.bad_ends

    def reads(conn: Any, first: int, behind: int) -> dict[MessageState, int]:
        days.bus.publish(MessageStateChanged(NOW, 100, 1, MessageState.FAILED))  # too late for this snapshot
        return real(conn, first, behind)

    monkeypatch.setattr(past, "bad_ends", reads)
    assert await days.failed() == [0, 0, 0]
    monkeypatch.undo()
    for at in (1, 2):
        await days.put(100 * at, at * DAY + 7, MessageState.FAILED)
    assert await days.failed() == [1, 0, 0], "the second was kept"


async def test_a_clock_that_is_set_back_ends_no_day(days: Days) -> None:
    assert await days.sent() == [0, 0, 0]
    await days.store.write(lambda conn: add_usage(conn, 1, 2 * DAY, 5))
    assert await days.sent(2 * DAY) == [0, 5, 0]


async def test_only_some_days_are_kept(days: Days, monkeypatch: Any) -> None:
    monkeypatch.setattr(past, "MOST_KEPT", 1)
    assert await days.failed() == [0, 0, 0]
    for at in (1, 2):
        await days.put(100 * at, at * DAY + 7, MessageState.FAILED)
    assert await days.failed() == [1, 0, 0]
