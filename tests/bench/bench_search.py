"""What indexing costs a message, and how long a page of search takes the processor.

Run: ``python tests/bench/bench_search.py [--rows 2000000] [--keep FILE]``. Builds the database of ``bench_lists.py``,
indexes all of it as the daemon does, batch by batch, but at once, and looks for words from the rarest to the commonest:
each page of 50 once as it comes, and the quickest of three more.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from box_after_years import COMMON_USER, RARE_USER, build
from report import Report, verdict

from modembank.messages import listing
from modembank.messages.listing import Selection
from modembank.messages.search import MESSAGES, match_of
from modembank.messages.search.index import Sizes, add_batch, tidy_step
from modembank.store.readers import Reader, snapshot

PAGE = 50
GOAL_MS = 300.0
"""For the worst: LOOK_S and the shard in hand."""


def spent(do: Callable[[], object]) -> float:
    """Return the milliseconds of the processor that something took."""
    began = time.thread_time()
    do()
    return (time.thread_time() - began) * 1000


def index(path: Path, report: Report) -> None:
    """Index all that is due, each batch in a commit of its own."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:

        def run(step: Callable[[], bool]) -> tuple[int, float]:
            n, worst, goes_on = 0, 0.0, True
            while goes_on:
                conn.execute("BEGIN IMMEDIATE")
                began = time.thread_time()
                goes_on = step()
                conn.execute("COMMIT")
                worst = max(worst, (time.thread_time() - began) * 1000)
                n += goes_on
                if n % 50 == 0:
                    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return n, worst

        for setting in ("journal_mode = WAL", "synchronous = OFF", "secure_delete = ON", "cache_size = -16384"):
            conn.execute(f"PRAGMA {setting}").fetchone()
        before: int = conn.execute("PRAGMA page_count").fetchone()[0]
        began = time.thread_time()
        batches, worst = run(lambda: add_batch(conn, MESSAGES, Sizes()))
        rows = max(1, batches * Sizes().batch)
        report.row("indexing: us of the processor for a message", f"{(time.thread_time() - began) * 1e6 / rows:.1f}")
        report.row("the longest batch, ms", f"{worst:.0f}")
        began = time.thread_time()
        steps, worst = run(lambda: tidy_step(conn))
        report.row(
            "rewriting full shards: us for a message",
            f"{(time.thread_time() - began) * 1e6 / rows:.1f}",
            f"{steps} steps",
        )
        report.row("the longest step, ms", f"{worst:.0f}")
        pages: int = conn.execute("PRAGMA page_count").fetchone()[0]
        free: int = conn.execute("PRAGMA freelist_count").fetchone()[0]
        report.row("the index: octets for a message", f"{(pages - free - before) * 4096 / rows:.0f}")


def pick(wanted: Selection, conn: sqlite3.Connection) -> listing.Picked:
    """Read the first page."""
    return listing.pick(conn, wanted, None, PAGE)


def look(conn: sqlite3.Connection, rows: int, report: Report) -> None:
    """Look for the words."""
    kinds = (
        ("a word of one message", "rare", None),
        ("a word of one old message", "oldest", None),
        ("a word of all", "parcel", None),
        ("a word of nobody", "nowhere", None),
        ("two words of most", "stop today", None),
        ("a phrase", '"between 10 and 12"', None),
        ("a prefix of two letters", "pa*", None),
        ("a prefix of many numbers", "1*", None),
        ("a word of all, a common user's", "parcel", COMMON_USER),
        ("a word of all, a rare user's", "parcel", RARE_USER),
    )
    worst = 0.0
    for name, words, user in kinds:
        asked = {"rare": f"out {rows - 60_007}", "oldest": f"out {rows // 100}", "1*": "12*"}.get(words, words)
        wanted = Selection(user, words=match_of(asked))
        read = snapshot(partial(pick, wanted))
        first = spent(lambda read=read: read(conn))
        warm = min(spent(lambda read=read: read(conn)) for _ in range(3))
        worst = max(worst, first)
        page = read(conn)
        more = "and more" if page.cursor else "to the end"
        report.row(f"{name}: {asked}", f"{first:.1f}  {warm:.1f}", f"{len(page.ids)} {more}")
    report.row("the worst", f"{worst:.0f}", verdict(worst < GOAL_MS, f"< {GOAL_MS:.0f} ms"))


def main() -> None:
    """Build and measure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--keep", type=Path, metavar="FILE", help="build the database there, or use it again")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "search.db"
        report = Report(
            f"search among {given.rows:,} messages: ms of the processor for a page of {PAGE}, first and warm"
        )
        if not path.exists():
            build(path, given.rows)
            index(path, report)
        with contextlib.closing(Reader(path)._connector()) as conn:
            look(conn, given.rows, report)


if __name__ == "__main__":
    sys.exit(main())
