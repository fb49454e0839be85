"""`modembank run` as a process of its own, with a systemd that listens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

MODEMBANK = Path(sys.executable).with_name("modembank")
WITHIN_S = 40.0


class FakeSystemd:
    """The notification socket of a service manager: sd_notify(3)."""

    def __init__(self, path: Path, *, watchdog_s: float = 0.2) -> None:
        self.env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(WITHIN_S)

    def told(self) -> str:
        """The next state, however long it takes; the lines for people are put aside."""
        while (state := self._socket.recv(4096).decode()).startswith("STATUS="):
            self.lines.append(state.removeprefix("STATUS="))
        return state

    def told_but(self, usual: str) -> str:
        """The next state that is another one."""
        while (state := self.told()) == usual:
            pass
        return state

    def close(self) -> None:
        self._socket.close()


class DaemonProcess:
    """Context manager; killed at the end if it still runs."""

    def __init__(
        self,
        folder: Path,
        config: str = "",
        env: dict[str, str] | None = None,
        command: tuple[list[str], tuple[int, ...]] = ([str(MODEMBANK)], ()),
    ) -> None:
        """``command`` is what is called instead of the program itself, and the descriptors that it is passed."""
        self._command, self._passed = command
        folder.mkdir(exist_ok=True)
        self.data = folder / "data"
        self.config = folder / "modembank.toml"
        self.config.write_text(
            config or f'[box]\ndata_dir = "{self.data}"\n[web]\nlisten = "127.0.0.1:0"\n[log]\nlevel = "info"\n'
        )
        self.log = folder / "log"
        self._env = {
            name: value for name, value in os.environ.items() if name not in {"NOTIFY_SOCKET", "JOURNAL_STREAM"}
        }
        self._env |= env or {}
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self.log.open("a") as log:
            command = [*self._command, "run", "--config", self.config]
            self.process = subprocess.Popen(
                command, stderr=log, stdout=log, text=True, env=self._env, pass_fds=self._passed
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> int:
        """Send it and return the exit status once the process has ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(WITHIN_S)

    def ended(self) -> int:
        assert self.process is not None
        return self.process.wait(WITHIN_S)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Poll from outside: nothing wakes us across processes."""
        assert self.process is not None
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if found := condition():
                return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise TimeoutError

    def up(self) -> str:
        """The address, once the daemon says that it started."""
        self.until(lambda: '"daemon_started"' in self.log.read_text())
        return (self.data / "address").read_text().strip()

    def get(self, path: str) -> tuple[int, Any]:
        """One request without a key, and without any proxy."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open((self.data / "address").read_text().strip() + path, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same configuration."""
        command = [MODEMBANK, *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=self._env)

    def events(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line[line.index("{") :])["event"] for line in lines]
