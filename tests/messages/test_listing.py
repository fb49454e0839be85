"""Lists: newest first, stable while rows arrive and change, bounded, and never somebody else's."""

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.senders import ADMIN, ANNE, BERT, NUMBER, SIMS, WRITER, Directory, Post
from modembank.config import SendingConfig
from modembank.errors import Forbidden, InvalidRequest
from modembank.messages import Admission, MessageFilter, MessageFlags, MessageState, listing
from modembank.messages.chronology import first_accepted_at
from modembank.messages.cursors import cursor_after, position_of
from modembank.store.schema import known_migrations

ALL = MessageFilter()


async def pages(post, actor=ANNE, which=ALL, limit=3):
    """All pages of a list as lists of ids."""
    found, cursor = [], None
    while True:
        page = await post.messages.list(actor, which, cursor=cursor, limit=limit)
        found.append([view.id for view in page.items])
        cursor = page.cursor
        if cursor is None:
            return found


def flat(found):
    return [each for page in found for each in page]


async def test_newest_first_in_pages_without_gaps(post):
    ids = [await post.one() for _ in range(8)]
    found = await pages(post)
    assert [len(page) for page in found] == [3, 3, 2]
    assert flat(found) == ids[::-1]
    assert await pages(post, limit=8) == [ids[::-1]], "a full last page has no next"
    assert await pages(post, BERT) == [[]]


async def test_a_sender_sees_its_own_and_an_admin_all(post):
    mine = [await post.one(ANNE) for _ in range(3)]
    theirs = [await post.one(BERT) for _ in range(3)]
    assert flat(await pages(post, ANNE, limit=2)) == mine[::-1]
    assert flat(await pages(post, BERT, limit=2)) == theirs[::-1]
    assert flat(await pages(post, ADMIN, limit=2)) == theirs[::-1] + mine[::-1]
    which = MessageFilter(to=(await post.messages.get(ADMIN, mine[0])).to)
    assert flat(await pages(post, BERT, which)) == []
    with pytest.raises(Forbidden):
        await post.messages.list(WRITER, ALL)


async def test_pages_are_stable_while_messages_arrive(post):
    ids = [await post.one() for _ in range(6)]
    first = await post.messages.list(ANNE, ALL, limit=2)
    await post.one()
    second = await post.messages.list(ANNE, ALL, cursor=first.cursor, limit=2)
    await post.submit(to=["12345", "12346"])
    third = await post.messages.list(ANNE, ALL, cursor=second.cursor, limit=2)
    assert [view.id for page in (first, second, third) for view in page.items] == ids[::-1]
    assert third.cursor is None


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["accept", "other", "page", "sent"]), min_size=5, max_size=40),
    limit=st.integers(1, 4),
)
def test_whatever_happens_between_pages_nothing_is_shown_twice_or_left_out(tmp_path_factory, steps, limit):
    async def run() -> None:
        post = await Post(tmp_path_factory.mktemp("pages") / "box.db").open()
        before = [await post.one() for _ in range(7)]
        shown, cursor, ended = [], None, False
        for step in [*steps, *["page"] * 60]:
            if step == "accept":
                await post.one()
            elif step == "other":
                await post.one(BERT)
            elif step == "sent":
                await post.set_state(before[len(shown) % 7], MessageState.SENT)
            elif not ended:
                page = await post.messages.list(ANNE, ALL, cursor=cursor, limit=limit)
                shown += [view.id for view in page.items]
                cursor, ended = page.cursor, page.cursor is None
        assert ended
        assert len(shown) == len(set(shown))
        assert [each for each in shown if each in before] == before[::-1]
        assert shown == sorted(shown, reverse=True)
        await post.close()

    asyncio.run(run())


async def test_filters(post):
    plain = await post.one(to=NUMBER)
    named = await post.one(to=NUMBER, reference="r")
    batch = await post.submit(to=["+447900000001", "+447900000002"], reference="r")
    ids = [each.id for each in batch.messages]
    assert flat(await pages(post, which=MessageFilter(to=NUMBER))) == [named, plain]
    assert flat(await pages(post, which=MessageFilter(to="07911 123456"))) == [named, plain]
    assert flat(await pages(post, which=MessageFilter(reference="r"))) == [*ids[::-1], named]
    assert flat(await pages(post, which=MessageFilter(batch=batch.batch))) == ids[::-1]
    assert flat(await pages(post, which=MessageFilter(reference="r", to=NUMBER))) == [named]
    assert flat(await pages(post, which=MessageFilter(reference="r", batch=batch.batch))) == ids[::-1]
    assert flat(await pages(post, which=MessageFilter(batch=batch.batch, to=NUMBER))) == []
    assert flat(await pages(post, which=MessageFilter(reference="none"))) == []
    assert flat(await pages(post, which=MessageFilter(batch="bat_0000000000000"))) == []


async def test_by_status_one_or_several(post):
    by_word: dict[str, list[str]] = {}
    for _ in range(2):
        for state in MessageState:
            public = await post.one()
            await post.set_state(public, state)
            by_word.setdefault(state.word, []).append(public)
    for word, ids in by_word.items():
        assert flat(await pages(post, which=MessageFilter(status=(word,)))) == ids[::-1]
    for words in (("failed", "unknown"), ("failed", "sent"), ("expired", "cancelled", "undelivered"), ("sent", "sent")):
        expected = sorted({public for word in words for public in by_word[word]}, reverse=True)
        for limit in (1, 2, 50):
            assert flat(await pages(post, which=MessageFilter(status=words), limit=limit)) == expected


async def test_since(post):
    ids = []
    for _ in range(4):
        ids.append(await post.one())
        post.box.clock.turn(60_000)
    since = datetime.fromtimestamp(post.box.clock.now() - 120, UTC)
    assert flat(await pages(post, which=MessageFilter(since=since))) == ids[:1:-1]
    assert flat(await pages(post, which=MessageFilter(since=since), limit=1)) == ids[:1:-1]
    post.box.clock.turn(-7 * 86_400_000)  # a box that boots without a clock
    early = await post.one()
    assert flat(await pages(post, which=MessageFilter(since=since))) == ids[:1:-1]
    assert early in flat(await pages(post))


@pytest.mark.parametrize(
    ("which", "pointers"),
    [
        (MessageFilter(status=("lost",)), ["/status"]),
        (MessageFilter(status=("sent", "SENT", "")), ["/status", "/status"]),
        (MessageFilter(to="nobody"), ["/to"]),
        (MessageFilter(since=datetime(2026, 1, 1)), ["/since"]),  # noqa: DTZ001 - a time without a zone is the point
        (MessageFilter(batch="msg_0000000000001"), ["/batch"]),
        (MessageFilter(status=("x",), to="", batch=""), ["/status", "/to", "/batch"]),
    ],
)
async def test_a_filter_that_means_nothing_is_refused_with_its_field(post, which, pointers):
    with pytest.raises(InvalidRequest) as refused:
        await post.messages.list(ANNE, which)
    assert [problem.pointer for problem in refused.value.problems] == pointers


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_limits(post, limit):
    with pytest.raises(InvalidRequest) as refused:
        await post.messages.list(ANNE, ALL, limit=limit)
    assert refused.value.problems[0].pointer == "/limit"


async def test_500_a_page(post):
    await post.submit(to=[f"+4479{n:08d}" for n in range(501)])
    assert [len(page) for page in await pages(post, limit=500)] == [500, 1]


async def test_a_cursor_belongs_to_its_list(post):
    for _ in range(3):
        await post.one(reference="r")
    cursor = (await post.messages.list(ANNE, ALL, limit=1)).cursor
    for which in (MessageFilter(reference="r"), MessageFilter(status=("queued",))):
        with pytest.raises(InvalidRequest) as refused:
            await post.messages.list(ANNE, which, cursor=cursor)
        assert refused.value.problems[0].pointer == "/cursor"
    with pytest.raises(InvalidRequest):
        await post.messages.list(BERT, ALL, cursor=cursor)
    words = MessageFilter(status=("queued", "sent"))
    cursor = (await post.messages.list(ANNE, words, limit=1)).cursor
    same = MessageFilter(status=("sent", "queued", "sent"))
    assert len((await post.messages.list(ANNE, same, cursor=cursor, limit=5)).items) == 2


@given(row=st.integers(0, (1 << 63) - 1), about=st.binary(max_size=40))
def test_cursors_round_trip(row, about):
    assert position_of(cursor_after(row, about), about) == row


@given(st.text(max_size=40) | st.binary(max_size=20).map(lambda octets: cursor_after(5, octets)))
def test_any_other_text_is_no_cursor(text):
    with pytest.raises(InvalidRequest):
        position_of(text, b"this list, and no binary is it")


def test_a_cursor_beyond_all_ids_is_none():
    octets = cursor_after((1 << 64) - 1, b"x")
    with pytest.raises(InvalidRequest):
        position_of(octets, b"x")


async def test_a_page_looks_at_a_bounded_number_of_rows(post, monkeypatch):
    rare = [await post.one(ANNE) for _ in range(2)]
    await post.submit(BERT, to=[f"+4479{n:08d}" for n in range(95)])
    rare.append(await post.one(ANNE))
    for message in rare:
        await post.set_state(message, MessageState.DELIVERED)
    monkeypatch.setattr(listing, "WALK_LIMIT", 30)
    monkeypatch.setattr(listing, "INDEX_LIMIT", 10)
    delivered = MessageFilter(status=("delivered",))
    found = await pages(post, ADMIN, delivered)
    assert flat(found) == rare[::-1]
    assert [len(page) for page in found] == [1, 0, 0, 2]
    assert [len(page) for page in await pages(post, BERT, delivered)] == [0] * 10
    assert await pages(post, ANNE, delivered) == [rare[::-1]], "a user with few messages has them walked at once"
    since = datetime.fromtimestamp(post.box.clock.now() + 1, UTC)
    assert await pages(post, ANNE, MessageFilter(since=since)) == [[]], "30 older ones in a row end the search"
    assert flat(await pages(post, ADMIN, MessageFilter(status=("failed",)))) == []


async def test_every_walk_uses_its_index_and_no_sorting(post, monkeypatch):
    monkeypatch.setattr(listing, "INDEX_LIMIT", 2)
    await post.submit(to=[f"+4479{n:08d}" for n in range(20)])
    plans: list[str] = []

    def explain(conn, wanted):
        asked: list[str] = []
        conn.set_trace_callback(asked.append)
        listing.pick(conn, wanted, None, 5)
        conn.set_trace_callback(None)
        for sql in asked:
            plans.extend(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}"))

    for wanted in (
        listing.Selection(),
        listing.Selection(reference="r"),
        listing.Selection(batch=1),
        listing.Selection(recipient="1"),
        listing.Selection(states=(60, 74)),
        listing.Selection(states=(10, 40, 60)),
        listing.Selection(states=(30,)),
        listing.Selection(states=(30, 40, 60)),
        listing.Selection(states=(50, 74)),
        listing.Selection(user_id=1),
        listing.Selection(user_id=1, states=(60,)),
        listing.Selection(user_id=1, states=(50, 60)),
        listing.Selection(user_id=9, states=(60,)),
        listing.Selection(until=5, since=4, sim="x"),
    ):
        await post.box.store.read(lambda conn, wanted=wanted: explain(conn, wanted))
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert {plan for plan in plans if plan.startswith("SCAN") and "(subquery" not in plan} <= {"SCAN CONSTANT ROW"}
    used = [name for plan in plans for name in plan.split() if name.startswith("messages_")]
    assert list(dict.fromkeys(used)) == [
        "messages_reference",
        "messages_batch",
        "messages_recipient",
        "messages_problem",
        "messages_waiting",
        "messages_ready",
        "messages_user",
    ]


async def test_what_waits_in_its_queue_for_the_next_try_is_shown_once(post):
    tried, fresh = [await post.one() for _ in range(2)], await post.one(priority=9)
    for message in tried:
        row = post.row_id(message)
        await post.box.store.write(
            lambda conn, row=row: conn.execute("UPDATE messages SET state = 40 WHERE id = ?", (row,))
        )
    which = MessageFilter(status=("queued", "sending"))
    assert flat(await pages(post, which=which, limit=1)) == [fresh, *tried[::-1]]


STATES = [state.word for state in MessageState]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([1, 1, 2]),
            st.sampled_from(list(MessageState)),
            st.sampled_from(["+447900000001", "+447900000002"]),
            st.sampled_from([None, "r", "s"]),
            st.integers(0, 5),
            st.sampled_from([None, 1, 2]),
            st.booleans(),
            st.sampled_from([None, 1, 1, 2, 3]),
            st.sampled_from([(1, 4), (1, 3), (2, 4)]),
        ),
        max_size=40,
    ),
    which=st.builds(
        MessageFilter,
        status=st.lists(st.sampled_from(STATES), max_size=3).map(tuple),
        to=st.sampled_from([None, None, "+447900000001"]),
        since=st.none() | st.integers(0, 5).map(lambda n: datetime.fromtimestamp(n, UTC)),
        reference=st.sampled_from([None, None, "r"]),
        sim=st.sampled_from([None, None, SIMS[0].iccid, "no such SIM"]),
    ),
    actor=st.sampled_from([ANNE, BERT, ADMIN]),
    limit=st.integers(1, 5),
    walk=st.integers(1, 7),
    queues=st.integers(0, 3),
)
def test_pages_together_are_what_a_plain_look_at_everything_finds(folder, rows, which, actor, limit, walk, queues):
    """However few rows a page may look at, nothing is left out, shown twice, or out of order."""

    def expected():
        found = []
        for n, (user, state, recipient, reference, second, sim, hidden, _, _) in enumerate(rows, 1):
            if (
                not hidden
                and (actor is ADMIN or user == actor.user_id)
                and (not which.status or state.word in which.status)
                and which.to in {None, recipient}
                and which.reference in {None, reference}
                and (which.since is None or second >= which.since.timestamp())
                and (which.sim is None or (sim == 1 and which.sim == SIMS[0].iccid))
            ):
                found.append(n)
        return found[::-1]

    with folder.connection() as conn:
        conn.executemany(
            "INSERT INTO messages (id, user_id, state, recipient, reference, created_at, sim_id, flags, text, encoding,"
            " ready, route_id, rank, segments, expires_at, on_unknown)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, ?, 1, 0, 0)",
            [
                (
                    *(n, user, int(state), to, reference, second * 1000, sim, int(MessageFlags.HIDDEN) * hidden),
                    *(ready if state < MessageState.SENT else None, *queue),
                )
                for n, (user, state, to, reference, second, sim, hidden, ready, queue) in enumerate(rows, 1)
            ],
        )
        wanted = listing.select(which, folder.admission, None if actor is ADMIN else actor.user_id)
        with pytest.MonkeyPatch.context() as patch:
            # With `since`, a whole walk of older ones ends the search: here it must be able to see all.
            patch.setattr(listing, "WALK_LIMIT", walk if which.since is None else 1_000)
            patch.setattr(listing, "INDEX_LIMIT", walk if which.since is None else 1_000)
            patch.setattr(listing, "MOST_QUEUES", queues)
            found, cursor = [], None
            for _ in range(200):
                picked = listing.pick(conn, wanted, cursor, limit)
                assert len(picked.ids) <= limit
                found += picked.ids
                cursor = picked.cursor
                if cursor is None:
                    break
    assert found == expected()
    assert cursor is None


def test_a_page_of_the_queue_costs_the_same_however_long_the_queue_is(folder):
    steps = []
    with folder.connection() as conn:
        for first in (1, 1_000):
            conn.executemany(
                "INSERT INTO messages (id, user_id, state, recipient, created_at, flags, text, encoding, ready,"
                " route_id, rank, segments, expires_at, on_unknown)"
                " VALUES (?, 1, 30, '1', 0, 0, '', 0, 1, ?, ?, 1, 0, 0)",
                [(n, 1 + n % 2, 3 + n % 3) for n in range(first, 2 * first + 300)],
            )
            steps.append(0)

            def count():
                steps[-1] += 1

            conn.set_progress_handler(count, 100)
            assert len(listing.pick(conn, listing.Selection(states=(30,)), None, 50).ids) == 50
            conn.set_progress_handler(None, 100)
    assert steps[1] <= steps[0] + 5


@dataclass(frozen=True)
class Folder:
    """A schema in memory, new for each example."""

    admission: Admission

    @contextmanager
    def connection(self):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
            conn.executescript(SCHEMA)
            conn.execute(
                "INSERT INTO sims (id, iccid, first_seen_at, last_seen_at) VALUES (1, ?, 0, 0)", (SIMS[0].iccid,)
            )
            yield conn


SCHEMA = "".join(f"{statement};" for migration in known_migrations() for statement in migration.statements)


@pytest.fixture(scope="module")
def folder():
    return Folder(Admission(Directory(), SendingConfig(), "GB"))


@settings(max_examples=100, deadline=None)
@given(times=st.lists(st.integers(0, 20), max_size=60), moment=st.integers(0, 21), gap=st.integers(0, 1 << 40))
def test_a_moment_is_found_among_times_that_grow(folder, times, moment, gap):
    with folder.connection() as conn:
        rows = [(n + gap * (n // 20), at) for n, at in enumerate(sorted(times), 1)]
        accepted(conn, rows)
        found = first_accepted_at(conn, moment)
        assert [at for row, at in rows if row < found] == [at for _, at in rows if at < moment]


def test_a_clock_that_ran_ahead_for_a_while_hides_nothing_before_it_was_set(folder):
    for begin in range(0, 200, 7):
        with folder.connection() as conn:
            rows = [(n, 9_999 if begin <= n < begin + 40 else n) for n in range(1, 400)]
            accepted(conn, rows)
            found = first_accepted_at(conn, 300)
            assert {row for row, at in rows if at < 300} <= set(range(found))
            wanted = listing.Selection(until=300)
            picked = listing.pick(conn, wanted, None, 500)
            assert list(picked.ids) == [row for row, at in rows if at < 300][::-1]


def accepted(conn, rows):
    conn.executemany(
        "INSERT INTO messages (id, user_id, state, recipient, created_at, flags, text, encoding, segments, route_id,"
        " rank, expires_at, on_unknown) VALUES (?, 1, 80, '1', ?, 0, '', 0, 1, 1, 4, 0, 0)",
        rows,
    )


async def test_until_is_the_end_and_since_the_begin(post):
    ids, moments = [], []
    for _ in range(6):
        moments.append(datetime.fromtimestamp(post.box.clock.now(), UTC))
        ids.append(await post.one())
        post.box.clock.turn(60_000)
    assert flat(await pages(post, which=MessageFilter(until=moments[3]))) == ids[2::-1]
    assert flat(await pages(post, which=MessageFilter(until=moments[3], since=moments[1]), limit=1)) == [ids[2], ids[1]]
    assert flat(await pages(post, which=MessageFilter(until=moments[0]))) == []
    assert flat(await pages(post, BERT, MessageFilter(until=moments[5]))) == []


async def test_by_the_sim_that_sent(post):
    sent, waiting = await post.one(), await post.one()
    await post.attempt(sent, sim=2)
    assert flat(await pages(post, which=MessageFilter(sim=SIMS[1].iccid))) == [sent]
    assert flat(await pages(post, which=MessageFilter(sim=SIMS[0].iccid))) == []
    assert flat(await pages(post, which=MessageFilter(sim="none"))) == []
    assert waiting in flat(await pages(post))


async def test_what_waits_is_explained_on_each_row(post):
    await post.one()
    sent = await post.one()
    await post.set_state(sent, MessageState.SENT)
    page = await post.messages.list(ANNE, ALL)
    assert [view.waiting_for for view in page.items] == [None, "no modem is registered"]
