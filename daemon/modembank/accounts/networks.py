"""Networks that a key may be used from, and whether an address lies in one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from modembank.errors import FieldProblem, InvalidRequest

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST = 50
"""Networks of one key."""


def read_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return networks in their usual spelling; raises InvalidRequest naming each that is none."""
    found: list[str] = []
    problems: list[FieldProblem] = []
    for index, text in enumerate(texts):
        network = None if index >= MOST else _network(text)
        if network is None:
            detail = "must be a network such as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32, without host bits"
            problems.append(FieldProblem(f"/networks/{index}", detail if index < MOST else f"at most {MOST} networks"))
        elif str(network) not in found:
            found.append(str(network))
        if len(problems) >= MOST:
            break
    if problems:
        raise InvalidRequest(*problems)
    return tuple(found)


def lies_in(source: str, networks: Iterable[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address (a Unix socket's peer) lies in none."""
    address = plain_address(source)
    return address is not None and any(address in ipaddress.ip_network(network) for network in networks)


def all_within(inner: Iterable[str], outer: Iterable[str]) -> bool:
    """Whether every one of the inner networks lies in one of the outer."""
    wide = [ipaddress.ip_network(network) for network in outer]
    return all(any(_is_part(ipaddress.ip_network(each), one) for one in wide) for each in inner)


def plain_address(source: str) -> Address | None:
    """Return an address, an IPv4 one that came in IPv6's clothes as what it is; None when it is none."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def origin_of(source: str) -> str:
    """Return what counts as one origin of logins: an IPv4 address, or an IPv6 network of 64 bits, all one host's."""
    address = plain_address(source)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return source[:64] if address is None else str(address)


def _network(text: str) -> Network | None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None
    return None if mapped or "%" in text else network


def _is_part(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
