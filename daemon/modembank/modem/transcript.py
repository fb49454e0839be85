"""The last lines between us and a modem, masked as they are kept: PDUs and numbers are never in there."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

import msgspec

_HEX = re.compile(r"[0-9A-Fa-f]{24,}")
_DIGITS = re.compile(r"\+?[0-9]{7,}")
_QUOTED_TEXT = re.compile(r'(\+C(?:USD|MT|MGR|MGL)[:=][^"]*")([^"]*)(")')
_MOST = 160


class TranscriptLine(msgspec.Struct, frozen=True):
    """One line: unix milliseconds, ``>`` to the modem or ``<`` from it, and what can be shown of it."""

    at: int
    way: str
    text: str


class Transcript:
    """A bounded ring of masked lines."""

    def __init__(self, now_ms: Callable[[], int], lines: int = 400) -> None:
        """Keep the last ``lines`` lines."""
        self._now_ms = now_ms
        self._lines: deque[TranscriptLine] = deque(maxlen=lines)
        self._partial = bytearray()

    def sent(self, data: bytes) -> None:
        """Note what was written."""
        self._keep(">", data)

    def received(self, data: bytes) -> None:
        """Note what came; unfinished lines wait for their end, so that no mask can be fooled by where a read ended."""
        self._partial += data
        if b"\n" not in data and b"\r" not in data and len(self._partial) < 1024:
            return
        *whole, rest = re.split(rb"[\r\n]+", bytes(self._partial))
        self._partial[:] = rest if len(rest) < 1024 else b""
        for line in whole:
            if line:
                self._keep("<", line)

    def note(self, text: str) -> None:
        """Note something of ours between the lines, such as a lost port."""
        self._lines.append(TranscriptLine(self._now_ms(), "-", text))

    def lines(self, last: int | None = None) -> list[TranscriptLine]:
        """Return the newest lines, oldest first."""
        lines = list(self._lines)
        return lines if last is None else lines[-last:]

    def _keep(self, way: str, data: bytes) -> None:
        self._lines.append(TranscriptLine(self._now_ms(), way, mask(data)))


def mask(data: bytes) -> str:
    """Return the octets as printable text without PDUs, long numbers and quoted message text."""
    text = data[:2048].decode("latin-1")
    if "PIN=" in text:
        return "AT+CPIN=<PIN>"
    text = _HEX.sub(lambda found: f"<{len(found[0]) // 2} octets>", text)
    if '"' in text:
        text = _QUOTED_TEXT.sub(r"\1…\3", text)
    text = _DIGITS.sub(lambda found: f"{found[0][:4]}…{found[0][-2:]}", text)
    text = "".join(char if char.isprintable() else _CONTROLS.get(char, "·") for char in text.strip("\r\n"))
    return text if len(text) <= _MOST else text[:_MOST] + "…"


_CONTROLS = {"\x1a": "<Ctrl-Z>", "\x1b": "<ESC>", "\r": "␍", "\n": "␊"}
