"""Canaries: the first messages of a mailing go, the rest waits for a person or a rule."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict, InvalidRequest
from modembank.ids import row_id
from modembank.mailings import canaries, history, running
from modembank.mailings.canaries import Canary
from modembank.mailings.history import Sampler
from modembank.mailings.requests import MailingRequest, as_canary
from modembank.mailings.views import MailingView
from modembank.messages import MessageState, batches
from modembank.messages.model import Expire, Fail, RetryAt
from modembank.messages.outbox import decisions

PEOPLE = b"name,phone\n" + b"".join(b"N%d,+4479009%05d\n" % (at, at) for at in range(20))


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    monkeypatch.setattr(running, "LOOK_S", 0.0)
    box = await make_box(tmp_path)
    await box.mailings.start()
    yield box
    await box.mailings.stop()
    await box.store.close()


async def create(box: Box, **fields: Any) -> MailingView:
    upload = box.mailings.upload(LOCAL_ADMIN, "x.csv")
    await upload.write(PEOPLE)
    view, _ = await box.mailings.create(
        LOCAL_ADMIN, await upload.received(), MailingRequest(template="Hi {name}", **fields)
    )
    return await until(box, view.id, lambda view: view.progress.phase == "done")


async def until(box: Box, mailing: str, condition: Any) -> MailingView:
    """Look after each round of what runs in the background, until it is so and nothing is left half done."""
    async with asyncio.timeout(20):
        while True:
            box.mailings._running.wake()
            await box.store.flush()
            view = await box.mailings.get(LOCAL_ADMIN, mailing)
            walking = await box.store.fetch_one("SELECT 1 FROM mailings WHERE walk IS NOT NULL")
            if condition(view) and walking is None:
                return view


async def ready(box: Box) -> list[int | None]:
    return [row[0] for row in await box.store.fetch_all("SELECT ready FROM messages ORDER BY id")]


async def end(box: Box, first: int, decision: Any, count: int = 1) -> None:
    """Have some messages end, counted from the first of the file."""
    ids = [row[0] for row in await box.store.fetch_all("SELECT id FROM messages ORDER BY id")]
    for message in ids[first : first + count]:
        await box.store.write(lambda conn, m=message: decisions.decide(conn, m, decision, 1))


async def sound(box: Box, mailing: str) -> None:
    """The counters are those of a recount, and nothing is stranded."""
    number = row_id("mlg", mailing)
    assert number is not None
    counted, again = await box.store.read(lambda conn: (batches.counts(conn, number), batches.recount(conn, number)))
    assert {state: n for state, n in counted.items() if n} == again
    assert (await box.messages.recount()).breaches() == ()


async def test_the_first_messages_go_and_the_rest_waits_for_a_person(box: Box) -> None:
    view = await create(box, canary_share=15.0)
    assert view.status == "canary"
    assert view.canary is not None
    assert (view.canary.size, view.canary.continue_, view.canary.state) == (3, "by_hand", "sending")
    assert await ready(box) == [1] * 3 + [4] * 17
    with pytest.raises(Conflict, match="it is canary: continue lets the rest go"):
        await box.mailings.resume(LOCAL_ADMIN, view.id)
    await end(box, 0, RetryAt(10, "quiet_hours: x"))  # one that is put off is not taken for one of the rest
    assert await ready(box) == [2, 1, 1] + [4] * 17
    await end(box, 0, Fail("x: y"), 3)
    view = await until(box, view.id, lambda view: view.canary.state == "left")
    assert view.canary is not None
    assert view.canary.messages["failed"] == 3
    assert await ready(box) == [None] * 3 + [4] * 17
    view = await box.mailings.proceed(LOCAL_ADMIN, view.id)
    assert view.status == "sending"
    view = await until(box, view.id, lambda view: view.canary.state == "continued")
    assert await ready(box) == [None] * 3 + [1] * 17
    with pytest.raises(Conflict, match="only one whose canary goes"):
        await box.mailings.proceed(LOCAL_ADMIN, view.id)
    told = [row[0] for row in await box.store.fetch_all("SELECT kind FROM event_log WHERE kind LIKE 'mailing.%'")]
    assert set(told) == {"mailing.started", "mailing.imported", "mailing.canary_left", "mailing.continued"}
    assert len(told) == 4
    await sound(box, view.id)


async def test_the_rest_stays_valid_while_it_waits_and_its_validity_counts_from_its_going_on(box: Box) -> None:
    view = await create(box, canary_count=2, valid_for_s=60)
    query = "SELECT max(expires_at) - min(created_at) FROM messages WHERE ready = ?"
    assert await box.store.fetch_one(query, (1,)) == (pytest.approx(60_000, abs=10_000),)
    assert await box.store.fetch_one(query, (4,)) == (pytest.approx(366 * 86_400_000, rel=0.01),)
    await box.mailings.proceed(LOCAL_ADMIN, view.id)
    await until(box, view.id, lambda view: view.status == "sending")
    assert await box.store.fetch_one(query, (1,)) == (pytest.approx(60_000, abs=20_000),)


@pytest.mark.parametrize(("failed", "continues"), [(1, True), (2, False)])
async def test_a_rule_lets_the_rest_go_unless_too_much_failed(
    box: Box, monkeypatch: pytest.MonkeyPatch, failed: int, continues: bool
) -> None:
    view = await create(box, canary_count=10, canary_minutes=30, canary_max_failed=10.0)
    await end(box, 0, Fail("x: y"), failed)
    await box.store.write(lambda conn: _sent(conn, 10 - failed))
    view = await until(box, view.id, lambda view: view.canary.state == "settling")
    assert view.canary is not None
    assert view.canary.continues_at is not None
    monkeypatch.setattr(running, "to_ms", lambda moment: round(moment * 1000) + 30 * 60_000)
    view = await until(box, view.id, lambda view: view.canary.state in {"continued", "stopped"})
    assert view.canary is not None
    if continues:
        assert view.status == "sending"
        assert (await ready(box))[10:] == [1] * 10
    else:
        assert view.status == "canary"
        assert view.canary.stopped == "2 of 10 failed or may have, and 10 % may: continue lets the rest go"
        assert (await ready(box))[10:] == [4] * 10
        view = await box.mailings.proceed(LOCAL_ADMIN, view.id)
        await until(box, view.id, lambda view: view.status == "sending")
        assert (await ready(box))[10:] == [1] * 10


def _sent(conn: Any, count: int) -> None:
    found = conn.execute("SELECT id, batch_id FROM messages WHERE ready = 1 ORDER BY id LIMIT ?", (count,)).fetchall()
    for message, batch in found:
        conn.execute("UPDATE messages SET state = 50, ready = NULL WHERE id = ?", (message,))
        batches.add_batch_counts(conn, batches.Counter({(batch, 30): -1, (batch, 50): 1}))
        batches.add_counts(conn, batches.Counter({30: -1, 50: 1}))


async def test_a_canary_that_is_held_paused_and_resumed_stays_one(box: Box) -> None:
    view = await create(box, canary_count=3, hold=True)
    assert await ready(box) == [4] * 20
    await box.mailings.start_sending(LOCAL_ADMIN, view.id)
    await until(box, view.id, lambda view: view.status == "canary")
    assert await ready(box) == [1] * 3 + [4] * 17
    await box.mailings.pause(LOCAL_ADMIN, view.id)
    await until(box, view.id, lambda view: view.status == "paused")
    assert await ready(box) == [4] * 20
    with pytest.raises(Conflict, match="it is paused: only one whose canary goes"):
        await box.mailings.proceed(LOCAL_ADMIN, view.id)
    await box.mailings.resume(LOCAL_ADMIN, view.id)
    await until(box, view.id, lambda view: view.status == "canary")
    assert await ready(box) == [1] * 3 + [4] * 17
    await box.mailings.cancel(LOCAL_ADMIN, view.id)
    view = await until(box, view.id, lambda view: view.finished_at is not None)
    assert view.messages["cancelled"] == 20
    await sound(box, view.id)


async def test_what_fails_of_a_canary_that_was_all_is_sent_again_at_once(box: Box) -> None:
    view = await create(box, canary_count=500)
    assert await ready(box) == [1] * 20
    await end(box, 0, Expire(), 20)
    await until(box, view.id, lambda view: view.status == "finished")
    assert await box.store.fetch_one("SELECT count(*) FROM paused_batches") == (0,)
    view = await box.mailings.retry_failed(LOCAL_ADMIN, view.id)
    assert (view.status, view.messages["queued"]) == ("sending", 20)
    assert (await ready(box))[20:] == [1] * 20


async def test_a_mailing_that_ended_while_it_was_paused_is_sent_again_at_once(box: Box) -> None:
    view = await create(box)
    await box.mailings.pause(LOCAL_ADMIN, view.id)
    await until(box, view.id, lambda view: view.status == "paused")
    await end(box, 0, Expire(), 20)
    await until(box, view.id, lambda view: view.status == "finished")
    assert (await box.mailings.retry_failed(LOCAL_ADMIN, view.id)).status == "sending"
    assert (await ready(box))[20:] == [1] * 20


async def test_the_history_begins_ends_and_has_the_present(box: Box) -> None:
    view = await create(box)
    await end(box, 0, Fail("x: y"), 20)
    await until(box, view.id, lambda view: view.status == "finished")
    moments = await box.mailings.history(LOCAL_ADMIN, view.id)
    assert len(moments) >= 2
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert moments[-1].messages["failed"] == moments[-2].messages["failed"] == 20


@given(st.lists(st.integers(1, 100_000_000), min_size=1, max_size=400))
def test_moments_lie_the_further_apart_the_longer_it_takes(steps: list[int]) -> None:
    sampler, now, noted, n = Sampler(), 0, [], 0
    for step in steps:
        now, n = now + step, n + 1
        if sampler.due(1, 0, {MessageState.SENT: n}, now):
            noted.append(now)
    assert noted[0] == steps[0]
    for before, after in itertools.pairwise(noted):
        assert after - before >= max(history.LEAST_MS, after // history.PARTS)
    assert not sampler.due(1, 0, {MessageState.SENT: n}, now)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"canary_share": 0.0}, "/canary_share"),
        ({"canary_share": 50.5}, "/canary_share"),
        ({"canary_share": float("nan")}, "/canary_share"),
        ({"canary_count": 0}, "/canary_count"),
        ({"canary_count": canaries.MOST + 1}, "/canary_count"),
        ({"canary_count": 1, "canary_share": 1.0}, "/canary_count"),
        ({"canary_minutes": 5}, "/canary_minutes"),
        ({"canary_count": 1, "canary_minutes": 0}, "/canary_minutes"),
        ({"canary_count": 1, "canary_max_failed": 5.0}, "/canary_max_failed"),
        ({"canary_count": 1, "canary_minutes": 5, "canary_max_failed": 101.0}, "/canary_max_failed"),
    ],
)
def test_what_no_canary_can_be(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        as_canary(MailingRequest(template="x", **fields))
    assert [problem.pointer for problem in raised.value.problems] == [pointer]


@given(share=st.floats(0.001, 50), accepted=st.integers(1, 1_000_000))
def test_a_share_is_at_least_one_and_bounded(share: float, accepted: int) -> None:
    size = Canary(share=share).sized(accepted).size
    assert 1 <= size <= min(accepted, canaries.MOST)
    assert size >= min(accepted * share / 100, canaries.MOST) - 1e-6
