"""Issues: raised and cleared once, written when something changed, and never forgotten by a restart."""

import sqlite3

import pytest

from fakes.healths import checking, found
from modembank.clock import rfc3339
from modembank.events import IssueRaised
from modembank.health import rows
from modembank.health.book import MOST_FINDINGS, MOST_RUNS, RETRY_S, REWRITE_S, Book
from modembank.health.model import Severity
from modembank.health.views import RemedyRun
from modembank.store import StoreFull

DAY_MS = 86_400_000


async def apply(ward, *findings, book=None, settle_s=0.0, kind="made_up"):
    return await (book or ward.book).apply(kind, findings, settle_s)


async def test_what_is_found_is_raised_once_and_durable_before_it_is_told(ward):
    durable = []

    def look(event):
        with sqlite3.connect(ward.post.path) as database:
            durable.append(database.execute("SELECT id, summary FROM issues").fetchall())

    ward.bus.subscribe(IssueRaised, look)
    for _ in range(3):
        await apply(ward, found("slot-1", port="/dev/x"))
        ward.clock.turn(60_000)
    [issue] = ward.book.open()
    assert (issue.kind, issue.subject, issue.summary) == ("made_up", "slot-1", "It is so.")
    assert issue.evidence == {"port": "/dev/x"}
    assert ward.told() == [("raised", "made_up", "slot-1")]
    assert durable == [[(issue.id, "It is so.")]]
    event = ward.events[0]
    assert (event.issue, event.severity, event.summary, event.at) == (issue.id, "warning", "It is so.", issue.raised_at)


async def test_what_is_gone_is_cleared_and_found_again_it_is_another_issue(ward):
    await apply(ward, found("slot-1"), found("slot-2"))
    await apply(ward, found("slot-2"))
    await apply(ward, found("slot-1"), found("slot-2"))
    assert ward.told() == [
        ("raised", "made_up", "slot-1"),
        ("raised", "made_up", "slot-2"),
        ("cleared", "made_up", "slot-1"),
        ("raised", "made_up", "slot-1"),
    ]
    assert [row[1:3] for row in await ward.rows()] == [
        ("slot-1", "warning"),
        ("slot-2", "warning"),
        ("slot-1", "warning"),
    ]
    assert [row[3] is not None for row in await ward.rows()] == [True, False, False]
    assert len({issue.id for issue in ward.book.open()}) == 2


async def test_one_kind_does_not_clear_another(ward):
    await apply(ward, found("slot-1"), kind="one")
    await apply(ward, kind="other")
    assert [issue.kind for issue in ward.book.open()] == ["one"]


async def test_nothing_is_written_while_nothing_changes(ward):
    await apply(ward, found("slot-1", rungs=["reopen"], pair=(1, 2)))
    before = ward.store.health.last_commit_at
    for _ in range(10):
        ward.clock.turn(3_600_000)
        await apply(ward, found("slot-1", rungs=["reopen"], pair=(1, 2)))  # a tuple is a list in JSON
    assert ward.store.health.last_commit_at == before


async def test_evidence_that_goes_on_changing_is_shown_at_once_and_written_seldom(ward):
    await apply(ward, found("slot-1", count=0))
    for count in range(1, 30):
        ward.clock.turn(60_000)
        await apply(ward, found("slot-1", summary=f"{count} of them.", count=count))
        assert ward.book.open()[0].evidence == {"count": count}
        assert ward.book.open()[0].changed_at == ward.clock.now_ms
        [(written,)] = await ward.store.fetch_all("SELECT evidence ->> 'count' FROM issues")
        assert count - written <= REWRITE_S / 60
    assert len(ward.events) == 1


async def test_a_change_of_severity_is_written_at_once(ward):
    await apply(ward, found("slot-1"))
    await apply(ward, found("slot-1", severity=Severity.CRITICAL, summary="Worse."))
    assert await ward.rows("severity, summary") == [("critical", "Worse.")]
    assert ward.book.open()[0].raised_at <= ward.book.open()[0].changed_at


async def test_the_last_evidence_is_kept_when_it_is_cleared(ward):
    await apply(ward, found("slot-1", count=1))
    await apply(ward, found("slot-1", count=2))
    await apply(ward)
    assert await ward.rows("evidence ->> 'count'") == [(2,)]


async def test_what_comes_and_goes_is_one_issue(ward):
    for _ in range(5):
        await apply(ward, found("slot-1"), settle_s=120)
        ward.clock.turn(60_000)
        again_s = await apply(ward, settle_s=120)
        assert again_s == pytest.approx(120)
        ward.clock.turn(30_000)
        assert await apply(ward, settle_s=120) == pytest.approx(90)
    ward.clock.turn(90_000)
    assert await apply(ward, settle_s=120) is None
    assert ward.told() == [("raised", "made_up", "slot-1"), ("cleared", "made_up", "slot-1")]


async def test_a_person_who_did_something_need_not_wait(ward):
    await apply(ward, found("slot-1"), settle_s=120)
    await apply(ward)
    assert ward.book.open() == []


async def test_a_restart_forgets_nothing(ward):
    await apply(ward, found("slot-1", rungs=["reopen"]))
    run = RemedyRun(rfc3339(ward.clock.now_ms), "ada", "reset_modem", "asked")
    await ward.book.note_remedy(ward.book.open()[0], run)
    before = ward.book.open()
    ward.clock.turn(DAY_MS)
    again = Book(ward.store, ward.bus, ward.clock)
    await again.load(["made_up"])
    assert again.open() == before
    assert again.open()[0].remedied == (run,)
    await apply(ward, found("slot-1", rungs=["reopen"]), found("slot-2"), book=again)
    assert again.open()[1] == before[0]
    assert again.open()[0].id > before[0].id
    assert ward.told() == [("raised", "made_up", "slot-1"), ("raised", "made_up", "slot-2")]


async def test_issues_of_a_kind_that_nobody_looks_for_any_more_are_cleared_at_start(ward):
    await apply(ward, found("slot-1"), kind="abolished")
    await apply(ward, found("slot-1"), kind="kept")
    again = Book(ward.store, ward.bus, ward.clock)
    await again.load(["kept"])
    assert [issue.kind for issue in again.open()] == ["kept"]
    assert ward.told()[-1] == ("cleared", "abolished", "slot-1")


async def test_a_store_that_takes_nothing_hides_no_issue_and_gets_its_rows_later(ward, monkeypatch):
    real, broken = ward.store.write, True

    async def write(fn, *args, **more):
        if broken:
            raise StoreFull(detail="no room")
        return await real(fn, *args, **more)

    monkeypatch.setattr(ward.store, "write", write)
    await apply(ward, found("", summary="The database has no room."), kind="store_failed")
    await apply(ward, found("slot-1"))
    await apply(ward)
    await apply(ward, found("slot-1", summary="Again."))
    assert [event[:2] for event in ward.told()] == [
        ("raised", "store_failed"),
        ("raised", "made_up"),
        ("cleared", "made_up"),
        ("raised", "made_up"),
    ]
    assert len(ward.book.open()) == 2
    assert await ward.rows() == []
    broken = False
    ward.clock.turn(round(RETRY_S * 1000))
    await apply(ward, found("slot-1", summary="Again."))
    assert [(row[0], row[3] is None) for row in await ward.rows()] == [
        ("store_failed", True),
        ("made_up", False),
        ("made_up", True),
    ]


async def test_a_check_that_finds_everything_wrong_is_bounded(ward):
    await apply(ward, *(found(f"slot-{number}") for number in range(MOST_FINDINGS + 50)))
    assert len(ward.book.open()) == MOST_FINDINGS


async def test_the_remedies_of_an_issue_are_bounded_and_kept_after_it_was_cleared(ward):
    await apply(ward, found("slot-1"))
    [issue] = ward.book.open()
    for number in range(MOST_RUNS + 3):
        await ward.book.note_remedy(issue, RemedyRun("t", "ada", "reset_modem", f"{number}"))
    assert [run.did for run in ward.book.open()[0].remedied] == [str(number) for number in range(3, MOST_RUNS + 3)]
    [latest] = ward.book.open()
    await apply(ward)
    await ward.book.note_remedy(latest, RemedyRun("t", "ada", "reset_modem", "too late"))
    assert ward.book.open() == []
    stored = await ward.store.read(lambda conn: rows.one(conn, issue.id))
    assert stored.remedied[-1].did == "too late"
    assert stored.cleared_at is not None


async def test_old_issues_are_forgotten_in_bounded_steps_and_open_ones_never(ward, monkeypatch):
    monkeypatch.setattr(rows, "FORGET_STEP", 10)
    await apply(ward, found("open for a year"))
    for number in range(25):
        await apply(ward, found("open for a year"), found(f"{number}"))
    await apply(ward, found("open for a year"))
    ward.clock.turn(rows.KEEP_MS - 1000)
    assert await ward.store.write(lambda conn: rows.forget(conn, ward.clock.now_ms)) == 0
    ward.clock.turn(2000)
    health = ward.health()
    assert await health.forget_old() == 25
    assert [row[1] for row in await ward.rows()] == ["open for a year"]


async def test_no_more_than_so_many_are_kept(ward, monkeypatch):
    monkeypatch.setattr(rows, "MOST_KEPT", 5)
    for number in range(9):
        await apply(ward, found(f"{number}"))
        ward.clock.turn(1000)
    await apply(ward)
    assert await ward.health().forget_old() == 4
    assert [row[1] for row in await ward.rows()] == ["4", "5", "6", "7", "8"]


async def test_a_check_may_change_what_it_finds(ward):
    findings = [found("slot-1")]
    check = checking(findings)
    await ward.look(check)
    findings[:] = [found("slot-2")]
    await ward.look(check)
    assert ward.told() == [
        ("raised", "made_up", "slot-1"),
        ("raised", "made_up", "slot-2"),
        ("cleared", "made_up", "slot-1"),
    ]
