"""API keys: how they are written, checked for typing errors, and what of them is stored.

``mb_<id>_<secret>_<crc>``: eight characters that name the key, 32 random octets, and a CRC-32 of all before it. The
letters are base 62, so a double click selects the whole key; ``mb_`` lets secret scanners find a leaked one.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "mb"
ID_LENGTH = 8
SECRET_OCTETS = 32
_SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CRC_LENGTH = 6  # 62 ** 6 > 2 ** 32
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_LENGTH = len(PREFIX) + ID_LENGTH + _SECRET_LENGTH + _CRC_LENGTH + 3


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: ``text`` is shown once, ``digest`` is stored."""

    public_id: str
    text: str = field(repr=False)
    digest: bytes = field(repr=False)


def new_key() -> NewKey:
    """Make a key from the system's random source."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))
    secret = _base62(int.from_bytes(secrets.token_bytes(SECRET_OCTETS), "big"), _SECRET_LENGTH)
    body = f"{PREFIX}_{public_id}_{secret}"
    text = f"{body}_{_checksum(body)}"
    return NewKey(public_id, text, digest_of(text))


def public_id_of(text: str) -> str | None:
    """Return the id inside a key as it was presented, or None when it cannot be a key (shape or checksum)."""
    if len(text) != KEY_LENGTH or not text.isascii():
        return None
    body, _, checksum = text.rpartition("_")
    parts = body.split("_")
    if len(parts) != 3 or parts[0] != PREFIX or len(parts[1]) != ID_LENGTH or checksum != _checksum(body):
        return None
    return parts[1]


def digest_of(text: str) -> bytes:
    """Return what is stored of a key: SHA-256 of its whole text (256 random bits need no slow hash)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CRC_LENGTH)


def _base62(value: int, width: int) -> str:
    chars = []
    for _ in range(width):
        value, digit = divmod(value, 62)
        chars.append(_ALPHABET[digit])
    return "".join(reversed(chars))
