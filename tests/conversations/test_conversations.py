"""Conversations as callers see them: the list, the thread, the answer, and what was read."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.correspondence import correspondence
from fakes.senders import ADMIN, ANNE, BERT, NUMBER, READER, WRITER
from modembank.audit.readings import AGAIN_S
from modembank.conversations.rows import COUNT_UNREAD, LIST_OF_ALL, LIST_OF_USER
from modembank.errors import Forbidden, InvalidRequest, NotFound
from modembank.messages import IdempotencyKey, IdempotencyMismatch, MessageState
from modembank.messages.walks import INBOX, INBOX_FROM, INBOX_OF_USER, MESSAGES_TO, walk_down

OTHER = "+447911123999"


# -- the list


async def test_the_newest_inbound_message_comes_first(box):
    for number in (NUMBER, OTHER):
        await box.say(ANNE, number)
    await box.hear("one")
    await box.hear("two", OTHER)
    await box.hear("three")
    for limit in (1, 2, 50):
        assert await box.listed(ANNE, limit) == [(NUMBER, "anne", "three", 2), (OTHER, "anne", "two", 1)]


async def test_s32_a_sender_sees_its_own_and_an_admin_all_with_their_users(box):
    await box.hear("nobody's")
    await box.say(ANNE)
    await box.hear("anne's")
    await box.say(BERT)
    await box.hear("bert's")
    assert await box.listed(ANNE) == [(NUMBER, "anne", "anne's", 1)]
    assert await box.listed(BERT) == [(NUMBER, "bert", "bert's", 1)]
    everything = [(NUMBER, "bert", "bert's", 1), (NUMBER, "anne", "anne's", 1), (NUMBER, None, "nobody's", 1)]
    for limit in (1, 2, 50):
        assert await box.listed(ADMIN, limit) == everything


async def test_what_became_of_the_last_message_is_told(box):
    await box.say(ANNE, text="first")
    last = await box.say(ANNE, text="last")
    await box.hear()
    (view,) = (await box.conversations.list(ANNE)).items
    assert (view.last_sent_id, view.last_sent_status) == (last, "queued")
    await box.set_state(last, MessageState.DELIVERED)
    (view,) = (await box.conversations.list(ANNE)).items
    assert view.last_sent_status == "delivered"
    await box.say(BERT)
    (view,) = (await box.conversations.list(ANNE)).items
    assert view.last_sent_id == last


async def test_a_conversation_of_nobody_has_no_last_message_until_somebody_writes(box):
    await box.hear()
    (view,) = (await box.conversations.list(ADMIN)).items
    assert (view.user, view.last_sent_id, view.last_sent_status) == (None, None, None)
    said = await box.say(BERT)
    (view,) = (await box.conversations.list(ADMIN)).items
    assert (view.last_sent_id, view.last_sent_status) == (said, "queued")


async def test_long_texts_are_cut_in_the_list(box):
    await box.say(ANNE)
    await box.hear("x" * 159)
    await box.hand_in(ADMIN, text="é" * 500)
    (view,) = (await box.conversations.list(ANNE)).items
    assert view.last_text == "é" * 160


async def test_who_opted_out_is_marked(box):
    await box.say(ANNE)
    await box.hear()
    await box.box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES (?, 1, 5, 'api')", (NUMBER,)
        )
    )
    (view,) = (await box.conversations.list(ANNE)).items
    assert view.opted_out
    assert (await box.conversations.thread(ANNE, NUMBER)).opted_out
    assert not (await box.conversations.thread(ANNE, OTHER)).opted_out


# -- the thread


async def test_a_thread_holds_both_directions_in_order(box):
    await box.say(ANNE, text="1")
    await box.hear("2")
    await box.hear("3")
    await box.say(ANNE, text="4")
    expected = [("outbound", "4"), ("inbound", "3"), ("inbound", "2"), ("outbound", "1")]
    for limit in (1, 2, 3, 4, 50):
        assert await box.thread(ANNE, limit=limit) == expected


@pytest.mark.parametrize("written", ["07911 123456", "0044 7911 123456", "+44 (7911) 123456"])
async def test_a_number_may_be_written_in_any_usual_form(box, written):
    await box.say(ANNE)
    await box.hear("answer")
    assert await box.thread(ANNE, written) == [("inbound", "answer"), ("outbound", "hello")]
    assert (await box.conversations.thread(ANNE, written)).number == NUMBER


async def test_a_number_that_never_answered_has_a_thread(box):
    await box.say(ANNE, OTHER, "anybody there?")
    assert await box.thread(ANNE, OTHER) == [("outbound", "anybody there?")]
    assert await box.thread(ANNE, "+447911000000") == []


async def test_s32_a_thread_shows_nothing_of_others(box):
    await box.say(ANNE, text="anne asks")
    await box.hear("to anne")
    await box.say(BERT, text="bert asks")
    await box.hear("to bert")
    assert await box.thread(ANNE) == [("inbound", "to anne"), ("outbound", "anne asks")]
    assert await box.thread(BERT) == [("inbound", "to bert"), ("outbound", "bert asks")]
    assert [text for _, text in await box.thread(ADMIN)] == ["to bert", "bert asks", "to anne", "anne asks"]


async def test_names_are_threads_too(box):
    await box.hear("your parcel is here", "Example")
    assert await box.thread(ADMIN, "Example") == [("inbound", "your parcel is here")]
    assert await box.thread(ADMIN, "' OR 1=1 --") == []


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 65])
async def test_what_is_neither_number_nor_name(box, wrong):
    with pytest.raises(NotFound):
        await box.conversations.thread(ANNE, wrong)


async def test_deleted_messages_are_not_shown(box):
    said = await box.say(ANNE, text="deleted too")
    await box.say(ANNE, text="stays")
    await box.hear("one")
    await box.hear("two")
    await box.delete_inbound("two")
    await box.box.store.write(
        lambda conn: conn.execute("UPDATE messages SET flags = flags | 64 WHERE id = ?", (box.row_id(said),))
    )
    assert await box.thread(ANNE) == [("inbound", "one"), ("outbound", "stays")]
    assert await box.listed(ANNE) == [(NUMBER, "anne", "one", 1)]
    await box.delete_inbound("one")
    assert await box.listed(ANNE) == []
    assert await box.thread(ANNE) == [("outbound", "stays")]


async def test_deleting_what_was_read_changes_no_count(box):
    await box.say(ANNE)
    await box.hear("read")
    await box.conversations.read(ANNE, NUMBER)
    await box.hear("unread")
    await box.delete_inbound("read")
    assert await box.listed(ANNE) == [(NUMBER, "anne", "unread", 1)]


async def test_a_bounded_walk_gives_short_pages_that_go_on(box, monkeypatch):
    monkeypatch.setattr("modembank.messages.walks.WALK_LIMIT", 4)
    await box.say(ANNE, text="anne asks")
    await box.hear("to anne")
    await box.say(BERT, text="bert asks")
    for number in range(9):
        await box.hear(f"to bert {number}")
    assert await box.thread(ANNE) == [("inbound", "to anne"), ("outbound", "anne asks")]
    assert len(await box.thread(BERT, limit=2)) == 10


@pytest.mark.parametrize("wrong", [0, -1, 201])
async def test_limits_are_bounded(box, wrong):
    with pytest.raises(InvalidRequest):
        await box.conversations.thread(ANNE, NUMBER, limit=wrong)
    with pytest.raises(InvalidRequest):
        await box.conversations.list(ANNE, limit=wrong)


async def test_cursors_are_for_the_list_they_came_from(box):
    for number in (NUMBER, OTHER):
        await box.say(ANNE, number)
        await box.hear("x", number)
    cursor = (await box.conversations.thread(ANNE, NUMBER, limit=1)).cursor
    page = (await box.conversations.list(ANNE, limit=1)).cursor
    for wrong in (page, "x", ""):
        with pytest.raises(InvalidRequest):
            await box.conversations.thread(ANNE, NUMBER, cursor=wrong)
    with pytest.raises(InvalidRequest):
        await box.conversations.thread(ANNE, OTHER, cursor=cursor)
    with pytest.raises(InvalidRequest):
        await box.conversations.thread(BERT, NUMBER, cursor=cursor)
    with pytest.raises(InvalidRequest):
        await box.conversations.list(ANNE, cursor=cursor)
    with pytest.raises(InvalidRequest):
        await box.conversations.list(ADMIN, cursor=page)


# -- answering


async def route_of(box, public):
    sql = "SELECT spec FROM routes r JOIN messages m ON m.route_id = r.id WHERE m.id = ?"
    return (await box.box.store.fetch_one(sql, (box.row_id(public),)))[0]


async def test_an_answer_goes_through_the_sim_that_was_written_to(box):
    await box.say(ANNE)
    await box.hear("first", sim=1)
    await box.hear("then", sim=3)
    receipt = await box.conversations.reply(ANNE, "07911123456", "thank you")
    (accepted,) = receipt.messages
    assert accepted.to == NUMBER
    assert await route_of(box, accepted.id) == '{"sims":[3]}'


@pytest.mark.parametrize("how", ["unknown", "replaced", "out of its slot", "never heard"])
async def test_an_answer_goes_through_any_sim_when_that_one_is_gone(box, how):
    await box.say(ANNE)
    if how != "never heard":
        await box.hear("first", sim=9 if how == "unknown" else 3)
    if how == "replaced":
        box.shelf.sims[0].slot, box.shelf.sims[0].last_seen_at = "slot-3", 5
    if how == "out of its slot":
        box.shelf.sims[2].slot = None
    (accepted,) = (await box.conversations.reply(ANNE, NUMBER, "thank you")).messages
    assert await route_of(box, accepted.id) == "{}"


async def test_s32_an_answer_does_not_follow_what_others_received(box):
    await box.say(BERT)
    await box.hear("to bert", sim=3)
    (accepted,) = (await box.conversations.reply(ANNE, NUMBER, "hello")).messages
    assert await route_of(box, accepted.id) == "{}"


async def test_answers_with_a_key_are_accepted_once(box):
    await box.hear()
    key = IdempotencyKey.of("k", b"body")
    first = await box.conversations.reply(ANNE, NUMBER, "hi", key)
    again = await box.conversations.reply(ANNE, NUMBER, "hi", key)
    assert (again.messages, again.replayed) == (first.messages, True)
    with pytest.raises(IdempotencyMismatch):
        await box.conversations.reply(ANNE, NUMBER, "ho", IdempotencyKey.of("k", b"other"))


async def test_nobody_can_answer_a_name(box):
    await box.hear("hello", "Example")
    with pytest.raises(InvalidRequest) as refused:
        await box.conversations.reply(ADMIN, "Example", "hi")
    assert refused.value.problems[0].pointer == "/number"


# -- reading


async def test_what_was_read_is_read(box):
    await box.say(ANNE)
    for number in range(3):
        await box.hear(str(number))
    newest, middle, _ = (await box.inbox.list(ANNE)).items
    assert (await box.conversations.read(ANNE, NUMBER, middle.id)).unread == 1
    assert await box.listed(ANNE) == [(NUMBER, "anne", "2", 1)]
    assert (await box.conversations.read(ANNE, NUMBER)).unread == 0
    assert (await box.conversations.read(ANNE, NUMBER, middle.id)).unread == 0  # what was read stays so
    await box.hear("3")
    assert await box.listed(ANNE) == [(NUMBER, "anne", "3", 1)]
    assert (await box.conversations.read(ANNE, NUMBER, newest.id)).unread == 1


async def test_a_place_ahead_does_not_read_what_will_come(box):
    await box.say(ANNE)
    await box.hear("now")
    await box.conversations.read(ANNE, NUMBER, "inb_7zzzzzzzzzzzz")
    await box.hear("later")
    assert await box.listed(ANNE) == [(NUMBER, "anne", "later", 1)]


async def test_s32_reading_marks_only_ones_own_and_an_admin_all(box):
    await box.say(ANNE)
    await box.hear("to anne")
    await box.say(BERT)
    await box.hear("to bert")
    assert (await box.conversations.read(BERT, NUMBER)).unread == 0
    assert await box.listed(ANNE) == [(NUMBER, "anne", "to anne", 1)]
    assert (await box.conversations.read(ADMIN, NUMBER)).unread == 0
    assert await box.listed(ANNE) == [(NUMBER, "anne", "to anne", 0)]


async def test_nothing_to_read(box):
    assert (await box.conversations.read(ANNE, OTHER)).unread == 0
    with pytest.raises(InvalidRequest):
        await box.conversations.read(ANNE, OTHER, "msg_0000008000001")


# -- who may


async def test_scopes(box):
    for call in (
        box.conversations.list(WRITER),
        box.conversations.thread(WRITER, NUMBER),
        box.conversations.read(WRITER, NUMBER),
        box.conversations.reply(READER, NUMBER, "x"),
    ):
        with pytest.raises(Forbidden):
            await call


# -- all of it


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "hear", "read"]), st.sampled_from([ANNE, BERT]), st.sampled_from([NUMBER, OTHER])
    ),
    max_size=12,
)


async def holds(folder, steps, limit):
    box = await correspondence(folder / f"{len(list(folder.iterdir()))}.db")
    try:
        owner, said, unread = {}, {}, {}
        for at, (what, actor, number) in enumerate(steps):
            if what == "say":
                await box.say(actor, number, str(at))
                owner[number] = actor.user_id
                said.setdefault((number, actor.user_id), []).append(("outbound", str(at)))
            elif what == "hear":
                await box.hear(str(at), number)
                key = (number, owner.get(number, 0))
                said.setdefault(key, []).append(("inbound", str(at)))
                unread[key] = unread.get(key, 0) + 1
            else:
                await box.conversations.read(actor, number)
                if (number, actor.user_id) in unread:
                    unread[number, actor.user_id] = 0
        for actor in (ANNE, BERT):
            for number in (NUMBER, OTHER):
                assert await box.thread(actor, number, limit) == said.get((number, actor.user_id), [])[::-1]
            own = {number: count for (number, user), count in unread.items() if user == actor.user_id}
            assert {number: count for number, _, _, count in await box.listed(actor, limit)} == own
        assert len(await box.listed(ADMIN, limit)) == len(unread)
    finally:
        await box.close()


def test_lists_and_threads_are_what_was_said(tmp_path):
    with asyncio.Runner() as runner:

        @settings(max_examples=25, deadline=None)
        @given(steps=STEPS, limit=st.integers(1, 4))
        def run(steps, limit):
            runner.run(holds(tmp_path, steps, limit))

        run()


# -- how


PLANNED = [
    (LIST_OF_ALL, (1 << 62, 50)),
    (LIST_OF_USER, (1, 1 << 62, 50)),
    (COUNT_UNREAD, (NUMBER, 0, 1)),
]


@pytest.mark.parametrize(("sql", "values"), PLANNED)
async def test_every_list_goes_along_an_index(box, sql, values):
    plan = [row[3] for row in await box.box.store.fetch_all(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any("USING INDEX" in step or "USING COVERING INDEX" in step for step in plan), plan
    assert not [step for step in plan if "TEMP B-TREE" in step or ("SCAN" in step and "(subquery" not in step)], plan


@pytest.mark.parametrize("way", [INBOX, INBOX_OF_USER, INBOX_FROM, MESSAGES_TO], ids=lambda way: way.where)
async def test_every_walk_goes_along_an_index(box, way):
    asked = []

    def read(conn):
        conn.set_trace_callback(asked.append)
        walk_down(conn, way, ("1",) if "?" in way.where else (), 1 << 62, 51, 1)
        conn.set_trace_callback(None)
        return [row[3] for sql in asked for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}")]

    plan = await box.box.store.read(read)
    steps = [step for step in plan if way.table in step]
    assert len(steps) == 2
    assert all(step.startswith(f"SEARCH {way.table} USING") for step in steps), plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan


# -- the record of who read what


async def read_by(box):
    found = await box.box.store.fetch_all("SELECT actor, action, subject FROM audit ORDER BY id")
    return [row for row in found if row[1] == "conversation.read"]


async def test_s16_an_admin_who_reads_what_others_wrote_is_recorded_once_an_hour(box):
    await box.say(ANNE)
    await box.hear("anne's")
    for _ in range(3):
        await box.thread(ADMIN, limit=1)
    assert await read_by(box) == [("ada", "conversation.read", NUMBER)]
    box.clock.turn(AGAIN_S * 1000)
    await box.thread(ADMIN)
    assert len(await read_by(box)) == 2


async def test_s16_whoever_reads_its_own_or_nobodys_is_not_recorded(box):
    await box.hear("nobody's", OTHER)
    await box.thread(ADMIN, OTHER)
    await box.say(ADMIN)
    await box.hear("the admin's own")
    await box.thread(ADMIN)
    await box.thread(ANNE)
    assert await read_by(box) == []
