"""The table of unsolicited codes, each in the middle of the answers it has been seen in."""

import pytest

from modembank.at import AtCommand, AtEngine, AtResult, Final, FinalStatus, UrcKind, UrcReceived, command, query
from modembank.at.registration import parse_registration
from modembank.at.urcs import MAX_NAME, code_args, code_name, is_answer, urc_kind

CODES = {
    "^RSSI: 16": UrcKind.SIGNAL,
    '^HCSQ:"LTE",55,50,151,24': UrcKind.SIGNAL,
    "^RSSILVL: 99": UrcKind.SIGNAL,
    "^HRSSILVL: 1": UrcKind.SIGNAL,
    "^CSNR: 1,2": UrcKind.SIGNAL,
    "+CSQ: 20,99": UrcKind.SIGNAL,
    '+QIND: "csq",20,99': UrcKind.SIGNAL,
    "^MODE: 5,4": UrcKind.NETWORK_MODE,
    "^SRVST: 2": UrcKind.NETWORK_MODE,
    "^EONS:1": UrcKind.NETWORK_MODE,
    '+QIND: "act","FDD LTE"': UrcKind.NETWORK_MODE,
    '+ZDONR: "O2",228,1,"CS_PS","ROAM_OFF"': UrcKind.NETWORK_MODE,
    '+ZPASR: "UMTS"': UrcKind.NETWORK_MODE,
    "+CNSMOD: 8": UrcKind.NETWORK_MODE,
    "^BOOT:27710117,0,0,0,75": UrcKind.VENDOR,
    "^DSFLOWRPT:0000002F,00000000,00000000": UrcKind.VENDOR,
    "^NDISSTAT:1,,,": UrcKind.VENDOR,
    "^STIN: 0,0,0": UrcKind.VENDOR,
    "^PDPDEACT: 1": UrcKind.VENDOR,
    "^LWURC: 1": UrcKind.VENDOR,
    "^ECCLIST: 112,911": UrcKind.VENDOR,
    "+CUSATP: D01A": UrcKind.VENDOR,
    "+CUSATEND": UrcKind.VENDOR,
    "+QLWURC: x": UrcKind.VENDOR,
    "+QGPSURC: x": UrcKind.VENDOR,
    "+ZPSTM: 1": UrcKind.VENDOR,
    "+ZEND:1,17": UrcKind.VENDOR,
    "+CIEV: 2,5": UrcKind.VENDOR,
    "+CIEV: smsfull,1": UrcKind.MEMORY_FULL,
    '^SMMEMFULL: "SM"': UrcKind.MEMORY_FULL,
    "+SMS FULL": UrcKind.MEMORY_FULL,
    '+QIND: "smsfull","ME"': UrcKind.MEMORY_FULL,
    "^NWTIME: 26/11/05,10:11:12+04,00": UrcKind.NITZ,
    "+NITZ: 26/11/05": UrcKind.NITZ,
    '*PSUTTZ: 26/11/05,10:11:12","+04",0': UrcKind.NITZ,
    '*PSNWID: "228","01"': UrcKind.NITZ,
    "DST: 0": UrcKind.NITZ,
    "+CTZV: 4": UrcKind.NITZ,
    "+CTZE: +04,0": UrcKind.NITZ,
    "%CTZV: 4": UrcKind.NITZ,
    "^SIMST:1": UrcKind.SIM_STATE,
    "+QUSIM: 1": UrcKind.SIM_STATE,
    "+ZUSIMR:2": UrcKind.SIM_STATE,
    "^SCKS: 1": UrcKind.SIM_STATE,
    "#QSS: 3": UrcKind.SIM_STATE,
    "+CPIN: READY": UrcKind.CPIN,
    "RDY": UrcKind.BOOT,
    "^SYSSTART": UrcKind.BOOT,
    "+AT: READY": UrcKind.BOOT,
    "SMS DONE": UrcKind.SMS_READY,
    "SMS Ready": UrcKind.SMS_READY,
    "+QIND: SMS DONE": UrcKind.SMS_READY,
    "PB DONE": UrcKind.PHONEBOOK_READY,
    "+QIND: PB DONE": UrcKind.PHONEBOOK_READY,
    "+PBREADY": UrcKind.PHONEBOOK_READY,
    "POWERED DOWN": UrcKind.POWER_DOWN,
    "NORMAL POWER DOWN": UrcKind.POWER_DOWN,
    "^SHUTDOWN": UrcKind.POWER_DOWN,
    "OVER-VOLTAGE WARNNING": UrcKind.POWER_WARNING,
    "UNDER-VOLTAGE WARNING": UrcKind.POWER_WARNING,
    "RING": UrcKind.RING,
    "+CRING: VOICE": UrcKind.RING,
    '+CLIP: "+447700900123",145': UrcKind.CLIP,
    '+CCWA: "+447700900123",145,1': UrcKind.CALL,
    "^CONF: 1": UrcKind.CALL,
    "^CONN:1,0": UrcKind.CALL,
    "^CEND:1,10,67,31": UrcKind.CALL,
    "^ORIG:1,0": UrcKind.CALL,
    "^SLCC: 1": UrcKind.CALL,
    "VOICE CALL: BEGIN": UrcKind.CALL,
    "MISSED_CALL: 02:32PM 07123456789": UrcKind.CALL,
    "+RXDTMF: 5": UrcKind.CALL,
    "+UCALLSTAT: 1,3": UrcKind.CALL,
    "NO CARRIER": UrcKind.NO_CARRIER,
    '+CMTI: "SM",3': UrcKind.CMTI,
    '+CDSI: "SR",0': UrcKind.CDSI,
    '+CBMI: "BM",1': UrcKind.CBMI,
    "+CREG: 1": UrcKind.CREG,
    '+CGREG: 1,"1A2D","01BD6C0A",7': UrcKind.CGREG,
    '+CEREG: 5,"1A2D","01BD6C0A",7': UrcKind.CEREG,
    "+C5GREG: 0": UrcKind.C5GREG,
    '+CUSD: 0,"hello",15': UrcKind.CUSD,
    "+NEVERSEEN: 1": UrcKind.UNKNOWN,
    "^NEVERSEEN": UrcKind.UNKNOWN,
    "*NEVERSEEN: 1": UrcKind.UNKNOWN,
    "%NEVERSEEN: 1": UrcKind.UNKNOWN,
    "#NEVERSEEN: 1": UrcKind.UNKNOWN,
    "!NEVERSEEN: 1": UrcKind.UNKNOWN,
    "$NEVERSEEN: 1": UrcKind.UNKNOWN,
}
OK = FinalStatus.OK
ANSWERS = [
    (query("+CMGF"), ["+CMGF: 0"]),
    (command("+CGMM", bare=True), ["E3372"]),
    (command("+CSCA", 1), []),
    (AtCommand("AT+CMGL=4", prefix=("+CMGL:",), follows=True), ["+CMGL: 1,1,,3", "00112233"]),
]


@pytest.mark.parametrize(("code", "kind"), CODES.items(), ids=[code[:20] for code in CODES])
def test_a_code_in_the_middle_of_any_answer(code: str, kind: UrcKind) -> None:
    for built, lines in ANSWERS:
        for place in range(len(lines) + 1):
            engine = AtEngine()
            engine.send(built)
            came = [*lines[:place], code, *lines[place:], "OK"]
            events = engine.feed("".join(f"\r\n{line}\r\n" for line in came).encode())
            assert events[-1] == Final(AtResult(OK, lines=tuple(lines)))
            (received,) = events[:-1]
            assert isinstance(received, UrcReceived)
            assert (received.urc.kind, received.urc.raw, received.urc.pdu) == (kind, code, None)


@pytest.mark.parametrize("line", ["hello", "+", "+ CMTI", "++CMTI", "- 5", "AT+CMGF?", "3G", "*"])
def test_what_is_no_code(line: str) -> None:
    name = code_name(line)
    assert name == ""
    assert urc_kind(line, name) is None


def test_names_and_arguments() -> None:
    assert code_name("+CMTI:1") == "+CMTI"
    assert code_name("+SMS FULL") == "+SMS FULL"
    assert code_args('+CMTI: "SM",3 ') == '"SM",3'
    assert code_args("+CUSATEND") == ""
    assert len(code_name("+" + "A" * 500)) == MAX_NAME


FORMS = [
    ("+CREG: 0", False),
    ("+CREG: 1", False),
    ("+CREG: 0,1", True),
    ("+CREG: 2,11", True),
    ('+CREG: 1,"00C3","0A1B"', False),
    ("+CREG: 1,4CA,81DE445", False),
    ("+CREG: 2,1,4CA,81DE445", True),
    ('+CREG: 2,1,"00C3","0A1B",2', True),
    ('+CREG: 1,"00C3","0A1B",2', False),
    ('+CREG: 5,"","",0', False),
    ("+CREG: 1,00C3,0A1B,2", False),
]


@pytest.mark.parametrize(("line", "answer"), FORMS)
def test_parser_and_engine_agree_which_form_a_registration_has(line: str, answer: bool) -> None:
    assert is_answer("AT+CREG?", "+CREG", line) is answer
    report = parse_registration(line)
    assert report is not None
    assert (report.mode is not None) is answer


def test_a_set_command_has_no_answer_of_that_name_but_ussd_may() -> None:
    assert not is_answer("AT+CREG=2", "+CREG", "+CREG: 1")
    assert is_answer('AT+CUSD=1,"*100#",15', "+CUSD", '+CUSD: 0,"hi",15')
    assert is_answer("AT+CREG=?", "+CREG", "+CREG: (0-2)")
    assert not is_answer("AT+CREG=?", "+CREG", "+CREG: 1")
    assert is_answer("AT+CMGF?", "+CMGF", "+CMGF: 0")
