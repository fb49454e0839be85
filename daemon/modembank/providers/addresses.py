"""Addresses of e-mail: one form for each, and a reason for whatever is none.

Only what every mail server takes is taken (RFC 5321 4.1.2 without quoted names and address literals). A domain may be
written in its own letters and becomes what the DNS knows it by; a name before the ``@`` may not, since many servers
cannot carry it (RFC 6531).
"""

from __future__ import annotations

import re

from modembank.errors import ModembankError

MOST = 254
"""Characters of an address (RFC 5321 4.5.3.1.3, less the angle brackets)."""
MOST_NAME = 64
"""Characters before the ``@`` (RFC 5321 4.5.3.1.1)."""
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_NAME = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DEVIATIONS = frozenset("ßς\u200c\u200d")
"""Letters that IDNA 2003 and 2008 make different domains of (RFC 5894 7.2): which one was meant nobody can tell."""


class BadAddress(ModembankError):
    """What was given is no address that a mail can be sent to; the text says why and what would be."""

    key = "bad_address"
    template = "{why}"


def mail_address(written: str) -> str:
    """Return an address of e-mail as it goes over the wire, its domain in lower case ASCII. Raises BadAddress."""
    if len(written) > MOST:
        raise BadAddress(why=f"is longer than the {MOST} characters that an address has")
    address = written.strip()
    if any(char in address for char in ",;") or (address.count("@") > 1 and '"' not in address):
        raise BadAddress(why="looks like several addresses: give one")
    if "<" in address or ">" in address:
        raise BadAddress(why="has a name or angle brackets around it: give the address alone")
    name, at, domain = address.rpartition("@")
    if not at:
        raise BadAddress(why="has no @: an address is like alice@example.com")
    _check_name(name)
    found = f"{name}@{mail_domain(domain)}"
    if len(found) > MOST:
        raise BadAddress(why=f"is longer than the {MOST} characters that an address has")
    return found


def mail_domain(written: str) -> str:
    """Return the domain of an address in lower case ASCII (``xn--…``); raises BadAddress."""
    if written.startswith("["):
        raise BadAddress(why="has an IP address in the place of its domain: give a domain such as example.com")
    if odd := _DEVIATIONS & set(written.lower()):
        code = f"U+{ord(min(odd)):04X}"
        raise BadAddress(why=f"has {code} in its domain, which is read in two ways: write the domain as xn--…")
    labels = [_label(label) for label in written.split(".")]
    if len(labels) < 2:
        raise BadAddress(why="has no domain such as example.com behind the @")
    if labels[-1].isdigit():
        raise BadAddress(why="ends in digits: give a domain such as example.com behind the @")
    domain = ".".join(labels)
    if len(domain) > 253:
        raise BadAddress(why="has a domain of more than 253 characters")
    return domain


def _check_name(name: str) -> None:
    if not name:
        raise BadAddress(why="has nothing before the @")
    if len(name) > MOST_NAME:
        raise BadAddress(why=f"has more than {MOST_NAME} characters before the @")
    if not name.isascii():
        raise BadAddress(why="has letters before the @ that are not ASCII, which many mail servers cannot carry")
    if name.startswith('"'):
        raise BadAddress(why="has a quoted name before the @, which many mail servers do not take")
    if name[0] == "." or name[-1] == "." or ".." in name:
        raise BadAddress(why="has a dot at the beginning or the end of the name before the @, or two in a row")
    if not _NAME.fullmatch(name):
        odd = next(char for char in name if char != "." and not re.fullmatch(_ATEXT, char))
        raise BadAddress(why=f"has the character U+{ord(odd):04X} before the @, which no address has")


def _label(written: str) -> str:
    if not written:
        raise BadAddress(why="has a dot at the beginning or the end of its domain, or two in a row")
    try:
        label = written.lower() if written.isascii() else written.encode("idna").decode("ascii")
    except UnicodeError:
        label = ""
    if not _LABEL.fullmatch(label):
        raise BadAddress(why=f"has {written[:63]!a} in its domain, which is no label of one")
    return label
