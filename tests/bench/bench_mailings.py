"""What a large mailing costs: its time against a bare loop of inserts, memory, and what accepting costs meanwhile.

Run it by hand: ``python tests/bench/bench_mailings.py [ROWS]``, a million rows unless told otherwise. It starts a real
daemon without modems and has it import a tenth of the rows, then all, with nothing beside; then it imports 100,000
while single messages are accepted. In the end a bare loop inserts the rows of the large mailing, as they are stored,
into an empty copy of the database. Prints rates and ratios. A few minutes for a million.

The numbers come in no order, as in a list of people, which is the dearer way for an index. One row in 500 holds no
number, and one in 500 a number that came before.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from processes import Daemon, cpu_s, daemon, resident_mb
from report import Report, percentile, verdict

from modembank.ids import row_id
from modembank.store.checkpoints import Checkpointer
from modembank.store.lock import TurnLock
from modembank.store.opening import connect
from modembankd.data_folder import DATABASE

ROWS, MEANWHILE = 1_000_000, 100_000
BATCH = 5_000
"""Rows that the bare loop inserts in one transaction."""
ALONE_S = 5.0
LOOK_S = 0.25
EXTRA_MB = 80
NUMBERS = 10_000_000
SCATTER = 7_654_321
"""Has no divisor in common with NUMBERS: multiples of it visit each number once, in what looks like no order."""


@dataclass
class Imported:
    """One import: its mailing, seconds, processor seconds of the daemon and its reader, and memory in MB."""

    mailing: str
    seconds: float
    cpu_s: float
    reader_cpu_s: float
    uploaded_s: float
    checked_s: float
    daemon_mb: float
    """At most, beyond what the daemon had before."""
    reader_mb: float
    """At most, of all that the reading process has."""


def write_file(path: Path, rows: int, first: int) -> Path:
    """Write a list of people."""
    with path.open("w") as file:
        file.write("name,phone,town\n")
        for at in range(rows):
            number = f"+44790{(first + at - (at % 500 == 499)) * SCATTER % NUMBERS:07d}" if at % 500 else "unknown"
            file.write(f"Name {at},{number},Some Town\n")
    return path


async def accept(client: httpx.AsyncClient, until: asyncio.Event) -> list[float]:
    """Send one message after another until told to stop; return how long each took in milliseconds."""
    took = []
    at = 0
    while not until.is_set():
        started = time.perf_counter()
        answer = await client.post("/api/v1/messages", json={"to": f"+44791{at:07d}", "text": "x"})
        took.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 202, answer.text
        at += 1
        await asyncio.sleep(0.02)
    return took


async def accepted_alone(client: httpx.AsyncClient) -> list[float]:
    """Return the same while nothing else goes on."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(ALONE_S, until.set)
    return await accept(client, until)


async def imported(box: Daemon, client: httpx.AsyncClient, path: Path) -> Imported:
    """Import a file, held, to its end."""
    forget_most(box.pid)
    before, busy = resident_mb(box.pid), cpu_s(box.pid)
    started = time.perf_counter()
    with path.open("rb") as file:
        answer = await client.post(
            "/api/v1/mailings", files={"file": file}, data={"template": "Dear {name} of {town}", "hold": "true"}
        )
    assert answer.status_code == 202, answer.text
    uploaded = time.perf_counter()
    checked = reader = reader_cpu = 0.0
    while (phase := (await client.get(answer.headers["location"])).json()["progress"]["phase"]) != "done":
        assert phase != "failed"
        checked = checked or (time.perf_counter() if phase != "checking" else 0.0)
        for pid in children(box.pid):
            reader = max(reader, most_mb(pid))
            with suppress(OSError):
                reader_cpu = max(reader_cpu, cpu_s(pid))
        await asyncio.sleep(LOOK_S)
    ended = time.perf_counter()
    return Imported(
        answer.json()["id"], ended - started, cpu_s(box.pid) - busy, reader_cpu, uploaded - started, checked - uploaded,
        most_mb(box.pid) - before, reader,
    )  # fmt: skip


async def accepted_meanwhile(box: Daemon, client: httpx.AsyncClient, path: Path) -> tuple[list[float], float]:
    """Return how long accepting took beside an import, and how many seconds that took."""
    until = asyncio.Event()
    accepting = asyncio.create_task(accept(client, until))
    done = await imported(box, client, path)
    until.set()
    return await accepting, done.seconds


def forget_most(pid: int) -> None:
    """Have the kernel count anew what a process has at most; see proc(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def most_mb(pid: int) -> float:
    """Return the most a process has had resident, in MB (10^6 octets), what it shares with others too; 0 when gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def children(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started and that still run."""
    return [int(each) for task in Path(f"/proc/{pid}/task").glob("*/children") for each in task.read_text().split()]


def bare_loop(source: Path, target: Path, mailing: int) -> tuple[int, float, float]:
    """Insert a mailing's messages and refused rows, as they are stored, into an empty copy.

    Returns rows, seconds, and seconds of the processor.

    The tables, indexes and settings are the daemon's; the log is copied into the file by the daemon's own rule.
    """
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as stored, closing(connect(target)) as conn:
        for name, sql in stored.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
            if not name.startswith(("search", "sqlite")):
                conn.execute(sql)
        log = Checkpointer(conn, target, TurnLock(target))
        mailings = stored.execute("SELECT * FROM mailings WHERE id = ?", (mailing,)).fetchall()
        conn.execute(insertion("mailings", len(mailings[0])), mailings[0])
        rows, seconds, busy = 0, 0.0, 0.0
        for table, key in ("messages", "batch_id"), ("mailing_rows", "mailing_id"):
            for batch in batches(stored.execute(f"SELECT * FROM {table} WHERE {key} = ? ORDER BY 1, 2", (mailing,))):
                insert = insertion(table, len(batch[0]))
                started, began = time.perf_counter(), time.process_time()
                conn.execute("BEGIN IMMEDIATE")
                conn.executemany(insert, batch)
                conn.execute("COMMIT")
                log.committed()
                log.after_commit(urgent_waits=False)
                seconds += time.perf_counter() - started
                busy += time.process_time() - began
                rows += len(batch)
        assert conn.execute("SELECT count(*) FROM messages").fetchone()[0]
    return rows, seconds, busy


def batches(cursor: sqlite3.Cursor) -> Iterator[list[tuple[object, ...]]]:
    """Return the rows of a query, so many at once."""
    while rows := cursor.fetchmany(BATCH):
        yield rows


def insertion(table: str, columns: int) -> str:
    """Return a statement that inserts a whole row."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"


async def main(rows: int) -> None:
    """Measure and print."""
    report = Report(f"mailings: importing a large file of {rows:,} rows")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with daemon(folder, []) as box:
            async with box.client() as client:
                client.timeout = 600
                alone = await accepted_alone(client)
                few = await imported(box, client, write_file(folder / "few.csv", rows // 10, 0))
                many = await imported(box, client, write_file(folder / "many.csv", rows, rows // 10))
                beside = write_file(folder / "beside.csv", MEANWHILE, rows + rows // 10)
                meanwhile, beside_s = await accepted_meanwhile(box, client, beside)
        inserted, bare_s, bare_cpu_s = bare_loop(
            folder / "data" / DATABASE, folder / "bare.db", row_id("mlg", many.mailing)
        )
    report.row("seconds of the import, from the first octet sent", f"{many.seconds:.1f}")
    report.row("  until the answer; until it was checked, from there", f"{many.uploaded_s:.1f} {many.checked_s:.1f}")
    report.row("  of the processor: daemon, reading process", f"{many.cpu_s:.1f} {many.reader_cpu_s:.1f}")
    report.row("rows a second", f"{rows / many.seconds:,.0f}")
    report.row(f"bare loop, {inserted:,} rows in batches of {BATCH:,}, seconds", f"{bare_s:.1f}")
    report.row("  of the processor", f"{bare_cpu_s:.1f}")
    report.row("ratio of times", f"{many.seconds / bare_s:.2f}", verdict(many.seconds <= 1.5 * bare_s, "at most 1.5"))
    loading = many.seconds - many.uploaded_s - many.checked_s
    report.row(
        "  from the end of the check, which pages make before sending",
        f"{loading / bare_s:.2f}",
        verdict(loading <= 1.5 * bare_s, "at most 1.5: template, validation and duplicates are part of it"),
    )
    report.row("extra memory of the daemon and its reader, MB", f"{many.daemon_mb:.0f} {many.reader_mb:.0f}")
    extra = many.daemon_mb + many.reader_mb
    report.row("both, MB", f"{extra:.0f}", verdict(extra < EXTRA_MB, f"below {EXTRA_MB}"))
    report.row(f"the same with {rows // 10:,} rows, MB", f"{few.daemon_mb:.0f} {few.reader_mb:.0f}")
    ours, theirs = statistics.median(alone), statistics.median(meanwhile)
    report.row("accepting one message, alone, ms (median, 95 %)", f"{ours:.1f} {percentile(alone, 0.95):.1f}")
    report.row("accepting one message meanwhile, ms", f"{theirs:.1f} {percentile(meanwhile, 0.95):.1f}")
    report.row("ratio of medians", f"{theirs / ours:.1f}", verdict(theirs <= 5 * ours, "at most 5"))
    report.row(f"rows a second meanwhile, {MEANWHILE:,} rows", f"{MEANWHILE / beside_s:,.0f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
