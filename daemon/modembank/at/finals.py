"""The lines that end a command, matched in full: "NOKIA" and "OKAY" are not OK."""

import enum
import re

import msgspec

from modembank.at.causes import cme_code, cms_code
from modembank.at.events import FinalStatus


class Scope(enum.Enum):
    """For which commands a line is a final result."""

    ANY = "any"
    CALL = "call"
    """Only for commands about a call; otherwise the line tells that a call ended (ITU-T V.250 5.7.1)."""
    PREFIXED = "prefixed"
    """Not for ``bare`` commands, whose answer may be that very text."""
    NUMERIC = "numeric"
    """A digit (ATV0): for bare commands only once the modem is known to answer in digits."""


class FinalLine(msgspec.Struct, frozen=True):
    """A recognised final result."""

    status: FinalStatus
    scope: Scope = Scope.ANY
    code: int | None = None
    text: str | None = None


_EXACT = {
    "OK": FinalLine(FinalStatus.OK),
    "ERROR": FinalLine(FinalStatus.ERROR),
    "COMMAND NOT SUPPORT": FinalLine(FinalStatus.NOT_SUPPORTED),
    "COMMAND NOT SUPPORTED": FinalLine(FinalStatus.NOT_SUPPORTED),
    "OPERATION NOT SUPPORTED": FinalLine(FinalStatus.NOT_SUPPORTED),
    "TOO MANY PARAMETERS": FinalLine(FinalStatus.ERROR, text="TOO MANY PARAMETERS"),
    "NA": FinalLine(FinalStatus.NOT_SUPPORTED, Scope.PREFIXED),
    "NO CARRIER": FinalLine(FinalStatus.NO_CARRIER, Scope.CALL),
    "BUSY": FinalLine(FinalStatus.BUSY, Scope.CALL),
    "NO ANSWER": FinalLine(FinalStatus.NO_ANSWER, Scope.CALL),
    "NO DIALTONE": FinalLine(FinalStatus.NO_DIALTONE, Scope.CALL),
    "NO DIAL TONE": FinalLine(FinalStatus.NO_DIALTONE, Scope.CALL),
    "CONNECT": FinalLine(FinalStatus.CONNECT, Scope.CALL),
    # ITU-T V.250 5.7.1, table 1; 1 (CONNECT) and 2 (RING) end nothing here.
    "0": FinalLine(FinalStatus.OK, Scope.NUMERIC),
    "3": FinalLine(FinalStatus.NO_CARRIER, Scope.NUMERIC),
    "4": FinalLine(FinalStatus.ERROR, Scope.NUMERIC),
    "6": FinalLine(FinalStatus.NO_DIALTONE, Scope.NUMERIC),
    "7": FinalLine(FinalStatus.BUSY, Scope.NUMERIC),
    "8": FinalLine(FinalStatus.NO_ANSWER, Scope.NUMERIC),
}
_FIRST = frozenset(line[0] for line in _EXACT) | {"+", "M"}
_NUMBERED = re.compile(r"\+CM([ES]) ERROR(?:\s*:(.*))?\Z")
_MOTOROLA = re.compile(r"MODEM ERROR:\s*(.*)\Z")
_HUAWEI_GLUED = re.compile(r"ERROR(\+[A-Z]+:.*)\Z")


def match_final(line: str) -> FinalLine | None:
    """The final result this line is, or None."""
    if line[0] not in _FIRST:
        return None
    exact = _EXACT.get(line)
    if exact is not None:
        return exact
    if line.startswith("+CM") and (numbered := _NUMBERED.match(line)):
        return _numbered(numbered[1], (numbered[2] or "").strip())
    if found := _MOTOROLA.match(line) or _HUAWEI_GLUED.match(line):
        return FinalLine(FinalStatus.ERROR, text=found[1])
    return None


def _numbered(kind: str, said: str) -> FinalLine:
    status = FinalStatus.CME_ERROR if kind == "E" else FinalStatus.CMS_ERROR
    if said.isascii() and said.isdigit() and len(said) <= 5:
        return FinalLine(status, code=int(said))
    code = cme_code(said) if kind == "E" else cms_code(said)
    return FinalLine(status, code=code, text=said or None)
