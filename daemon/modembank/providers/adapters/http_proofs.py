"""What proves that a call comes from the provider. Everything is compared in constant time; without a secret, nothing
is proved.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Literal

from modembank.providers.adapters.http_callbacks import form_of
from modembank.providers.adapters.http_settings import Settings
from modembank.providers.model import BadCall, Call, NotAuthentic


def prove(settings: Settings, call: Call, secret: str) -> None:
    """Return when a call proves what the settings ask for; raises NotAuthentic."""
    how = settings.callback_auth
    if how == "none" or not secret:
        raise NotAuthentic(why="no call of this provider is taken: callback_auth and its secret are not set")
    if how == "query":
        proved = same(call.query.get(settings.callback_field, ""), secret)
        what = f"the field {settings.callback_field} of the address"
    elif how == "header":
        proved = same(call.headers.get(settings.callback_field.lower(), ""), secret)
        what = f"the header {settings.callback_field}"
    elif how == "basic":
        proved = _basic(call, settings.callback_user, secret)
        what = "the name and password of the header authorization"
    else:
        proved = _signed(settings, call, secret)
        what = f"the signature in the header {settings.callback_field}"
    if not proved:
        raise NotAuthentic(why=f"{what} is missing or does not fit the secret")


def same(given: str, secret: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how much of them is."""
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def fits(
    given: str,
    signed: bytes,
    secret: str,
    *,
    digest: Literal["sha256", "sha1"] = "sha256",
    encoding: Literal["hex", "base64"] = "hex",
    prefix: str = "",
) -> bool:
    """Whether a header's value is the HMAC of octets under a secret."""
    if not secret or not given.startswith(prefix):
        return False
    made, written = hmac.digest(secret.encode(), signed, digest), given[len(prefix) :].strip()
    try:
        found = bytes.fromhex(written) if encoding == "hex" else base64.b64decode(written, validate=True)
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(found, made)


def url_and_form(url: str, form: Mapping[str, str]) -> bytes:
    """Return what Twilio signs: the address, and then every name and value by name."""
    return (url + "".join(f"{name}{form[name]}" for name in sorted(form))).encode()


def _signed(settings: Settings, call: Call, secret: str) -> bool:
    signed = call.body
    if settings.callback_signed == "url_and_form":
        try:
            signed = url_and_form(settings.callback_url, form_of(call.body))
        except BadCall:
            return False
    return fits(
        call.headers.get(settings.callback_field.lower(), ""),
        signed,
        secret,
        digest=settings.callback_digest,
        encoding=settings.callback_encoding,
        prefix=settings.callback_prefix,
    )


def _basic(call: Call, user: str, secret: str) -> bool:
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(given.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        return False
    return scheme.lower() == "basic" and same(decoded, f"{user}:{secret}")
