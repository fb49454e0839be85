"""How pages write numbers, times and foreign words: tables of cases, and what holds of every value."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from fakes.readers import parsed
from modembank_web.pages.formats import (
    FILTERS,
    NARROW_SPACE,
    Moment,
    attributes,
    duration,
    foreign,
    moment,
    number,
    octets,
    percent,
    place,
    points,
    visible,
    when,
    words,
)

UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
AT = datetime(2026, 11, 26, 17, 5, 9, 120_000, UTC)
AT_MS = 1_795_712_709_120
BIDI = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
MARKS = "\u061c\u200e\u200f"
"""Which turn the direction, and are of the bidirectional classes of letters."""
ANY_TEXT = st.text(st.characters() | st.sampled_from("\x00\r\n\t<>&\"'\u202e\u2066\u200e\u061c\ufeff\u2028\ud800"))
NUMBERS = st.integers(-(10**18), 10**18)


def plain(text: str) -> str:
    return text.replace(NARROW_SPACE, " ")


def measured(text: str, units: dict[str, int]) -> float:
    """Read back what was written with units, the largest first, each at most once."""
    found = re.findall(r"([\d.]+) (\w+)", plain(text))
    assert " ".join(f"{count} {unit}" for count, unit in found) == plain(text)
    sizes = [units[unit] for _, unit in found]
    assert sizes == sorted(set(sizes), reverse=True)
    return sum(float(count) * units[unit] for count, unit in found)


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "–"), (0, "0"), (999, "999"), (4812, "4 812"), (1e6, "1 000 000"), (-1234, "-1 234"), (-0.4, "0")],
)
def test_a_count_has_its_thousands_apart(value: float | None, written: str) -> None:
    assert plain(number(value)) == written


@given(NUMBERS)
def test_a_count_reads_back(value: int) -> None:
    written = number(value)
    assert int(written.replace(NARROW_SPACE, "")) == value
    assert all(len(group) == 3 for group in written.lstrip("-").split(NARROW_SPACE)[1:])


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [
        (1, 0, "–"), (0, 9, "0 %"), (1, 3, "33 %"), (9, 9, "100 %"), (11, 10, "110 %"), (999, 1000, "99 %"),
        (29, 100, "29 %"), (57, 100, "57 %"), (7, 100, "7 %"), (1, 1000, "0.1 %"), (996, 10_000, "9.9 %"),
        (1, 1_000_000, "< 0.1 %"),
    ],
)  # fmt: skip
def test_a_share(part: int, whole: int, written: str) -> None:
    assert plain(percent(part, whole)) == written


@given(st.integers(1, 10**7), st.data())
def test_a_share_is_all_or_nothing_only_when_it_is(whole: int, drawn: st.DataObject) -> None:
    part = drawn.draw(st.integers(0, whole))
    written = plain(percent(part, whole))
    assert (written == "0 %") == (part == 0)
    assert (written == "100 %") == (part == whole)
    if not written.startswith("<"):
        share = float(written.removesuffix(" %"))
        assert share * whole <= part * 100 * (1 + 1e-12)
        assert part * 100 < (share + 1) * whole


@given(st.integers(0, 100))
def test_whole_per_cent_are_written_as_they_are(share: int) -> None:
    assert plain(percent(share, 100)) == f"{share} %"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0 B"), (999, "999 B"), (999.6, "1.0 kB"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (999_960, "1.0 MB"),
        (999_999_999, "1.0 GB"), (5 * 10**12, "5000.0 GB"),
    ],
)  # fmt: skip
def test_a_size(value: float, written: str) -> None:
    assert plain(octets(value)) == written


@given(st.integers(0, 10**13))
def test_a_size_is_near_what_it_was(value: int) -> None:
    written = octets(value)
    assert measured(written, SIZES) == pytest.approx(value, rel=0.051)
    assert "GB" in written or float(plain(written).split()[0]) < 1000


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (60, "1 min"), (3569, "59 min"), (3599, "1 h"),
        (3600, "1 h"), (7500, "2 h 5 min"), (86_369, "23 h 59 min"), (86_399, "1 d"), (86_400, "1 d"),
        (90_000, "1 d 1 h"), (172_700, "2 d"), (86_400 * 400, "400 d"),
    ],
)  # fmt: skip
def test_a_length_of_time(seconds: float, written: str) -> None:
    assert plain(duration(seconds)) == written


@given(st.integers(0, 10**8), st.integers(0, 10**6))
@example(3_599, 1)
@example(86_399, 1)
def test_what_takes_longer_is_never_written_shorter(seconds: int, more: int) -> None:
    assert measured(duration(seconds), UNITS) <= measured(duration(seconds + more), UNITS)


@given(st.integers(0, 10**8))
def test_a_length_of_time_is_near_what_it_was_and_no_unit_overflows(seconds: int) -> None:
    written = duration(seconds)
    assert measured(written, UNITS) == pytest.approx(seconds, rel=0.5 if seconds < 3600 else 0.021)
    most = {"s": 60, "min": 60, "h": 24}
    assert all(int(count) < most.get(unit, 10**9) for count, unit in re.findall(r"(\d+) (\w+)", plain(written)))


@pytest.mark.parametrize(
    ("then", "written"),
    [
        (0, "now"), (4_999, "now"), (-4_999, "now"), (5_000, "in 5 s"), (-5_000, "5 s ago"), (-3_600_000, "1 h ago"),
        (90_000_000, "in 1 d 1 h"),
    ],
)  # fmt: skip
def test_how_long_ago(then: int, written: str) -> None:
    assert plain(Moment(AT_MS).ago(AT_MS + then)) == written


@pytest.mark.parametrize(
    ("given_moment", "style", "iso", "shown"),
    [
        (AT_MS, "short", "2026-11-26T17:05:09.120Z", "26 Nov 2026, 17:05 UTC"),
        (AT_MS, "time", "2026-11-26T17:05:09.120Z", "17:05:09 UTC"),
        (AT_MS, "full", "2026-11-26T17:05:09.120Z", "26 Nov 2026, 17:05:09 UTC"),
        (AT_MS, "brief", "2026-11-26T17:05:09.120Z", "26 Nov 2026"),
        (0, "short", "1970-01-01T00:00:00.000Z", "01 Jan 1970, 00:00 UTC"),
        ("2026-11-26T17:05:09Z", "short", "2026-11-26T17:05:09.000Z", "26 Nov 2026, 17:05 UTC"),
        ("2026-11-26T01:05:09+02:00", "short", "2026-11-25T23:05:09.000Z", "25 Nov 2026, 23:05 UTC"),
        ("2026-11-26T17:05:09", "time", "2026-11-26T17:05:09.000Z", "17:05:09 UTC"),
    ],
)
def test_a_moment_is_an_element_in_utc(given_moment: int | str, style: str, iso: str, shown: str) -> None:
    element = parsed(when(given_moment, style)).one("time")
    assert (element["datetime"], element["data-style"], element.text) == (iso, style, shown)


def test_no_moment_is_a_dash() -> None:
    assert when(None) == "–"
    assert moment(None) is None


@pytest.mark.parametrize("bad", ["", "yesterday", "<b>", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_never_shown_as_one(bad: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        when(bad)
    with pytest.raises(ValueError, match=r"isoformat|month"):
        moment(bad)


@given(st.integers(0, 4_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_zone(ms: int, minutes: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    local = at.astimezone(timezone(timedelta(minutes=minutes))).isoformat(timespec="milliseconds")
    assert when(local, "full") == when(ms, "full")
    assert moment(local) == ms


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain, é, 漢, 👩\u200d👩", "plain, é, 漢, 👩\u200d👩"), ("a\r\nb\tc\n", "a\nb\tc\n"), ("a\rb", "a⟨000D⟩b"),
        ("\x00", "⟨0000⟩"), ("\u202eevil", "⟨202E⟩evil"), ("\x9b", "⟨009B⟩"), ("\udcff", "⟨DCFF⟩"),
        ("a\u200bb\u2060c\u00ad", "a⟨200B⟩b⟨2060⟩c⟨00AD⟩"), ("", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_written_out(text: str, written: str) -> None:
    assert visible(text) == written


@given(ANY_TEXT)
def test_nothing_controls_or_turns_what_is_shown(text: str) -> None:
    shown = visible(text)
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in "\t\n"]
    assert not [char for char in shown if unicodedata.bidirectional(char) in BIDI or char in MARKS]
    assert shown.encode().decode() == shown
    assert visible(shown) == shown


@given(ANY_TEXT | st.none())
def test_foreign_text_is_text_and_reads_back(text: str | None) -> None:
    written = foreign(text)
    inside = written.removeprefix('<bdi class="foreign">').removesuffix("</bdi>")
    assert not set(inside) & set("<>\"'")
    assert html.unescape(inside) == visible(text or "")
    assert isinstance(written, Markup)


def test_foreign_text_is_not_believed_to_be_markup() -> None:
    assert "<b>" not in foreign(Markup("<b>bold</b>"))


@pytest.mark.parametrize(("key", "written"), [("not_sent", "not sent"), ("NO_CREDIT", "no credit"), ("", "")])
def test_a_key_in_words(key: str, written: str) -> None:
    assert words(key) == written


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True), ANY_TEXT | st.booleans() | st.none()))
def test_attributes_read_back(wanted: dict[str, str | bool | None]) -> None:
    written = parsed(f"<p{attributes(wanted)}>").one("p").attributes
    assert set(written) == {name for name, value in wanted.items() if value is not None and value is not False}
    for name, value in written.items():
        assert value is None if wanted[name] is True else value == wanted[name]


@pytest.mark.parametrize("name", ["", "a b", 'a"', "a>", "on\nclick", "1", "a="])
def test_what_is_no_name_of_an_attribute_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of an attribute"):
        attributes({name: "x"})


def test_a_place_is_said_in_words() -> None:
    places = ("/lines/3", "/number", "/per_day", "")
    assert [place(pointer) for pointer in places] == ["line 3", "number", "per day", ""]


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([], ""), ([0], "0.0,26.0"), ([0, 0], "0.0,26.0 100.0,26.0"), ([4, 1, 2], "0.0,2.0 50.0,20.0 100.0,14.0"),
    ],
)  # fmt: skip
def test_the_points_of_a_line(values: list[int], written: str) -> None:
    assert points(values) == written


def test_every_filter_is_one_of_these() -> None:
    assert set(FILTERS.values()) == {
        number, percent, octets, duration, when, moment, foreign, visible, words, place, points, attributes
    }  # fmt: skip
