"""Mailings in data that is restored: nothing is imported again, nothing goes out by itself, and counters are right."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fakes.databases import problem_of, rows
from fakes.web_boxes import make_box
from modembank.backup import BackupJob, restore, take_backup
from modembank.mailings.model import ImportPhase, Layout, Wish
from modembank.mailings.rows import Mailing, break_off, insert, open_ones, read
from modembank.mailings.walking import wish
from modembank.messages import batches, conservation
from modembank.messages.batches import Item, Items, Terms
from modembank.messages.model import Fail
from modembank.messages.outbox import decisions
from modembank.tpdu import Encoding

NOW = 1_800_000_000_000
TERMS = Terms(user_id=1, flags=1, route="{}", rank=4, not_before=None, window=None, on_unknown=0)
LAYOUT = Layout(kind="csv", columns=("phone",), to_column=0, header_rows=1, template="x")
CHECKING, LOADING, PAUSED, GOING = 10, 20, 30, 40


def mailing(conn: sqlite3.Connection, number: int, phase: ImportPhase, wanted: Wish) -> None:
    """Store one, with three messages unless it is being checked."""
    one = Mailing(
        id=number, user_id=1, name="x", phase=phase, wish=wanted, walk=None, cause=None, layout=LAYOUT, terms=TERMS,
        valid_for_s=3600, expires_at=NOW + 3_600_000, file="x.csv", octets=1, rows=3, created_at=NOW,
    )  # fmt: skip
    insert(conn, one, None, b"", NOW)
    if wanted is Wish.PAUSE:
        wish(conn, one, wanted)
    if phase is not ImportPhase.CHECKING:
        items = [Item(f"+4479009{number:02d}{at:03d}", "x", Encoding.GSM7, 1) for at in range(3)]
        batches.add(conn, number, TERMS, Items.of(items), expires_at=one.expires_at, first=number + 1, now=NOW)


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A database that lived on after its backup."""
    (tmp_path / "data").mkdir()
    box = await make_box(tmp_path / "data")

    def fill(conn: sqlite3.Connection) -> None:
        mailing(conn, CHECKING, ImportPhase.CHECKING, Wish.GO)
        mailing(conn, LOADING, ImportPhase.LOADING, Wish.GO)
        mailing(conn, PAUSED, ImportPhase.DONE, Wish.PAUSE)
        mailing(conn, GOING, ImportPhase.DONE, Wish.GO)

    await box.store.write(fill)
    database = tmp_path / "data" / "box.db"
    take_backup(BackupJob(database, tmp_path / "backup", "clinic", NOW))
    await box.store.write(lambda conn: decisions.decide(conn, GOING + 1, Fail("x: y"), NOW))
    await box.store.close()
    return database


def check(database: Path) -> None:
    assert problem_of(database) is None
    with closing(sqlite3.connect(database)) as conn:
        for number in (LOADING, PAUSED, GOING):
            assert batches.counts(conn, number) == batches.recount(conn, number)
        assert conservation.recount(conn).breaches() == ()


@pytest.mark.parametrize("knows", [True, False])
async def test_what_is_restored_neither_imports_nor_sends(database: Path, knows: bool) -> None:
    if not knows:
        database.unlink()
    restore(database, database.parents[1] / "backup", NOW, lambda _: None)
    check(database)
    assert rows(database, "SELECT ready, count(*) FROM messages WHERE ready IS NOT NULL GROUP BY ready") == [
        (3, 8 if knows else 9)
    ]
    with closing(sqlite3.connect(database)) as conn:
        found = [read(conn, number) for number in (CHECKING, LOADING, PAUSED, GOING)]
        states = {one.id: one.state(NOW).word for one in found if one}
        assert states == {CHECKING: "failed", LOADING: "sending", PAUSED: "paused", GOING: "sending"}
        assert not any(one.importing for one in open_ones(conn))
        assert break_off(conn, NOW) == 0
        loading = read(conn, LOADING)
        assert loading is not None
        assert loading.cause == "the data is restored from a backup: the rows behind 3 were not imported"
