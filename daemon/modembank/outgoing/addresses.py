"""Which IP addresses the box may send to on a user's word. What is not known to be harmless is refused.

The ranges are those of the IANA special-purpose address registries (RFC 6890 and its successors). They are written
out because the properties of ``ipaddress`` differ between versions of Python and know nothing of wrapped addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


def _networks(*ranges: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in ranges)


_METADATA = _networks("169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "fd00:ec2::254/128")
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_NEVER: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("the metadata service of a cloud", _METADATA),
    ("an unspecified address", _networks("0.0.0.0/8", "::/128")),
    ("a link-local address", _networks("169.254.0.0/16", "fe80::/10")),
    ("a multicast address", _networks("224.0.0.0/4", "ff00::/8")),
    ("an address for documentation", _networks("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")),
    ("an address for documentation", _networks("3fff::/20")),
    ("a reserved address", _networks("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23")),
)
_IPV6_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out for the internet."""
_NAT64 = IPv6Network("64:ff9b::/96")


def refusal(address: Address, *, allow_private: bool) -> str | None:
    """Return why the box does not send to an address, or None when it does.

    Loopback, private networks and the box's own addresses are for those to whom an admin gave them
    (``allow_private``); the rest of what is not the public internet is for nobody.
    """
    for one in unwrapped(address):
        for what, networks in _NEVER:
            if _within(one, networks):
                return f"{what} is never used"
        if _within(one, _LOOPBACK) or _within(one, _PRIVATE) or is_own(one):
            if not allow_private:
                return "it is in a private network or on the box itself, which only an admin can allow"
        elif isinstance(one, IPv6Address) and one not in _IPV6_UNICAST:
            return "a reserved address is never used"
    return None


def unwrapped(address: Address) -> tuple[Address, ...]:
    """Return the addresses that packets to ``address`` may end at: those wrapped in it, or else itself.

    IPv4-mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380: server and client).
    """
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or (address,)


def is_own(address: Address) -> bool:
    """Whether an address is one of this machine's: only to such a one can a socket be bound."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
