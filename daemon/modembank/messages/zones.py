"""The time zones in which a number's holder may be, as far as its digits tell."""

from __future__ import annotations

import functools
import zoneinfo

UNKNOWN = "Etc/Unknown"
_CACHED = 4_096


@functools.lru_cache(_CACHED)
def zones_of(number: str) -> tuple[zoneinfo.ZoneInfo, ...]:
    """Return the zones of a number in E.164; none for what is no such number, or has no place.

    A mobile number of a large country has several: all of its zones.
    """
    if not number.startswith("+"):
        return ()
    import phonenumbers as plan  # both take long to load: only when the first number is looked up
    from phonenumbers import timezone

    try:
        names = timezone.time_zones_for_number(plan.parse(number))
    except plan.NumberParseException:
        return ()
    return _known(tuple(names))


@functools.lru_cache(_CACHED)
def _known(names: tuple[str, ...]) -> tuple[zoneinfo.ZoneInfo, ...]:
    """Return the zones that this machine's rules know, the same objects for all numbers of a place."""
    found = []
    for name in names:
        try:
            found.append(zoneinfo.ZoneInfo(name))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # Etc/Unknown, or newer than the rules
            continue
    return tuple(found)
