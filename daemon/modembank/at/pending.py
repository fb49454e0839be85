"""Lines that are not complete alone: a code and its PDU line, and USSD text with line ends inside its quotes."""

import re

from modembank.at.urcs import code_args

_HEX_LINE = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_TEXT_CLOSED = re.compile(r'"\s*+(?:,\s*+\d*+\s*+)?\Z')
MAX_LINES_BETWEEN = 4
"""Lines that may stand between a header and its PDU before the pair is given up."""
MAX_TEXT_LINES = 16
MAX_TEXT = 2048
"""Bounds of a quoted text over several lines; a USSD string holds at most 182 characters (3GPP TS 23.038 5)."""


def is_hex(line: str) -> bool:
    """Whether a line could be a PDU: pairs of hex digits and nothing else."""
    return _HEX_LINE.match(line) is not None


def declared_length(header: str) -> int | None:
    """The TPDU length in octets at the end of ``+CMT: [alpha],<n>``, ``+CDS: <n>`` or ``+CMGR: 0,,<n>``."""
    last = code_args(header).rpartition(",")[2].strip()
    return int(last) if last.isascii() and last.isdigit() and len(last) <= 4 else None


def fits(pdu: str, declared: int | None) -> bool:
    """Whether a hex line has the declared TPDU length, with an SMSC in front or without (3GPP TS 27.005 3.1)."""
    if declared is None:
        return False
    octets = len(pdu) // 2
    return octets in (declared + 1 + int(pdu[:2], 16), declared)


def pdu_fits(text: str, declared: int | None) -> bool:
    """Whether a line is a PDU in hex with an SMSC in front, and surely whole.

    A line of the bare TPDU's length may as well be one that lost as many octets as its SMSC has.
    """
    return declared is not None and is_hex(text) and len(text) // 2 == declared + 1 + int(text[:2], 16)


class PendingPair:
    """The header of a +CMT/+CDS/+CBM waiting for its PDU line."""

    __slots__ = ("declared", "header", "name", "since", "skipped")

    def __init__(self, header: str, name: str, since: int) -> None:
        self.header = header
        self.name = name
        self.declared = declared_length(header)
        self.since = since
        self.skipped = 0

    @property
    def expects_pdu(self) -> bool:
        """False for the text-mode form, where everything stands on the header's own line."""
        return self.declared is not None and code_args(self.header).count(",") <= 1

    def outlived(self) -> bool:
        """Count a line that was not the PDU; True when it was one too many."""
        self.skipped += 1
        return self.skipped > MAX_LINES_BETWEEN


class OpenText:
    """A line whose quoted text goes on in the next line."""

    __slots__ = ("_length", "_lines")

    def __init__(self, line: str) -> None:
        self._lines = [line]
        self._length = len(line)

    @staticmethod
    def opens(line: str) -> bool:
        """Whether a quote is opened and not closed at the end of the line."""
        quotes = line.count('"')
        return quotes == 1 or (quotes > 1 and quotes % 2 == 1 and not _TEXT_CLOSED.search(line))

    def add(self, line: str) -> bool:
        """Take one more line; True when the text is complete or has grown too long."""
        self._lines.append(line)
        self._length += len(line) + 1
        closed = _TEXT_CLOSED.search(line) is not None
        return closed or len(self._lines) >= MAX_TEXT_LINES or self._length > MAX_TEXT

    def joined(self) -> str:
        """All of it, line ends as LF."""
        return "\n".join(self._lines)
