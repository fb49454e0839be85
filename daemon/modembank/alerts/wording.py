"""The words of an alert: short, without control characters, and cut where the segments allowed end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from modembank.alerts.model import Alert
from modembank.tpdu import Encoding, TextTooLong, count_segments

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Control characters, line ends and halves of surrogate pairs."""
_BLANKS = re.compile(r"\s+")
_LONGEST = 255 * 153
"""Characters beyond which no message reaches."""
_JOINED = "\u200d"


def words_for(alert: Alert, max_segments: int) -> str:
    """Return the text of one alert: ``FIRING HighCPU host1: summary``."""
    head = " ".join(word for word in (alert.status.upper(), alert.name, alert.place) if word)
    return cut(f"{head}: {alert.summary}" if alert.summary else head, max_segments)


def words_for_many(alerts: Sequence[Alert], max_segments: int) -> str:
    """Return the text of many alerts of one status: how many, and as many of their names and places as fit."""
    named = dict.fromkeys(" ".join(word for word in (alert.name, alert.place) if word) for alert in alerts)
    return cut(f"{alerts[0].status.upper()} {len(alerts)} alerts: {', '.join(named)}", max_segments)


def cut(text: str, max_segments: int) -> str:
    """Return a text without what cannot be sent, no longer than ``max_segments``, with an ellipsis where it was cut.

    Three dots while all is in the 7-bit alphabet, so that the ellipsis never forces UCS-2; else the one character.
    """
    text = _BLANKS.sub(" ", _UNFIT.sub(" ", text[:_LONGEST])).strip()
    if _fits(text, max_segments):
        return text
    found = _longest(text, "...", max_segments)
    return found if count_segments(found).encoding is Encoding.GSM7 else _longest(text, "…", max_segments)


def _longest(text: str, ellipsis: str, max_segments: int) -> str:
    """Return the longest beginning that fits with the ellipsis: more text never takes fewer segments."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(text[:middle] + ellipsis, max_segments):
            low = middle
        else:
            high = middle - 1
    while low > 1 and (unicodedata.combining(text[low]) or _JOINED in text[low - 1 : low + 1]):
        low -= 1
    return text[:low].rstrip() + ellipsis


def _fits(text: str, max_segments: int) -> bool:
    try:
        return count_segments(text).segments <= max_segments
    except TextTooLong:
        return False
