"""Root's shell inside a machine whose disk knows nothing of it, for looking at what nobody is shown.

Two units come with the machine's firmware as credentials (systemd.system-credentials(7): `systemd.extra-unit.*` and
`systemd.unit-dropin.*`, systemd 256 and later), and a port of virtio-serial leads to a shell that reads commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from base64 import b64encode

PORT = "modembank.look"
_WITHIN_S = 120.0
_CALL_EVERY_S = 2.0
_UNITS = {
    "systemd.extra-unit.look.service": f"""[Unit]
DefaultDependencies=no
After=systemd-udevd.service local-fs.target
[Service]
ExecStartPre=/bin/sh -c 'until [ -e /dev/virtio-ports/{PORT} ]; do sleep 1; done'
ExecStart=/bin/sh
StandardInput=file:/dev/virtio-ports/{PORT}
StandardOutput=file:/dev/virtio-ports/{PORT}
StandardError=journal
""",
    "systemd.unit-dropin.sysinit.target": "[Unit]\nWants=look.service\n",
}


_PATIENCE = {"sysctl.extra": "kernel.softlockup_panic = 0\n"}
"""An emulated processor stands still when its host has other work; that is no reason to start anew."""


def firmware_strings(*, patient: bool = False) -> list[str]:
    """Return the OEM strings (SMBIOS type 11) that carry them."""
    carried = _UNITS | _PATIENCE if patient else _UNITS
    return [
        f"io.systemd.credential.binary:{name}={b64encode(text.encode()).decode()}" for name, text in carried.items()
    ]


class Failed(Exception):
    """A command inside ended with another status than 0."""


class Inside:
    """Runs commands, one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use the far end of the port."""
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._answers = False

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def run(self, command: str, within_s: float = _WITHIN_S) -> str:
        """Return what a command of the shell says; raises Failed, TimeoutError, ConnectionError."""
        text, status = await self.ask(command, within_s)
        if status:
            raise Failed(f"{command!r} ended with {status}: {text}")
        return text

    async def ask(self, command: str, within_s: float = _WITHIN_S) -> tuple[str, int]:
        """Return what it says, errors too, and its status."""
        mark = secrets.token_hex(8)
        async with self._turn, asyncio.timeout(within_s):
            await self._until_it_answers()
            self._writer.write(f"( {command}\n) </dev/null 2>&1; status=$?; echo; echo {mark} $status\n".encode())
            said = await self._reader.readuntil(f"\n{mark} ".encode())
            status = int(await self._reader.readline())
        text = said.decode("utf-8", "replace")
        return text[: -len(mark) - 2].strip("\n"), status

    async def _until_it_answers(self) -> None:
        """Call until the shell is there: what is said to it before is lost."""
        while not self._answers:
            mark = secrets.token_hex(8)
            self._writer.write(f"echo {mark}\n".encode())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CALL_EVERY_S):
                    await self._reader.readuntil(f"{mark}\n".encode())
                    self._answers = True
