"""An appliance image's root side in a folder: the files that it writes, as a test says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BUNDLE = b"hsqs" + bytes(range(256)) * 12
"""What begins like an update bundle."""
TOLD: dict[str, dict[str, Any]] = {
    "release": {"version": "1.2.0", "build": "20261101", "slot": "a", "architecture": "amd64", "schema": 11},
    "data": {
        "state": "clean", "detail": "", "reset": "", "grown": True, "device": "/dev/vda4", "size_bytes": 58_000_000_000,
        "aside": "", "problems": [], "last_trouble": None,
    },
    "personal": {"applied": True, "file": "box.toml", "kept": [], "mistakes": []},
    "certificate": {
        "fingerprint": "AB:CD:EF:01",
        "names": ["modembank.local", "192.0.2.10"],
        "not_after": "2036-11-01T00:00:00Z",
    },
}  # fmt: skip
MISTAKE = {
    "line": 7,
    "field": "network.address",
    "reason": "192.168.1.300 is no address",
    "way_out": "write it as 192.168.1.30/24",
}


class Image:
    """What root's side says, and what it finds asked of it."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.run = folder
        self.asked_in = data_dir / "box"

    def start(self, **told: Any) -> Image:
        """Say what a box that was just started says, and more."""
        self.run.mkdir(exist_ok=True)
        for name, state in {**TOLD, **told}.items():
            self.says(name, state)
        return self

    def says(self, name: str, state: Any) -> None:
        """Write one file as a whole; None takes it away."""
        path = self.run / f"{name}.json"
        if state is None:
            path.unlink(missing_ok=True)
            return
        fresh = path.with_suffix(".new")
        fresh.write_bytes(state if isinstance(state, bytes) else json.dumps(state).encode())
        fresh.replace(path)

    def asked(self) -> dict[str, Any] | None:
        """What is asked for now."""
        path = self.asked_in / "request.json"
        return json.loads(path.read_text()) if path.exists() else None

    def takes(self) -> dict[str, Any]:
        """Take what is asked for away, as before it is carried out."""
        asked = self.asked()
        assert asked is not None
        (self.asked_in / "request.json").unlink()
        return asked

    def files(self) -> set[str]:
        """What lies in the folder between the two."""
        return {path.name for path in self.asked_in.iterdir()} if self.asked_in.exists() else set()
