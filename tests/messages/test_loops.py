"""Two machines that answer each other are noticed; people who talk are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.outboxes import START, OutboxBox
from modembank.bus import Bus
from modembank.decency import LoopsConfig
from modembank.events import LoopChanged, MessageReceived
from modembank.messages import Loops
from modembank.messages.likeness import likeness
from modembank.messages.loops import HOLD_MS, MOST_PAIRS, TOO_MANY, recent

NUMBER = "+447911123456"
ANSWER = "Thank you for your message of 10:30. We will answer soon."
CHAT = [
    "are you there?", "yes", "ok", "ok", "can you send me the address please", "sure", "14 High Street", "ok", "thanks",
    "and when do you open", "at nine", "nine thirty on Sundays", "ok", "see you then", "bye",
]  # fmt: skip
PAUSES = [2, 9, 31, 5, 14, 3, 44, 8, 21, 4, 6, 17]
"""Seconds that people take."""
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
            self.loops.went(sim, number, at + every_ms // 2, "")


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
        talk.loops.went(1, "+447911123457", START + turn, ANSWER)
    assert not talk.told
    assert len(talk.loops._pairs) == 1, "a mailing costs nothing"


def test_pairs_are_of_one_sim_and_one_number():
    talk = Talk()
    for sim in range(1, 4):
        talk.ping_pong(2, sim=sim)
    assert not talk.told


def test_a_national_sender_is_the_same_number():
    talk = Talk(exchanges=1)
    talk.loops.came(1, "07911123456", START, "How much is it?")
    talk.loops.went(1, NUMBER, START + 1, ANSWER)
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


def chat(talk, *, theirs, ours, rounds, pauses=PAUSES):
    """People, or machines, who take their time; return when it ended."""
    at = START
    for turn in range(rounds):
        at += pauses[turn % len(pauses)] * 1000
        talk.loops.came(1, NUMBER, at, theirs[turn % len(theirs)])
        at += pauses[(turn + 5) % len(pauses)] * 500
        talk.loops.went(1, NUMBER, at, ours[turn % len(ours)])
    return at


def test_people_who_chat_are_left_alone():
    talk = Talk(exchanges=10)
    chat(talk, theirs=CHAT, ours=CHAT[3:] + CHAT[:3], rounds=30)
    assert not talk.told


def test_short_answers_are_given_again_and_again_by_people_too():
    talk = Talk(exchanges=10)
    chat(talk, theirs=["ok", "2", "Yes"], ours=CHAT, rounds=30)
    assert not talk.told


@pytest.mark.parametrize("side", ["theirs", "ours"])
def test_a_machine_on_one_side_is_enough_whatever_number_it_puts_into_its_text(side):
    talk = Talk(exchanges=10)
    machine = [ANSWER.replace("10:30", f"{hour}:15") for hour in range(10, 24)]
    sides = {"theirs": CHAT, "ours": CHAT} | {side: machine}
    at = chat(talk, **sides, rounds=10)
    (loop,) = talk.loops.current(at)
    assert loop.why == f"what {'comes' if side == 'theirs' else 'is sent'} is the same again and again"


def test_machines_that_say_something_else_each_time_are_as_regular_as_clocks():
    talk = Talk(exchanges=10)
    at = chat(talk, theirs=CHAT, ours=CHAT, rounds=10, pauses=[8, 10, 12, 9])
    (loop,) = talk.loops.current(at)
    assert loop.why == "what comes is as regular as a clock"


def test_nobody_types_that_much():
    talk = Talk(exchanges=10, within_s=3600)
    chat(talk, theirs=CHAT, ours=CHAT, rounds=10 * TOO_MANY - 1)
    assert not talk.told
    talk = Talk(exchanges=10, within_s=3600)
    at = chat(talk, theirs=CHAT, ours=CHAT, rounds=10 * TOO_MANY)
    assert talk.loops.current(at)[0].why == "more than 40 messages each way"


@given(st.text(max_size=60), st.integers(0, 999))
def test_a_number_more_or_less_makes_no_other_text(text, number):
    assert likeness(f"{text} {number}") == likeness(text)


def test_short_texts_are_like_nothing():
    assert likeness("Thank you!") == likeness("") == likeness("0123456789012345") == 0
    assert likeness(ANSWER) == likeness(ANSWER.upper()) != likeness(CHAT[4])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 120_000)), max_size=60), st.integers(1, 4))
def test_of_one_text_it_is_what_a_look_at_all_messages_finds(steps, exchanges):
    talk, at, came, went = Talk(exchanges, 300), START, [], []
    for inbound, pause in steps:
        at += pause
        if inbound:
            talk.loops.came(1, NUMBER, at, ANSWER)
            came.append(at)
        else:
            talk.loops.went(1, NUMBER, at, ANSWER)
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
