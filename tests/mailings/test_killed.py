"""An import, or a cancelling, that is killed again and again: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from modembank.failpoints import VARIABLE
from modembank.messages import batches, conservation

ROWS = 90
CHILD = Path(__file__).with_name("importing_child.py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ninety good rows, with a bad one and a repeated one among them."""
    lines = ["name,phone", *(f"N{at},+4479009{at:05d}" for at in range(ROWS))]
    lines.insert(30, "Bad,12")
    lines.insert(60, "Again,+447900900000")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def live(folder: Path, file: Path, failpoint: str = "", *verb: str) -> int:
    """Run one life; return how it ended."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if failpoint:
        environment[VARIABLE] = failpoint
    run = subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(file), *verb],
        env=environment, check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert run.returncode in (0, -signal.SIGKILL), run.stderr.decode()
    return run.returncode


def lives(folder: Path, file: Path, failpoint: str, *verb: str) -> int:
    """Live until one ends well; return how many died."""
    died = 0
    while live(folder, file, failpoint, *verb):
        died += 1
        assert died < 20
    return died


def check(folder: Path) -> sqlite3.Connection:
    """Return the database after its mailing is imported whole."""
    conn = sqlite3.connect(folder / "box.db")
    rows = conn.execute("SELECT recipient, text, count(*) FROM messages GROUP BY 1, 2").fetchall()
    assert sorted(rows) == sorted((f"+4479009{at:05d}", f"Dear N{at}", 1) for at in range(ROWS))
    assert conn.execute("SELECT rows, accepted, refused, duplicates FROM mailings").fetchone() == (92, 90, 1, 1)
    assert conn.execute("SELECT line, kind FROM mailing_rows").fetchall() == [(31, "refused"), (61, "duplicate")]
    (mailing,) = conn.execute("SELECT id FROM mailings").fetchone()
    assert batches.counts(conn, mailing) == batches.recount(conn, mailing)
    assert not conservation.recount(conn).stranded
    assert not list((folder / "mailings").iterdir())
    return conn


def test_a_life_that_ends_in_every_chunk(tmp_path: Path, file: Path) -> None:
    """Each life makes one chunk durable and dies in the next, before that is committed; a canary ends in it."""
    assert lives(tmp_path / "box", file, "mailing_chunk:2", "proceed") == 3
    conn = check(tmp_path / "box")
    assert conn.execute("SELECT DISTINCT state, ready FROM messages").fetchall() == [(30, 1)]
    ids = [row[0] for row in conn.execute("SELECT id FROM messages ORDER BY id").fetchall()]
    canary = json.loads(conn.execute("SELECT canary FROM mailings").fetchone()[0])
    assert (canary["size"], canary["last"]) == (40, ids[39])
    assert canary["continued_at"] is not None
    assert conn.execute("SELECT count(*) FROM paused_batches").fetchone() == (0,)
    conn.close()


def test_a_life_that_ends_after_some_commit(tmp_path: Path, file: Path) -> None:
    assert lives(tmp_path / "box", file, "group_committed:3") >= 2
    check(tmp_path / "box").close()


def test_a_cancelling_that_dies_in_every_step(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "box"
    assert lives(folder, file, "mailing_step:2", "cancel") >= 2
    conn = check(folder)
    assert conn.execute("SELECT DISTINCT state, ready FROM messages").fetchall() == [(76, None)]
    assert conn.execute("SELECT kind FROM event_log WHERE kind LIKE 'mailing.%' ORDER BY id").fetchall() == [
        ("mailing.imported",), ("mailing.cancelled",)
    ]  # fmt: skip
    assert conn.execute("SELECT count(*) FROM paused_batches").fetchone() == (0,)
    conn.close()


def test_a_start_that_dies_half_way(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "box"
    assert live(folder, file, "mailing_step:3", "start_sending")
    conn = sqlite3.connect(folder / "box.db")
    states = dict(conn.execute("SELECT ready, count(*) FROM messages GROUP BY ready").fetchall())
    conn.close()
    assert set(states) == {1, 4}
    assert live(folder, file) == 0
    conn = check(folder)
    assert conn.execute("SELECT DISTINCT state, ready FROM messages").fetchall() == [(30, 1)]
    assert conn.execute("SELECT count(*) FROM paused_batches").fetchone() == (0,)
    conn.close()


def test_a_life_that_ends_in_a_write_of_several_pieces(tmp_path: Path, file: Path) -> None:
    """The first write is of one piece, the next of two: what it has written of them is not durable, and comes once."""
    folder = tmp_path / "box"
    assert live(folder, file, "mailing_chunk:2")
    conn = sqlite3.connect(folder / "box.db")
    assert conn.execute("SELECT rows, (SELECT count(*) FROM messages) FROM mailings").fetchone() == (30, 29)
    conn.close()
    assert not live(folder, file)
    check(folder).close()
