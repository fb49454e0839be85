"""Reading an address that a user named. What two readers could understand differently is refused."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

import msgspec

from modembank.outgoing.addresses import Address, refusal
from modembank.outgoing.errors import AddressRefused

URL_LIMIT = 2048
"""Characters of an address."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOW_PORTS = frozenset(_DEFAULT_PORTS.values())
# Above 1023 listen servers that take commands as text, or trust their network; a request there could do harm. Those of
# the list of bad ports of the Fetch standard, and of databases, caches, queues, printers and machine control.
_BARRED_PORTS = frozenset({
    *(1433, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061),
    *(5432, 5672, 5900, 5984, 6000, 6379, 6443, 6566, *range(6660, 6670), 6679, 6697, 8883, 9042, 9092, 9100, 9200),
    *(9300, 10080, 10250, 11211, 27017, 27018, 27019),
})  # fmt: skip
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")
"""A name that ends in such a label is taken for an IPv4 address by some readers (URL standard, host parsing)."""
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::\d{1,5})?")
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without the backslash, which some readers take for a slash."""


class Target(msgspec.Struct, frozen=True):
    """An address, taken apart once: what is checked is what is connected to."""

    scheme: str
    host: str
    """A name in lower case, or an IP address without brackets."""
    port: int
    path: str
    """With the query."""
    literal: Address | None
    """The host, when it is no name."""

    @property
    def authority(self) -> str:
        """The header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, allow_private: bool) -> Target:
    """Return an address taken apart; raises AddressRefused with a reason for its author.

    Names are only looked up when a request is made, and what they lead to is checked then, each time.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower()
    literal = _literal(host, bracketed="[" in parts.netloc)
    if literal is None:
        _check_name(host)
    target = Target(parts.scheme, host, _port(parts), _path(parts), literal)
    if literal is not None and (why := refusal(literal, allow_private=allow_private)):
        raise AddressRefused(reason=f"{host}: {why}")
    bare = host.rstrip(".")
    if not allow_private and (bare == "localhost" or bare.endswith(".localhost")):
        raise AddressRefused(reason=f"{host} is the box itself, which only an admin can allow")
    return target


def why_refused(url: str, *, allow_private: bool) -> str | None:
    """Return why an address is never posted to, for its author, or None when it may be."""
    try:
        check_url(url, allow_private)
    except AddressRefused as error:
        return error.reason
    return None


def _split(url: str) -> SplitResult:
    if len(url) > URL_LIMIT:
        raise AddressRefused(reason=f"an address has at most {URL_LIMIT} characters")
    if not _PLAIN.fullmatch(url):
        raise AddressRefused(
            reason="an address has only printable ASCII and no space or backslash; percent-encode the rest"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise AddressRefused(reason="is no address; a good one is https://example.com/sms") from None
    if parts.scheme not in _DEFAULT_PORTS or "//" not in url[:8]:
        raise AddressRefused(reason="must begin with https:// or http://")
    if "@" in parts.netloc:
        raise AddressRefused(reason="must not hold a user name or a password")
    if "#" in url:
        raise AddressRefused(reason="must not have a fragment (#): it is never sent")
    if not parts.hostname:
        raise AddressRefused(reason="names no host; a good address is https://example.com/sms")
    if not _AUTHORITY.fullmatch(parts.netloc):
        raise AddressRefused(
            reason="after // come a host and at most a port; a good address is https://example.com:8443/sms"
        )
    return parts


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise AddressRefused(reason="the port must be 80, 443, or 1024 to 65535") from None
    if port is None:
        return _DEFAULT_PORTS[parts.scheme]
    if port < 1024 and port not in _LOW_PORTS:
        raise AddressRefused(reason=f"port {port} is not allowed: it must be 80, 443, or 1024 to 65535")
    if port in _BARRED_PORTS:
        raise AddressRefused(reason=f"port {port} is not allowed: another kind of server is known to listen there")
    return port


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _literal(host: str, *, bracketed: bool) -> Address | None:
    try:
        return ipaddress.IPv6Address(host) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        if bracketed:
            raise AddressRefused(reason="what is in brackets is no IPv6 address") from None
        return None


def _check_name(host: str) -> None:
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise AddressRefused(reason="the host is no name of letters, digits, hyphens and dots; write others as xn--…")
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise AddressRefused(reason="an IPv4 address is written as four decimal numbers, like 192.0.2.1")
