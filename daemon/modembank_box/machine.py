"""What root's programs ask of systemd; tests put something else in its place."""

from __future__ import annotations

import subprocess
import time

from modembank_box.errors import BoxError

DAEMON = "modembankd.service"
ON_TRIAL = "modembank-trial-daemon.service"


class Machine:
    """The machine that the box is."""

    def restart(self, argument: str = "") -> None:
        """Restart, with the argument that the boot loader is to see."""
        words = ["systemctl", "--no-block", "reboot", *([f"--reboot-argument={argument}"] if argument else [])]
        self._run(words)

    def start(self, unit: str, *, wait: bool = True, within_s: float = 900.0) -> None:
        """Start a unit, and wait until it is ready. Raises BoxError when it does not get there."""
        self._run(["systemctl", *([] if wait else ["--no-block"]), "start", unit], within_s)

    def stop(self, unit: str) -> None:
        """Stop a unit."""
        self._run(["systemctl", "stop", unit])

    def health(self, unit: str) -> tuple[str, str]:
        """Return a unit's state (``active``, ``failed`` …) and what is another after every start of it."""
        shown = self._run(["systemctl", "show", unit, "--property=ActiveState", "--property=InvocationID"])
        told = dict(line.partition("=")[::2] for line in shown.splitlines())
        return told.get("ActiveState", ""), told.get("InvocationID", "")

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def _run(self, words: list[str], within_s: float = 120.0) -> str:
        try:
            done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=within_s)
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{' '.join(words)}: {error}"
            raise BoxError(message) from error
        if done.returncode:
            message = f"{' '.join(words)}: {done.stderr.strip()[-400:] or f'failed with {done.returncode}'}"
            raise BoxError(message)
        return done.stdout
