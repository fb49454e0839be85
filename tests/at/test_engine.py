"""The engine's rules one by one."""

import pytest

from modembank.at import (
    AtCommand,
    AtEngine,
    AtResult,
    EngineBusy,
    EngineDesynchronised,
    EngineStateError,
    Final,
    FinalStatus,
    Noise,
    NoiseReason,
    Prompt,
    Urc,
    UrcKind,
    UrcReceived,
    command,
    query,
)

PDU = "0001000B914421436587F900000AE8329BFD4697D9EC37"
DELIVER = "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37"
REPORT = "0791447758100650062A0B914421436587F9113082516195001130825161950000"
SEND = AtCommand("AT+CMGS=22", prefix=("+CMGS:",), payload=PDU)


def ok(*lines: str) -> Final:
    return Final(AtResult(FinalStatus.OK, lines=lines))


def sent(built: AtCommand) -> AtEngine:
    engine = AtEngine()
    engine.send(built)
    return engine


def at_prompt() -> AtEngine:
    engine = sent(SEND)
    assert engine.feed(b"\r\n> ") == [Prompt()]
    return engine


def test_one_command_at_a_time() -> None:
    engine = AtEngine()
    assert engine.in_flight is None
    assert engine.send(command("+CMGF", 0)) == b"AT+CMGF=0\r"
    assert engine.in_flight == command("+CMGF", 0)
    with pytest.raises(EngineBusy):
        engine.send(command("+CMGF", 0))
    with pytest.raises(EngineBusy):
        engine.resync_probe()
    assert engine.feed(b"\r\nOK\r\n") == [ok()]
    assert engine.in_flight is None


@pytest.mark.parametrize("line", ["OKAY", "NOT OK", "OK.", "ok", "ERRORS", "NOKIA", "+CMS ERRORS: 1", "O K", "OK\x01"])
def test_a_final_is_matched_in_full(line: str) -> None:
    engine = sent(command("+CMGF", 0))
    events = engine.feed(f"\r\n{line}\r\n".encode())
    assert not [event for event in events if isinstance(event, Final)]
    assert engine.in_flight is not None


@pytest.mark.parametrize(
    ("line", "status", "code", "text"),
    [
        ("ERROR", FinalStatus.ERROR, None, None),
        ("+CMS ERROR: 500", FinalStatus.CMS_ERROR, 500, None),
        ("+CMS ERROR:38", FinalStatus.CMS_ERROR, 38, None),
        ("+CMS ERROR: Network out of order", FinalStatus.CMS_ERROR, 38, "Network out of order"),
        ("+CMS ERROR: no one knows", FinalStatus.CMS_ERROR, None, "no one knows"),
        ("+CMS ERROR: 99999999999999999999", FinalStatus.CMS_ERROR, None, "99999999999999999999"),
        ("+CMS ERROR", FinalStatus.CMS_ERROR, None, None),
        ("+CME ERROR: 13", FinalStatus.CME_ERROR, 13, None),
        ("+CME ERROR: SIM not inserted", FinalStatus.CME_ERROR, 10, "SIM not inserted"),
        ("+CME ERROR: (U)SIM PIN required", FinalStatus.CME_ERROR, 11, "(U)SIM PIN required"),
        ("COMMAND NOT SUPPORT", FinalStatus.NOT_SUPPORTED, None, None),
        ("MODEM ERROR: 4", FinalStatus.ERROR, None, "4"),
        ("ERROR+CNUM: 1", FinalStatus.ERROR, None, "+CNUM: 1"),
        ("NA", FinalStatus.NOT_SUPPORTED, None, None),
        ("4", FinalStatus.ERROR, None, None),
        ("0", FinalStatus.OK, None, None),
    ],
)
def test_the_ways_to_end(line: str, status: FinalStatus, code: int | None, text: str | None) -> None:
    engine = sent(command("+CNMA"))
    (event,) = engine.feed(f"\r\n{line}\r\n".encode())
    assert event == Final(AtResult(status, code, text))
    assert event.result.ok is (status is FinalStatus.OK)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n", "\n\r", "\r\r\r\n"])
def test_every_line_end(end: str) -> None:
    engine = sent(query("+CMGF"))
    assert engine.feed(f"{end}+CMGF: 0{end}{end}OK{end}".encode()) == [ok("+CMGF: 0")]


def test_nuls_are_dropped_also_inside_a_line() -> None:
    engine = sent(query("+CMGF"))
    assert engine.feed(b"\0\0\r\n+CM\0GF: 0\r\n\0OK\0\r\n") == [ok("+CMGF: 0")]


def test_a_line_belongs_only_with_its_prefix() -> None:
    engine = sent(query("+CMGF"))
    events = engine.feed(b'\r\n+CSCA: "+44",145\r\njunk\r\n+CMGF: 0\r\nOK\r\n')
    assert events == [
        UrcReceived(Urc("+CSCA", '"+44",145', None, '+CSCA: "+44",145', UrcKind.UNKNOWN)),
        Noise("junk", NoiseReason.UNCLAIMED),
        ok("+CMGF: 0"),
    ]


def test_a_bare_command_takes_plain_lines_and_its_own_name_but_no_code() -> None:
    engine = sent(command("+CGMM", bare=True))
    events = engine.feed(b"\r\nRING\r\nEC25\r\n^RSSI: 3\r\n+CGMM: again\r\n\r\nOK\r\n")
    assert [type(event) for event in events] == [UrcReceived, UrcReceived, Final]
    assert events[-1] == ok("EC25", "+CGMM: again")


@pytest.mark.parametrize(
    ("asked", "came", "lines"),
    [
        ("AT+CREG?", ["+CREG: 1", "+CREG: 2,1"], 1),
        ("AT+CREG?", ['+CREG: 5,"00C3","0A1B"', '+CREG: 2,1,"00C3","0A1B"'], 1),
        ("AT+CREG?", ["+CREG: 1,4CA,81DE445", "+CREG: 2,1,4CA,81DE445"], 1),
        ("AT+CEREG?", ['+CEREG: 1,"1A2D","01BD6C0A",7', '+CEREG: 2,1,"1A2D","01BD6C0A",7'], 1),
        ("AT+CREG=2", ["+CREG: 1"], 0),
        ("AT+CREG=?", ["+CREG: 1", "+CREG: (0-2)"], 1),
        ("AT+CLIP?", ['+CLIP: "",128', "+CLIP: 1,1"], 1),
        ("AT+CCWA?", ['+CCWA: "+44",145,1', "+CCWA: 0"], 1),
        ("AT+CNSMOD?", ["+CNSMOD: 8", "+CNSMOD: 0,8"], 1),
        ("AT+CPIN?", ["+CPIN: NOT READY", "+CPIN: READY"], 1),
        ("AT+CSQ", ["+CSQ: 3,99", "+CSQ: 20,99"], 1),
        ("AT+CUSD?", ['+CUSD: 0,"hi",15', "+CUSD: 1"], 1),
    ],
)
def test_answer_and_code_of_one_name_are_told_apart(asked: str, came: list[str], lines: int) -> None:
    name = asked[2:].rstrip("?=2")
    engine = sent(AtCommand(asked, prefix=(f"{name}:",)))
    events = engine.feed("".join(f"\r\n{line}\r\n" for line in [*came, "OK"]).encode())
    final = events[-1]
    assert isinstance(final, Final)
    assert final.result.lines == (tuple(came[-1:]) if lines else ())
    codes = [event.urc.raw for event in events if isinstance(event, UrcReceived)]
    assert codes == came[: len(came) - lines]


def test_the_payload_goes_only_after_the_prompt() -> None:
    engine = AtEngine()
    with pytest.raises(EngineStateError):
        engine.send_payload()
    assert engine.send(SEND) == b"AT+CMGS=22\r"
    with pytest.raises(EngineStateError):
        engine.send_payload()
    assert engine.feed(b"\r\n>") == [Prompt()]
    assert engine.at_prompt
    assert not engine.payload_written
    assert engine.send_payload() == PDU.encode() + b"\x1a"
    assert engine.payload_written
    assert not engine.at_prompt
    with pytest.raises(EngineStateError):
        engine.send_payload()
    assert engine.feed(b" \r\n+CMGS: 9\r\n\r\nOK\r\n") == [ok("+CMGS: 9")]
    assert engine.payload_written, "known until the next command"
    engine.send(command("+CSQ"))
    assert not engine.payload_written


@pytest.mark.parametrize("prompt", [b">", b"> ", b"\r\n> ", b">\r", b"\n>\r\n", b"  > ", b"\x1a> "])
def test_forms_of_the_prompt(prompt: bytes) -> None:
    assert sent(SEND).feed(prompt) == [Prompt()]


def test_a_refusal_instead_of_the_prompt() -> None:
    engine = sent(SEND)
    assert engine.feed(b"\r\n+CMS ERROR: 304\r\n") == [Final(AtResult(FinalStatus.CMS_ERROR, 304))]
    assert not engine.payload_written


def test_a_prompt_nobody_asked_for_is_noise() -> None:
    engine = AtEngine()
    assert engine.feed(b"\r\n> ") == [Noise(">", NoiseReason.STRAY_PROMPT)]
    engine.send(command("+CSQ"))
    assert engine.feed(b"\r\n> ") == [Noise(">", NoiseReason.STRAY_PROMPT)]


def test_a_prompt_repeated_after_the_payload_is_ignored() -> None:
    engine = at_prompt()
    engine.send_payload()
    assert engine.feed(b"\r\n> \r\n+CMGS: 1\r\nOK\r\n") == [ok("+CMGS: 1")]


def test_escape_leaves_the_prompt() -> None:
    engine = at_prompt()
    assert engine.escape() == b"\x1b"
    assert not engine.at_prompt
    with pytest.raises(EngineStateError):
        engine.send_payload()
    assert engine.feed(b"\r\n> \r\nOK\r\n") == [ok()]
    assert not engine.payload_written


@pytest.mark.parametrize("tail", [b"\x1a\r\n", b"\r\n", b"\x1a", b""])
def test_the_echo_of_line_and_payload_is_dropped(tail: bytes) -> None:
    engine = sent(SEND)
    assert engine.feed(b"AT+CMGS=22\r\r\n> ") == [Prompt()]
    engine.send_payload()
    assert engine.feed(PDU.lower().encode() + tail + b"+CMGS: 3\r\nOK\r\n") == [ok("+CMGS: 3")]


def test_an_echo_that_comes_back_after_a_reboot() -> None:
    engine = AtEngine()
    for echo in (b"", b"AT+CGMM\r"):
        engine.send(command("+CGMM", bare=True))
        assert engine.feed(echo + b"\r\nEC25\r\nOK\r\n") == [ok("EC25")]


def test_a_peer_that_only_echoes_is_counted() -> None:
    engine = AtEngine()
    for tries in (1, 2):
        probe = engine.resync_probe()
        assert engine.feed(b"\x1bAT\r" + probe.steps[-1].data) == []
        engine.abandon()
        assert engine.echo_only == tries
    probe = engine.resync_probe()
    engine.feed(f"\r\n{probe.command.prefix[0]} 1\r\nOK\r\n".encode())
    assert engine.echo_only == 0


def test_headers_and_pdus_alternate_whatever_is_missing() -> None:
    engine = sent(AtCommand("AT+CMGL=4", prefix=("+CMGL:",), follows=True))
    events = engine.feed(
        f"\r\n+CMGL: 0,1,,28\r\n{DELIVER}\r\n+CMGL: 1,1,,28\r\n+CMGL: 2,1,,0\r\n\r\n+CMGL: 3,1,,28\r\nOK\r\n".encode()
    )
    assert events == [ok("+CMGL: 0,1,,28", DELIVER, "+CMGL: 1,1,,28", "", "+CMGL: 2,1,,0", "", "+CMGL: 3,1,,28", "")]


def test_a_report_between_a_message_header_and_its_pdu() -> None:
    engine = sent(AtCommand("AT+CMGR=1", prefix=("+CMGR:",), follows=True))
    events = engine.feed(f"\r\n+CMGR: 1,,28\r\n+CDS: 25\r\n{REPORT}\r\n{DELIVER}\r\nOK\r\n".encode())
    assert [type(event) for event in events] == [UrcReceived, Final]
    assert events[0].urc.pdu == REPORT
    assert events[1] == ok("+CMGR: 1,,28", DELIVER)


def test_a_listing_between_a_report_header_and_its_pdu() -> None:
    engine = sent(AtCommand("AT+CMGR=1", prefix=("+CMGR:",), follows=True))
    events = engine.feed(f"\r\n+CDS: 25\r\n+CMGR: 1,,28\r\n{DELIVER}\r\nOK\r\n{REPORT}\r\n".encode())
    assert events[0] == ok("+CMGR: 1,,28", DELIVER)
    assert events[1].urc.pdu == REPORT


@pytest.mark.parametrize("what", ["hello", "00", "0" * 40, DELIVER, "+CDS: 25"])
def test_a_pair_is_given_up_when_something_impossible_follows(what: str) -> None:
    events = AtEngine().feed(f"\r\n+CDS: 25\r\n{what}\r\n".encode())
    assert events[0] == Noise("+CDS: 25", NoiseReason.INCOMPLETE_PAIR)


def test_a_pair_does_not_wait_for_ever() -> None:
    engine = AtEngine()
    engine.feed(b"\r\n+CDS: 25\r\n")
    seen = []
    for _ in range(6):
        engine.send(query("+CMGF"))
        seen += engine.feed(b"\r\n+CMGF: 0\r\nOK\r\n")
    assert Noise("+CDS: 25", NoiseReason.INCOMPLETE_PAIR) in seen
    assert Final(AtResult(FinalStatus.OK, lines=("+CMGF: 0",))) in seen


def test_text_mode_forms_own_no_second_line() -> None:
    (event,) = AtEngine().feed(b'\r\n+CDS: 6,201,"+4412",145,"26/11/05,10:11:12+04","26/11/05,10:11:12+04",0\r\n')
    assert event.urc.pdu is None
    assert event.urc.kind is UrcKind.CDS


def test_a_cell_broadcast_page_has_no_smsc() -> None:
    page = "0010" * 44
    (event,) = AtEngine().feed(f"\r\n+CBM: 88\r\n{page}\r\n".encode())
    assert (event.urc.kind, event.urc.pdu) == (UrcKind.CBM, page)


def test_nothing_in_flight() -> None:
    engine = AtEngine()
    assert engine.feed(b"\r\nOK\r\nfoo\r\n+CMGS: 12\r\n") == [
        Noise("OK", NoiseReason.STRAY_FINAL),
        Noise("foo", NoiseReason.UNCLAIMED),
        UrcReceived(Urc("+CMGS", "12", None, "+CMGS: 12", UrcKind.UNKNOWN)),
    ]


def test_a_ussd_text_over_lines_is_one_code() -> None:
    (event,) = AtEngine().feed(b'\r\n+CUSD: 1,"1. Balance\r\n2. Bundles\r\n> next\r\nOK",15\r\n')
    assert event.urc.args == '1,"1. Balance\n2. Bundles\n> next\nOK",15'


def test_an_unclosed_ussd_text_does_not_swallow_an_answer() -> None:
    engine = sent(query("+CMGF"))
    events = engine.feed(b'\r\n+CUSD: 1,"cut off\r\n+CMGF: 0\r\nOK\r\n')
    assert events[-1] == ok("+CMGF: 0")
    assert events[0].urc.raw == '+CUSD: 1,"cut off'


def test_an_unclosed_ussd_text_is_bounded() -> None:
    engine = AtEngine()
    events = engine.feed(b'\r\n+CUSD: 1,"a\r\n' + b"line\r\n" * 40)
    assert isinstance(events[0], UrcReceived)
    assert len(events) > 10


def test_verdict_about_a_call_ends_only_a_call_command() -> None:
    engine = sent(AtCommand("ATH"))
    assert engine.feed(b"\r\nNO CARRIER\r\n") == [Final(AtResult(FinalStatus.NO_CARRIER))]
    engine.send(command("+CSQ", prefix=("+CSQ:",)))
    (event,) = engine.feed(b"\r\nNO CARRIER\r\n")
    assert event.urc.kind is UrcKind.NO_CARRIER


def test_abandoning_forbids_sending_until_a_probe_was_answered() -> None:
    engine = sent(command("+CSQ", prefix=("+CSQ:",)))
    engine.abandon()
    engine.abandon()
    assert engine.desynchronised
    assert engine.in_flight is None
    with pytest.raises(EngineDesynchronised):
        engine.send(command("+CSQ"))
