"""Whether a webhook's post comes from the box: Standard Webhooks, without I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from modembank.client.calls import read
from modembank.client.errors import BadSignature
from modembank.client.shapes import Event

TOLERANCE_S = 300.0
"""How old a post may be, or how far ahead its clock; an old one is somebody's recording."""
_PREFIX = "whsec_"


def verify_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> Event:
    """Return the event of a webhook's post, once it is sure that the box sent it, and lately.

    ``headers`` as they came, in any case; ``body`` as it came, before anything parsed it. Raises BadSignature. The
    same event may come twice: ``id`` tells.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id_, sent_at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        message = f"the header {missing.args[0]} is missing"
        raise BadSignature(message) from None
    octets = body.encode() if isinstance(body, str) else body
    _check_age(sent_at, tolerance_s, time.time() if now is None else now)
    expected = hmac.new(_key(secret), f"{id_}.{sent_at}.".encode() + octets, hashlib.sha256).digest()
    for version, _, signature in (each.partition(",") for each in signatures.split(" ")):
        if version == "v1" and hmac.compare_digest(_decoded(signature), expected):
            return read(Event, octets)
    message = "no signature fits: another secret, or the body was changed on its way"
    raise BadSignature(message)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        message = f"the secret is none: it looks like {_PREFIX}… and base64"
        raise ValueError(message) from None


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _check_age(sent_at: str, tolerance_s: float, now: float) -> None:
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 16):
        message = "the header webhook-timestamp is no number of seconds"
        raise BadSignature(message)
    if abs(now - int(sent_at)) > tolerance_s:
        message = f"it was signed more than {tolerance_s:g} seconds from now: old, or one of the clocks is wrong"
        raise BadSignature(message)
