"""What became of a mailing, message by message, as CSV: for spreadsheets, or for programs."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import AsyncGenerator, Callable
from typing import Any, Literal

from modembank.clock import rfc3339
from modembank.ids import public_id
from modembank.mailings.rows import refused_rows
from modembank.messages import MessageFlags, MessageState
from modembank.messages.views import MESSAGE_ID
from modembank.store import Store

Format = Literal["spreadsheet", "machine"]
PAGE = 1_000
"""Messages read at once."""
HEADER = ("id", "to", "status", "reference", "segments", "sent_at", "settled_at", "cause")
REFUSALS_HEADER = ("line", "number", "kind", "reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0", "'")
_SELECT = (
    "SELECT id, recipient, state, reference, segments, sent_at, settled_at, cause FROM messages"  # noqa: S608 - constants
    f" WHERE batch_id = ? AND id > ? AND flags & {int(MessageFlags.HIDDEN)} = 0 ORDER BY id LIMIT ?"
)


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before what could begin one.

    One that begins with an apostrophe gets another, so that taking one away always gives the cell back.
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


async def results(store: Store, mailing_id: int, style: Format) -> AsyncGenerator[bytes, None]:
    """Yield the lines of one mailing in UTF-8, page by page; each page is a read of its own, so that none lasts long.

    Messages that were deleted are left out.
    """
    guard: Callable[[str], str] = guarded if style == "spreadsheet" else str
    yield _lines([HEADER])

    def read(conn: sqlite3.Connection, after: int) -> tuple[bytes, int]:
        found = conn.execute(_SELECT, (mailing_id, after, PAGE)).fetchall()
        return _lines([tuple(guard(cell) for cell in _cells(row)) for row in found]), found[-1][0] if found else 0

    async for page in _pages(store, read):
        yield page


async def refusals(store: Store, mailing_id: int, style: Format) -> AsyncGenerator[bytes, None]:
    """Yield the rows that gave no message as lines of CSV, in the order of the file, page by page."""
    guard: Callable[[str], str] = guarded if style == "spreadsheet" else str
    yield _lines([REFUSALS_HEADER])

    def read(conn: sqlite3.Connection, after: int) -> tuple[bytes, int]:
        found = refused_rows(conn, mailing_id, after, PAGE)
        lines = _lines([(str(line), guard(number), kind, guard(why)) for line, number, kind, why in found])
        return lines, found[-1][0] if found else 0

    async for page in _pages(store, read):
        yield page


async def _pages(store: Store, read: Callable[[sqlite3.Connection, int], tuple[bytes, int]]) -> AsyncGenerator[bytes]:
    """Yield what is read after a place, which begins at 0 and ends there; its lines are made beside the event loop."""
    after = 0
    while True:
        page, after = await store.read(lambda conn, at=after: read(conn, at))  # type: ignore[misc]
        if not after:
            return
        yield page


def _cells(row: tuple[Any, ...]) -> tuple[str, ...]:
    message, to, state, reference, segments, sent_at, settled_at, cause = row
    return (
        public_id(MESSAGE_ID, message),
        to,
        MessageState(state).word,
        reference or "",
        str(segments),
        "" if sent_at is None else rfc3339(sent_at),
        "" if settled_at is None else rfc3339(settled_at),
        cause or "",
    )


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
