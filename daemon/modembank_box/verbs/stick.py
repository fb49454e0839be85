"""Look for an update on a USB stick, and install it: ``stick DEVICE``, called by udev's service.

A stick without one is let go, and nothing is told of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.installing import Install
from modembank_box.places import Places
from modembank_box.progress import INSTALLED, REFUSED, Progress, Record
from modembank_box.release import running_release
from modembank_box.sticks import bundles_on, held, mounted, newest


def run(places: Places, arguments: Sequence[str]) -> int:
    """Mount, look, install."""
    if len(arguments) != 1:
        message = "which device?"
        raise BoxError(message)
    progress = Progress(places)
    with progress.alone(), mounted(arguments[0], places.run / "stick") as folder:
        look_through(places, progress, folder)
    return 0


def look_through(places: Places, progress: Progress, folder: Path, rauc: str = "rauc") -> None:
    """Install the newest update in a folder; what was refused is told only if nothing else is to be told."""
    paths = bundles_on(folder)
    if paths:
        with held(paths) as files:
            _install_newest(places, progress, files, rauc)


def _install_newest(places: Places, progress: Progress, files: dict[str, str], rauc: str) -> None:
    running = running_release(places).version
    install = Install(places, progress, "a USB stick", rauc=rauc)
    bundle, refused = newest(install, running, files)
    record = progress.record()
    if bundle is None:
        sys.stderr.write(f"no update on the stick: {refused or 'nothing newer than what runs'}\n")
        if refused and record.state != INSTALLED:
            shown = Record(state=REFUSED, by=install.by, from_version=running, reason=refused)
            progress.note(shown)
        return
    if record.state == INSTALLED and record.version == bundle.version:
        return  # the stick is still there after the installation
    try:
        install.install(bundle.path)
    except BoxError as error:
        sys.stderr.write(f"{error}\n")
