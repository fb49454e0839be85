"""Taking answers apart: fields between commas, quotes, groups in brackets, numbers."""

import re

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_HEX = re.compile(r"[0-9A-Fa-f]{1,9}\Z")
_LABEL = re.compile(r"[+^*%#!$]?[A-Za-z][A-Za-z0-9_ ]{0,15}\s*:")
MAX_RANGE = 4096
"""Largest stretch ``number_set`` unfolds: a hostile "0-999999999" must not cost memory."""


def arguments(line: str) -> str:
    """What follows the prefix of an answer line; the whole line when it carries none."""
    label = _LABEL.match(line)
    return line[label.end() :].strip() if label else line.strip()


def split_fields(text: str) -> list[str]:
    """Fields between commas, outside quotes and brackets, stripped, quotes kept; "" gives no field."""
    if not text.strip():
        return []
    fields, start, depth, quoted = [], 0, 0, False
    for position, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(0, depth - 1)
        elif letter == "," and not depth:
            fields.append(text[start:position].strip())
            start = position + 1
    return [*fields, text[start:].strip()]


def unquote(field: str) -> str:
    """The field without the quotes around it, if any."""
    field = field.strip()
    if len(field) >= 2 and field[0] == field[-1] == '"':
        return field[1:-1]
    return field.strip('"')


def is_quoted(field: str) -> bool:
    """Whether the field stands in quotes."""
    return field.startswith('"')


def number(field: str) -> int | None:
    """A decimal number, also in quotes; None for anything else."""
    text = unquote(field).strip()
    return int(text) if _NUMBER.match(text) else None


def hex_number(field: str) -> int | None:
    """A hexadecimal number, also in quotes or with 0x; None for anything else."""
    text = unquote(field).strip().removeprefix("0x")
    return int(text, 16) if _HEX.match(text) else None


def field_at(fields: list[str], position: int) -> str:
    """The field, or "" when there are fewer."""
    return fields[position] if position < len(fields) else ""


def first_number(text: str) -> int | None:
    """The first field as a number: ``+CMGS: <mr>[,<scts>]`` (3GPP TS 27.005 3.5.1)."""
    fields = split_fields(text)
    return number(fields[0]) if fields else None


def groups(text: str) -> list[str]:
    """The insides of ``(a,b),(c),d``: one per bracket or bare field; a missing end is forgiven."""
    found = []
    for field in split_fields(text):
        opened = field.startswith("(")
        inside = field[1:] if opened else field
        found.append(inside.removesuffix(")").strip())
    return found


def number_set(group: str) -> frozenset[int]:
    """The numbers of ``0,1,3`` or ``0-2,5``."""
    numbers: set[int] = set()
    for part in group.split(","):
        low, dash, high = part.strip().partition("-")
        first = number(low)
        last = number(high) if dash else first
        if first is not None and last is not None and 0 <= last - first <= MAX_RANGE:
            numbers.update(range(first, last + 1))
    return frozenset(numbers)


def has_registration_mode(fields: list[str]) -> bool:
    """Whether a registration's fields begin with <n>: the answer's form, not the unsolicited one (TS 27.007 7.2).

    Told by the number, size and quoting of fields; Iridium writes its numbers with three digits.
    """
    if len(fields) < 2 or not (_is_small(fields[0], 5) and _is_small(fields[1], 15)):
        return False
    # Three fields are <stat>,<lac>,<ci>, unless the last one alone is quoted: then the line was cut off.
    return len(fields) != 3 or not fields[2] or is_quoted(fields[2])


def _is_small(field: str, top: int) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= 3 and int(field) <= top
