"""Incoming calls, as far as an SMS appliance needs them: who rings, and what is going on (3GPP TS 27.007 7.6, 7.18)."""

import msgspec

from modembank.at.fields import arguments, field_at, number, split_fields, unquote


class Caller(msgspec.Struct, frozen=True):
    """``number`` is None when withheld."""

    number: str | None
    toa: int | None


class CallEntry(msgspec.Struct, frozen=True):
    """``state`` 0 active, 1 held, 2 dialling, 3 alerting, 4 incoming, 5 waiting; ``mode`` 0 voice."""

    index: int
    incoming: bool
    state: int
    mode: int
    number: str | None


def parse_clip(line: str) -> Caller | None:
    """``+CLIP: "<number>",<type>[,...]``; an empty number is a withheld one."""
    fields = split_fields(arguments(line))
    if not fields:
        return None
    return Caller(_dialled(fields[0]), number(field_at(fields, 1)))


def parse_clcc(line: str) -> CallEntry | None:
    """``+CLCC: <id>,<dir>,<stat>,<mode>,<mpty>[,<number>,<type>[,...]]``."""
    fields = split_fields(arguments(line))
    index, direction, state, mode = (number(field_at(fields, position)) for position in range(4))
    if index is None or direction is None or state is None or mode is None:
        return None
    return CallEntry(index, direction == 1, state, mode, _dialled(field_at(fields, 5)))


def _dialled(field: str) -> str | None:
    text = "".join(letter for letter in unquote(field) if letter in "+0123456789*#")
    return text[:24] or None
