"""Where everything of the box is, below one folder that tests choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The paths that root's programs share; ``root`` is ``/`` but in tests."""

    root: Path = Path("/")

    @property
    def run(self) -> Path:
        """What is so since this start; the files of state in it are for everyone to read."""
        return self.root / "run/modembank-box"

    @property
    def boot(self) -> Path:
        """The boot partition, which owners read and write on their own computers; mounted read-only."""
        return self.root / "boot/box"

    @property
    def data(self) -> Path:
        """The data partition: what outlives starts and updates."""
        return self.root / "data"

    @property
    def etc(self) -> Path:
        """Configuration; written anew at every start, since it is gone with the power."""
        return self.root / "etc"

    @property
    def daemon(self) -> Path:
        """The daemon's data folder."""
        return self.root / "var/lib/modembank"

    def state(self, name: str) -> Path:
        """Return the file of the state ``name``, such as ``data`` or ``update``."""
        return self.run / f"{name}.json"
