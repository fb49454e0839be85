"""Who the SIM and the modem are: ICCID, IMSI, IMEI, own number, PIN state and tries left."""

import enum
import re

import msgspec

from modembank.at.fields import arguments, field_at, is_quoted, number, split_fields, unquote

_ICCID = re.compile(r"(?<![0-9A-Fa-f])([0-9]{18,20})[Ff]{0,2}(?![0-9A-Fa-f])")
_ICCID_SWAPPED = re.compile(r"(?<![0-9A-Fa-f])(98[0-9A-Fa-f]{18})(?![0-9A-Fa-f])")
_IMSI = re.compile(r"(?<![0-9])([0-9]{14,15})(?![0-9])")
_IMEI = re.compile(r"(?<![0-9])([0-9]{14,17})(?![0-9])")
MAX_TRIES = 10


class PinState(enum.Enum):
    """What AT+CPIN? asks for (3GPP TS 27.007 8.3)."""

    READY = "READY"
    SIM_PIN = "SIM PIN"
    SIM_PUK = "SIM PUK"
    SIM_PIN2 = "SIM PIN2"
    SIM_PUK2 = "SIM PUK2"
    NETWORK_LOCK = "PH-NET PIN"
    """Any of the personalisation locks (PH-...)."""
    NOT_INSERTED = "NOT INSERTED"
    NOT_READY = "NOT READY"
    OTHER = "other"


class PinTries(msgspec.Struct, frozen=True):
    """Tries left; None where the modem does not say."""

    pin: int | None = None
    puk: int | None = None
    pin2: int | None = None
    puk2: int | None = None


class OwnNumber(msgspec.Struct, frozen=True):
    """One +CNUM line."""

    number: str
    alpha: str
    toa: int | None


def parse_iccid(line: str) -> str | None:
    """The 19 or 20 digits in any vendor's answer: +CCID, +ICCID, +QCCID, ^ICCID, #CCID, !ICCID, bare, +CRSM.

    Quotes and a filling F are dropped; what is stored nibble-swapped (EF_ICCID, 3GPP TS 31.102 4.2.1) is turned; the
    issuer prefix 89 (ITU-T E.118) tells which.
    """
    text = line.replace('"', " ")
    if swapped := _ICCID_SWAPPED.search(text):
        turned = swap_nibbles(swapped[1]).upper().rstrip("F")
        if turned.startswith("89") and turned.isdigit() and len(turned) >= 18:
            return turned
    found = _ICCID.search(text)
    return found[1] if found else None


def swap_nibbles(digits: str) -> str:
    """Each pair of digits turned round."""
    return "".join(digits[position : position + 2][::-1] for position in range(0, len(digits), 2))


def parse_imsi(line: str) -> str | None:
    """AT+CIMI: 14 or 15 digits, with or without a prefix and quotes."""
    found = _IMSI.search(line)
    return found[1] if found else None


def parse_imei(line: str) -> str | None:
    """AT+CGSN: 14 to 17 digits (IMEI without and with check digit, IMEISV), with or without a prefix and quotes."""
    found = _IMEI.search(line)
    return found[1] if found else None


def parse_cnum(line: str) -> OwnNumber | None:
    """``+CNUM: [<alpha>],<number>,<type>[,...]``; None when the number is empty."""
    fields = split_fields(arguments(line.removeprefix("ERROR")))
    digits = unquote(field_at(fields, 1)).strip()
    if not digits or not all(letter in "+0123456789*#" for letter in digits):
        return None
    return OwnNumber(digits[:24], unquote(fields[0])[:32], number(field_at(fields, 2)))


def parse_cpin(line: str) -> PinState:
    """``+CPIN: <state>``, quoted or not."""
    text = unquote(arguments(line)).strip().upper()
    if text.startswith("PH-"):
        return PinState.NETWORK_LOCK
    text = text.removeprefix("SIM ") if text in ("SIM NOT INSERTED", "SIM NOT READY") else text
    try:
        return PinState(text)
    except ValueError:
        return PinState.OTHER


def parse_pin_tries(lines: tuple[str, ...]) -> PinTries:
    """Tries left, from the lines of AT+CPINR, AT^CPIN?, AT+QPINC?, AT+ZPINPUK=?, AT+SPIC, AT^SPIC="SC" or AT#PCT (which
    tells the current code).
    """
    found: dict[str, int] = {}
    for line in lines:
        fields = split_fields(arguments(line))
        if line.startswith("+CPINR:"):
            _note(found, _code_name(field_at(fields, 0)), field_at(fields, 1))
        elif line.startswith("^CPIN:"):
            for position, name in enumerate(("puk", "pin", "puk2", "pin2"), start=len(fields) - 4):
                if position >= 1:
                    _note(found, name, fields[position])
        elif line.startswith("+QPINC:"):
            second = "2" if unquote(field_at(fields, 0)) == "P2" else ""
            _note(found, f"pin{second}", field_at(fields, 1))
            _note(found, f"puk{second}", field_at(fields, 2))
        elif line.startswith("+ZPINPUK:"):
            _note(found, "pin", field_at(fields, 0))
            _note(found, "puk", field_at(fields, 1))
        elif line.startswith(("#PCT:", "+SPIC:", "^SPIC:")):
            _note(found, "pin", field_at(fields, 0))
    return PinTries(found.get("pin"), found.get("puk"), found.get("pin2"), found.get("puk2"))


def _code_name(field: str) -> str:
    name = unquote(field) if is_quoted(field) else field
    return name.strip().removeprefix("SIM ").lower()


def _note(found: dict[str, int], name: str, field: str) -> None:
    tries = number(field)
    if tries is not None and 0 <= tries <= MAX_TRIES:
        found[name] = tries
