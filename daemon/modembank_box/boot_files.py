"""Small files on the boot partition, whose FAT knows neither modes nor owners."""

from __future__ import annotations

import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a file beside ``path`` and let it take its place."""
    beside = path.with_name(f"{path.name[:8]}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
