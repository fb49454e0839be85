"""Looking up names on threads of their own, so that a slow name server holds up nothing else, nor the box's end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from modembank.outgoing.addresses import Address
from modembank.outgoing.errors import EndpointFailed, Why

Resolve: TypeAlias = Callable[[str, int], Awaitable[tuple[Address, ...]]]
"""From a name and a port to its addresses in the order of preference; raises EndpointFailed."""

MOST_LOOKUPS = 16
"""At once; a name server that never answers keeps a thread for half a minute."""


class Resolver:
    """Asks the system's resolver."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._running = 0

    async def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        """Return all addresses of a name; raises EndpointFailed when it has none."""
        if self._running >= MOST_LOOKUPS:
            raise EndpointFailed(Why.NAME, f"{host} was not looked up: the name server leaves too many others waiting")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[tuple[Address, ...]] = loop.create_future()

        def tell(result: tuple[Address, ...] | EndpointFailed) -> None:
            self._running -= 1
            if found.done():  # nobody waits any more
                return
            if isinstance(result, EndpointFailed):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look() -> None:
            result = look_up(host, port)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, result)

        self._running += 1
        threading.Thread(target=look, name=f"lookup.{host[:40]}", daemon=True).start()
        return await found


def look_up(host: str, port: int) -> tuple[Address, ...] | EndpointFailed:
    """Return all addresses of a name, or what failed; blocks."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return EndpointFailed(Why.NAME, f"{host} cannot be looked up now: the name server does not answer")
        return EndpointFailed(Why.NAME, f"there is no host named {host}")
    except (OSError, UnicodeError) as error:
        return EndpointFailed(Why.NAME, f"{host} cannot be looked up: {error}")
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return tuple(ipaddress.ip_address(text) for text in texts)
