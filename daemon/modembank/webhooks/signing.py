"""Signatures as in the Standard Webhooks specification (version 1): HMAC-SHA256 over ``id.timestamp.body``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
OCTETS = 32
_FEWEST, _MOST = 24, 64
"""Octets of a secret, by the specification."""


def new_secret() -> str:
    """Return a secret as it is shown once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(OCTETS)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a secret as the specification writes one."""
    try:
        octets = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and _FEWEST <= len(octets) <= _MOST


def signature(signed_with: Iterable[str], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``: one signature for each secret, with spaces between them."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return " ".join("v1," + _mac(secret, signed) for secret in signed_with)


def _mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
