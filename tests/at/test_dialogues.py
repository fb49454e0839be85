"""Recorded dialogues: what they mean, at every chunk size, and with a stray code at every place between lines."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.dialogues import Turn, describe, load, names, play
from modembank.at import AtEvent, Final, Prompt, UrcReceived

REPORT = "0791447758100650062A0B914421436587F9113082516195001130825161950000"
STRAY_CODES = [
    b'\r\n+CMTI: "SM",77\r\n',
    b"\r\nRING\r\n",
    b"\r\n^RSSI: 9\r\n",
    b"\r\n+QIURC: 7\r\n",
    b"\r\n+NEVERSEEN: 1,2\r\n",
    b"\r\nOVER-VOLTAGE WARNNING\r\n",
    b'\r\n+CLIP: "+447700900999",145\r\n',
    b"\r\n+CDS: 25\r\n" + REPORT.encode() + b"\r\n",
]
_NAMES = names()


def _described(heard: list[list[AtEvent]]) -> list[list[str]]:
    return [[describe(event).replace("\n", "\\n") for event in events] for events in heard]


def _outcome(heard: list[list[AtEvent]]) -> list[list[AtEvent]]:
    return [[event for event in events if isinstance(event, Final | Prompt)] for events in heard]


@pytest.mark.parametrize("name", _NAMES)
def test_a_dialogue_means_what_its_file_says(name: str) -> None:
    turns = load(name)
    assert _described(play(turns)) == [list(turn.expected) for turn in turns]
    assert sum(len(turn.expected) for turn in turns) >= 5


def test_there_is_a_dialogue_for_each_kind_of_modem() -> None:
    assert {name.partition("_")[0].removesuffix(".txt") for name in _NAMES} >= {
        "huawei", "quectel", "simcom", "zte", "telit", "cuttlefish", "oddities",
    }  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("name", _NAMES)
def test_same_events_at_a_fixed_chunk_size(name: str, size: int) -> None:
    turns = load(name)
    cut = play(turns, lambda data: (data[start : start + size] for start in range(0, len(data), size)))
    assert cut == play(turns)


@settings(deadline=None)
@given(name=st.sampled_from(_NAMES), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=50))
def test_same_events_at_random_chunk_sizes(name: str, sizes: list[int]) -> None:
    turns = load(name)

    def chunks(data: bytes):
        start, turn = 0, 0
        while start < len(data):
            size = sizes[turn % len(sizes)]
            yield data[start : start + size]
            start, turn = start + size, turn + 1

    assert play(turns, chunks) == play(turns)


def _places(data: bytes) -> list[int]:
    """Where a modem can put a code: between octets of which one is a line end, but not between a code and its PDU."""
    pairs = [match.span() for match in re.finditer(rb"\+(?:CDS|CMT): ?,?\d+\r.*?[0-9A-F]{40,}\r?", data, re.DOTALL)]
    texts = [match.span() for match in re.finditer(rb'\+CUSD: 0,".*?",15', data, re.DOTALL)]

    def after_prompt(place: int) -> bool:
        return data[place - 1 : place] == b">" and data[max(0, place - 2) : place - 1] in (b"", b"\n", b"\r")

    return [
        place
        for place in range(len(data) + 1)
        if (
            place == 0
            or place == len(data)
            or data[place - 1] in b"\r\n"
            or data[place] in b"\r\n"
            or after_prompt(place)
        )
        and not any(start < place < end for start, end in [*pairs, *texts])
    ]


def _insertions() -> list[tuple[str, int, int]]:
    return [
        (name, turn, place)
        for name in _NAMES
        for turn, told in enumerate(load(name))
        for place in _places(told.received)
    ]


@pytest.mark.parametrize("code", STRAY_CODES, ids=[code.split()[0].decode() for code in STRAY_CODES])
def test_story_16_a_stray_code_between_lines_never_changes_an_outcome(code: bytes) -> None:
    loaded = {name: load(name) for name in _NAMES}
    plain = {name: play(turns) for name, turns in loaded.items()}
    stray_count = 0
    for name, number, place in _insertions():
        if name == "oddities.txt" and code.startswith(b"\r\n+CDS"):
            continue  # a lone header there waits on purpose
        turns = list(loaded[name])
        told = turns[number]
        received = told.received[:place] + code + told.received[place:]
        turns[number] = Turn(told.sent, received, ())
        heard = play(turns)
        assert _outcome(heard) == _outcome(plain[name]), (name, number, place)
        before = sum(isinstance(event, UrcReceived) for events in plain[name] for event in events)
        after = sum(isinstance(event, UrcReceived) for events in heard for event in events)
        assert after == before + 1, (name, number, place)
        stray_count += 1
    assert stray_count > 200


def test_a_code_between_a_header_and_its_pdu_is_not_taken_for_the_pdu() -> None:
    turns = [Turn(b"", b"\r\n+CDS: 25\r\n^RSSI: 9\r\nRING\r\n" + REPORT.encode() + b"\r\n", ())]
    events = play(turns)[0]
    assert [describe(event) for event in events] == [
        "urc SIGNAL ^RSSI '9'",
        "urc RING RING ''",
        f"urc CDS +CDS '25' pdu {REPORT}",
    ]
