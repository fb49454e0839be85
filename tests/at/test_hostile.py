"""Whatever comes in, the engine neither raises nor grows, and finds its feet at the next line end."""

import math
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modembank.at import (
    AtCommand,
    AtEngine,
    AtEvent,
    Final,
    Noise,
    NoiseReason,
    Prompt,
    UrcReceived,
    arguments,
    cme_code,
    cms_code,
    command,
    parse_cesq,
    parse_clcc,
    parse_clip,
    parse_cmgl,
    parse_cmgr,
    parse_cnmi,
    parse_cnmi_ranges,
    parse_cnum,
    parse_cops,
    parse_cpin,
    parse_cpms,
    parse_cpms_choice,
    parse_csca,
    parse_csms,
    parse_csq,
    parse_cusd,
    parse_iccid,
    parse_imsi,
    parse_message_reference,
    parse_pair_header,
    parse_pin_tries,
    parse_place,
    parse_registration,
    query,
    split_fields,
)

PDU = "0001000B914421436587F900000AE8329BFD4697D9EC37"
_COMMANDS = [
    AtCommand("AT+CGMI", bare=True),
    query("+CREG"),
    AtCommand("AT+CMGL=4", prefix=("+CMGL:",), follows=True),
    AtCommand("AT+CMGS=22", prefix=("+CMGS:",), payload=PDU),
]
_PIECES = [
    b"\r\n", b"\r", b"\n", b"> ", b">", b"OK", b"ERROR", b"+CMS ERROR: 500", b"+CREG: 2,1", b"+CREG: 1",
    b"+CMGL: 1,1,,28",
    b"+CDS: 25", b"+CMT: ,28", b"0", b"4", b"\0", b"\x1a", b'+CUSD: 1,"', b'",15', b"00", PDU.encode(),
    b"AT+CGMI", b"RING",
    b"0791447758100650062A0B914421436587F9113082516195001130825161950000", b"\xff\xfe", b"+", b'"',
]  # fmt: skip
_stream = st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=6)), max_size=40).map(b"".join)


def _run(data: bytes, start: AtCommand | None, size: int) -> list[AtEvent]:
    """Feed in chunks of ``size``; nothing is sent on an event, so that cutting is the only difference."""
    engine = AtEngine(max_line=64)
    if start is not None:
        engine.send(start)
    events: list[AtEvent] = []
    for position in range(0, len(data), size):
        events += engine.feed(data[position : position + size])
        assert engine.buffered <= 64 + size
    return events


@settings(max_examples=300, deadline=None)
@given(data=_stream, start=st.sampled_from([None, *_COMMANDS]), size=st.integers(1, 9))
def test_any_stream_means_the_same_however_it_is_cut(data: bytes, start: AtCommand | None, size: int) -> None:
    assert _run(data, start, size) == _run(data, start, max(1, len(data)))


@settings(max_examples=200, deadline=None)
@given(
    chunks=st.lists(st.one_of(_stream, st.binary(max_size=200)), max_size=12), seed=st.randoms(use_true_random=False)
)
def test_no_stream_breaks_the_dialogue(chunks: list[bytes], seed) -> None:
    """A clumsy driver on a mad modem: only the engine's own state errors may come, and only when we break the rules."""
    engine = AtEngine(max_line=128)
    for chunk in chunks:
        if engine.in_flight is None:
            if engine.desynchronised:
                engine.resync_probe()
            else:
                engine.send(seed.choice(_COMMANDS))
        for event in engine.feed(chunk):
            assert isinstance(event, Final | Prompt | UrcReceived | Noise)
        if engine.at_prompt and seed.random() < 0.5:
            engine.send_payload()
        elif seed.random() < 0.2:
            engine.escape()
        elif seed.random() < 0.2:
            engine.abandon()


def test_64_kib_without_a_line_end_is_told_once_and_costs_no_memory() -> None:
    engine = AtEngine()
    events: list[AtEvent] = []
    for _ in range(64):
        events += engine.feed(b"x" * 1024)
        assert engine.buffered <= 4096 + 1024
    assert [(event.why, len(event.raw)) for event in events] == [(NoiseReason.OVERSIZED, 80)]
    engine.send(command("+CSQ", prefix=("+CSQ:",)))
    (final,) = engine.feed(b"still the long line\r\n+CSQ: 1,99\r\nOK\r\n")
    assert isinstance(final, Final)
    assert final.result.lines == ("+CSQ: 1,99",)


def test_an_endless_answer_is_cut_and_still_ends() -> None:
    engine = AtEngine()
    engine.send(command("+CGMI", bare=True))
    for _ in range(100):
        engine.feed(b"line of text\r\n" * 100)
    (final,) = engine.feed(b"OK\r\n")
    assert len(final.result.lines) == 2048
    assert sys.getsizeof(final.result.lines) < 20_000


def test_many_late_commands_are_forgotten() -> None:
    engine = AtEngine()
    for _ in range(1000):
        engine.resync_probe()
        engine.abandon()
    assert len(engine._abandoned) <= 8


@pytest.mark.parametrize("raw", ["A\x07B", "A\x85B", "A\u202eB", "A\u2028B"])
def test_controls_and_text_turners_are_made_visible(raw: str) -> None:
    (event,) = AtEngine().feed(raw.encode() + b"\r\n")
    assert event.raw == "A\ufffdB"


def _cost(text: str) -> float:
    """Seconds of this process for all parsers, and for the engine inside an open USSD text; the best of several."""
    best = math.inf
    for _ in range(7):
        engine = AtEngine(max_line=1 << 20)
        engine.feed(b'+CUSD: 1,"open\r\n')
        start = time.process_time()
        engine.feed(text.encode() + b"\r\n")
        for parser in _PARSERS:
            parser(text)
        cms_code(text)
        cme_code(text)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    ("head", "unit", "tail"),
    [
        ('+CUSD: 1,"a"', " ", ", x"),
        ('+CUSD: 1,"a",', " ", "x"),
        ('+CUSD: 1,"', '" , ', "x"),
        ('"', '"', "x"),
        ('a",', " ", "x"),
        ("", "(", ""),
        ("+CNMI: ", "(0-4096),", ""),
        ("+CPMS: ", '("SM",', ""),
        ("", "0041", ""),
        ("", "9", ""),
        ("+X: ", ",", ""),
    ],
)
def test_no_line_costs_more_than_its_length(head: str, unit: str, tail: str) -> None:
    """All modems share one loop: what one of them says must not hold up the others."""
    short, long = (head + unit * (size // len(unit)) + tail for size in (1_000, 8_000))
    assert _cost(long) < 30 * max(_cost(short), 1e-5)  # eight times the length; its square would be 64 times


_PARSERS = [
    arguments, parse_cesq, parse_clcc, parse_clip, parse_cmgl, parse_cmgr, parse_cnmi, parse_cnmi_ranges, parse_cnum,
    parse_cops, parse_cpin, parse_cpms, parse_cpms_choice, parse_csca, parse_csms, parse_csq, parse_cusd, parse_iccid,
    parse_imsi, parse_message_reference, parse_pair_header, parse_place, parse_registration, split_fields,
]  # fmt: skip
_field = st.one_of(
    st.sampled_from(
        ['"SM"', "0-9", "(0,1", "0-999999999", "99999999999999999999", "-1", '"', "(", ")", "FFFF", "", "²", "١"]
    ),
    st.text(max_size=8),
)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(["+CPMS: ", "+CUSD: 0,", "", "^CPIN: "]), fields=st.lists(_field, max_size=9))
def test_no_parser_raises(name: str, fields: list[str]) -> None:
    line = name + ",".join(fields)
    for parser in _PARSERS:
        parser(line)
    parse_pin_tries((line, "+CPINR: " + line, "+QPINC: " + line))
