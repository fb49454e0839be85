"""Octets into lines and prompts, bounded, with the same outcome at every chunk size."""

import enum
import re

_BLANK = re.compile(rb"[\r\n\t \x0b\x0c\x11\x13\x1a\x1b]*")
_EOL = re.compile(rb"[\r\n]")
_TRIM = "\t \x0b\x0c\x11\x13\x1a\x1b"
# C0 and C1 controls, and the marks that reorder or hide text; a tab inside a line is kept.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_PROMPT = ord(">")
_SHOWN = 80


class Token(enum.Enum):
    """What was read."""

    LINE = 0
    PROMPT = 1
    OVERSIZED = 2


class LineReader:
    """Splits at CR, LF and mixtures of them; drops NULs and blank lines; finds the prompt, which no line end follows.

    A line longer than ``max_line`` octets is told once, with its beginning, and skipped to its end.
    """

    __slots__ = ("_buffer", "_max_line", "_position", "_skipping")

    def __init__(self, max_line: int) -> None:
        self._buffer = b""
        self._max_line = max_line
        self._position = 0
        self._skipping = False

    def push(self, data: bytes) -> None:
        """Add what came in. Call ``next`` until it returns None before pushing more."""
        if 0 in data:
            data = data.replace(b"\0", b"")
        self._buffer = self._buffer[self._position :] + data if self._position < len(self._buffer) else data
        self._position = 0

    @property
    def buffered(self) -> int:
        """Octets held back until their line ends; at most ``max_line``."""
        return len(self._buffer) - self._position

    def next(self, *, glued: bool, verbatim: bool) -> tuple[Token, str] | None:
        """The next token, or None until more comes.

        With ``glued`` a prompt is also found behind a line that has no end; with ``verbatim`` a ">" at the start of a
        line is text.
        """
        if self._skipping and not self._skip():
            return None
        buffer = self._buffer
        blank = _BLANK.match(buffer, self._position)
        start = blank.end() if blank else self._position
        self._position = start
        if start == len(buffer):
            return None
        if buffer[start] == _PROMPT and not verbatim:
            self._position = start + 1
            return Token.PROMPT, ">"
        eol = _EOL.search(buffer, start)
        end = eol.start() if eol else len(buffer)
        if glued and (cut := self._glued_prompt(start, end)):
            self._position = cut
            return Token.LINE, printable(buffer[start:cut])
        if end - start > self._max_line:
            self._position = end
            self._skipping = eol is None
            return Token.OVERSIZED, printable(buffer[start : start + min(_SHOWN, self._max_line)])
        if eol is None:
            return None
        self._position = end + 1
        return Token.LINE, printable(buffer[start:end])

    def _skip(self) -> bool:
        eol = _EOL.search(self._buffer, self._position)
        self._position = eol.start() if eol else len(self._buffer)
        self._skipping = eol is None
        return eol is not None

    def _glued_prompt(self, start: int, end: int) -> int:
        """Where "> " stands outside quotes behind a line without an end; 0 when nowhere."""
        cut = self._buffer.find(b"> ", start, min(end, start + self._max_line))
        if cut < 0 or self._buffer.count(b'"', start, cut) % 2:
            return 0
        return cut


def printable(raw: bytes) -> str:
    """The octets as text: ASCII or UTF-8, else Latin-1; controls become U+FFFD, so that they cannot make up a match."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = text.strip(_TRIM)
    return text if text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)
