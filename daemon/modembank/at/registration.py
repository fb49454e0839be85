"""Registration, signal and operator answers (3GPP TS 27.007 7.2, 7.3, 8.5, 8.69, 10.1.20, 10.1.22)."""

import msgspec

from modembank.at.fields import arguments, field_at, has_registration_mode, hex_number, number, split_fields, unquote
from modembank.at.ussd import from_ucs2_hex

SMS_ALLOWED = frozenset({1, 5, 6, 7})
"""Registration states in which short messages go: home, roaming, and the two "SMS only"."""


class RegistrationReport(msgspec.Struct, frozen=True):
    """``mode`` is <n>, None in the unsolicited form; ``act`` the access technology of TS 27.007 7.3."""

    stat: int
    mode: int | None = None
    area: int | None = None
    cell: int | None = None
    act: int | None = None

    @property
    def sms_allowed(self) -> bool:
        """Whether this registration carries short messages."""
        return self.stat in SMS_ALLOWED


class SignalReport(msgspec.Struct, frozen=True):
    """dBm values by access technology, None where not known; ``bit_error`` is the RXQUAL class 0-7."""

    rssi_dbm: int | None = None
    bit_error: int | None = None
    rscp_dbm: int | None = None
    rsrp_dbm: int | None = None
    rsrq_db: float | None = None


class OperatorReport(msgspec.Struct, frozen=True):
    """``mode`` 0 automatic, 1 manual, 2 deregistered; ``numeric`` tells whether ``name`` is an MCC/MNC."""

    mode: int
    name: str | None
    numeric: bool
    act: int | None


def parse_registration(line: str) -> RegistrationReport | None:
    """+CREG/+CGREG/+CEREG/+C5GREG, answer or unsolicited: told apart by the number and quoting of fields."""
    fields = split_fields(arguments(line))
    if not fields:
        return None
    offset = 1 if has_registration_mode(fields) else 0
    stat = number(fields[offset])
    if stat is None or not 0 <= stat <= 15:
        return None
    area, cell, act = _place(fields[offset + 1 :])
    return RegistrationReport(stat, number(fields[0]) if offset else None, area, cell, act)


def _place(fields: list[str]) -> tuple[int | None, int | None, int | None]:
    """Area, cell and access technology; Novatel puts the routing area between the first two."""
    if len(fields) > 3 and hex_number(fields[2]) is not None and len(unquote(fields[2])) > 2:
        fields = [fields[0], *fields[2:]]
    return hex_number(field_at(fields, 0)), hex_number(field_at(fields, 1)), number(field_at(fields, 2))


def parse_csq(line: str) -> SignalReport | None:
    """``+CSQ: <rssi>,<ber>``; more fields are tolerated, 99 is not known."""
    fields = split_fields(arguments(line))
    rssi = number(field_at(fields, 0))
    if rssi is None:
        return None
    ber = number(field_at(fields, 1))
    return SignalReport(
        rssi_dbm=-113 + 2 * rssi if 0 <= rssi <= 31 else None,
        bit_error=ber if ber is not None and 0 <= ber <= 7 else None,
    )


def parse_cesq(line: str) -> SignalReport | None:
    """``+CESQ: <rxlev>,<ber>,<rscp>,<ecno>,<rsrq>,<rsrp>``; 99 and 255 are not known."""
    fields = [number(field) for field in split_fields(arguments(line))]
    if len(fields) < 6:
        return None
    rxlev, ber, rscp, _, rsrq, rsrp = fields[:6]
    return SignalReport(
        rssi_dbm=_scaled(rxlev, 63, -111),
        bit_error=ber if ber is not None and 0 <= ber <= 7 else None,
        rscp_dbm=_scaled(rscp, 96, -121),
        rsrp_dbm=_scaled(rsrp, 97, -141),
        rsrq_db=-20 + rsrq / 2 if rsrq is not None and 0 <= rsrq <= 34 else None,
    )


def _scaled(value: int | None, top: int, base: int) -> int | None:
    return base + value if value is not None and 0 <= value <= top else None


def parse_cops(line: str) -> OperatorReport | None:
    """``+COPS: <mode>[,<format>,<oper>[,<act>]]``; the operator may come as UCS-2 in hex, by AT+CSCS="UCS2"."""
    fields = split_fields(arguments(line))
    mode = number(field_at(fields, 0))
    if mode is None:
        return None
    name = unquote(field_at(fields, 2)).strip()
    if len(name) >= 16:
        name = from_ucs2_hex(name) or name
    name = name[:64]
    return OperatorReport(mode, name or None, name.isascii() and name.isdigit(), number(field_at(fields, 3)))
