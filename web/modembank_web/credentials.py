"""Which API key came with a request: ``Authorization: Bearer``, ``API-Key``, or HTTP Basic with the key as password."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from modembank.accounts import Unauthorized
from modembank.errors import ModembankError

_SECRET_NAMES = frozenset({b"api_key", b"apikey", b"api-key", b"access_token", b"token", b"key", b"authorization"})


class KeyInAddress(ModembankError):
    """A key in an address ends up in logs, histories and proxies: it is refused even when it is valid."""

    key = "key_in_address"
    template = "an API key must not be in the address: send it in the header Authorization, and revoke this one"


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that the headers carry; raises Unauthorized when there is none."""
    value = headers.get(b"authorization")
    if value is None:
        value = headers.get(b"api-key")
        if value is None:
            raise Unauthorized(why="an API key is needed: Authorization: Bearer <key>")
        return value.decode("latin-1")
    scheme, _, rest = value.partition(b" ")
    if scheme == b"Bearer" or scheme.lower() == b"bearer":
        return rest.strip().decode("latin-1")
    if scheme.lower() == b"basic":
        return _password(rest)
    raise Unauthorized(why="the header Authorization must be Bearer <key>, or Basic with the key as the password")


def refuse_key_in_query(query: bytes) -> None:
    """Raise KeyInAddress when a query string carries something that looks like a key."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if unquote_to_bytes(name).lower() in _SECRET_NAMES or unquote_to_bytes(value).startswith(b"mb_"):
            raise KeyInAddress


def _password(encoded: bytes) -> str:
    try:
        user_and_password = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unauthorized(why="the header Authorization: Basic is not base64") from None
    _, colon, password = user_and_password.partition(b":")
    if not colon:
        raise Unauthorized(why="the header Authorization: Basic has no password: the key goes there")
    return password.decode("latin-1")
