"""`modembank hub run` as a process that is killed and comes back."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from fakes.brokers import free_port

MODEMBANK = Path(sys.executable).with_name("modembank")


class HubProcess:
    """One of them, in a folder of its own; over a database at a server where ``store`` names it."""

    def __init__(self, folder: Path, broker_port: int, store: str = "") -> None:
        self.folder = folder
        self.database = folder / "hub" / "modembank-hub.sqlite3"
        self._conf = folder / "hub.toml"
        self._conf.write_text(
            f'[hub]\ndata_dir = "{folder / "hub"}"\nwindow_s = 1\n[mqtt]\nport = {broker_port}\n'
            f'[web]\nlisten = "127.0.0.1:{free_port()}"\n' + (f'[store]\nurl = "{store}"\n' if store else "")
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; it is not waited for."""
        arguments = [str(MODEMBANK), "hub", "run", "--config", str(self._conf)]
        with (self.folder / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, and wait for that."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "hub.log").read_text("utf-8")
