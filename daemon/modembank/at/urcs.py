"""Unsolicited codes by table: which lines a modem says by itself, also in the middle of an answer."""

import re
from collections.abc import Callable

from modembank.at.events import UrcKind
from modembank.at.fields import has_registration_mode, split_fields

SIGNS = frozenset("+^*%#!$")
"""First characters of extended codes (ITU-T V.250 5.4.1 and the vendors' own)."""
PAIRED = frozenset({"+CMT", "+CDS", "+CBM"})
"""Codes that own the PDU line after them (3GPP TS 27.005 3.4.1)."""
MAX_NAME = 32

_NAMED = {
    "+CMTI": UrcKind.CMTI, "+CMT": UrcKind.CMT, "+CDS": UrcKind.CDS, "+CDSI": UrcKind.CDSI,
    "+CBM": UrcKind.CBM, "+CBMI": UrcKind.CBMI,
    "+CREG": UrcKind.CREG, "+CGREG": UrcKind.CGREG, "+CEREG": UrcKind.CEREG, "+C5GREG": UrcKind.C5GREG,
    "^SYSSTART": UrcKind.BOOT, "+AT": UrcKind.BOOT,
    "+PBREADY": UrcKind.PHONEBOOK_READY,
    "^SMMEMFULL": UrcKind.MEMORY_FULL, "+SMS FULL": UrcKind.MEMORY_FULL, "^SMGO": UrcKind.MEMORY_FULL,
    "^SHUTDOWN": UrcKind.POWER_DOWN, "^SBC": UrcKind.POWER_WARNING,
    "+CRING": UrcKind.RING, "+CLIP": UrcKind.CLIP, "+CCWA": UrcKind.CALL, "+COLP": UrcKind.CALL, "+CDIP": UrcKind.CALL,
    "+CNAP": UrcKind.CALL, "+CSSI": UrcKind.CALL, "+CSSU": UrcKind.CALL, "+CRC": UrcKind.CALL,
    "+RXDTMF": UrcKind.CALL, "+DTMF": UrcKind.CALL, "+UCALLSTAT": UrcKind.CALL, "^SLCC": UrcKind.CALL,
    "^CONF": UrcKind.CALL, "^CONN": UrcKind.CALL, "^CEND": UrcKind.CALL, "^ORIG": UrcKind.CALL,
    "^CCALLSTATE": UrcKind.CALL, "^DSCI": UrcKind.CALL,
    "+CUSD": UrcKind.CUSD,
    "^NWTIME": UrcKind.NITZ, "+NITZ": UrcKind.NITZ, "*PSUTTZ": UrcKind.NITZ, "*PSNWID": UrcKind.NITZ,
    "+CTZV": UrcKind.NITZ, "+CTZE": UrcKind.NITZ, "%CTZV": UrcKind.NITZ, "+CTZDST": UrcKind.NITZ,
    "+CTZEU": UrcKind.NITZ,
    "^RSSI": UrcKind.SIGNAL, "^HCSQ": UrcKind.SIGNAL, "^RSSILVL": UrcKind.SIGNAL, "^HRSSILVL": UrcKind.SIGNAL,
    "^CSNR": UrcKind.SIGNAL, "+CSQ": UrcKind.SIGNAL, "+CESQ": UrcKind.SIGNAL,
    "+CSQN": UrcKind.SIGNAL, "^ANLEVEL": UrcKind.SIGNAL, "^CRSSI": UrcKind.SIGNAL,
    "+CPIN": UrcKind.CPIN,
    "^SIMST": UrcKind.SIM_STATE, "+QUSIM": UrcKind.SIM_STATE, "^SCKS": UrcKind.SIM_STATE, "+ZUSIMR": UrcKind.SIM_STATE,
    "#QSS": UrcKind.SIM_STATE, "+QSIMSTAT": UrcKind.SIM_STATE,
    "+UUSIMSTAT": UrcKind.SIM_STATE, "+SIM": UrcKind.SIM_STATE,
    "^MODE": UrcKind.NETWORK_MODE, "^SRVST": UrcKind.NETWORK_MODE, "+ZDONR": UrcKind.NETWORK_MODE,
    "+ZPASR": UrcKind.NETWORK_MODE, "+CNSMOD": UrcKind.NETWORK_MODE, "^EONS": UrcKind.NETWORK_MODE,
    "^BOOT": UrcKind.VENDOR, "^DSFLOWRPT": UrcKind.VENDOR, "^NDISSTAT": UrcKind.VENDOR, "^STIN": UrcKind.VENDOR,
    "^PDPDEACT": UrcKind.VENDOR, "^LWURC": UrcKind.VENDOR, "^ECCLIST": UrcKind.VENDOR, "^THERM": UrcKind.VENDOR,
    "^POSITION": UrcKind.VENDOR, "^RFSWITCH": UrcKind.VENDOR, "^XLEMA": UrcKind.VENDOR, "^ACTIVEBAND": UrcKind.VENDOR,
    "+CUSATP": UrcKind.VENDOR, "+CUSATEND": UrcKind.VENDOR, "+QLWURC": UrcKind.VENDOR, "+QGPSURC": UrcKind.VENDOR,
    "+QIURC": UrcKind.VENDOR, "+QNETDEVSTATUS": UrcKind.VENDOR, "+ZPSTM": UrcKind.VENDOR, "+ZEND": UrcKind.VENDOR,
    "+CIEV": UrcKind.VENDOR, "+QIND": UrcKind.VENDOR, "+CGEV": UrcKind.VENDOR, "+CMWT": UrcKind.VENDOR,
    "+PACSP": UrcKind.VENDOR, "+CGNSSPWR": UrcKind.VENDOR, "*ATREADY": UrcKind.BOOT, "*SIMREADY": UrcKind.SIM_STATE,
    "+SIND": UrcKind.VENDOR, "+CFUN": UrcKind.VENDOR, "+APP RDY": UrcKind.VENDOR,
}  # fmt: skip

_WORDS = {
    "RING": UrcKind.RING,
    "RDY": UrcKind.BOOT,
    "APP RDY": UrcKind.BOOT,
    "SMS DONE": UrcKind.SMS_READY,
    "SMS READY": UrcKind.SMS_READY,
    "PB DONE": UrcKind.PHONEBOOK_READY,
    "CALL READY": UrcKind.VENDOR,
    "POWERED DOWN": UrcKind.POWER_DOWN,
    "NORMAL POWER DOWN": UrcKind.POWER_DOWN,
    "NO CARRIER": UrcKind.NO_CARRIER,
    "BUSY": UrcKind.CALL,
    "NO ANSWER": UrcKind.CALL,
    "NO DIALTONE": UrcKind.CALL,
    "NO DIAL TONE": UrcKind.CALL,
    "SIM NOT INSERTED": UrcKind.SIM_STATE,
}
_WORD_PREFIXES = (
    ("OVER-VOLTAGE", UrcKind.POWER_WARNING),
    ("UNDER-VOLTAGE", UrcKind.POWER_WARNING),
    ("DST:", UrcKind.NITZ),
    ("VOICE CALL:", UrcKind.CALL),
    ("MISSED_CALL:", UrcKind.CALL),
)
_BY_ARGUMENT: dict[str, tuple[tuple[str, UrcKind], ...]] = {
    "+QIND": (
        ("SMS DONE", UrcKind.SMS_READY),
        ("PB DONE", UrcKind.PHONEBOOK_READY),
        ('"csq"', UrcKind.SIGNAL),
        ('"act"', UrcKind.NETWORK_MODE),
        ('"smsfull"', UrcKind.MEMORY_FULL),
    ),
    "+CIEV": (('"smsfull"', UrcKind.MEMORY_FULL), ("smsfull", UrcKind.MEMORY_FULL)),
}
_CODE = re.compile(r"[+^*%#!$][A-Za-z0-9]")


def code_name(line: str) -> str:
    """What stands before the colon of an extended code ("+CMTI"), or "" when the line is none."""
    if line[0] not in SIGNS or not _CODE.match(line):
        return ""
    return line.partition(":")[0].rstrip()[:MAX_NAME]


def urc_kind(line: str, name: str) -> UrcKind | None:
    """The kind of a line that is in the tables, or None. ``name`` is ``code_name(line)``."""
    if name:
        choices = _BY_ARGUMENT.get(name)
        if choices is not None:
            args = code_args(line)
            return next((kind for start, kind in choices if args.startswith(start)), UrcKind.VENDOR)
        return _NAMED.get(name)
    word = _WORDS.get(line) or _WORDS.get(line.upper())
    if word is not None:
        return word
    return next((kind for start, kind in _WORD_PREFIXES if line.startswith(start)), None)


def code_args(line: str) -> str:
    """What follows the first colon, without blanks around it; "" without a colon."""
    return line.partition(":")[2].strip()


# The same name answers a query and comes by itself: told apart by form, 3GPP TS 27.007 7.2, 7.6, 10.1.20, 10.1.22.


def _registration_answer(args: str) -> bool:
    return has_registration_mode(split_fields(args))


def _is_small_number(field: str, top: int) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= 2 and int(field) <= top


def _switch_answer(args: str) -> bool:
    return not args.startswith('"') and all(_is_small_number(field.strip(), 5) for field in args.split(","))


_QUERY_FORMS: dict[str, Callable[[str], bool]] = {
    "+CREG": _registration_answer,
    "+CGREG": _registration_answer,
    "+CEREG": _registration_answer,
    "+C5GREG": _registration_answer,
    "+CLIP": _switch_answer,
    "+CCWA": _switch_answer,
    "+CRC": _switch_answer,
    "+CUSD": _switch_answer,
    "+CTZE": _switch_answer,
    "+CNSMOD": lambda args: "," in args,
}
ANSWERED_ONCE = frozenset({*_QUERY_FORMS, "+CPIN", "+CSQ", "+CESQ", "^HCSQ", "^SIMST", "^RSSI", "+CFUN"})
"""Names whose answer is one line: when two come, the earlier was unsolicited."""


def is_answer(command_text: str, name: str, line: str) -> bool:
    """Whether a line with a declared prefix answers this command, or came by itself in the same name."""
    form = _QUERY_FORMS.get(name)
    if form is None:
        return True
    args = code_args(line)
    if command_text.endswith("=?"):
        return args.startswith("(")
    if command_text.endswith("?"):
        return form(args)
    return name == "+CUSD"
