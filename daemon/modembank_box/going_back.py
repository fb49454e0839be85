"""The way back that somebody asks for: into the other slot, if that is in order, with a trial like an update's.

It is the only way to an older version, and leads to none but the one that lies there: it was well when it last ran, and
reads the database, for its schema is the same.
"""

from __future__ import annotations

from modembank_box.boot_loader import boot_loader, other
from modembank_box.errors import BoxError
from modembank_box.orders import Order
from modembank_box.places import Places
from modembank_box.progress import INSTALLED, INSTALLING, REFUSED, TRIAL, Progress, Record, Well
from modembank_box.release import Release, running_release


def roll_back(places: Places, progress: Progress, order: Order) -> None:
    """Have the next start try the other slot. Raises BoxError when that is not in order, which is told then.

    From the first note on a start of the other slot is a trial, whenever the power goes.
    """
    with progress.alone():
        running = running_release(places)
        loader, slot = boot_loader(places, running.slot), other(running.slot)
        record = Record(
            id=order.id,
            by=order.by,
            from_version=running.version,
            from_slot=running.slot,
            from_schema=running.schema,
            slot=slot,
        )
        well = progress.well(slot)
        why, code = _obstacle(progress.record(), running, well, may_start=loader.may_start(slot))
        if well is None or why:
            # Only told: what is known of the latest update stays.
            progress.tell(Record(state=REFUSED, id=order.id, by=order.by, reason=why, code=code))
            raise BoxError(why)
        record = progress.note(record, state=INSTALLING, version=well.version)
        loader.set_primary(slot)
        progress.note(record, state=INSTALLED)


def _obstacle(latest: Record, running: Release, well: Well | None, *, may_start: bool) -> tuple[str, str]:
    """Return what keeps the other slot from being started, in words and in one; nothing: it is in order."""
    if latest.state == TRIAL and latest.slot == running.slot:
        return f"version {running.version} is still on trial: ask again when it is found good", "on_trial"
    if latest.state == INSTALLED:
        return f"version {latest.version} waits there for a restart", "update_waits"
    if well is None:
        return "the other slot holds nothing that was found good on this box", "nothing_there"
    if well.schema != running.schema:
        return f"version {well.version} in the other slot cannot read the database of this one", "other_schema"
    if not may_start:
        return f"version {well.version} in the other slot was found bad", "slot_bad"
    return "", ""
