"""How numbers, times and words from outside are written on pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NARROW_SPACE = "\u202f"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
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
    return "–" if value is None else f"{round(value):,}".replace(",", NARROW_SPACE)


def percent(part: float, whole: float) -> str:
    """Return a share: whole per cent, with one digit where that is all there is. It is never rounded up."""
    if not whole:
        return "–"
    tenths = int(part * 1000 / whole)
    if part > 0 and not tenths:
        return f"< 0.1{NARROW_SPACE}%"
    whole_ones, tenth = divmod(tenths, 10)
    return f"{whole_ones}.{tenth}{NARROW_SPACE}%" if whole_ones < 10 and tenth else f"{whole_ones}{NARROW_SPACE}%"


def octets(value: float) -> str:
    """Return a size: 1.2 MB."""
    if round(value) < 1000:
        return f"{value:.0f}{NARROW_SPACE}B"
    for unit in ("kB", "MB"):
        value /= 1000
        if round(value, 1) < 1000:
            return f"{value:.1f}{NARROW_SPACE}{unit}"
    return f"{value / 1000:.1f}{NARROW_SPACE}GB"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: 2 h 5 min."""
    seconds = round(seconds)
    if seconds < _MINUTE:
        return f"{seconds}{NARROW_SPACE}s"
    minutes = round(seconds / _MINUTE)
    if minutes < _HOUR // _MINUTE:
        return f"{minutes}{NARROW_SPACE}min"
    if minutes < _DAY // _MINUTE:
        hours, minutes = divmod(minutes, 60)
        return f"{hours}{NARROW_SPACE}h" + (f" {minutes}{NARROW_SPACE}min" if minutes else "")
    days, hours = divmod(round(seconds / _HOUR), 24)
    return f"{days}{NARROW_SPACE}d" + (f" {hours}{NARROW_SPACE}h" if hours else "")


def when(moment: int | str | None, style: str = "short") -> Markup:
    """Return a moment (unix ms, or RFC 3339) as ``<time>``, in UTC; the page's script writes it in the reader's zone.

    ``style``: ``short`` (day and time), ``time`` (of day), ``full`` (with seconds), ``brief`` (the day; the script
    makes it the time of day when that is today).
    """
    if moment is None:
        return Markup("–")
    at = _read(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment / 1000, UTC)
    shapes = {"short": "%d %b %Y, %H:%M", "time": "%H:%M:%S", "full": "%d %b %Y, %H:%M:%S", "brief": "%d %b %Y"}
    iso = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-style="{}">{}{}</time>').format(
        iso, style, at.strftime(shapes[style]), "" if style == "brief" else " UTC"
    )


def moment(at: str | None) -> int | None:
    """Return a moment of a view (RFC 3339) in unix milliseconds."""
    return None if at is None else round(_read(at).timestamp() * 1000)


def _read(at: str) -> datetime:
    """Return a moment (RFC 3339) in UTC, which it is in where it does not say."""
    read = datetime.fromisoformat(at)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


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


def place(pointer: str) -> str:
    """Return where in a file or a form something is wrong: ``/lines/3`` is "line 3"."""
    of, _, which = pointer.lstrip("/").partition("/")
    return f"{of.removesuffix('s')} {which}" if which else of.replace("_", " ")


def points(values: Sequence[float]) -> str:
    """Return values as the points of a line in a box of 100 by 28, the oldest left: a page may have a hundred such."""
    high, step = 24 / max([1, *values]), 100 / max(len(values) - 1, 1)
    return " ".join(f"{at * step:.1f},{26 - value * high:.1f}" for at, value in enumerate(values))


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
    "place": place,
    "points": points,
    "xmlattr": attributes,
}
