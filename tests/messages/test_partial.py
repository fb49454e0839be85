"""Recipients that can get no message: all or nothing unless an answer in parts is asked for; opt-outs are in force."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.senders import ANNE, NUMBER, Post
from modembank.errors import InvalidRequest
from modembank.messages import IdempotencyKey, MessageFilter, OptedOut

OUT = "+447900000666"
SINCE = 1_700_000_000_000


async def opt_out(post: Post, *numbers: str, state: int = 1) -> None:
    await post.box.store.write(
        lambda conn: conn.executemany(
            "INSERT OR REPLACE INTO opt_outs (number, state, changed_at, source) VALUES (?, ?, ?, 'api')",
            [(number, state, SINCE) for number in numbers],
        )
    )


def verdicts(receipt):
    return [(each.to, each.status, each.reason) for each in receipt.messages]


async def test_who_has_opted_out_gets_no_message(post):
    await opt_out(post, OUT)
    with pytest.raises(OptedOut) as refused:
        await post.submit(to="07900 000666")
    [problem] = refused.value.problems
    assert problem.pointer == "/to"
    assert problem.detail == "has opted out of messages from this box since 2023-11-14T22:13:20.000Z"
    with pytest.raises(OptedOut) as refused:
        await post.submit(to=[NUMBER, OUT, "12345", OUT])
    assert [problem.pointer for problem in refused.value.problems] == ["/to/1"]
    assert await post.rows() == 0
    await opt_out(post, OUT, state=0)
    await post.one(to=OUT)


async def test_an_opt_out_that_is_committed_is_in_force_for_the_next_request(post):
    asked = []
    for n in range(20):
        asked.append(asyncio.ensure_future(post.submit(to=[OUT, f"+4479{n:08d}"])))
        if n == 9:
            await opt_out(post, OUT)
            committed = n
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, OptedOut) for answer in answers[committed + 1 :])


async def test_a_dry_run_tells_of_opt_outs(post):
    await opt_out(post, OUT)
    with pytest.raises(OptedOut):
        await post.submit(to=OUT, dry_run=True)
    receipt = await post.submit(to=[OUT, NUMBER], dry_run=True, partial=True)
    assert verdicts(receipt) == [(OUT, "refused", "opted_out"), (NUMBER, "queued", "")]
    assert await post.rows() == 0


async def test_in_parts_the_good_ones_are_stored_and_each_has_its_verdict(post):
    await opt_out(post, OUT)
    asked = ["nonsense", NUMBER, OUT, "07911 123 456", "12345", "+1", "x" * 200]
    receipt = await post.submit(to=asked, partial=True)
    assert verdicts(receipt) == [
        ("nonsense", "refused", "bad_number"),
        (NUMBER, "queued", ""),
        (OUT, "refused", "opted_out"),
        ("12345", "queued", ""),
        ("+1", "refused", "bad_number"),
        ("x" * 64, "refused", "bad_number"),
    ]
    assert receipt.refused == 4
    assert all(bool(each.id) == (each.status != "refused") for each in receipt.messages)
    assert all(bool(each.detail) == (each.status == "refused") for each in receipt.messages)
    assert [(note.pointer, note.detail) for note in receipt.notes] == [
        ("/to/3", "is the same number as /to/1: it gets one message")
    ]
    stored = await post.messages.list(ANNE, MessageFilter(batch=receipt.batch))
    assert [view.to for view in stored.items] == ["12345", NUMBER]
    assert [view.id for view in stored.items] == [each.id for each in receipt.messages if each.id][::-1]
    assert await post.states() == {"queued": 2}


async def test_in_parts_with_nothing_wrong_it_is_an_ordinary_answer(post):
    receipt = await post.submit(to=[NUMBER, "12345"], partial=True)
    assert receipt.refused == 0
    assert [each.status for each in receipt.messages] == ["queued", "queued"]
    one = await post.submit(to=NUMBER, partial=True)
    assert one.batch is None


async def test_if_none_is_good_every_reason_is_told(post):
    await opt_out(post, OUT)
    with pytest.raises(InvalidRequest) as refused:
        await post.submit(to=["nonsense", OUT, "+1"], partial=True)
    assert not isinstance(refused.value, OptedOut), "that is not all that is wrong"
    assert [problem.pointer for problem in refused.value.problems] == ["/to/0", "/to/1", "/to/2"]
    with pytest.raises(OptedOut):
        await post.submit(to=[OUT], partial=True)
    with pytest.raises(InvalidRequest) as refused:
        await post.submit(to=["nonsense", "+1"], partial=True)
    assert [problem.pointer for problem in refused.value.problems] == ["/to/0", "/to/1"]
    assert await post.rows() == 0


async def test_in_parts_is_about_recipients_only(post):
    with pytest.raises(InvalidRequest) as refused:
        await post.submit(to=["nonsense", NUMBER], partial=True, text="", priority=11)
    assert [problem.pointer for problem in refused.value.problems] == ["/text", "/priority"]


async def test_a_repeated_request_gets_the_same_verdicts(post):
    await opt_out(post, OUT)
    key = IdempotencyKey.of("k", b"body")
    asked = {"to": ["nonsense", NUMBER, OUT, "12345"], "partial": True, "key": key}
    first = await post.submit(**asked)
    await opt_out(post, NUMBER)
    await opt_out(post, OUT, state=0)
    await post.close()
    await post.open()
    again = await post.submit(**asked)
    assert again.replayed
    assert (again.messages, again.refused, again.batch) == (first.messages, first.refused, first.batch)
    assert await post.rows() == 2


async def test_accepted_before_it_is_answered_though_all_have_opted_out_since(post):
    key = IdempotencyKey.of("k", b"body")
    first = await post.submit(to=NUMBER, key=key)
    await opt_out(post, NUMBER)
    assert (await post.submit(to=NUMBER, key=key)).messages == first.messages


async def test_ten_thousand_with_a_hundred_bad_ones(post):
    asked = [f"+4479{n:08d}" for n in range(10_000)]
    for n in range(50):
        asked[n * 200] = f"bad {n}"
    out = asked[7:10_000:200]
    await opt_out(post, *out)
    receipt = await post.submit(to=asked, partial=True)
    assert receipt.refused == 100
    assert [each.to for each in receipt.messages] == asked
    assert {each.to for each in receipt.messages if each.reason == "opted_out"} == set(out)
    assert await post.states() == {"queued": 9_900}
    rows = await post.box.store.fetch_all("SELECT recipient FROM messages ORDER BY id")
    assert [row[0] for row in rows] == [each.to for each in receipt.messages if each.id]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["good", "bad", "out", "same"]), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_whatever_is_mixed_all_are_stored_or_each_has_a_verdict(tmp_path_factory, kinds, partial, segments):
    async def run() -> None:
        post = await Post(tmp_path_factory.mktemp("mix") / "box.db").open()
        asked, good = [], []
        for n, kind in enumerate(kinds):
            number = f"+4479000001{n:02d}" if kind != "same" else "+447900000999"
            asked.append("bad" if kind == "bad" else number)
            if kind == "out":
                await opt_out(post, number)
            elif kind != "bad" and number not in good:
                good.append(number)
        wrong = [n for n, kind in enumerate(kinds) if kind in {"bad", "out"}]
        try:
            receipt = await post.submit(to=asked, partial=partial, text="a" * 153 * segments)
        except InvalidRequest as error:
            assert wrong
            assert not (partial and good)
            named = {problem.pointer for problem in error.problems}
            assert named <= {f"/to/{n}" for n in wrong}
            assert await post.rows() == 0
        else:
            assert partial or not wrong
            assert [each.to for each in receipt.messages if each.id] == good
            assert receipt.refused == len(wrong) == sum(each.status == "refused" for each in receipt.messages)
            seen = list(dict.fromkeys(f"bad {n}" if each == "bad" else each for n, each in enumerate(asked)))
            assert [each.to for each in receipt.messages] == ["bad" if each[:3] == "bad" else each for each in seen]
            assert await post.rows() == len(good)
            spent = await post.box.store.fetch_one("SELECT segments FROM user_usage")
            assert spent == (segments * len(good),)
        await post.states()
        await post.close()

    asyncio.run(run())
