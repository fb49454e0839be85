"""Do what the daemon asked for: an update, the way back from one, a restart, a factory reset.

The name of the path unit that starts this is ``modembank-update.path``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from modembank_box.boot_loader import boot_loader, running_slot
from modembank_box.going_back import roll_back
from modembank_box.installing import Install
from modembank_box.machine import Machine
from modembank_box.orders import Order, take_order, taken_bundle
from modembank_box.places import Places
from modembank_box.progress import INSTALLED, Progress


def run(places: Places, arguments: Sequence[str]) -> int:
    """Take the order and carry it out; with ``over`` tell that whoever did so has ended."""
    if [*arguments] == ["over"]:
        progress = Progress(places)
        with progress.alone():
            progress.over()
        return 0
    order = take_order(places)
    if order is not None:
        sys.stderr.write(f"{order.verb}, asked for by {order.by}\n")
        carry_out(places, order, Machine())
    return 0


def carry_out(places: Places, order: Order, machine: Machine) -> None:
    """Carry out one order. Raises BoxError."""
    progress = Progress(places)
    if order.verb == "update":
        with progress.alone(), taken_bundle(places) as path:
            Install(places, progress, order.by, order.id, version=order.version).install(path)
    elif order.verb == "restart":
        restart(places, progress, machine)
    elif order.verb == "rollback":
        roll_back(places, progress, order)
        restart(places, progress, machine)
    elif order.verb == "postpone":
        until = datetime.now(UTC) + timedelta(days=order.days)
        progress.postpone(until.strftime("%Y-%m-%dT%H:%M:%SZ") if order.days else "")
    else:
        subprocess.run(["modembank-box", "reset"], check=True)


def restart(places: Places, progress: Progress, machine: Machine) -> None:
    """Restart, into the new version where one waits. Raises BoxError while something is being written."""
    with progress.alone():
        argument = ""
        record = progress.record()
        if record.state == INSTALLED:
            argument = boot_loader(places, running_slot(places)).restart_argument
            progress.note(record, restarted=True)
        machine.restart(argument)
