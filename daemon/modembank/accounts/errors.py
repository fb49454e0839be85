"""What accounts refuse."""

from __future__ import annotations

import math

from modembank.errors import ModembankError


class Unauthorized(ModembankError):
    """Nobody is known by these credentials; the text tells no more than the holder may know."""

    key = "unauthorized"
    template = "{why}"


class NotLoggedIn(Unauthorized):
    """No such name and password, or no such session, or no longer."""

    key = "not_logged_in"
    template = "{why}"


class TooManyLogins(ModembankError):
    """Passwords were tried too often; what this one is worth was not looked at."""

    key = "too_many_requests"
    template = "too many passwords were tried: try again in {wait_s} seconds"

    def __init__(self, wait_ms: int) -> None:
        """``wait_ms`` is how long until the next one is looked at."""
        self.retry_after_s = max(1, math.ceil(wait_ms / 1000))
        super().__init__(wait_s=self.retry_after_s)
