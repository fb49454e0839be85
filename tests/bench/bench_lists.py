"""How long a page of a list takes the processor, at ten million messages.

Run: ``python tests/bench/bench_lists.py [--rows 10000000] [--keep FILE]``. Builds a database as a box would have it
after years (``--keep`` builds it once and uses it again), then reads pages of every kind of list through the services
that faces call, on one reader, warm, by the processor time of the thread: on a busy machine seconds tell nothing. Each
page is read four times: the first warms, and of the others the quickest counts, since what comes on top is the
machine's. The baselines of the same run are fifty known rows read by their keys, and what paging by OFFSET would cost.
The goal is 5 ms for every page, its views included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from box_after_years import build
from every_list import PAGE, Faces, Read
from report import Report, percentile, verdict

from modembank.messages.stored import read_stories
from modembank.store.readers import Reader, snapshot

GOAL_MS = 5.0
PAGES = 200
"""Of each list, for the median and the worst; fewer where a list ends before."""
MOST_MS = 1_500.0
"""Of one turn through a list: of slow pages fewer are read."""
TURNS = 3
"""How often each page is read after it was once; the quickest counts."""


class OneReader:
    """In the place of a store: runs each read at once, and knows how long all of them took."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.ms = 0.0

    async def read(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        """Return ``fn(connection)``."""
        began = time.thread_time()
        try:
            return snapshot(fn)(self.conn)
        finally:
            self.ms += (time.thread_time() - began) * 1000


@dataclass(frozen=True)
class Took:
    """One page: milliseconds of the processor in all, and of them in reads of the database."""

    whole: float
    reading: float


async def pages_of(store: OneReader, read: Read) -> tuple[list[Took], int, bool]:
    """Read pages one after the other; return what each took, the items, and whether the list ended."""
    found: list[Took] = []
    cursor, items = None, 0
    while len(found) < PAGES and sum(took.whole for took in found) < MOST_MS:
        store.ms, began = 0.0, time.thread_time()
        page = await read(cursor)
        found.append(Took((time.thread_time() - began) * 1000, store.ms))
        cursor, items = page.cursor, items + len(page.items)
        if cursor is None:
            return found, items, True
    return found, items, False


async def best_of(store: OneReader, read: Read) -> tuple[list[Took], int, bool]:
    """Read the pages TURNS times; return the quickest of each, the items, and whether the list ended."""
    turns = [await pages_of(store, read) for _ in range(TURNS + 1)]
    pages = zip(*(found for found, _, _ in turns[1:]), strict=False)  # of slow ones one turn may have more than another
    return [min(each, key=lambda took: took.whole) for each in pages], *turns[0][1:]


async def measure(conn: sqlite3.Connection, rows: int, only: str) -> None:
    """Print every list beside the baselines."""
    report = Report(f"pages of {PAGE} at {rows:,} messages: ms of the processor, median and worst of 50; of it reading")
    ids = [row[0] for row in conn.execute("SELECT id FROM messages WHERE state = 80 ORDER BY id DESC LIMIT ?", (PAGE,))]
    plain = []
    for _ in range(PAGES):
        began = time.thread_time()
        read_stories(conn, ids)
        plain.append((time.thread_time() - began) * 1000)
    base = statistics.median(plain)
    report.row("baseline: fifty rows and their attempts by their keys", f"{base:.2f}")
    began = time.thread_time()
    conn.execute("SELECT id FROM messages ORDER BY id DESC LIMIT ? OFFSET ?", (PAGE, rows - PAGE)).fetchall()
    report.row("baseline: the last page by OFFSET", f"{(time.thread_time() - began) * 1000:.0f}")
    store, worst, where = OneReader(conn), 0.0, ""
    for name, read in Faces(store, rows).lists():
        if only not in name:
            continue
        found, items, ended = await best_of(store, read)
        whole = [took.whole for took in found]
        middle, high = statistics.median(whole), percentile(whole, 0.98)
        if high > worst:
            worst, where = high, name
        end = "to the end" if ended else "and more"
        reading = statistics.median(took.reading for took in found)
        note = f"{middle / base:.1f} x; {items} in {len(found)} pages {end}"
        report.row(name, f"{middle:.2f}  {high:.2f}  {reading:.2f}", note)
    report.row(f"the worst of all: {where}", f"{worst:.2f}", verdict(worst < GOAL_MS, f"< {GOAL_MS:.0f} ms"))


def main() -> None:
    """Build and measure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--keep", type=Path, metavar="FILE", help="build the database there, or use it again")
    arguments.add_argument("--only", default="", metavar="WORDS", help="lists whose names have these words")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "lists.db"
        if not path.exists():
            began = time.monotonic()
            build(path, given.rows)
            print(f"built {path.stat().st_size / 1e9:.1f} GB in {time.monotonic() - began:.0f} s", flush=True)
        with contextlib.closing(Reader(path)._connector()) as conn:
            asyncio.run(measure(conn, given.rows, given.only))


if __name__ == "__main__":
    sys.exit(main())
