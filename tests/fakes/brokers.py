"""Debian's mosquitto on a free port of loopback, certificates made on the way, and a way to it that stalls and cuts."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from modembank_fleet import credentials
from modembank_fleet.authority import new_authority, pem_of, read_request
from modembank_fleet.credentials import new_key
from modembank_fleet.link import Broker

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Mosquitto:
    """A broker in a process of its own; it can be killed and started again at the same port."""

    def __init__(self, folder: Path, *lines: str, acl: str = "", tls: Certificates | None = None) -> None:
        """Write its configuration into ``folder``; ``lines`` are added."""
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        wanted = [f"listener {self.port} 127.0.0.1", "persistence false", f"user {getpass.getuser()}", *lines]
        if acl:
            (folder / "acl").write_text(acl)
            wanted.append(f"acl_file {folder / 'acl'}")
        if tls is None:
            wanted.append("allow_anonymous true")
        else:
            wanted += [
                f"cafile {tls.ca}", f"certfile {tls.server[0]}", f"keyfile {tls.server[1]}",
                "require_certificate true", "use_identity_as_username true",
            ]  # fmt: skip
        (folder / "mosquitto.conf").write_text("\n".join(wanted) + "\n")

    def start(self) -> Mosquitto:
        """Start, and return when it answers."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                [MOSQUITTO, "-c", self.folder / "mosquitto.conf", "-v"], stdout=log, stderr=log
            )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        self.kill()
        raise AssertionError(self.log)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "mosquitto.log").read_text("utf-8", "replace")

    def broker(self, client_id: str = "someone", **more: object) -> Broker:
        """Return the way to it."""
        return Broker("127.0.0.1", self.port, client_id, **more)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Certificates:
    """An authority with a broker's certificate."""

    def __init__(self, folder: Path) -> None:
        """Make both in ``folder``."""
        self._folder = folder
        self._authority, _ = new_authority("Test authority")
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self._authority.pem)
        self.server = self.issue("broker", "127.0.0.1")

    def issue(self, common_name: str, *addresses: str, days: int = 1) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key; a server's names its IP ``addresses``."""
        key = new_key()
        if addresses:
            made = self._authority.certify_server(key, addresses, days)
        else:
            request = read_request(credentials.request(key, common_name))
            made = pem_of(self._authority.certify_box(request, common_name, days)).encode()
        stem = common_name.replace("/", "_")
        certificate, private = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        certificate.write_bytes(made)
        private.touch(0o600)
        private.write_bytes(key)
        return certificate, private


class Way:
    """A TCP proxy to a broker that stalls or cuts when it is told to."""

    def __init__(self, port: int) -> None:
        """Lead to ``port``."""
        self._to = port
        self.open = asyncio.Event()
        self.open.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Let nothing pass, and say nothing."""
        self.open.clear()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, far_writer]
        for one, other in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(one, other))
            self._tasks.add(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while octets := await reader.read(4096):
                await self.open.wait()
                writer.write(octets)
                await writer.drain()
        writer.transport.abort()
