"""How numbers, times and words from outside are written on pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NARROW_SPACE = "\u202f"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NAME = re.compile("[a-zA-Z][a-zA-Z0-9:_-]*")


class Moment:
    """The present, so that all of a page speaks of the same one."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        """Hold a moment (unix milliseconds)."""
        self.ms = ms

    def ago(self, then_ms: int) -> str:
        """Return how long ago, or in how long, something is."""
        seconds = (self.ms - then_ms) / 1000
        if abs(seconds) < 5:
            return "now"
        return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def number(value: float | None) -> str:
    """Return a count with its thousands apart: 4 812."""
    return "–" if value is None else f"{value:,.0f}".replace(",", NARROW_SPACE)


def percent(part: float, whole: float) -> str:
    """Return a share: whole per cent, with one digit where that is all there is."""
    if not whole:
        return "–"
    share = part / whole * 100
    return f"{share:.1f}{NARROW_SPACE}%" if 0 < share < 10 and share != round(share) else f"{int(share)}{NARROW_SPACE}%"


def octets(value: float) -> str:
    """Return a size: 1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f}{NARROW_SPACE}{unit}" if unit == "B" else f"{value:.1f}{NARROW_SPACE}{unit}"
        value /= 1000
    return ""


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: 2 h 5 min."""
    seconds = round(seconds)
    if seconds < _MINUTE:
        return f"{seconds}{NARROW_SPACE}s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)}{NARROW_SPACE}min"
    if seconds < _DAY:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        return f"{hours}{NARROW_SPACE}h" + (f" {minutes}{NARROW_SPACE}min" if minutes else "")
    days, hours = divmod(round(seconds / _HOUR), 24)
    return f"{days}{NARROW_SPACE}d" + (f" {hours}{NARROW_SPACE}h" if hours else "")


def when(moment: int | str | None, style: str = "short") -> Markup:
    """Return a moment (unix ms, or RFC 3339) as ``<time>``, in UTC; the page's script writes it in the reader's zone.

    ``style``: ``short`` (day and time), ``time`` (of day), ``full`` (with seconds).
    """
    if moment is None:
        return Markup("–")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment / 1000, UTC)
    shapes = {"short": "%d %b %Y, %H:%M", "time": "%H:%M:%S", "full": "%d %b %Y, %H:%M:%S"}
    iso = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-style="{}">{} UTC</time>').format(iso, style, at.strftime(shapes[style]))


def moment(at: str | None) -> int | None:
    """Return a moment of a view (RFC 3339) in unix milliseconds."""
    return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1000)


def foreign(text: str | None) -> Markup:
    """Return text from the air, a file or another's client, kept apart from what surrounds it (S9).

    Autoescape makes it text; ``<bdi>`` keeps its direction to itself; what cannot be seen is shown as what it is.
    """
    return Markup('<bdi class="foreign">{}</bdi>').format(visible(text or ""))


def visible(text: str) -> str:
    """Return text with its control and direction characters written out."""
    return _INVISIBLE.sub(lambda found: f"\u27e8{ord(found[0]):04X}\u27e9", text.replace("\r\n", "\n"))


def words(key: str) -> str:
    """Return a stable key as words: ``not_sent`` is "not sent"."""
    return key.replace("_", " ").lower()


def attributes(given: Mapping[str, object]) -> Markup:
    """Return attributes as HTML writes them: True is the name alone; False and None are left out.

    It stands in the place of Jinja's own ``xmlattr``, to which ``autofocus=False`` is an attribute like any other, and
    so set. A name must be one.
    """
    written = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        if not _NAME.fullmatch(name):
            message = f"{name!r} is no name of an attribute"
            raise ValueError(message)
        written.append(Markup(" ") + name if value is True else Markup(' {}="{}"').format(name, value))
    return Markup("").join(written)


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "percent": percent,
    "octets": octets,
    "duration": duration,
    "when": when,
    "moment": moment,
    "foreign": foreign,
    "visible": visible,
    "words": words,
    "xmlattr": attributes,
}
