"""The audit log: appended in one transaction with the change, and no change to it goes unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.guards import ADDRESS, GOOD, HandClock, guarded
from modembank.accounts import LOCAL_ADMIN, Accounts, Role
from modembank.audit import Audit, Wanted, head, record, rows
from modembank.audit.log import FIRST
from modembank.audit.rows import STEP, step
from modembank.errors import Conflict, Forbidden, InvalidRequest
from modembank.ids import public_id
from modembank.store import Store
from modembank.store.schema import known_migrations


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with guarded(tmp_path / "box.db", HandClock()) as accounts:
        yield accounts


@pytest.fixture
def audit(accounts: Accounts) -> Audit:
    return Audit(accounts._store, accounts._clock)


async def fill(audit: Audit, count: int) -> None:
    def append(conn: sqlite3.Connection) -> None:
        for n in range(count):
            record(conn, LOCAL_ADMIN, "test.done", f"thing {n}", 1_795_000_000_000 + n, {"n": n, "é": None})

    await audit._store.write(append)


async def spoil(audit: Audit, sql: str) -> None:
    await audit._store.write(lambda conn: conn.execute(sql).rowcount)


async def test_s16_an_entry_tells_who_from_where_what_and_to_what(accounts: Accounts, audit: Audit) -> None:
    _, _, ann = await accounts.sessions.begin("ann", GOOD, source=ADDRESS)
    await accounts.add_key(ann, "ann", label="till")
    entry = (await audit.list(LOCAL_ADMIN)).items[0]
    assert (entry.actor, entry.source, entry.action, entry.detail["label"]) == ("ann", ADDRESS, "key.add", "till")
    assert entry.clock_ok
    verdict = await audit.verify(LOCAL_ADMIN)
    assert (verdict.ok, verdict.first_bad, verdict.head) == (True, None, entry.hash)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve'", "user_id = 9", "source = ''", "action = 'key.add'", "subject = 'x'", "detail = '{}'",
        "at = at + 1", "hash = zeroblob(32)", "detail = 'not JSON'",
    ],
)  # fmt: skip
async def test_s16_a_changed_entry_is_named(audit: Audit, change: str) -> None:
    await fill(audit, 20)
    await spoil(audit, f"UPDATE audit SET {change} WHERE id = 11")
    verdict = await audit.verify(LOCAL_ADMIN)
    assert (verdict.ok, verdict.first_bad, verdict.checked) == (False, public_id("aud", 11), 10)
    assert (await audit.list(LOCAL_ADMIN)).items  # it can still be read


async def test_s16_an_entry_that_was_slipped_in_before_the_first_is_noticed(audit: Audit) -> None:
    await fill(audit, 3)
    await spoil(
        audit,
        "INSERT INTO audit SELECT -5, at, actor, user_id, source, 'user.forged', subject, detail, hash FROM audit"
        " WHERE id = 1",
    )
    verdict = await audit.verify(LOCAL_ADMIN)
    assert (verdict.ok, verdict.first_bad) == (False, public_id("aud", 0))


@pytest.mark.parametrize("note", ["'not a hash'", "'é'", "x'00ff'", "'00'"])
async def test_s16_a_spoilt_note_of_the_last_hash_is_noticed_and_keeps_nobody_from_working(
    audit: Audit, note: str
) -> None:
    await fill(audit, 3)
    await spoil(audit, f"UPDATE box SET value = {note} WHERE name = 'audit_head'")
    (last, *_) = (await audit.list(LOCAL_ADMIN)).items
    verdict = await audit.verify(LOCAL_ADMIN)
    assert (verdict.ok, verdict.first_bad) == (False, last.id)
    (verified, *_) = (await audit.list(LOCAL_ADMIN)).items
    assert (await audit.verify(LOCAL_ADMIN)).first_bad == verified.id


@pytest.mark.parametrize(("gone", "named"), [("id = 11", 12), ("id <= 3", 4), ("id > 15", 15), ("id > 0", 0)])
async def test_s16_a_deleted_entry_is_noticed_at_its_gap_also_at_the_end(audit: Audit, gone: str, named: int) -> None:
    await fill(audit, 20)
    await spoil(audit, f"DELETE FROM audit WHERE {gone}")
    verdict = await audit.verify(LOCAL_ADMIN)
    assert (verdict.ok, verdict.first_bad) == (False, public_id("aud", named))
    # That it was verified is an entry of its own, which does not heal the gap.
    again = await audit.verify(LOCAL_ADMIN)
    assert not again.ok


async def test_s16_two_entries_that_change_places_are_noticed(audit: Audit) -> None:
    await fill(audit, 20)
    await spoil(audit, "UPDATE audit SET id = 1000 WHERE id = 11")
    await spoil(audit, "UPDATE audit SET id = 11 WHERE id = 12")
    await spoil(audit, "UPDATE audit SET id = 12 WHERE id = 1000")
    assert (await audit.verify(LOCAL_ADMIN)).first_bad == public_id("aud", 11)


async def test_s16_a_long_log_is_walked_in_bounded_steps(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(audit, 3 * STEP)
    reads, real = 0, audit._store.read

    async def counted(fn: object) -> object:
        nonlocal reads
        reads += 1
        return await real(fn)  # type: ignore[arg-type]

    monkeypatch.setattr(audit._store, "read", counted)
    verdict = await audit.verify(LOCAL_ADMIN)
    assert verdict.ok
    assert (verdict.checked, reads) == (3 * STEP + 2, 4)  # with the two users of the box
    await spoil(audit, f"UPDATE audit SET subject = 'x' WHERE id = {2 * STEP}")
    assert (await audit.verify(LOCAL_ADMIN)).first_bad == public_id("aud", 2 * STEP)


async def test_s16_what_is_undone_leaves_no_entry_and_no_gap(accounts: Accounts, audit: Audit) -> None:
    before = (await audit.list(LOCAL_ADMIN)).items
    with pytest.raises(Conflict):
        await accounts.set_user_active(LOCAL_ADMIN, "ada", active=False)
    with pytest.raises(Conflict):
        await accounts.add_user(LOCAL_ADMIN, "ann", Role.ADMIN)
    assert (await audit.list(LOCAL_ADMIN)).items == before
    assert (await audit.verify(LOCAL_ADMIN)).ok


async def test_s16_pages_and_filters_find_each_entry_once(audit: Audit) -> None:
    await fill(audit, 25)
    found, cursor = [], None
    while True:
        page = await audit.list(LOCAL_ADMIN, Wanted(action="test"), cursor=cursor, limit=7)
        found += [entry.detail["n"] for entry in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == list(range(24, -1, -1))
    since = await audit.list(LOCAL_ADMIN, Wanted(actor="LOCAL", action="test.done", since=1_795_000_000_020))
    assert [entry.detail["n"] for entry in since.items] == [24, 23, 22, 21, 20]
    assert (await audit.list(LOCAL_ADMIN, Wanted(actor="eve"))).items == ()
    with pytest.raises(InvalidRequest):
        await audit.list(LOCAL_ADMIN, cursor="x")


async def test_a_page_looks_at_a_bounded_number_of_entries(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(audit, 25)
    monkeypatch.setattr(rows, "WALK_LIMIT", 10)
    pages, cursor = [], None
    wanted = Wanted(action="test", since=1_795_000_000_000)
    for which in (wanted, Wanted(action="rare")):
        while True:
            page = await audit.list(LOCAL_ADMIN, which, cursor=cursor, limit=7)
            pages.append([entry.detail["n"] for entry in page.items])
            cursor = page.cursor
            if cursor is None:
                break
    assert [n for page in pages for n in page] == list(range(24, -1, -1))
    assert pages[-3:] == [[], [], []], "with the two users of the box there are 27 entries"


async def test_s16_a_clock_that_cannot_be_right_is_flagged(audit: Audit) -> None:
    await fill(audit, 1)
    for at in (5, 1_795_000_000_500, 1_795_000_000_400):
        await audit._store.write(lambda conn, at=at: record(conn, LOCAL_ADMIN, "test.done", "x", at))  # type: ignore[misc]
    page = await audit.list(LOCAL_ADMIN, Wanted(action="test"))
    assert [entry.clock_ok for entry in page.items] == [False, True, False, True]


async def test_s16_only_an_admin_reads_and_verifies(accounts: Accounts, audit: Audit) -> None:
    _, _, ann = await accounts.sessions.begin("ann", GOOD, source=ADDRESS)
    with pytest.raises(Forbidden):
        await audit.list(ann)
    with pytest.raises(Forbidden):
        await audit.verify(ann)


async def test_s16_the_chain_goes_on_across_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        store = await Store.open(tmp_path / "other.db")
        audit = Audit(store, HandClock())
        await audit.note(LOCAL_ADMIN, "test.done", "x")
        assert (await audit.verify(LOCAL_ADMIN)).ok
        await store.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers(-9, 9))), max_size=6),
    st.data(),
)
def test_s16_any_entries_make_a_chain_and_any_loss_breaks_it(
    entries: list[tuple[str, dict[str, int]]], drawn: st.DataObject
) -> None:
    conn = sqlite3.connect(":memory:")
    for migration in known_migrations():
        for statement in migration.statements:
            conn.execute(statement)
    for subject, detail in entries:
        record(conn, LOCAL_ADMIN, "test.done", subject.encode("utf-8", "replace").decode(), 1, {
            name.encode("utf-8", "replace").decode(): value for name, value in detail.items()
        })  # fmt: skip
    whole = step(conn, 0, FIRST)
    assert (whole.bad, whole.last_hash, whole.looked_at) == (None, head(conn), len(entries))
    if entries:
        conn.execute("DELETE FROM audit WHERE id = ?", (drawn.draw(st.integers(1, len(entries))),))
        broken = step(conn, 0, FIRST)
        assert broken.bad is not None or broken.last_hash != broken.head
    conn.close()
