"""What accounts refuse."""

from __future__ import annotations

from modembank.errors import ModembankError


class Unauthorized(ModembankError):
    """Nobody is known by these credentials; the text tells no more than the holder may know."""

    key = "unauthorized"
    template = "{why}"
