"""Identifiers: time-ordered integers inside, short opaque strings outside.

A row id is ``epoch << 40 | sequence``. The epoch changes when a backup is restored, so an id that a client learned
before the restore can never come to name another message.
"""

from __future__ import annotations

import secrets
import threading

EPOCH_SHIFT = 40
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_WIDTH = 13  # 13 * 5 bits hold any positive 63-bit integer
# Ids are made in every answer: two digits a look-up.
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)


class IdSequence:
    """Hands out strictly increasing row ids; one per table family, thread safe."""

    def __init__(self, last: int, epoch: int) -> None:
        """Continue after ``last`` (the highest id stored, or 0), never below the epoch's first id."""
        self._next = max(last + 1, (epoch << EPOCH_SHIFT) + 1)
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> int:
        """Reserve ``count`` consecutive ids and return the first."""
        with self._lock:
            first = self._next
            self._next += count
            return first


def public_id(kind: str, row_id: int) -> str:
    """Return the outside form of a row id, such as ``msg_0000008000001`` for kind ``msg``."""
    pairs = _PAIRS
    return (
        f"{kind}_{_ALPHABET[row_id >> 60]}{pairs[row_id >> 50 & 1023]}{pairs[row_id >> 40 & 1023]}"
        f"{pairs[row_id >> 30 & 1023]}{pairs[row_id >> 20 & 1023]}{pairs[row_id >> 10 & 1023]}{pairs[row_id & 1023]}"
    )


def row_id(kind: str, public: str) -> int | None:
    """Return the row id behind a public id of that kind, or None when it is not one."""
    prefix, _, digits = public.partition("_")
    if prefix != kind or len(digits) != _WIDTH:
        return None
    value = 0
    for char in digits:
        digit = _VALUES.get(char)
        if digit is None:
            return None
        value = value * 32 + digit
    return value if value < 1 << 63 else None


def random_token(octets: int = 32) -> str:
    """Return a URL-safe random string holding ``octets`` octets of entropy."""
    return secrets.token_urlsafe(octets)


def mask_number(number: str) -> str:
    """Return a telephone number with only its first four and last two characters readable, for logs."""
    if len(number) <= 6:  # short codes stay readable, they name a service and not a person
        return number
    return f"{number[:4]}{'*' * (len(number) - 6)}{number[-2:]}"
