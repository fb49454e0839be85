"""The reasons why messages wait, as dispatch says them, become a few groups."""

import pytest

from modembank.health.reasons import Reason, sort_reason
from modembank.sim import Denied, LimitName

NOW = 1_800_000_000_000


@pytest.mark.parametrize("limit", list(LimitName))
@pytest.mark.parametrize("until", [NOW + 1_000, NOW + 3_600_000, NOW + 90_000_000, None])
@pytest.mark.parametrize("label", ["SIM slot-01", "SIM shop: main", "SIM 7 of 9", "provider acme"])
def test_every_sentence_of_a_limit_is_a_limit(limit, until, label):
    said = {
        sort_reason(Denied(limit, used, 200, until, NOW + later).explain(label))
        for used in (3, 200)
        for later in (0, 600)
    }
    [(kind, words)] = said
    assert kind is Reason.LIMIT
    assert words.startswith(f"{label}: ")
    assert "200" in words


@pytest.mark.parametrize(
    ("sentence", "kind", "words"),
    [
        ("it is next", Reason.TURN, "others are before it, or it is its turn"),
        ("1 message is before it", Reason.TURN, "others are before it, or it is its turn"),
        ("512 or more messages are before it", Reason.TURN, "others are before it, or it is its turn"),
        ("being sent through SIM slot-01", Reason.TURN, "others are before it, or it is its turn"),
        ("scheduled for 2026-11-20 14:00:00", Reason.TIME, "scheduled for …"),
        (
            "outside its window 08:00-20:00, which opens at 08:00:00",
            Reason.TIME,
            "outside its window …-…, which opens at …",
        ),
        (
            "quiet hours of its recipient until 08:00 in Europe/Berlin: goes on at 2027-01-16 07:00:00",
            Reason.TIME,
            "quiet hours of its recipient until … in Europe/Berlin: goes on at …",
        ),
        (
            "held back, for messages to and from this number chase each other; goes on at 15:00:00",
            Reason.TIME,
            "held back, for messages to and from this number chase each other; goes on at …",
        ),
        ("no modem is registered", Reason.OTHER, "no modem is registered"),
        (
            "will be tried again at 2026-11-21 00:00:10, after cms_42: congestion",
            Reason.OTHER,
            "will be tried again at …, after cms_42: congestion",
        ),
        (
            "the modem of SIM slot-01 rests until 14:05:33 after a failure",
            Reason.OTHER,
            "the modem of SIM slot-01 rests until … after a failure",
        ),
        (
            "SIM slot-01 is paused: 3 of 5 this hour, he said",
            Reason.OTHER,
            "SIM slot-01 is paused: 3 of 5 this hour, he said",
        ),
        ("something that nobody foresaw", Reason.OTHER, "something that nobody foresaw"),
    ],
)
def test_the_other_sentences(sentence, kind, words):
    assert sort_reason(sentence) == (kind, words)
