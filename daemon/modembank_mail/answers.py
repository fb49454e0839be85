"""What a mail program is answered: one table from what was raised to a line of SMTP (RFC 5321 4.2, RFC 3463)."""

from __future__ import annotations

import re

from modembank.accounts import QuotaExceeded, Unauthorized
from modembank.errors import Forbidden, InvalidRequest, ModembankError
from modembank.messages import IdempotencyMismatch, OptedOut, UnknownProvider
from modembank.messages.numbers import BadNumber
from modembank.store import StoreClosed, StoreError, StoreFull
from modembank_mail.reading import Unusable

MOST = 400
"""Characters of a line (RFC 5321 4.5.3.1.5: 512)."""
STOPPING = "421 4.3.2 the box is stopping: try again later"
BUSY = "421 4.7.0 too many connections: try again later"
FAULT = "451 4.3.0 a fault of the box: try again later"
LOG_IN_FIRST = "530 5.7.0 log in first: with a user of the box as the name, and an API key of that user as the password"
_ODD = re.compile(r"[^\x20-\x7e]+")

_TABLE: tuple[tuple[type[ModembankError], str], ...] = (
    (StoreFull, "452 4.3.1"),
    (StoreClosed, "451 4.3.2"),
    (StoreError, "451 4.3.0"),
    (Unauthorized, "535 5.7.8"),
    (Forbidden, "550 5.7.1"),
    (QuotaExceeded, "552 5.2.2"),
    (OptedOut, "550 5.7.1"),
    (BadNumber, "553 5.1.3"),
    (UnknownProvider, "554 5.3.5"),
    (IdempotencyMismatch, "554 5.6.0"),
    (Unusable, "554 5.6.0"),
    (InvalidRequest, "554 5.6.0"),
)
_NAMES = {"/to": "the recipient", "/text": "the text", "/Idempotency-Key": "the Message-ID"}


def answer_to(error: ModembankError) -> str:
    """Return the line that an error is answered with."""
    start = next((start for kind, start in _TABLE if isinstance(error, kind)), "554 5.0.0")
    return line(start, _words(error))


def line(start: str, words: str) -> str:
    """Return a line of an answer: bounded, and in ASCII."""
    return f"{start} {_ODD.sub('?', words.replace(chr(10), ' '))}"[:MOST]


def _words(error: ModembankError) -> str:
    if isinstance(error, StoreFull):
        return "no room in the box: nothing was accepted"
    if isinstance(error, StoreError):
        return "the box could not store it: nothing was accepted"
    if isinstance(error, IdempotencyMismatch):
        return "a mail with this Message-ID came before with another text: give a new one a Message-ID of its own"
    if isinstance(error, InvalidRequest):
        first, *others = error.problems
        where = first.pointer.removeprefix("/to").strip("/")
        name = "the recipient" if first.pointer.startswith("/to") else _NAMES.get(first.pointer, first.pointer)
        place = f" {int(where) + 1}" if where.isdigit() else ""
        return f"{name}{place} {first.detail}{f' (and {len(others)} more)' if others else ''}"
    return str(error)
