"""Taking a device off the USB and letting it on again, without its power: the kernel's ``authorized`` of a device.

All its ports go, and it is configured anew (Documentation/usb/authorization.rst). What is taken off is noted before, so
that a machine that dies in between lets it on at its next start.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import structlog

from modembank.durable import replace_text
from modembank.port.uhubctl import HubError
from modembank.port.usb_place import SYSFS

OFF_S = 1.0
_TRIES = 3
_DEVICE = re.compile(r"[1-9]\d*-[1-9]\d*(\.[1-9]\d*)*")
_log = structlog.get_logger()


class UsbAuthority:
    """Renews what is plugged in at a place, one at a time."""

    def __init__(self, sysfs: Path = SYSFS, notes: Path | None = None, off_s: float = OFF_S) -> None:
        """``notes`` is a file that outlives the process; None: in memory only."""
        self._devices = sysfs / "bus" / "usb" / "devices"
        self._notes = notes
        self._off_s = off_s
        self._turn = asyncio.Lock()

    def check(self, device: str) -> None:
        """Raise HubError where a device such as ``1-1.4.3`` is not there, or its file cannot be written."""
        path = self._file(device)
        try:
            path.open("r+b").close()
        except OSError as error:
            raise _cannot(device, error) from error

    async def renew(self, device: str) -> None:
        """Take a device off and let it on again. Raises HubError. A cancelled caller waits for its end."""
        async with self._turn:
            renewing = asyncio.create_task(asyncio.to_thread(self._renew, device), name=f"usb[{device}]")
            try:
                await asyncio.shield(renewing)
            except asyncio.CancelledError:
                await asyncio.wait([renewing])
                renewing.exception()  # nobody is left to be told
                raise

    def heal(self) -> None:
        """Let on what an earlier process took off and did not let on again."""
        if self._notes is None or not self._notes.exists():
            return
        try:
            device = json.loads(self._notes.read_text("ascii"))
        except (OSError, ValueError):
            device = None
        if isinstance(device, str) and _DEVICE.fullmatch(device):
            try:
                self._let_on(device)
            except HubError as error:
                _log.warning("usb_device_left_off", device=device, why=str(error))
        self._notes.unlink(missing_ok=True)

    def _renew(self, device: str) -> None:
        self.check(device)
        self._note(device)
        try:
            self._file(device).write_bytes(b"0")
            time.sleep(self._off_s)
        except OSError as error:
            raise _cannot(device, error) from error
        finally:
            self._let_on(device)
        self._note(None)

    def _let_on(self, device: str) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._file(device).write_bytes(b"1")
            except OSError as error:  # it may not answer yet
                if not left:
                    raise _cannot(device, error) from error
                time.sleep(self._off_s)
            else:
                return

    def _note(self, device: str | None) -> None:
        if self._notes is None:
            return
        try:
            if device is None:
                self._notes.unlink(missing_ok=True)
            else:
                replace_text(self._notes, json.dumps(device))
        except OSError as error:
            message = f"it cannot be noted what is taken off the USB: {error.strerror}"
            raise HubError(message) from error

    def _file(self, device: str) -> Path:
        return self._devices / device / "authorized"


def _cannot(device: str, error: OSError) -> HubError:
    return HubError(f"device {device} cannot be taken off the USB: {error.strerror or error}")
