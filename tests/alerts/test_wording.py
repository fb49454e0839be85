"""The words of alerts: short, sendable, cut where segments end, and in the alphabet that they were in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.alerts import Alert
from modembank.alerts.wording import cut, words_for, words_for_many
from modembank.messages.text import measure
from modembank.tpdu import Encoding, count_segments

TEXT = st.text(st.characters(), max_size=400) | st.text(
    st.sampled_from("abc €[é…日😀e\u0301\u200d\n\t\x00\x85"), max_size=400
)


def alert(status: str = "firing", summary: str = "CPU at 97 %", **labels: str) -> Alert:
    return Alert(status, {"alertname": "HighCPU", "instance": "host1"} | labels, {"summary": summary})


def test_an_alert_in_words() -> None:
    assert words_for(alert(), 2) == "FIRING HighCPU host1: CPU at 97 %"
    assert words_for(alert("resolved", summary=""), 2) == "RESOLVED HighCPU host1"
    assert words_for(Alert("firing"), 2) == "FIRING alert"
    assert words_for(alert(instance="", host="db"), 2).startswith("FIRING HighCPU db:")
    assert words_for(Alert("firing", {"alertname": "X"}, {"description": "d"}), 2) == "FIRING X: d"


def test_many_alerts_in_words() -> None:
    many = [alert(instance=f"host{n % 7}") for n in range(9)]
    assert words_for_many(many, 2) == (
        "FIRING 9 alerts: HighCPU host0, HighCPU host1, HighCPU host2, HighCPU host3, HighCPU host4, HighCPU host5, "
        "HighCPU host6"
    )
    text = words_for_many([alert(instance=f"host{n}") for n in range(500)], 2)
    assert text.startswith("FIRING 500 alerts: HighCPU host0, ")
    assert text.endswith("...")
    assert count_segments(text).segments == 2


@pytest.mark.parametrize(("segments", "length"), [(1, 160), (2, 306), (3, 459)])
def test_it_is_cut_where_the_last_segment_ends(segments: int, length: int) -> None:
    text = cut("x" * 2000, segments)
    assert text == "x" * (length - 3) + "..."
    assert cut("x" * length, segments) == "x" * length
    assert count_segments(cut("€" * 2000, segments)).segments == segments
    assert len(cut("日" * 2000, segments)) == {1: 70, 2: 134, 3: 201}[segments]
    assert cut("日" * 2000, segments).endswith("日…")


def test_what_is_cut_off_does_not_decide_the_alphabet() -> None:
    text = cut("x" * 400 + "日本", 2)
    assert text == "x" * 303 + "..."
    assert count_segments(text).encoding is Encoding.GSM7


def test_a_letter_keeps_its_accents_and_a_family_stays_together() -> None:
    assert cut("日" * 68 + "e\u0301\u0301" + "日" * 9, 1) == "日" * 68 + "…"
    assert cut("日" * 64 + "👩\u200d👩\u200d👧 x" * 9, 1).rstrip("…") in {"日" * 64, "日" * 64 + "👩"}


def test_control_characters_and_line_ends_are_blanks() -> None:
    assert cut("a\x00\x07b\r\n\tc\x85d\ud800e\u2028f   g\x7f", 1) == "a b c d e f g"


@given(TEXT, st.integers(1, 4))
def test_whatever_comes_can_be_sent_in_so_many_segments(summary: str, segments: int) -> None:
    text = words_for(alert(summary=summary), segments)
    measured = measure(text, Encoding.AUTO, segments)
    assert 1 <= measured.segments <= segments
    assert text.startswith("FIRING HighCPU host1")
    if measured.encoding is Encoding.UCS2 and text.endswith("…") and "…" not in summary:
        assert count_segments(text[:-1]).encoding is Encoding.UCS2
