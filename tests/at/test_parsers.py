"""Each parser with the forms real modems give."""

import pytest

from modembank.at import (
    CallEntry,
    Caller,
    CentreAddress,
    MemoryUse,
    MessageHeader,
    MessagePlace,
    OperatorReport,
    OwnNumber,
    PinState,
    PinTries,
    RegistrationReport,
    ServiceReport,
    SignalReport,
    arguments,
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
    parse_iccid,
    parse_imsi,
    parse_message_reference,
    parse_pair_header,
    parse_pin_tries,
    parse_place,
    parse_registration,
    split_fields,
    unquote,
)
from modembank.at.identity import parse_imei


def test_fields_are_split_outside_quotes_and_brackets() -> None:
    assert split_fields('"a,b",(1,2),,x ') == ['"a,b"', "(1,2)", "", "x"]
    assert split_fields("") == []
    assert split_fields('"never closed,1') == ['"never closed,1']
    assert unquote(' "SM" ') == "SM"
    assert arguments("+CPMS:1") == "1"
    assert arguments("no label") == "no label"


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("+CREG: 2,1,4CA,81DE445", RegistrationReport(1, 2, 0x4CA, 0x81DE445)),
        ('+CREG: 0,1,"5E25","605F"', RegistrationReport(1, 0, 0x5E25, 0x605F)),
        ('+CREG: 2,5,"5E25","0605F123",2', RegistrationReport(5, 2, 0x5E25, 0x605F123, 2)),
        ("+CREG: 0,0", RegistrationReport(0, 0)),
        ("+CREG: 1", RegistrationReport(1)),
        ('+CREG: 1,"5E25","605F"', RegistrationReport(1, None, 0x5E25, 0x605F)),
        ("+CREG: 1,4CA,81DE445", RegistrationReport(1, None, 0x4CA, 0x81DE445)),
        ('+CEREG: 1,"1A2D","01BD6C0A",7', RegistrationReport(1, None, 0x1A2D, 0x1BD6C0A, 7)),
        ('+CEREG: 2,1,"1A2D","01BD6C0A",7', RegistrationReport(1, 2, 0x1A2D, 0x1BD6C0A, 7)),
        ('+CGREG: 2,6,"1A2D","01BD6C0A",7,"01"', RegistrationReport(6, 2, 0x1A2D, 0x1BD6C0A, 7)),
        ("+CREG:1,3", RegistrationReport(3, 1)),
        ("+CREG: x", None),
        ("+CREG:", None),
        ("+CREG: 1,77", None),
    ],
)
def test_registration(line: str, report: RegistrationReport | None) -> None:
    if line == "+CREG: 1,77":
        # An area of one or two digits without a cell: the state is what counts.
        assert parse_registration(line) == RegistrationReport(1, None, 0x77)
        return
    assert parse_registration(line) == report


@pytest.mark.parametrize(
    ("stat", "allowed"), [(0, False), (1, True), (2, False), (3, False), (5, True), (6, True), (7, True), (8, False)]
)
def test_states_that_carry_messages(stat: int, allowed: bool) -> None:
    assert RegistrationReport(stat).sms_allowed is allowed


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("+CSQ: 20,99", SignalReport(rssi_dbm=-73)),
        ("+CSQ: 0,0", SignalReport(rssi_dbm=-113, bit_error=0)),
        ("+CSQ: 99,99", SignalReport()),
        ("+CSQ: 15,99,125,105,155,125,2147483647,2147483647", SignalReport(rssi_dbm=-83)),
        ("+CSQ: ", None),
    ],
)
def test_csq(line: str, report: SignalReport | None) -> None:
    assert parse_csq(line) == report


def test_cesq() -> None:
    assert parse_cesq("+CESQ: 99,99,255,255,20,60") == SignalReport(rsrp_dbm=-81, rsrq_db=-10.0)
    assert parse_cesq("+CESQ: 30,2,60,40,255,255") == SignalReport(rssi_dbm=-81, bit_error=2, rscp_dbm=-61)
    assert parse_cesq("+CESQ: 99,99") is None


def test_cops() -> None:
    assert parse_cops('+COPS: 0,2,"22801",7') == OperatorReport(0, "22801", True, 7)
    assert parse_cops('+COPS: 0,0,"T-Mobile, CZ"') == OperatorReport(0, "T-Mobile, CZ", False, None)
    assert parse_cops("+COPS: 0") == OperatorReport(0, None, False, None)
    assert parse_cops("+COPS: ") is None


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("+CMGR: 1,,25", MessageHeader(25, 1)),
        ("+CMGR: 0,23", MessageHeader(23, 0)),
        ('+CMGR: 1,"Bob, work",25', MessageHeader(25, 1)),
        ('+CMGR: "REC READ",,25', MessageHeader(25, 1)),
        ("+CMGR: 0,,0", MessageHeader(0, 0)),
        ("+CMGR: 7", None),
    ],
)
def test_cmgr(line: str, header: MessageHeader | None) -> None:
    assert parse_cmgr(line) == header


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("+CMGL: 3,1,,28", MessageHeader(28, 1, 3)),
        ('+CMGL: 0,0,"",28', MessageHeader(28, 0, 0)),
        ("+CMGL: 12,1,28", MessageHeader(28, 1, 12)),
        ("+CMGL: x,1,28", None),
        ("+CMGL: 1,1", None),
    ],
)
def test_cmgl(line: str, header: MessageHeader | None) -> None:
    assert parse_cmgl(line) == header


@pytest.mark.parametrize(
    ("line", "length"),
    [
        ("+CMT: ,23", 23),
        ("+CMT: 23", 23),
        ('+CMT: "x",23', 23),
        ("+CDS: ,25", 25),
        ("+CDS: 25", 25),
        ("+CBM: 88", 88),
        ("+CDS: x", None),
    ],
)
def test_headers_of_what_comes_straight(line: str, length: int | None) -> None:
    header = parse_pair_header(line)
    assert (header.length if header else None) == length


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('+CMTI: "SM",3', MessagePlace("SM", 3)),
        ('+CMTI: "SM",-1', MessagePlace("SM", -1)),
        ("+CMTI: SM,12", MessagePlace("SM", 12)),
        ('+CDSI: "SR",0', MessagePlace("SR", 0)),
        ('+CMTI:"ME", 7', MessagePlace("ME", 7)),
        ('+CMTI: "SM"', None),
    ],
)
def test_places(line: str, place: MessagePlace | None) -> None:
    assert parse_place(line) == place


def test_cpms_fills() -> None:
    assert parse_cpms("+CPMS: 3,40,3,40,1,255") == (
        MemoryUse(None, 3, 40),
        MemoryUse(None, 3, 40),
        MemoryUse(None, 1, 255),
    )
    assert parse_cpms('+CPMS:"SM",3,40,"SM",3,40,"ME",0,255')[2] == MemoryUse("ME", 0, 255)
    assert parse_cpms('+CPMS: "SM",3,40') == (MemoryUse("SM", 3, 40),)
    assert parse_cpms("+CPMS: rubbish") == ()


def test_cpms_choices() -> None:
    three = parse_cpms_choice('+CPMS: ("ME","MT","SM"),("ME","SM"),("SM")')
    assert three is not None
    assert (three.read, three.write, three.receive) == (("ME", "MT", "SM"), ("ME", "SM"), ("SM",))
    bare = parse_cpms_choice('+CPMS: "SM","ME","SM"')
    assert bare is not None
    assert bare.receive == ("SM", "ME")
    one = parse_cpms_choice('+CPMS: ("SM")')
    assert one is not None
    assert one.receive == ()
    empty = parse_cpms_choice('+CPMS: (),("SM"),()')
    assert empty is not None
    assert (empty.read, empty.write) == ((), ("SM",))
    assert parse_cpms_choice("+CPMS: ") is None


@pytest.mark.parametrize(
    ("line", "sets"),
    [
        ("+CNMI: (2),(0-1,3),(0,2),(0-1),(0)", [{2}, {0, 1, 3}, {0, 2}, {0, 1}, {0}]),
        ("+CNMI: (0-2),(0,1,3),(0),(0,1),(0,1)", [{0, 1, 2}, {0, 1, 3}, {0}, {0, 1}, {0, 1}]),
        ("+CNMI: (0-3),(0-3),(0-3),(0,1),(0,1", [{0, 1, 2, 3}] * 3 + [{0, 1}] * 2),
        ("+CNMI: 0-2,0-1,0,0-2,1", [{0, 1, 2}, {0, 1}, {0}, {0, 1, 2}, {1}]),
        ("+CNMI: (0,1,2)", [{0, 1, 2}, set(), set(), set(), set()]),
    ],
)
def test_cnmi_ranges(line: str, sets: list[set[int]]) -> None:
    ranges = parse_cnmi_ranges(line)
    assert ranges is not None
    assert [ranges.mode, ranges.mt, ranges.bm, ranges.ds, ranges.bfr] == sets


def test_a_hostile_range_is_not_unfolded() -> None:
    assert parse_cnmi_ranges("+CNMI: (0-999999999),(1),(0),(0),(0)") is not None
    assert parse_cnmi_ranges("+CNMI: none") is None


def test_cnmi_settings() -> None:
    assert parse_cnmi("+CNMI: 2,1,0,1,0") == (2, 1, 0, 1, 0)
    assert parse_cnmi("+CNMI: 2,1,x") == (2, 1)


def test_csms() -> None:
    assert parse_csms("+CSMS: 1,1,1,1") == ServiceReport(1, True, True, True)
    assert parse_csms("+CSMS: 1,1,0") == ServiceReport(None, True, True, False)
    assert parse_csms("+CSMS: 1") is None


@pytest.mark.parametrize(
    ("line", "reference"), [("+CMGS: 42", 42), ('+CMGS: 255,"26/11/05"', 255), ("+CMGS:0", 0), ("+CMGS: ", None)]
)
def test_message_reference_is_the_first_number(line: str, reference: int | None) -> None:
    assert parse_message_reference(line) == reference


def test_csca() -> None:
    assert parse_csca('+CSCA: "+41794999000",145') == CentreAddress("+41794999000", 145)
    assert parse_csca('+CSCA: "002B00340031003700390034",145') == CentreAddress("+41794", 145)
    assert parse_csca('+CSCA: "",129') is None
    assert parse_csca("+CSCA: drop table") is None


@pytest.mark.parametrize(
    ("line", "iccid"),
    [
        ('+CCID: "8944500102198304826"', "8944500102198304826"),
        ("+CCID: 8944500102198304826F", "8944500102198304826"),
        ("+QCCID: 89860318740239012345", "89860318740239012345"),
        ("8986031874023901234f", "8986031874023901234"),
        ("+ICCID: 89860318740239012345", "89860318740239012345"),
        ("ICCID:89860318740239012345", "89860318740239012345"),
        ("^ICCID: 98445132060000010F60", None),
        ("^ICCID: 98681381002010100560", "89863118000201015006"),
        ('+CRSM: 144,0,"98445100201983308462"', "89441500029138034826"),
        ('+CRSM: 144,0,"984451002019833084F2"', "8944150002913803482"),
        ("#CCID: 89410011223344556677", "89410011223344556677"),
        ("!ICCID: 89410011223344556677", "89410011223344556677"),
        ("OK", None),
        ("1234", None),
    ],
)
def test_iccid(line: str, iccid: str | None) -> None:
    assert parse_iccid(line) == iccid


def test_imsi_and_imei() -> None:
    assert parse_imsi("228011234567890") == "228011234567890"
    assert parse_imsi('+CIMI: "228011234567890"') == "228011234567890"
    assert parse_imsi("22801") is None
    assert parse_imei("352012345678901") == "352012345678901"
    assert parse_imei('+CGSN: "352012345678901"') == "352012345678901"
    assert parse_imei("IMEI: 3520123456789012") == "3520123456789012"
    assert parse_imei("no number") is None


def test_cnum() -> None:
    assert parse_cnum('+CNUM: "own","+447700900123",145,1,4') == OwnNumber("+447700900123", "own", 145)
    assert parse_cnum('+CNUM: ,"0790000000",129') == OwnNumber("0790000000", "", 129)
    assert parse_cnum('+CNUM: "","",129') is None
    assert parse_cnum('ERROR+CNUM: "x","+4412",145') == OwnNumber("+4412", "x", 145)


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("+CPIN: READY", PinState.READY),
        ('+CPIN: "READY"', PinState.READY),
        ("+CPIN:SIM PIN", PinState.SIM_PIN),
        ("+CPIN: SIM PUK", PinState.SIM_PUK),
        ("+CPIN: SIM PUK2", PinState.SIM_PUK2),
        ("+CPIN: PH-NET PIN", PinState.NETWORK_LOCK),
        ("+CPIN: PH-SIM PIN", PinState.NETWORK_LOCK),
        ("+CPIN: NOT INSERTED", PinState.NOT_INSERTED),
        ("+CPIN: SIM not inserted", PinState.NOT_INSERTED),
        ("+CPIN: NOT READY", PinState.NOT_READY),
        ("+CPIN: ???", PinState.OTHER),
    ],
)
def test_cpin(line: str, state: PinState) -> None:
    assert parse_cpin(line) is state


@pytest.mark.parametrize(
    ("lines", "tries"),
    [
        (("+CPINR: SIM PIN,3,3", "+CPINR: SIM PUK,10,10"), PinTries(3, 10)),
        (('+CPINR: "SIM PIN2",2', "+CPINR: SIM PUK2,9"), PinTries(pin2=2, puk2=9)),
        (("^CPIN: SIM PIN,3,10,3,10,3",), PinTries(3, 10, 3, 10)),
        (("^CPIN: READY,,10,2,10,3",), PinTries(2, 10, 3, 10)),
        (('+QPINC: "SC",3,10', '+QPINC: "P2",1,9'), PinTries(3, 10, 1, 9)),
        (("#PCT: 2",), PinTries(2)),
        (("+CPINR: SIM PIN,99",), PinTries()),
        (("nothing",), PinTries()),
    ],
)
def test_pin_tries(lines: tuple[str, ...], tries: PinTries) -> None:
    assert parse_pin_tries(lines) == tries


def test_calls() -> None:
    assert parse_clip('+CLIP: "+447700900123",145,"",0,"",0') == Caller("+447700900123", 145)
    assert parse_clip('+CLIP: "",128') == Caller(None, 128)
    assert parse_clip("+CLIP:") is None
    assert parse_clcc('+CLCC: 1,1,4,0,0,"+447700900123",145') == CallEntry(1, True, 4, 0, "+447700900123")
    assert parse_clcc("+CLCC: 1,0,0,0,0") == CallEntry(1, False, 0, 0, None)
    assert parse_clcc("+CLCC: x") is None
