"""Addresses of e-mail, as far as a box must know them to refuse what cannot be one."""

from __future__ import annotations

import re

MOST = 254
"""Characters of an address (RFC 5321 4.5.3.1.3)."""
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class BadAddress(ValueError):
    """No address; the message says why."""


def normalise_address(written: str) -> str:
    """Return an address with its domain in lower case and ASCII; raises BadAddress."""
    local, at, domain = written.strip().rpartition("@")
    if not at:
        msg = f"{written[:64]!a} is no e-mail address: it has no @"
        raise BadAddress(msg)
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        msg = f"{written[:64]!a} is no e-mail address: its domain is no name of a host"
        raise BadAddress(msg) from None
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        msg = f"{written[:64]!a} is no e-mail address: its domain is no name of a host"
        raise BadAddress(msg)
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        msg = f"{written[:64]!a} is no e-mail address: what stands before the @ cannot stand there"
        raise BadAddress(msg)
    address = f"{local}@{domain}"
    if len(address) > MOST:
        msg = f"is no e-mail address: it is longer than {MOST} characters"
        raise BadAddress(msg)
    return address
