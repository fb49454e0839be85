"""Opaque cursors: where a list goes on, usable only for the list that they came from."""

from __future__ import annotations

import base64
import binascii
import hashlib

from modembank.errors import FieldProblem, InvalidRequest

_ID_OCTETS = 8
_MARK_OCTETS = 7
_LENGTH = 20  # base64 characters of both


def cursor_after(row_id: int, about: bytes) -> str:
    """Return the cursor that goes on after a row, in the list that ``about`` describes."""
    return base64.urlsafe_b64encode(row_id.to_bytes(_ID_OCTETS, "big") + _mark(about)).decode()


def position_of(cursor: str, about: bytes) -> int:
    """Return the row id behind a cursor; raises InvalidRequest for one that is not of this list."""
    try:
        octets = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        octets = b""
    row_id = int.from_bytes(octets[:_ID_OCTETS], "big")
    if len(cursor) != _LENGTH or octets[_ID_OCTETS:] != _mark(about) or row_id >= 1 << 63:
        problem = "is none of this list: begin without one, and change no filter between pages"
        raise InvalidRequest(FieldProblem("/cursor", problem))
    return row_id


def _mark(about: bytes) -> bytes:
    return hashlib.blake2b(about, digest_size=_MARK_OCTETS).digest()
