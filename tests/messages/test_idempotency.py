"""The same key and body are one request, however often and however parallel."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.senders import ANNE, BERT, NUMBER, Post
from modembank.errors import InvalidRequest
from modembank.events import MessagesReady
from modembank.messages import IdempotencyKey, IdempotencyMismatch, MessageFilter, SubmitRequest, UnknownProvider
from modembank.messages.idempotency import FORGET_LIMIT, Answer, forget
from modembank.messages.requests import KEY_LIFETIME_MS
from modembank.messages.views import Note
from modembank.store import StoreFull


def key(name: str = "k", body: bytes = b"one") -> IdempotencyKey:
    return IdempotencyKey.of(name, body)


async def test_story_04_a_repeated_request_gets_the_first_answer_and_sends_nothing(post):
    first = await post.submit(to=NUMBER, reference="order-7", key=key())
    again = await post.submit(to=NUMBER, reference="order-7", key=key())
    assert again.messages == first.messages
    assert (first.replayed, again.replayed) == (False, True)
    assert await post.states() == {"queued": 1}
    assert len(post.told(MessagesReady)) == 1
    found = await post.messages.list(ANNE, MessageFilter(reference="order-7"))
    assert [view.id for view in found.items] == [first.messages[0].id]


async def test_a_batch_is_answered_whole(post):
    to = [*(f"+4479{n:08d}" for n in range(600)), "07900000001"]
    first = await post.submit(to=to, key=key())
    again = await post.submit(to=to, key=key())
    assert (again.messages, again.batch, again.notes) == (first.messages, first.batch, first.notes)
    assert len(first.notes) == 1
    assert await post.rows() == 600


async def test_another_body_is_refused_and_accepts_nothing(post):
    await post.submit(key=key())
    with pytest.raises(IdempotencyMismatch) as refused:
        await post.submit(key=key(body=b"two"))
    assert refused.value.fields == {"idempotency_key": "k"}
    assert await post.rows() == 1


async def test_in_one_write_the_first_of_a_key_counts(post):
    keys = [key("a"), key("a"), key("a", b"two"), key("b"), None]
    results = await asyncio.gather(*(post.submit(key=each) for each in keys), return_exceptions=True)
    assert isinstance(results[2], IdempotencyMismatch)
    assert [results[n].replayed for n in (0, 1, 3, 4)] == [False, True, False, False]
    assert results[1].messages == results[0].messages
    assert await post.states() == {"queued": 3}
    assert [len(event.entries) for event in post.told(MessagesReady)] == [3]


async def test_keys_belong_to_their_user(post):
    await post.submit(ANNE, key=key())
    other = await post.submit(BERT, key=key(body=b"two"))
    assert not other.replayed
    assert await post.rows() == 2


async def test_parallel_equal_requests_accept_once(post):
    receipts = await asyncio.gather(*(post.submit(to=NUMBER, key=key()) for _ in range(30)))
    assert len({receipt.messages[0].id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert await post.states() == {"queued": 1}
    assert len(post.told(MessagesReady)) == 1


async def test_parallel_requests_with_one_key_and_two_bodies(post):
    asked = [post.submit(to=NUMBER, key=key(body=bytes([n % 2]))) for n in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, IdempotencyMismatch)]
    assert len(refused) == 10
    assert await post.rows() == 1


async def test_a_refused_request_does_not_use_up_its_key(post):
    with pytest.raises(InvalidRequest):
        await post.submit(text="", key=key())
    assert not (await post.submit(key=key(body=b"better"))).replayed


async def test_a_dry_run_does_not_use_up_its_key(post):
    await post.submit(dry_run=True, key=key())
    assert not (await post.submit(key=key(body=b"real"))).replayed


async def test_accepted_before_it_is_answered_even_if_it_would_be_refused_now(post):
    first = await post.submit(sim="slot-1", key=key())
    post.directory.sims = ()
    with pytest.raises(UnknownProvider):
        await post.submit(sim="slot-1", key=key("new"))
    again = await post.submit(sim="slot-1", key=key())
    assert again.messages == first.messages
    with pytest.raises(UnknownProvider):  # what is wrong with the new one comes first
        await post.submit(sim="slot-1", key=key(body=b"two"))


async def test_accepted_before_it_is_answered_when_the_disk_is_full(post, monkeypatch):
    first = await post.submit(key=key())
    monkeypatch.setattr(post.box.store._room, "free_octets", lambda: 0)
    assert (await post.submit(key=key())).messages == first.messages
    with pytest.raises(StoreFull):
        await post.submit(key=key("new"))
    monkeypatch.undo()


async def test_a_key_lives_48_hours_and_survives_a_restart(post):
    first = await post.submit(key=key())
    await post.close()
    now = post.box.clock.now_ms
    await post.open()
    post.box.clock.now_ms = now + KEY_LIFETIME_MS - 1
    assert (await post.submit(key=key())).messages == first.messages
    post.box.clock.turn(1)
    assert not (await post.submit(key=key(body=b"two"))).replayed
    assert (await post.submit(key=key(body=b"two"))).replayed


async def test_old_keys_are_forgotten_in_bounded_writes(post):
    for n in range(3):
        await post.submit(key=key(f"old-{n}"))
    old = post.box.clock.now_ms - KEY_LIFETIME_MS
    await post.box.store.write(
        lambda conn: conn.executemany(
            "INSERT INTO idempotency_keys VALUES (1, ?, x'00', 202, '[]', ?)",
            [(f"many-{n}", old) for n in range(2 * FORGET_LIMIT + 7)],
        )
    )
    assert await post.box.store.write(lambda conn: forget(conn, post.box.clock.now_ms)) == FORGET_LIMIT
    assert await post.messages.forget_old_keys() == FORGET_LIMIT + 7
    assert (await post.submit(key=key("old-0"))).replayed
    post.box.clock.turn(KEY_LIFETIME_MS)
    assert await post.messages.forget_old_keys() == 3
    assert await post.messages.forget_old_keys() == 0


async def test_forgetting_walks_an_index(post):
    plan = await post.box.store.fetch_all(
        "EXPLAIN QUERY PLAN SELECT user_id, key FROM idempotency_keys WHERE created_at <= 5 LIMIT 3"
    )
    assert "idempotency_keys_age" in plan[0][3]


@pytest.mark.parametrize("bad", ["", "x" * 256, "tab\there", "ä", "line\n"])
def test_unusable_keys_are_refused(bad):
    with pytest.raises(InvalidRequest) as refused:
        IdempotencyKey.of(bad, b"")
    assert refused.value.problems[0].pointer == "/Idempotency-Key"


def test_a_dry_answer_has_no_ids():
    receipt = Answer(0, ("1234",), "queued", 1, "gsm7", None, (Note("/to/1", "twice"),)).receipt(dry_run=True)
    assert receipt.messages[0].id == ""
    assert receipt.dry_run


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(st.sampled_from([ANNE, BERT]), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12)
)
def test_any_parallel_mix_accepts_each_key_once(tmp_path_factory, asked):
    """The first body of a user's key wins; every repetition of it gets the same answer, all others are refused."""

    async def run() -> None:
        post = await Post(tmp_path_factory.mktemp("mix") / "box.db").open()
        tasks = [
            post.messages.submit(actor, SubmitRequest(to=NUMBER, text=body), key(name, body.encode()))
            for actor, name, body in asked
        ]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        first: dict[tuple[int, str], tuple[str, str]] = {}
        for (actor, name, body), answer in zip(asked, answers, strict=True):
            won = first.get((actor.user_id, name))
            if won is None:
                first[actor.user_id, name] = body, answer.messages[0].id
                assert not answer.replayed
            elif won[0] == body:
                assert answer.replayed
                assert answer.messages[0].id == won[1]
            else:
                assert isinstance(answer, IdempotencyMismatch)
        assert await post.rows() == len(first)
        await post.states()
        await post.close()

    asyncio.run(run())
