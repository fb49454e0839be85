"""Fetch and install updates by themselves, and restart in the window for it; a timer calls this every hour."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

from modembank_box.errors import BoxError
from modembank_box.fetching import Fetch
from modembank_box.installing import Install
from modembank_box.machine import Machine
from modembank_box.places import Places
from modembank_box.progress import INSTALLED, ROLLED_BACK, TRIAL, Progress, now
from modembank_box.release import is_older, running_release
from modembank_box.settings import UpdateSettings, update_settings
from modembank_box.verbs.update import restart


def run(places: Places, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every verb is called alike
    """Do it if the owner lets it."""
    settings = update_settings(places)
    if settings.automatic:
        update_itself(places, settings, Machine(), datetime.now().astimezone())
    return 0


def update_itself(places: Places, settings: UpdateSettings, machine: Machine, at: datetime) -> None:
    """Fetch what is new, and restart if it is time."""
    progress = Progress(places)
    if settings.url and progress.record().state not in {INSTALLED, TRIAL}:
        with progress.alone():
            _fetch(places, progress, settings)
    if progress.record().state == INSTALLED and settings.is_open(at.time()) and progress.postponed_until() <= now():
        restart(places, progress, machine)


def _fetch(places: Places, progress: Progress, settings: UpdateSettings) -> None:
    running = running_release(places)
    fetch = Fetch(f"{settings.url}/{running.architecture}/latest.raucb", progress.folder)
    if not fetch.fetch():
        return
    install = Install(places, progress, "the update server")
    try:
        bundle = install.checked(str(fetch.file))
        record = progress.record()
        failed_before = record.state == ROLLED_BACK and record.version == bundle.version
        failed_before |= record.from_version == bundle.version and is_older(record.version, bundle.version)
        if is_older(running.version, bundle.version) and not failed_before:
            install.install(bundle.path)
    except BoxError as error:
        sys.stderr.write(f"{fetch.address}: {error}\n")
    finally:
        fetch.forget()
