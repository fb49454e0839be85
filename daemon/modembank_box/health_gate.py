"""Whether a version that was just installed may stay: it is tried on a copy of the database, then watched at work.

The rule that decides everything: an older version never meets the database of a newer one. So as long as the new
version has not touched the real database, whatever goes wrong leads back to the other slot; from the moment on at which
it may migrate it, the other slot is taken out, and the box says what is wrong instead of going back.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from modembank_box.boot_loader import BootLoader, boot_loader, other
from modembank_box.errors import BoxError
from modembank_box.machine import DAEMON, ON_TRIAL, Machine
from modembank_box.places import Places
from modembank_box.progress import (
    FAILED,
    GOOD,
    INSTALLED,
    INSTALLING,
    ROLLED_BACK,
    TRIAL,
    Progress,
    Record,
    Well,
    free_octets,
)
from modembank_box.release import Release, running_release, tell_release
from modembank_box.states import write_whole

DATABASE = "modembank.sqlite3"
HEALTHY_S = 60.0
"""For so long the daemon has to be ready, without a restart of it."""
DEADLINE_S = 600.0
_LOOK_EVERY_S = 2.0
_UNTIL_STOPPED_S = 60.0
"""The daemon is not to start meanwhile: whoever waits here is stopped by the restart."""
_SPARE = 64 << 20
_TIMES = 3
"""The copy, the backup that a migration makes of it, and what a migration writes."""
TRIAL_CONFIGURATION = """\
# Made for the trial of a new version: a copy of the database, no modem, nothing to be reached from outside.
[box]
id = "trial"
data_dir = "{folder}"
[web]
listen = "127.0.0.1:8443"
[bank]
discovery = "static"
"""


@dataclass
class HealthGate:
    """Before and after the daemon's start."""

    places: Places
    progress: Progress
    machine: Machine = field(default_factory=Machine)

    # -- before the daemon

    def before_daemon(self) -> None:
        """Tell what was started and what became of the latest update; try a new version. Restarts when that fails."""
        release = running_release(self.places)
        tell_release(self.places, release)
        self._forget_copy()
        loader = boot_loader(self.places, release.slot)
        record = self.progress.record()
        if self._is_on_trial(record, release):
            record = self.progress.note(record, state=TRIAL, version=release.version, reason="", code="")
            self._try(record, release, loader)
            return
        if record.state == INSTALLED and not record.restarted and loader.restart_argument:
            # This firmware starts the other slot only when told to; switching the box off and on is meant alike.
            self.progress.note(record, restarted=True)
            self.machine.restart(loader.restart_argument)
            self.machine.sleep(_UNTIL_STOPPED_S)
            return
        self.progress.tell(self._settled(record, release, loader))

    def _is_on_trial(self, record: Record, release: Release) -> bool:
        """Whether it was never found good; what was called failed may have been finished by RAUC all the same."""
        return record.state in {INSTALLING, INSTALLED, TRIAL, FAILED} and record.slot == release.slot

    def _settled(self, record: Record, release: Release, loader: BootLoader) -> Record:
        """Return the record after a start in which nothing is tried."""
        if record.state == INSTALLING:
            reason = (
                "the power went, or the box was restarted, while it was written; the version that runs is as it was"
            )
            return self.progress.note(record, state=FAILED, reason=reason, code="interrupted")
        if record.slot == release.slot or record.state not in {INSTALLED, TRIAL, GOOD}:
            return record
        if record.state == INSTALLED and not record.restarted and loader.primary() == record.slot:
            return record
        reason = record.reason or f"version {record.version} did not come up"
        loader.set_bad(record.slot)
        return self.progress.note(record, state=ROLLED_BACK, reason=reason)

    def _try(self, record: Record, release: Release, loader: BootLoader) -> None:
        migrates = release.schema > record.from_schema
        try:
            missing = self._try_on_copy()
            if missing and migrates:
                raise BoxError(missing)
        except BoxError as error:
            self._give_up(
                record, loader, f"version {release.version} does not start on a copy of the database: {error}"
            )
            return
        finally:
            self._forget_copy()
        if missing:
            self.progress.note(record, reason=f"not tried on a copy of the database: {missing}")
        if migrates:
            # From here on the real database may be of the new schema, at whatever moment the power goes.
            loader.set_primary(release.slot)
            loader.set_good(release.slot)
            loader.set_bad(other(release.slot))

    def _try_on_copy(self) -> str:
        """Start the new version on a copy. Raises BoxError; returned is that there is no room for one, or nothing."""
        files = [self.places.daemon / f"{DATABASE}{end}" for end in ("", "-wal")]
        files = [path for path in files if path.is_file()]
        needed = sum(path.stat().st_size for path in files) * _TIMES + _SPARE
        free = free_octets(self.progress.folder)
        if free < needed:
            return f"{needed >> 20} MiB are needed, {free >> 20} MiB are free"
        self._copy(files)
        try:
            self.machine.start(ON_TRIAL, within_s=DEADLINE_S)
        finally:
            self.machine.stop(ON_TRIAL)
        return ""

    def _copy(self, files: list[Path]) -> None:
        """Copy the database as it lies there, for the daemon's user: nobody writes to it now."""
        folder = self.progress.copy
        owner = (self.places.daemon if self.places.daemon.exists() else self.places.data).stat()
        try:
            folder.mkdir(mode=0o700)
            for path in files:
                copy = folder / path.name
                shutil.copyfile(path, copy, follow_symlinks=False)
                copy.chmod(0o600)
                os.chown(copy, owner.st_uid, owner.st_gid)
            os.chown(folder, owner.st_uid, owner.st_gid)
            write_whole(self.places.run / "trial.toml", TRIAL_CONFIGURATION.format(folder=folder).encode())
        except OSError as error:
            message = f"it cannot be copied: {error}"
            raise BoxError(message) from error

    def _forget_copy(self) -> None:
        """Remove what is in the copy: messages and numbers; also what a power cut left."""
        shutil.rmtree(self.progress.copy, ignore_errors=True)

    def _give_up(self, record: Record, loader: BootLoader, reason: str) -> None:
        """Go back to the other slot where there is one to go back to, and say so where there is none."""
        running, before = record.slot, other(record.slot)
        if not loader.may_start(before):
            reason = f"{reason}. There is no way back: the version before cannot read the database of this one"
            loader.set_good(running)
            self.progress.note(record, state=FAILED, reason=reason, code="not_well")
            return
        self.progress.note(record, reason=reason)
        loader.set_primary(before)
        loader.set_bad(running)
        self.machine.restart()
        self.machine.sleep(_UNTIL_STOPPED_S)

    # -- after the daemon

    def after_start(self) -> None:
        """Find the slot good: at once where it was so before, else once the daemon is well. Restarts if it is not."""
        release = running_release(self.places)
        loader = boot_loader(self.places, release.slot)
        record = self.progress.record()
        if not self._is_on_trial(record, release):
            loader.set_good(release.slot)
            self.progress.raise_floor(release.version)
            self.progress.note_well(release.slot, Well(release.version, release.schema))
            return
        why = self._wait_until_well()
        if why:
            self._give_up(record, loader, f"version {release.version} did not get well: {why}")
            return
        loader.set_primary(release.slot)
        loader.set_good(release.slot)
        self.progress.raise_floor(release.version)
        self.progress.note_well(release.slot, Well(release.version, release.schema))
        if self.progress.well(record.from_slot) is None and record.from_slot == other(release.slot):
            # Written by a version that did not note it: what asked for the update ran there, and was not on trial.
            self.progress.note_well(record.from_slot, Well(record.from_version, record.from_schema))
        self.progress.note(record, state=GOOD)

    def _wait_until_well(self) -> str:
        """Return nothing once the daemon was well for long enough, or why it was not in time."""
        ends = self.machine.monotonic() + DEADLINE_S
        since, which, state = None, "", ""
        while True:
            now = self.machine.monotonic()
            state, run = self.machine.health(DAEMON)
            if state != "active":
                since = None
            elif since is None or run != which:
                since, which = now, run
            elif now - since >= HEALTHY_S:
                return ""
            if now >= ends:
                return f"the daemon is {state or 'not there'} after {DEADLINE_S / 60:.0f} minutes"
            self.machine.sleep(_LOOK_EVERY_S)
