"""What is told apart, and what is not."""

from hypothesis import given
from hypothesis import strategies as st

from modembank.providers.adapters import smpp_repeats
from modembank.providers.adapters.smpp_repeats import LATE_S, Repeats, State


class Story:
    """Messages that come at moments, over sessions."""

    def __init__(self):
        self.repeats = Repeats()
        self.now = 1000.0
        self.sequence = 0

    def comes(self, body=b"yes", session=1, sequence=None):
        self.sequence += 1
        return self.repeats.note(
            body, session, self.sequence if sequence is None else sequence, self.now, round(self.now * 1000)
        )

    def taken(self, one):
        self.repeats.answered(one, taken=True, now=self.now)

    def failed(self, one):
        self.repeats.answered(one, taken=False, now=self.now)


def test_other_words_are_other_messages():
    story = Story()
    assert story.comes(b"yes").key != story.comes(b"no").key


def test_the_same_words_in_one_session_are_two_messages_before_the_answer_and_after_it():
    story = Story()
    first, second = story.comes(), story.comes()
    assert first.key != second.key
    story.taken(first)
    story.taken(second)
    assert story.comes().key not in {first.key, second.key}


def test_the_same_sequence_number_is_the_same_message():
    story = Story()
    first = story.comes(sequence=5)
    assert story.comes(sequence=5) is first
    story.taken(first)
    assert story.comes(sequence=5) is first


def test_what_was_answered_with_an_error_comes_again():
    story = Story()
    first = story.comes()
    story.failed(first)
    again = story.comes()
    assert again is first
    assert again.state is State.OPEN
    story.taken(again)
    assert story.comes() is not first


def test_what_waited_long_for_its_answer_may_come_again():
    story = Story()
    first = story.comes()
    story.now += LATE_S
    assert story.comes() is first
    story.taken(first)
    assert first.late
    assert story.comes() is first
    assert story.comes() is not first, "it came again, so the next is another"


def test_what_was_answered_in_time_does_not():
    story = Story()
    first = story.comes()
    story.now += LATE_S / 2
    story.taken(first)
    story.now += 10 * LATE_S
    assert story.comes() is not first


def test_another_session_repeats_what_it_cannot_know_to_be_answered():
    for end in (lambda story, one: None, Story.taken, Story.failed):
        story = Story()
        first = story.comes()
        end(story, first)
        assert story.comes(session=2) is first


def test_each_once():
    story = Story()
    first, second = story.comes(), story.comes()
    story.taken(first)
    story.taken(second)
    assert [story.comes(session=2) for _ in range(2)] == [first, second]
    assert story.comes(session=2) not in {first, second}


def test_not_what_the_smsc_has_proved_to_know():
    story = Story()
    first = story.comes()
    story.taken(first)
    story.repeats.proved(first)
    assert len(story.repeats) == 0
    assert story.comes(session=2).key != first.key


def test_a_proof_does_not_forget_what_failed():
    story = Story()
    first = story.comes()
    story.failed(first)
    story.repeats.proved(first)
    assert story.comes() is first
    story.repeats.proved(first)  # a late proof of the earlier answer
    assert len(story.repeats) == 1


def test_runs_differ():
    one, other = Story(), Story()
    other.now += 1
    assert one.comes().key != other.comes().key


def test_no_more_is_remembered_than_the_limit(monkeypatch):
    monkeypatch.setattr(smpp_repeats, "MOST", 10)
    story = Story()
    for number in range(50):
        story.taken(story.comes(b"%d" % number))
    assert len(story.repeats) == 10


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.sampled_from(["taken", "failed", "lost"])), max_size=30))
def test_nothing_that_was_not_taken_is_lost_and_nothing_taken_comes_twice(sent):
    """An SMSC that repeats what it got no good answer to, one message at a time, over sessions that it changes."""
    story = Story()
    durable, session = [], 1
    for body, fate in sent:
        if fate == "lost":  # taken, but the answer never arrives
            one = story.comes(body, session)
            durable += [one.key] if one.state is not State.TAKEN else []
            story.taken(one)
            session += 1
        elif fate == "failed":
            story.failed(story.comes(body, session))
        one = story.comes(body, session)
        durable += [one.key] if one.state is not State.TAKEN else []
        story.taken(one)
        story.repeats.proved(one)
    assert len(durable) == len(sent)
    assert len(set(durable)) == len(sent)
