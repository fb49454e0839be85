"""Quotas where messages are accepted: decided and counted in the write that accepts, and in no other."""

import asyncio

import pytest

from fakes.senders import ADMIN, ANNE, BERT, NUMBER, Post
from modembank.accounts import QuotaExceeded
from modembank.errors import InvalidRequest
from modembank.messages import IdempotencyKey, OptedOut, SubmitRequest

NUMBERS = [f"+4479{n:08d}" for n in range(50)]


async def with_quota(post: Post, per_day: int = 0, per_month: int = 0, user_id: int = ANNE.user_id) -> None:
    await post.box.store.write(
        lambda conn: conn.execute(
            "INSERT OR REPLACE INTO users (id, name, role, created_at, quota_per_day, quota_per_month)"
            " VALUES (?, ?, 'sender', 0, ?, ?)",
            (user_id, f"user-{user_id}", per_day, per_month),
        )
    )


async def used(post: Post) -> dict[int, int]:
    rows = await post.box.store.fetch_all("SELECT user_id, sum(segments) FROM user_usage GROUP BY user_id")
    return dict(rows)


async def test_segments_of_every_recipient_are_counted_for_every_user(post):
    await post.submit(ANNE, to=NUMBERS[:3], text="a" * 161)
    await post.submit(BERT)
    await post.submit(ADMIN, to=[NUMBER, NUMBER, "12345"])
    assert await used(post) == {ANNE.user_id: 6, BERT.user_id: 1, ADMIN.user_id: 2}


async def test_a_request_that_does_not_fit_is_refused_as_a_whole(post):
    await with_quota(post, per_day=5)
    await post.submit(to=NUMBERS[:3])
    post.box.events.clear()
    for partial in (False, True):
        with pytest.raises(QuotaExceeded) as refused:
            await post.submit(to=NUMBERS[:3], partial=partial)
        assert (refused.value.fields["used"], refused.value.fields["asked"]) == (3, 3)
    assert await post.rows() == 3
    assert post.box.events == []
    assert await used(post) == {ANNE.user_id: 3}
    await post.submit(to=NUMBERS[:2])
    await post.submit(BERT)
    assert await post.states() == {"queued": 6}


async def test_what_comes_together_is_counted_one_after_the_other(post):
    await with_quota(post, per_day=10)
    asked = [post.submit(ANNE if n % 2 else BERT, to=NUMBERS[: 1 + n % 4]) for n in range(30)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    accepted = [each for each in answers[1::2] if not isinstance(each, BaseException)]
    refused = [each for each in answers[1::2] if isinstance(each, BaseException)]
    assert all(isinstance(each, QuotaExceeded) for each in refused)
    assert not any(isinstance(each, BaseException) for each in answers[::2])
    total = sum(len(receipt.messages) for receipt in accepted)
    assert total == 10 == (await used(post))[ANNE.user_id]
    assert (await post.messages.recount()).holds


async def test_a_dry_run_tells_whether_it_would_fit_and_counts_nothing(post):
    await with_quota(post, per_day=2)
    await post.submit(to=NUMBERS[:2], dry_run=True)
    with pytest.raises(QuotaExceeded):
        await post.submit(to=NUMBERS[:3], dry_run=True)
    assert await used(post) == {}


async def test_a_repeated_request_spends_once_and_is_answered_when_all_is_spent(post):
    await with_quota(post, per_day=1)
    key = IdempotencyKey.of("k", b"one")
    first = await post.submit(to=NUMBER, key=key)
    again = await post.submit(to=NUMBER, key=key)
    assert again.replayed
    assert again.messages == first.messages
    other = IdempotencyKey.of("new", b"two")
    with pytest.raises(QuotaExceeded):
        await post.submit(to=NUMBER, key=other)
    await with_quota(post, per_day=2)
    assert not (await post.submit(to=NUMBER, key=other)).replayed, "a refusal does not use up a key"
    assert await used(post) == {ANNE.user_id: 2}


async def test_parallel_repetitions_spend_once(post):
    await with_quota(post, per_day=1)
    key = IdempotencyKey.of("k", b"one")
    answers = await asyncio.gather(*(post.submit(to=NUMBER, key=key) for _ in range(20)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert await used(post) == {ANNE.user_id: 1}


async def test_it_is_not_given_back(post):
    await with_quota(post, per_day=1)
    message = await post.one()
    await post.messages.cancel(ANNE, message)
    with pytest.raises(QuotaExceeded):
        await post.submit()


async def test_it_survives_a_restart_and_ends_with_the_day(post):
    await with_quota(post, per_day=1, per_month=2)
    await post.submit()
    await post.close()
    await post.open()
    with pytest.raises(QuotaExceeded):
        await post.submit()
    post.box.clock.turn(24 * 3_600_000)
    await post.submit()
    post.box.clock.turn(24 * 3_600_000)
    with pytest.raises(QuotaExceeded) as refused:
        await post.submit()
    assert refused.value.fields["window"] == "month"


async def test_what_is_refused_otherwise_spends_nothing(post):
    await with_quota(post, per_day=1)
    await opt_out(post, NUMBERS[1])
    with pytest.raises(InvalidRequest):
        await post.submit(text="")
    with pytest.raises(OptedOut):
        await post.submit(to=NUMBERS[1])
    assert len((await post.submit(to=[NUMBERS[1], NUMBERS[2]], partial=True)).messages) == 2
    assert await used(post) == {ANNE.user_id: 1}, "one recipient was left"


async def test_a_write_that_fails_spends_nothing(post, monkeypatch):
    from modembank.messages import accepting

    def broken(conn, rows):
        raise RuntimeError("no")

    monkeypatch.setattr(accepting, "insert_rows", broken)
    with pytest.raises(RuntimeError):
        await post.submit()
    monkeypatch.undo()
    assert await used(post) == {}
    await post.submit()
    assert await used(post) == {ANNE.user_id: 1}


async def opt_out(post: Post, *numbers: str, state: int = 1) -> None:
    await post.box.store.write(
        lambda conn: conn.executemany(
            "INSERT OR REPLACE INTO opt_outs (number, state, changed_at, source) VALUES (?, ?, 1700000000000, 'api')",
            [(number, state) for number in numbers],
        )
    )


async def test_a_quota_is_asked_only_of_who_has_one(post):
    await with_quota(post, per_day=1, user_id=BERT.user_id)
    await asyncio.gather(*(post.messages.submit(ANNE, SubmitRequest(to=to, text="x")) for to in NUMBERS))
    assert await used(post) == {ANNE.user_id: 50}
