"""Two machines that answer each other are noticed; people who talk are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.outboxes import START, OutboxBox
from modembank.bus import Bus
from modembank.decency import LoopsConfig
from modembank.events import LoopChanged, MessageReceived
from modembank.messages import Loops
from modembank.messages.loops import HOLD_MS, MOST_PAIRS, recent

NUMBER = "+447911123456"
MINUTE = 60_000


class Talk:
    """A breaker of loops, and what it told."""

    def __init__(self, exchanges=3, within_s=600):
        self.bus, self.told = Bus(), []
        self.bus.subscribe(LoopChanged, self.told.append)
        self.loops = Loops(
            LoopsConfig(exchanges, within_s),
            self.bus,
            lambda sender: sender.replace("0", "+44", 1) if sender[0] == "0" else sender,
        )

    def ping_pong(self, rounds, *, start=START, every_ms=MINUTE, number=NUMBER, sim=1):
        for turn in range(rounds):
            at = start + turn * every_ms
            self.bus.publish(MessageReceived(at, 1, sim, number))
            self.loops.went(sim, number, at + every_ms // 2)


def test_as_many_each_way_in_a_short_time_are_a_loop():
    talk = Talk()
    talk.ping_pong(2)
    assert talk.loops.held_until(NUMBER, START) is None
    talk.ping_pong(1, start=START + 2 * MINUTE)
    at = START + 2 * MINUTE + MINUTE // 2
    assert talk.loops.held_until(NUMBER, at) == at + HOLD_MS
    assert talk.loops.held_until(NUMBER, at + HOLD_MS) is None
    assert [event.number for event in talk.told] == [NUMBER]
    (loop,) = talk.loops.current(at)
    assert (loop.number, loop.sim_id, loop.until) == (NUMBER, 1, at + HOLD_MS)
    assert talk.loops.current(at + HOLD_MS) == ()


def test_slower_than_that_is_talk():
    talk = Talk()
    talk.ping_pong(50, every_ms=5 * MINUTE + 1)
    assert not talk.told


def test_one_way_is_no_loop():
    talk = Talk()
    for turn in range(50):
        talk.bus.publish(MessageReceived(START + turn, 1, 1, NUMBER))
    for turn in range(50):
        talk.loops.went(1, "+447911123457", START + turn)
    assert not talk.told
    assert len(talk.loops._pairs) == 1, "a mailing costs nothing"


def test_pairs_are_of_one_sim_and_one_number():
    talk = Talk()
    for sim in range(1, 4):
        talk.ping_pong(2, sim=sim)
    assert not talk.told


def test_a_national_sender_is_the_same_number():
    talk = Talk(exchanges=1)
    talk.bus.publish(MessageReceived(START, 1, 1, "07911123456"))
    talk.loops.went(1, NUMBER, START + 1)
    assert talk.loops.held_until(NUMBER, START + 2)


def test_released_it_counts_anew():
    talk = Talk()
    talk.ping_pong(3)
    now = START + 10 * MINUTE
    assert talk.loops.release(NUMBER, now)
    assert not talk.loops.release(NUMBER, now)
    assert talk.loops.held_until(NUMBER, now) is None
    talk.ping_pong(2, start=now)
    assert talk.loops.current(now) == ()
    talk.ping_pong(1, start=now + 2 * MINUTE)
    assert len(talk.loops.current(now + 3 * MINUTE)) == 1
    assert len(talk.told) == 3


def test_none_is_none():
    talk = Talk(exchanges=0)
    talk.ping_pong(100)
    assert not talk.told


def test_memory_is_bounded():
    talk = Talk()
    for n in range(2 * MOST_PAIRS):
        talk.bus.publish(MessageReceived(START + n, 1, 1, f"+44791{n:07d}"))
    assert len(talk.loops._pairs) <= MOST_PAIRS


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120_000)), max_size=60), st.integers(1, 4))
def test_it_is_what_a_look_at_all_messages_finds(steps, exchanges):
    talk, at, came, went = Talk(exchanges, 300), START, [], []
    for inbound, pause in steps:
        at += pause
        if inbound:
            talk.bus.publish(MessageReceived(at, 1, 1, NUMBER))
            came.append(at)
        else:
            talk.loops.went(1, NUMBER, at)
            if came:
                went.append(at)

        def lately(times, now=at):
            return sum(time >= now - 300_000 for time in times)

        if lately(came) >= exchanges and lately(went) >= exchanges:
            assert talk.loops.held_until(NUMBER, at)
            return
        assert not talk.told


@pytest.fixture
async def box(tmp_path):
    opened = await OutboxBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()


async def test_a_restart_does_not_forget(box):
    def fill(conn):
        for n in range(3):
            at = START - n * MINUTE
            conn.execute(
                "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, missing, received_at)"
                " VALUES (?, 1, ?, 'text', 'x', 1, '[]', ?)",
                (n + 1, NUMBER, at),
            )
            conn.execute(
                "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
                " expires_at, on_unknown, created_at, sent_at, sim_id) VALUES (?,1,?,'x',0,1,0,1,4,50,0,0,?,?,1)",
                (n + 10, NUMBER, at, at + 1),
            )

    await box.store.write(fill)
    for exchanges, held in ((3, True), (4, False)):
        talk = Talk(exchanges)
        talk.loops.learn(await box.store.read(lambda conn: recent(conn, START - 10 * MINUTE)), START)
        assert (talk.loops.held_until(NUMBER, START) is not None) is held
    late = Talk(3)
    late.loops.learn(await box.store.read(lambda conn: recent(conn, START + 1)), START)
    assert not late.told
