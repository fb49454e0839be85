"""Command lines as the emulated modem reads them (ITU-T V.250 5.2), and the errors it answers with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Op(StrEnum):
    """The four forms of an extended command."""

    RUN = ""
    SET = "="
    READ = "?"
    TEST = "=?"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line: name in capitals, form, text after '='."""

    name: str
    op: Op
    args: str


class AtError(Exception):
    """A command fails with plain ERROR."""


class CmeError(AtError):
    """+CME ERROR (3GPP TS 27.007 9.2)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class CmsError(AtError):
    """+CMS ERROR (3GPP TS 27.005 3.2.5)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


CME_TEXT: Final = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    16: "incorrect password",
    20: "memory full",
    21: "invalid index",
    30: "no network service",
    31: "network timeout",
    50: "incorrect parameters",
    100: "unknown",
}
CMS_TEXT: Final = {
    21: "short message transfer rejected",
    38: "network out of order",
    300: "ME failure",
    302: "operation not allowed",
    303: "operation not supported",
    304: "invalid PDU mode parameter",
    305: "invalid text mode parameter",
    310: "SIM not inserted",
    311: "SIM PIN required",
    313: "SIM failure",
    314: "SIM busy",
    320: "memory failure",
    321: "invalid memory index",
    322: "memory full",
    330: "SMSC address unknown",
    331: "no network service",
    332: "network timeout",
    340: "no +CNMA acknowledgement expected",
    500: "unknown error",
    515: "please wait, init is in progress",
}

_EXTENDED = re.compile(r"([+^*%$#!][A-Z0-9_\-]+)\s*(=\?|\?|=)?(.*)", re.IGNORECASE | re.DOTALL)
_BASIC = re.compile(r"(S\d+|&?[A-Z])\s*(=\?|\?|=)?\s*(\d*)", re.IGNORECASE)
_QUOTED_OR_END = re.compile(r'(?:[^";]|"[^"]*"?)*')


def parse(body: str) -> list[Command]:
    """Commands of a line without its AT prefix; AtError for what is no command."""
    commands: list[Command] = []
    place = 0
    while place < len(body):
        char = body[place]
        if char in " ;":
            place += 1
        elif char in "+^*%$#!":
            match = _QUOTED_OR_END.match(body, place)
            end = match.end() if match else len(body)
            commands.append(_extended(body[place:end]))
            place = end
        elif char in "Dd":
            return [*commands, Command("D", Op.RUN, body[place + 1 :])]
        else:
            basic = _BASIC.match(body, place)
            if basic is None:
                raise AtError
            commands.append(Command(basic[1].upper(), Op(basic[2] or ""), basic[3]))
            place = basic.end()
    return commands


def split_args(args: str) -> list[str]:
    """Arguments of a command, quotes taken off; no argument gives an empty list."""
    if not args:
        return []
    found: list[str] = []
    current: list[str] = []
    quoted = False
    for char in args:
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            found.append("".join(current).strip())
            current.clear()
        else:
            current.append(char)
    found.append("".join(current).strip())
    return found


def integers(args: str) -> list[int]:
    """Arguments as numbers; AtError when one is not; an omitted one is 0."""
    try:
        return [int(arg or "0") for arg in split_args(args)]
    except ValueError:
        raise AtError from None


def _extended(text: str) -> Command:
    match = _EXTENDED.fullmatch(text)
    if match is None:
        raise AtError
    return Command(match[1].upper(), Op(match[2] or ""), match[3].strip())
