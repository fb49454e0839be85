"""A connection to a host that somebody named, for protocols other than HTTP: allowed, bounded, and never led astray."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence

from modembank.outgoing.addresses import Address, refusal
from modembank.outgoing.errors import AddressRefused, EndpointFailed, Why
from modembank.outgoing.resolving import Resolve, Resolver

MOST_ADDRESSES = 4
"""How many addresses of a name are tried."""
NEXT_AFTER_S = 5.0
"""How long an address has, when there is another one to be tried."""
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN})


async def dial(host: str, port: int, *, allow_private: bool, resolve: Resolve | None = None) -> socket.socket:
    """Return a connected socket, not blocking, for a host that is a name or an IP address. The caller bounds the time.

    The name is looked up once; when each of its addresses may be used, one of them is connected to. Raises
    AddressRefused, EndpointFailed.
    """
    addresses = await _addresses(host, port, resolve or Resolver(), allow_private=allow_private)
    return await _first(f"{host}:{port}", addresses[:MOST_ADDRESSES], port)


async def _addresses(host: str, port: int, resolve: Resolve, *, allow_private: bool) -> Sequence[Address]:
    try:
        found: Sequence[Address] = (ipaddress.ip_address(host),)
    except ValueError:
        found = await resolve(host, port)
    for address in found:
        if why := refusal(address, allow_private=allow_private):
            led = host if str(address) == host else f"{host} leads to {address}"
            raise AddressRefused(reason=f"{led}: {why}")
    return found


async def _first(where: str, addresses: Sequence[Address], port: int) -> socket.socket:
    failed: OSError | None = None
    for place, address in enumerate(addresses, 1):
        try:
            async with asyncio.timeout(NEXT_AFTER_S if place < len(addresses) else None):
                return await _connected(address, port)
        except OSError as error:  # a TimeoutError is one
            failed = error
    if isinstance(failed, ConnectionRefusedError):
        raise EndpointFailed(Why.REFUSED, f"nothing listens at {where}") from failed
    if failed is not None and failed.errno in _NO_WAY:
        raise EndpointFailed(Why.UNREACHABLE, f"there is no way to {where}: {failed.strerror}") from failed
    raise EndpointFailed(Why.UNREACHABLE, f"no connection to {where}: {failed}") from failed


async def _connected(address: Address, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(made.close)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (str(address), port))
        undo.pop_all()
    return made
