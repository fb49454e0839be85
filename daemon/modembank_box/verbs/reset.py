"""Reset the box to how it left the factory: restarts it; with ``everything`` box.toml goes as well."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from modembank_box import boot_files
from modembank_box.boot_partition import writable
from modembank_box.errors import BoxError
from modembank_box.places import Places

FILE = "factory-reset"
"""On the boot partition; the initrd carries it out and removes it (image/initrd/data.sh), as often as it takes."""


def run(places: Places, arguments: Sequence[str]) -> int:
    """Ask for it and restart."""
    if list(arguments) not in ([], ["everything"]):
        message = "say nothing, or everything"
        raise BoxError(message)
    ask_for_reset(places, everything=bool(arguments))
    subprocess.run(["systemctl", "--no-block", "reboot"], check=True)
    return 0


def ask_for_reset(places: Places, *, everything: bool = False) -> None:
    """Note on the boot partition that the next start is to empty the box; raises BoxError."""
    text = "everything\n" if everything else "The data of this box is deleted at its next start.\n"
    try:
        with writable(places):
            boot_files.put(places.boot / FILE, text.encode())
    except OSError as error:
        message = f"the boot partition cannot be written: {error.strerror}"
        raise BoxError(message) from error
