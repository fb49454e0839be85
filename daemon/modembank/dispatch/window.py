"""Sending windows: ``HH:MM-HH:MM`` in the box's local time, possibly across midnight."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def opens_at(window: str, now_ms: int, zone: tzinfo | None = None) -> int | None:
    """Return when a window opens next (unix ms), or None when it is open now.

    The start is inside, the end is not; equal ends, and what is no window, are always open. ``zone`` is the box's own
    when None. On the day the clock is put forward, a window that begins in the missing hour opens after it.
    """
    found = _WINDOW.fullmatch(window)
    if found is None:
        return None
    start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    clock = now.time()
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if inside or start == end:
        return None
    day = now.date() if clock < start else now.date() + timedelta(days=1)
    opening = datetime.combine(day, start).replace(tzinfo=zone).astimezone(UTC)
    return max(round(opening.timestamp() * 1000), now_ms + 1)
