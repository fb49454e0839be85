"""The latest log lines, kept in memory for people who have no shell on the box.

What is kept is what is logged: numbers are masked and texts left out where the line is made. Each line is bounded, and
so is their number, so that a flood costs no more memory than a quiet year.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

Level = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")
KEPT = 200
"""Lines of each level and above: a thousand of level info push no error out."""
MOST_FIELDS = 24
LONGEST = 400
"""Characters of a field."""
LONGEST_TRACE = 4_000
"""Characters of an exception; its end says most."""
_RANK = {"info": 0, "warning": 1, "warn": 1, "error": 2, "exception": 2, "critical": 2, "fatal": 2}
WITHHELD = frozenset({("setup_code", "code")})
"""Fields (of an event) that are for whoever reads the log on the box alone: what they hold lets somebody in."""
_HEAD = frozenset({"event", "level", "timestamp", "exception"})


class LogLine(msgspec.Struct, frozen=True):
    """One line: when (RFC 3339), how bad, what, its fields as text, and the exception that belongs to it or nothing."""

    at: str
    level: str
    event: str
    fields: tuple[tuple[str, str], ...]
    exception: str


class RecentLogs:
    """A processor for structlog that remembers; may be called from every thread."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lines: tuple[deque[LogLine], ...] = tuple(deque(maxlen=KEPT) for _ in LEVELS)

    def note(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Remember a line of level info or above and hand it on as it came."""
        rank = _RANK.get(method)
        if rank is not None:
            line = _line(structlog.processors.format_exc_info(logger, method, dict(event)), method)
            for kept in self._lines[: rank + 1]:
                kept.append(line)
        return event

    def lines(self, level: Level = "info") -> Sequence[LogLine]:
        """Return the latest lines of a level and above, the newest first."""
        return list(self._lines[LEVELS.index(level)].copy())[::-1]


def _line(event: EventDict, method: str) -> LogLine:
    what = event.get("event", "")
    fields = [
        (_text(name), "not shown here" if (what, name) in WITHHELD else _text(value))
        for name, value in event.items()
        if name not in _HEAD
    ]
    return LogLine(
        at=str(event.get("timestamp", "")),
        level=str(event.get("level", method)),
        event=_text(what),
        fields=tuple(fields[:MOST_FIELDS]),
        exception=str(event.get("exception", ""))[-LONGEST_TRACE:],
    )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
