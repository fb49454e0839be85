"""A way to a broker that tells what went over it, as the kernel's TCP counts it."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Self

from fakes.brokers import Way

HEADERS = 20 + 32
"""Octets of a segment before its data: IPv4, and TCP with its timestamps."""
MSS = 1400
"""Loopback would put a whole handshake into one segment."""
_ACKED, _SEGMENTS = 120, 136
"""Where struct tcp_info of Linux has tcpi_bytes_acked and tcpi_bytes_received; tcpi_segs_out and tcpi_segs_in."""


@dataclass(frozen=True)
class Traffic:
    """What went over a connection: octets and segments from a client, and to it."""

    up: int = 0
    down: int = 0
    up_segments: int = 0
    down_segments: int = 0

    def __sub__(self, before: Traffic) -> Traffic:
        return Traffic(
            self.up - before.up,
            self.down - before.down,
            self.up_segments - before.up_segments,
            self.down_segments - before.down_segments,
        )

    @property
    def wire_up(self) -> int:
        """Octets of IP packets from the client."""
        return self.up + HEADERS * self.up_segments

    @property
    def wire_down(self) -> int:
        """Octets of IP packets to it."""
        return self.down + HEADERS * self.down_segments

    @property
    def wire(self) -> int:
        """Both."""
        return self.wire_up + self.wire_down


class Meter(Way):
    """Counts the connection that was made last."""

    _last: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, MSS)
        self._server = await asyncio.start_server(self._serve, sock=listening)
        self.port = listening.getsockname()[1]
        return self

    def traffic(self) -> Traffic:
        """Return what went over it until now."""
        if self._last is None:
            return Traffic()
        told = self._last.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        acked, received = struct.unpack_from("QQ", told, _ACKED)
        out, came = struct.unpack_from("II", told, _SEGMENTS)
        return Traffic(received, acked, came, out)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._last = writer
        await super()._serve(reader, writer)
