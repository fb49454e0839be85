"""What is shown on the console, gathered cheaply: files, and one question to systemd."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modembank_box.places import Places
from modembank_box.states import read_state

CODE_EVERY_S = 3600
"""A code is good for a day; so often the daemon is asked for one that is still good."""
_V4 = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


@dataclass(frozen=True)
class Facts:
    """Everything the console shows, as it is now."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    service: str = ""
    """What systemd says of the daemon: ``active``, ``activating``, ``failed``."""
    status: str = ""
    """The line of the daemon itself."""
    setup_code: str = ""
    """Empty as soon as there is an admin."""
    clock_is_set: bool = True
    release: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] = field(default_factory=dict)
    update: Mapping[str, Any] = field(default_factory=dict)
    certificate: Mapping[str, Any] = field(default_factory=dict)


class Gatherer:
    """Looks at the machine again and again, and remembers what is dear to ask for."""

    def __init__(self, places: Places) -> None:
        """Nothing is looked at before ``look``."""
        self._places = places
        self._code = ""
        self._code_of: tuple[int, float] = (0, 0.0)

    def look(self) -> Facts:
        """Return how things are."""
        service, status = daemon_status()
        states = {name: read_state(self._places.state(name)) for name in ("release", "data", "personal", "update")}
        return Facts(
            name=socket.gethostname(),
            addresses=addresses(self._places.root / "proc/net"),
            service=service,
            status=status,
            setup_code=self._setup_code(asking=service == "active"),
            clock_is_set=self._clock_is_set(),
            certificate=read_state(self._places.state("certificate")),
            **states,
        )

    def _clock_is_set(self) -> bool:
        known = read_state(self._places.state("clock"))
        synchronized = self._places.root / "run/systemd/timesync/synchronized"
        return not known or bool(known.get("trusted")) or synchronized.exists()

    def _setup_code(self, *, asking: bool) -> str:
        """The file is there until there is an admin; which code is good the daemon's program says, as its user.

        While the daemon starts it has the computer for itself, and nobody could use a code.
        """
        try:
            changed = (self._places.daemon / "setup-code").stat().st_mtime_ns
        except OSError:
            self._code, self._code_of = "", (0, 0.0)
            return ""
        now = time.monotonic()
        if asking and (changed != self._code_of[0] or now - self._code_of[1] >= CODE_EVERY_S):
            self._code = _said("modembank", "setup-code", user="modembank").strip()
            # Asking may have made a new one, which is no reason to ask again.
            self._code_of = (self._changed(changed), now) if self._code else (0, 0.0)
        return self._code

    def _changed(self, before: int) -> int:
        try:
            return (self._places.daemon / "setup-code").stat().st_mtime_ns
        except OSError:
            return before


def daemon_status() -> tuple[str, str]:
    """Return the state of the daemon's unit and the line it tells systemd."""
    said = _said("systemctl", "show", "modembankd.service", "-p", "ActiveState", "-p", "StatusText")
    shown = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return shown.get("ActiveState", ""), shown.get("StatusText", "")


def addresses(net: Path) -> tuple[str, ...]:
    """Return the addresses at which others reach the machine, from the kernel's tables: IPv4 first."""
    fourth = [ipaddress.ip_address(each) for each in dict.fromkeys(_V4.findall(_text(net / "fib_trie")))]
    sixth = [ipaddress.ip_address(bytes.fromhex(line[:32])) for line in _text(net / "if_inet6").splitlines()]
    useful = [each for each in (*fourth, *sixth) if not each.is_loopback and not each.is_link_local]
    return tuple(str(each) for each in useful)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _said(*command: str, user: str | None = None) -> str:
    """Return what a program says; nothing where it fails."""
    try:
        done = subprocess.run(
            command, user=user, group=user, extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, cwd="/",
        )  # fmt: skip
    except (OSError, LookupError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
