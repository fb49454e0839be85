"""The daemon under proof: a real process, started, killed and started again on the same data."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from modembank_selftest.api import Api, Gone
from modembank_selftest.plan import Plan

_LOOK_S = 0.01
_UP_WITHIN_S = 60.0
_LOG_TAIL = 3_000
_MOST_SOCKET_PATH = 100
"""Octets that an address of a Unix socket holds, with a little room (unix(7): 108)."""


class Box:
    """One folder with configuration and data, and the process that works on it."""

    def __init__(self, folder: Path, plan: Plan, ports: Sequence[Path]) -> None:
        """Write the configuration; raises ValueError when the folder's path is too long for a socket."""
        self.data = folder / "data"
        socket = self.data / "control.sock"
        if len(os.fsencode(socket)) > _MOST_SOCKET_PATH:
            message = f"the path {folder} is too long for a socket in it: choose a shorter one"
            raise ValueError(message)
        self.api = Api(socket)
        self.log = folder / "daemon.log"
        self._config = folder / "modembank.toml"
        self._config.write_text(_config(self.data, plan, ports), "utf-8")
        self._program = plan.program or (str(Path(sys.executable).with_name("modembank")),)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The latest life."""
        if self._process is None:
            message = "the daemon was not started"
            raise RuntimeError(message)
        return self._process

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.returncode is None

    async def start(self, failpoint: str = "") -> None:
        """Begin a life, armed with a failpoint when one is given."""
        environment = {**os.environ, "MODEMBANK_FAILPOINT": failpoint}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._program, "run", "--config", self._config, stdout=log, stderr=log, env=environment
            )

    async def until_up(self) -> bool:
        """Return whether it answers; False when it ended before. Raises TimeoutError."""
        async with asyncio.timeout(_UP_WITHIN_S):
            while self.alive:
                try:
                    if (await self.api.get("/healthz")).status == 200:
                        return True
                except Gone:
                    await asyncio.sleep(_LOOK_S)
        return False

    async def ended(self, within_s: float) -> bool:
        """Wait for its end; return whether it came in time."""
        try:
            async with asyncio.timeout(within_s):
                await self.process.wait()
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """SIGKILL, and wait until the kernel has done it."""
        if self.alive:
            self.process.kill()
        await self.process.wait()

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)

    def log_tail(self) -> str:
        """Return the last of what it logged."""
        return self.log.read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace") if self.log.exists() else ""


def _config(data: Path, plan: Plan, ports: Sequence[Path]) -> str:
    listed = "".join(f'[[bank.port]]\npath = "{port}"\n' for port in ports)
    return (
        f'[box]\nid = "selftest"\ndata_dir = "{data}"\n[web]\nlisten = "127.0.0.1:0"\n[log]\nlevel = "warning"\n'
        f"[limits]\nmin_interval_s = 0\nper_minute = 0\nper_hour = 0\nper_day = 0\n"
        f"[bank]\nsend_timeout_s = {plan.send_timeout_s:g}\n{listed}"
    )
