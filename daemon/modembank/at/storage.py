"""Message storage and routing answers (3GPP TS 27.005 3.1, 3.2, 3.4)."""

import msgspec

from modembank.at.fields import (
    arguments,
    field_at,
    first_number,
    groups,
    is_quoted,
    number,
    number_set,
    split_fields,
    unquote,
)
from modembank.at.ussd import from_ucs2_hex

_TEXT_STATUS = {"REC UNREAD": 0, "REC READ": 1, "STO UNSENT": 2, "STO SENT": 3}


class MessageHeader(msgspec.Struct, frozen=True):
    """Header of +CMGR/+CMGL/+CMT/+CDS/+CBM. ``length`` is the TPDU in octets, without the SMSC."""

    length: int | None
    stat: int | None = None
    index: int | None = None


class MessagePlace(msgspec.Struct, frozen=True):
    """Where a message was stored; some modems say index -1 when the memory is full."""

    memory: str
    index: int


class MemoryUse(msgspec.Struct, frozen=True):
    """Fill of one memory; ``memory`` is None in the answer to a setting."""

    memory: str | None
    used: int
    total: int


class MemoryChoice(msgspec.Struct, frozen=True):
    """Memories on offer for reading, for writing, and for what is received."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    receive: tuple[str, ...]


class IndicationRanges(msgspec.Struct, frozen=True):
    """What AT+CNMI=? offers; an empty set where the modem does not say."""

    mode: frozenset[int]
    mt: frozenset[int]
    bm: frozenset[int]
    ds: frozenset[int]
    bfr: frozenset[int]


class ServiceReport(msgspec.Struct, frozen=True):
    """+CSMS: ``service`` is None where the modem leaves it out."""

    service: int | None
    mt: bool
    mo: bool
    bm: bool


class CentreAddress(msgspec.Struct, frozen=True):
    """+CSCA: the SMSC's number and its type of address."""

    number: str
    toa: int | None


def parse_cmgr(line: str) -> MessageHeader | None:
    """``+CMGR: <stat>,[<alpha>],<length>``, also without <alpha>."""
    fields = split_fields(arguments(line))
    if len(fields) < 2:
        return None
    return MessageHeader(length=number(fields[-1]), stat=_status(fields[0]))


def parse_cmgl(line: str) -> MessageHeader | None:
    """``+CMGL: <index>,<stat>,[<alpha>],<length>``, also without <alpha>."""
    fields = split_fields(arguments(line))
    index = number(field_at(fields, 0))
    if index is None or len(fields) < 3:
        return None
    return MessageHeader(length=number(fields[-1]), stat=_status(fields[1]), index=index)


def parse_pair_header(line: str) -> MessageHeader | None:
    """``+CMT: [<alpha>],<length>``, ``+CDS: <length>``, ``+CBM: <length>``, with and without the comma before."""
    fields = split_fields(arguments(line))
    length = number(fields[-1]) if fields else None
    return None if length is None else MessageHeader(length=length)


def parse_place(line: str) -> MessagePlace | None:
    """``+CMTI: "SM",3``, ``+CDSI``, ``+CBMI``; the index may be negative, the memory unquoted."""
    fields = split_fields(arguments(line))
    index = number(field_at(fields, 1))
    memory = unquote(field_at(fields, 0)).strip()
    return MessagePlace(memory[:8], index) if memory and index is not None else None


def parse_cpms(line: str) -> tuple[MemoryUse, ...]:
    """The fills in AT+CPMS? (with names) or in the answer to a setting (numbers only), one to three."""
    fields = split_fields(arguments(line))
    named = bool(fields) and number(fields[0]) is None
    width = 3 if named else 2
    uses = []
    for start in range(0, len(fields) - width + 1, width):
        used, total = number(fields[start + width - 2]), number(fields[start + width - 1])
        if used is None or total is None:
            break
        uses.append(MemoryUse(unquote(fields[start])[:8] if named else None, used, total))
    return tuple(uses[:3])


def parse_cpms_choice(line: str) -> MemoryChoice | None:
    """AT+CPMS=?: three lists in brackets, perhaps all in one more; without any bracket the one list counts for all."""
    text = arguments(line)
    if text.startswith("((") and text.endswith(")") and len(split_fields(text)) == 1:
        text = text[1:-1]  # Wavecom
    if "(" in text:
        lists = [_names(group) for group in groups(text)]
    else:
        lists = [tuple(dict.fromkeys(_names(text)))] * 3 if _names(text) else []
    if not lists:
        return None
    padded = [*lists, (), ()][:3]
    return MemoryChoice(padded[0], padded[1], padded[2])


def _names(group: str) -> tuple[str, ...]:
    return tuple(name for field in split_fields(group) if (name := unquote(field).strip("() ")[:8]))


def parse_cnmi_ranges(line: str) -> IndicationRanges | None:
    """AT+CNMI=?: five lists or ranges, brackets missing in places."""
    sets = [number_set(group) for group in groups(arguments(line))[:5]]
    if not any(sets):
        return None
    mode, mt, bm, ds, bfr = [*sets, *[frozenset[int]()] * 5][:5]
    return IndicationRanges(mode, mt, bm, ds, bfr)


def parse_cnmi(line: str) -> tuple[int, ...]:
    """AT+CNMI?: the settings as far as they are numbers."""
    settings = []
    for field in split_fields(arguments(line)):
        value = number(field)
        if value is None:
            break
        settings.append(value)
    return tuple(settings[:5])


def parse_csms(line: str) -> ServiceReport | None:
    """``+CSMS: [<service>,]<mt>,<mo>,<bm>``."""
    values = [number(field) for field in split_fields(arguments(line))]
    if len(values) not in (3, 4) or None in values:
        return None
    service = values[0] if len(values) == 4 else None
    mt, mo, bm = values[-3:]
    return ServiceReport(service, bool(mt), bool(mo), bool(bm))


def parse_message_reference(line: str) -> int | None:
    """``+CMGS: <mr>[,...]``: the first number, 0-255; also +CMGW's index."""
    return first_number(arguments(line))


def parse_csca(line: str) -> CentreAddress | None:
    """``+CSCA: "<number>"[,<toa>]``; the number may come as UCS-2 in hex, by AT+CSCS="UCS2"."""
    fields = split_fields(arguments(line))
    text = unquote(field_at(fields, 0)).strip()
    decoded = from_ucs2_hex(text) if len(text) >= 16 else None
    if decoded is not None and all(letter in "+0123456789" for letter in decoded):
        text = decoded
    if not text or not all(letter in "+0123456789*#" for letter in text):
        return None
    return CentreAddress(text[:24], number(field_at(fields, 1)))


def _status(field: str) -> int | None:
    if is_quoted(field) and number(field) is None:
        return _TEXT_STATUS.get(unquote(field))
    return number(field)
