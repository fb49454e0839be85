"""Why somebody may not follow the log now."""

from __future__ import annotations

from modembank.errors import ModembankError


class TooManyOfYours(ModembankError):
    """One user follows from too many places at once."""

    key = "too_many_requests"
    template = "at most {most} connections of one user follow the events at once"


class TooManyFollowers(ModembankError):
    """The box has as many followers as it serves at once, or is stopping."""

    key = "unavailable"
    template = "{why}"
