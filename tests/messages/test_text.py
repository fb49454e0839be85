"""What a text costs and why it cannot be sent, in words for the one who wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.errors import InvalidRequest
from modembank.messages.text import MAX_CHARACTERS, TextProblem, measure, preview_text, sanitised
from modembank.messages.views import Replacement
from modembank.tpdu import Encoding, count_segments


@pytest.mark.parametrize(
    ("text", "encoding", "allowed", "why"),
    [
        ("", Encoding.AUTO, 5, "is empty"),
        ("a" * (MAX_CHARACTERS + 1), Encoding.AUTO, 255, "no message can hold more"),
        ("a\x00", Encoding.AUTO, 5, r"control character U\+0000 at position 1"),
        ("\x1b", Encoding.AUTO, 5, r"U\+001B at position 0"),
        ("\ud83d", Encoding.AUTO, 5, "surrogate"),
        ("жщж", Encoding.GSM7, 5, r"outside the GSM 7-bit alphabet: ж \(U\+0436\) щ \(U\+0449\);"),
        ("a" * 161, Encoding.AUTO, 1, "needs 2 segments and may have 1: shorten it"),
        ("a" * 70 + "…", Encoding.AUTO, 1, r"… \(U\+2026\) forced it to UCS-2"),
        ("ж" * 20_000, Encoding.AUTO, 255, "more than 255"),
    ],
)
def test_what_cannot_be_sent(text, encoding, allowed, why):
    with pytest.raises(TextProblem, match=why):
        measure(text, encoding, allowed)


def test_many_foreign_characters_are_listed_in_part():
    with pytest.raises(TextProblem, match="and 16 more"):
        measure("абвгдежзийклмнопрстуфхцчшщ", Encoding.GSM7)


def test_what_would_spoil_the_sentence_is_only_named():
    with pytest.raises(TextProblem) as problem:
        measure("a\tb\u202eж", Encoding.GSM7)
    assert "alphabet: U+0009 U+202E ж (U+0436);" in str(problem.value)


@given(st.one_of(st.text(max_size=200), st.text("\n\r Az09@_[{~`\x7f€äж", max_size=170)), st.sampled_from(Encoding))
def test_a_text_costs_what_the_codec_says(text, encoding):
    try:
        count = measure(text, encoding)
    except TextProblem:
        return
    assert count == count_segments(text, encoding=encoding)


@pytest.mark.parametrize("length", [1, 159, 160, 161])
def test_a_plain_text_fills_one_part_and_then_two(length):
    text = "a" * length
    assert measure(text, Encoding.AUTO) == count_segments(text)


@pytest.mark.parametrize("text", ["two\nlines", "tab\there", "a\fb", "a\r\nb"])
def test_white_space_is_no_control(text):
    assert measure(text, Encoding.AUTO).segments == 1


@given(st.text(max_size=300))
def test_any_text_is_measured_as_the_codec_does_or_refused(text):
    try:
        count = measure(text, Encoding.AUTO, 255)
    except TextProblem:
        assert not text or sanitised(text) != text
    else:
        assert count == count_segments(text, encoding=Encoding.AUTO)


def test_story_29_a_typographic_character_is_told_before_sending():
    text = "“Hello” – see you…" * 8
    seen = preview_text(text)
    assert (seen.encoding, seen.segments) == ("ucs2", 3)
    assert seen.forced_by == ("“", "”", "–", "…")
    assert Replacement("…", "...") in seen.replacements
    assert seen.text_after == '"Hello" - see you...' * 8
    assert (seen.segments_after, seen.segments_saved) == (1, 2)


def test_nothing_to_replace():
    seen = preview_text("Привет")
    assert (seen.encoding, seen.replacements, seen.text_after, seen.segments_after) == ("ucs2", (), None, None)
    seen = preview_text("abc")
    assert (seen.encoding, seen.characters_left, seen.forced_by) == ("gsm7", 157, ())


def test_replacing_some_need_not_help():
    seen = preview_text("Привет…")
    assert (seen.segments_after, seen.segments_saved) == (1, 0)


@given(st.text("ab “”…–é€\U0001f600ж", min_size=1, max_size=200))
def test_what_is_offered_is_what_it_would_cost(text):
    seen = preview_text(text)
    assert seen.segments == count_segments(text, encoding=Encoding.AUTO).segments
    if seen.text_after:
        assert seen.segments_after == count_segments(seen.text_after, encoding=Encoding.AUTO).segments
        assert seen.segments_saved == seen.segments - seen.segments_after


async def test_the_service_previews(post):
    assert post.messages.preview("hi").segments == 1
    assert post.messages.preview("hi", encoding="ucs2").encoding == "ucs2"
    for text, encoding, pointer in (("", "auto", "/text"), ("ж", "gsm7", "/text"), ("hi", "utf8", "/encoding")):
        with pytest.raises(InvalidRequest) as refused:
            post.messages.preview(text, encoding=encoding)
        assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert await post.rows() == 0


@given(st.text(max_size=100))
def test_inbound_text_is_made_harmless(text):
    clean = sanitised(text)
    assert len(clean) == len(text)
    assert not set(clean) & set(map(chr, [*range(9), 11, 12, *range(14, 32), *range(127, 160)]))
    clean.encode()


def test_a_form_feed_is_a_line_end():
    assert sanitised("a\fb\x07\ud800") == "a\nb\ufffd\ufffd"
