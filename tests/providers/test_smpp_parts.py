"""Parts that find each other, in any order and not without limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.providers.adapters import smpp_parts
from modembank.providers.adapters.smpp_parts import MOST_WAIT_S, Parts, text_of
from modembank.tpdu import Alphabet, Concat, Udh, UserData, split_text


def part(number, total=3, text="x", reference=7):
    return UserData.of_text(text, Udh.build(concat=Concat(reference, total, number)))


def add(parts, one, sender="+491", to="123", key="key", now=0.0):
    return parts.add(sender, to, one, key, now)


@given(st.text(min_size=1, max_size=900).filter(lambda text: text.isprintable()), st.randoms(use_true_random=False))
def test_any_order_gives_the_text(text, dice):
    pieces = list(split_text(text, reference=9).parts)
    dice.shuffle(pieces)
    if pieces[0].concat is None:
        assert text_of(pieces) == text
        return
    parts = Parts()
    for number, piece in enumerate(pieces, 1):
        found, given_up = add(parts, piece)
        assert given_up == []
        assert found.complete == (number == len(pieces))
    assert text_of(list(found.parts.values())) == text
    parts.done(found)
    assert len(parts) == 0


def test_a_part_that_is_there_changes_nothing():
    parts = Parts()
    first, _ = add(parts, part(1))
    again, given_up = add(parts, part(1), key="other")
    assert again is first
    assert given_up == []
    assert again.key == "key"
    assert len(again.parts) == 1


def test_another_part_in_its_place_is_of_a_newer_message():
    parts = Parts()
    old, _ = add(parts, part(1, text="old"))
    new, given_up = add(parts, part(1, text="new"), key="newer")
    assert given_up == [old]
    assert new.key == "newer"
    assert old not in parts
    assert new in parts


@pytest.mark.parametrize(
    "other",
    [
        {"sender": "+492"},
        {"to": "124"},
        {"one": part(2, reference=8)},
        {"one": part(2, total=4)},
    ],
    ids=["sender", "recipient", "reference", "total"],
)
def test_what_does_not_belong_together(other):
    parts = Parts()
    first, _ = add(parts, part(1))
    found, _ = add(parts, other.pop("one", part(2)), **other)
    assert found is not first
    assert len(parts) == 2


def test_the_oldest_is_given_up_for_a_newer_one(monkeypatch):
    monkeypatch.setattr(smpp_parts, "MOST_SETS", 3)
    parts = Parts()
    sets = [add(parts, part(1, reference=number), key=str(number)) for number in range(5)]
    assert [[one.key for one in given_up] for _, given_up in sets] == [[], [], [], ["0"], ["1"]]
    assert len(parts) == 3


def test_memory_is_bounded_too(monkeypatch):
    monkeypatch.setattr(smpp_parts, "MOST_OCTETS", 100)
    parts = Parts()
    first, _ = add(parts, part(1, text="x" * 60))
    second, given_up = add(parts, part(1, text="y" * 60, reference=8))
    assert given_up == [first]
    huge, given_up = add(parts, part(2, text="z" * 150, reference=9))
    assert given_up == [second]
    assert huge in parts, "the newest stays, however large"


def test_what_waits_too_long_is_taken_out():
    parts = Parts()
    early, _ = add(parts, part(1), now=0.0)
    add(parts, part(1, reference=8), now=10.0)
    assert parts.overdue(MOST_WAIT_S - 1) == []
    assert parts.overdue(MOST_WAIT_S) == [early]
    assert len(parts) == 1


def test_what_could_not_be_stored_waits_on():
    parts = Parts()
    one, _ = add(parts, part(1))
    assert parts.overdue(float("inf")) == [one]
    parts.put_back(one)
    assert one in parts
    found, _ = add(parts, part(2))
    assert found is one


def test_but_not_in_the_place_of_a_newer_one():
    parts = Parts()
    old, _ = add(parts, part(1, text="old"))
    new, _ = add(parts, part(1, text="new"))
    parts.put_back(old)
    parts.done(old)
    assert new in parts


def test_a_part_without_a_place_is_a_mistake():
    with pytest.raises(ValueError, match="without a place"):
        add(Parts(), UserData.of_text("x"))


def test_missing_parts_are_marked():
    assert text_of([part(2, text="middle")]) == "[…]middle[…]"


def test_octets_are_shown_in_hexadecimal():
    assert text_of([UserData(Alphabet.OCTET, b"\x00\xff")]) == "[binary] 00ff"
