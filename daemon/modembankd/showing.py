"""Words and tables for a terminal: aligned, one line each, and nothing in them that the terminal would obey."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_GAP = "  "


def on_one_line(text: str) -> str:
    """Return a text without line ends and whatever does not print: it may come from a stranger's SMS."""
    return "".join(char if char.isprintable() else " " for char in text)


def table(titles: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    """Yield the lines of a table; on a terminal its last column is cut where the line ends."""
    shown = [[title.upper() for title in titles], *([on_one_line(cell or "") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(titles) - 1)]
    room = shutil.get_terminal_size().columns - sum(widths) - len(_GAP) * len(widths) if sys.stdout.isatty() else None
    for row in shown:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield _GAP.join([*cells, _cut(row[-1], room)]).rstrip()


def _cut(text: str, room: int | None) -> str:
    if room is None or len(text) <= max(room, 10):
        return text
    return f"{text[: max(room, 10) - 1]}…"


def shown_message(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message as lines of name and value, without what is not known, and each attempt."""
    names = (
        "id", "status", "waiting_for", "cause", "to", "from", "text", "reference", "batch", "segments", "encoding",
        "channel", "subject", "sim", "provider", "priority", "created_at", "send_at", "window",
        "sent_at", "settled_at", "expires_at",
    )  # fmt: skip
    for name in names:
        value = message.get(name)
        if value is not None:
            yield f"{name.replace('_', ' ') + ':':13}{on_one_line(str(value))}"
    report = message.get("report")
    if report:
        yield f"{'report:':13}{report['status']} ({report['reported']} of {report['segments']} segments)"
    for attempt in message["attempts"]:
        part = f"segment {attempt['segment']}" if attempt["segment"] else "all at once"
        place = f"{part}, attempt {attempt['n']} on {on_one_line(attempt['slot'])}"
        yield f"{'attempt:':13}{place}: {on_one_line(attempt['verdict'])}"
