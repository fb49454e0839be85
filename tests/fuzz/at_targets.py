"""The AT engine and the parsers of its answers, under whatever a modem may say."""

from __future__ import annotations

import enum
import math
import re
from collections import Counter
from collections.abc import Callable

import msgspec

from fuzz import seeds
from fuzz.dice import Dice, records, script
from modembank import at
from modembank.at import AtCommand, AtEngine, AtEvent, Final, FinalStatus, Noise, Prompt, UrcReceived, query
from modembank.at.reader import printable

PDU = "0001000B914421436587F900000AE8329BFD4697D9EC37"
MAX_LINE = 256
COMMANDS = (
    query("+CREG"),
    AtCommand("AT+CGMI", bare=True),
    AtCommand("AT+CMGL=4", prefix=("+CMGL:",), follows=True),
    AtCommand("AT+CMGR=3", prefix=("+CMGR:",), follows=True),
    AtCommand("AT+CMGS=22", prefix=("+CMGS:",), payload=PDU),
    AtCommand('AT+CUSD=1,"*100#",15', prefix=("+CUSD:",)),
    query("+CPMS"),
    AtCommand("ATD123;", prefix=()),
)

# How a command may end, written from the standards and the makers' manuals and not from the engine: V.250 5.7.1,
# TS 27.005 3.2.5, TS 27.007 9.2. A line is one of these from its first character to its last, or no final result.
_ENDS = {
    FinalStatus.OK: re.compile(r"OK|0"),
    FinalStatus.ERROR: re.compile(r"ERROR|4|TOO MANY PARAMETERS|MODEM ERROR:.*|ERROR\+[A-Z]+:.*", re.DOTALL),
    FinalStatus.CMS_ERROR: re.compile(r"\+CMS ERROR(\s*:.*)?", re.DOTALL),
    FinalStatus.CME_ERROR: re.compile(r"\+CME ERROR(\s*:.*)?", re.DOTALL),
    FinalStatus.NOT_SUPPORTED: re.compile(r"(COMMAND|OPERATION) NOT SUPPORTED|COMMAND NOT SUPPORT|NA"),
    FinalStatus.NO_CARRIER: re.compile(r"NO CARRIER|3"),
    FinalStatus.BUSY: re.compile(r"BUSY|7"),
    FinalStatus.NO_ANSWER: re.compile(r"NO ANSWER|8"),
    FinalStatus.NO_DIALTONE: re.compile(r"NO DIAL ?TONE|6"),
    FinalStatus.CONNECT: re.compile(r"CONNECT"),
}
_EDGES = "\t \x0b\x0c\x11\x13\x1a\x1b"


def _driver(engine: AtEngine, dice: Dice) -> None:
    """What a driver does between two stretches of octets, within the engine's rules."""
    step = dice.octet()
    if engine.in_flight is None:
        if engine.desynchronised:
            engine.resync_probe()
        elif step:
            engine.send(COMMANDS[step % len(COMMANDS)])
    elif engine.at_prompt and step % 4:
        engine.send_payload()
    elif step % 8 == 5:
        engine.escape()
    elif step % 8 == 6:
        engine.abandon()


def _lines(octets: bytes) -> list[str]:
    """What could have been read as lines: between line ends, behind prompts, and behind an echo of the payload."""
    found: list[str] = []
    for raw in re.split(rb"[\r\n]", octets.replace(b"\0", b"")):
        for start in [0, *(match.end() for match in re.finditer(b">", raw))]:
            line = printable(raw[start:])
            found.append(line)
            if line[: len(PDU)].upper() == PDU:
                found.append(line[len(PDU) :].lstrip("\ufffd \x1a"))
        found += [printable(raw[: match.start()]) for match in re.finditer(b"> ", raw)]
    return found


def _told(event: AtEvent) -> list[str]:
    """The lines an event hands on."""
    if isinstance(event, Final):
        return [*event.result.lines, event.result.text or ""]
    if isinstance(event, UrcReceived):
        return [event.urc.raw, event.urc.pdu or ""]
    return [event.raw] if isinstance(event, Noise) else []


def _judge_event(event: AtEvent, possible: list[str]) -> None:
    assert isinstance(event, Final | Prompt | UrcReceived | Noise), event
    if isinstance(event, Final):
        ends = _ENDS[event.result.status]
        assert any(ends.fullmatch(line) for line in possible), event
    elif isinstance(event, UrcReceived) and event.urc.pdu is not None:
        urc = event.urc
        assert urc.name in {"+CMT", "+CDS", "+CBM"}, urc
        assert re.fullmatch(r"([0-9A-Fa-f]{2})+", urc.pdu), urc
        declared = int(urc.raw.rpartition(":")[2].rpartition(",")[2])
        assert len(urc.pdu) // 2 in {declared, declared + 1 + int(urc.pdu[:2], 16)}, urc
    for line in _told(event):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", line), line


def _judge_all(events: list[AtEvent], octets: bytes) -> None:
    possible = _lines(octets)
    for event in events:
        _judge_event(event, possible)
    seen = Counter(line for line in possible if line)
    pdus = Counter(event.urc.pdu for event in events if isinstance(event, UrcReceived) and event.urc.pdu)
    assert all(seen[pdu] >= count for pdu, count in pdus.items()), "one PDU line was handed out twice"
    told = sum(len(line) for event in events for line in _told(event))
    assert told <= len(octets), "more was told than came in"


def _play(octets: bytes, size: int) -> tuple[AtEngine, list[AtEvent]]:
    engine = AtEngine(max_line=MAX_LINE)
    events: list[AtEvent] = []
    for dice in records(octets):
        _driver(engine, dice)
        data = dice.rest()
        step = size or max(1, len(data))
        for position in range(0, len(data), step):
            events += engine.feed(data[position : position + step])
            assert engine.buffered <= MAX_LINE
    return engine, events


def _recovers(engine: AtEngine) -> None:
    """After the next line end, and whatever came before, the engine finds the beat with one well-behaved answer."""
    engine.abandon()
    engine.feed(b"\r\n")
    if engine.desynchronised:
        probe = engine.resync_probe()
        found = engine.feed(f"\r\n{probe.command.prefix[0]} 1\r\n\r\nOK\r\n".encode())
        assert isinstance(found[-1], Final), found
    engine.send(query("+CSCA"))
    ends = [event for event in engine.feed(b'\r\n+CSCA: "+4479",145\r\n\r\nOK\r\n') if isinstance(event, Final)]
    assert [end.result.lines for end in ends] == [('+CSCA: "+4479",145',)]


def at_engine(octets: bytes) -> None:
    """A driver and a modem in turns, a record each: one octet decides what the driver does, the rest is what comes."""
    whole, events = _play(octets, 0)
    _judge_all(events, b"".join(record[1:] for record in octets.split(b"\x1c")))
    for size in (1, 2, 7):
        assert _play(octets, size)[1] == events, f"cut into {size}"
    _recovers(whole)


def engine_seeds() -> list[bytes]:
    """Each recorded turn behind a command of its kind, and whole dialogues."""
    steps = {command.text.partition("=")[0].rstrip("?"): place for place, command in enumerate(COMMANDS)}
    found = [bytes([steps.get(sent.decode("latin-1").partition("=")[0].rstrip("?"), 8)]) + received
             for sent, received in seeds.turns()]  # fmt: skip
    sending = [b"\x04\r\n> ", b"\x01" + PDU.encode() + b"\x1a\r\n+CMGS: 14\r\n\r\nOK\r\n"]
    deliver = seeds.pdus()[0][1]
    pair = f"+CMT: ,{len(deliver) - 1 - deliver[0]}\r\n{deliver.hex().upper()}\r\n".encode()
    late = [b"\x08", b"\x06", b"\x01+CMEE: 1\r\nOK\r\n", b"\x08\r\n+CREG: 2,1\r\nOK\r\n"]
    split_text = [b'\x05+CUSD: 1,"one\r\ntwo', b'\x01three",15\r\nOK\r\n']
    listing = [b"\x02" + pair + b"+CMGL: 1,1,,28\r\n" + pair, b"\x00OK\r\n"]
    found += [
        bytes([step]) + codes + b"+CREG: 2,1\r\n" + codes + b"OK\r\n" for codes in seeds.chatter() for step in (0, 8)
    ]
    return [*found, *(script(*turns) for turns in (sending, listing, late, split_text, found[:12]))]


LINE_PARSERS: tuple[Callable[[str], object], ...] = (
    at.parse_cesq, at.parse_clcc, at.parse_clip, at.parse_cmgl, at.parse_cmgr, at.parse_cnmi, at.parse_cnmi_ranges,
    at.parse_cnum, at.parse_cops, at.parse_cpin, at.parse_cpms, at.parse_cpms_choice, at.parse_csca, at.parse_csms,
    at.parse_csq, at.parse_cusd, at.parse_iccid, at.parse_imei, at.parse_imsi, at.parse_message_reference,
    at.parse_pair_header, at.parse_place, at.parse_registration, at.arguments, at.split_fields, at.unquote,
    at.cms_code, at.cme_code,
)  # fmt: skip
_LONGEST = 1024
"""Characters of any text a parser makes of a line, the splitters' apart; USSD texts are the longest."""
_SPLITTERS = {at.arguments, at.split_fields, at.unquote}


def _bounded(value: object, longest: int) -> None:
    """Whatever a parser returns is small: a hostile answer must not cost memory, nor carry a control character."""
    if isinstance(value, str):
        assert len(value) <= longest, value
    elif isinstance(value, bool | enum.Enum) or value is None:
        return
    elif isinstance(value, int | float):
        assert math.isfinite(value)
        assert abs(value) < 1 << 40, value
    elif isinstance(value, tuple | list | frozenset):
        assert len(value) <= max(longest, 4097), len(value)
        for inner in value:
            _bounded(inner, longest)
    else:
        assert isinstance(value, msgspec.Struct), value
        for inner in msgspec.structs.astuple(value):
            _bounded(inner, longest)


def at_parsers(octets: bytes) -> None:
    """One line to every parser, as the reader would hand it over."""
    line = printable(octets.replace(b"\r", b"").replace(b"\0", b""))
    if not line:
        return
    for parse in LINE_PARSERS:
        found = parse(line)
        _bounded(found, len(line) if parse in _SPLITTERS else _LONGEST)
        assert parse(line) == found, "the same line means the same"
    tries = at.parse_pin_tries((line, f"+CPINR: {line}", f"^CPIN: {line}", f"+QPINC: {line}"))
    assert all(left is None or 0 <= left <= 10 for left in msgspec.structs.astuple(tries))
    if (report := at.parse_cusd(line)) is not None:
        assert 0 <= report.state <= 9
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", report.text or "")
    for text, declared in ((line, len(line) // 2 - 1), (line, None)):
        assert at.pdu_fits(text, declared) in {True, False}
    assert at.cms_cause(at.cms_code(line)).kind is at.cms_cause(at.cms_code(line)).kind
    _quoting(line)


def _quoting(line: str) -> None:
    """What goes to a modem as an argument comes out of its quotes again, or is refused."""
    try:
        quoted = at.quote(line)
    except at.UnsafeArgumentError:
        assert not line.isascii() or not line.isprintable()
        return
    assert quoted.count('"') == 2
    inside = re.sub(r"\\([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), at.unquote(quoted))
    assert inside == line


def parser_seeds() -> list[bytes]:
    """Every recorded line, and lines near the limits."""
    return [*seeds.lines(), b'+CUSD: 0,"' + b"0041" * 80 + b'",72', b"+CPMS: ((\"SM\",\"ME\"),(\"SM\"))",
            b"+CNMI: (0-3),(0-999999999),(0,2),(0-1)", b'+CREG: 2,5,"00C3","0A1B",7', b"+CSMS: 0,1,1,1"]  # fmt: skip
