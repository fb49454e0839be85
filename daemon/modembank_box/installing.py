"""From a bundle to a slot that is started next: checked, written by RAUC, and told at every step."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from modembank_box.boot_loader import boot_loader, other
from modembank_box.bundles import Bundle, Refused, explained, judge, look_at
from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.progress import CHECKING, FAILED, INSTALLED, INSTALLING, REFUSED, TRIAL, Progress, Record, percent
from modembank_box.release import Release, running_release

SLOWEST_S = 3600
"""Longer than the slowest card takes."""


@dataclass(frozen=True)
class Install:
    """Installs what is newer; who asked for it is told to everyone."""

    places: Places
    progress: Progress
    by: str
    id: str = ""
    rauc: str = "rauc"
    version: str = ""
    """The only one that may be in the bundle; empty: any."""

    def checked(self, path: str) -> Bundle:
        """Return a bundle that may be installed now. Raises Refused, BoxError; tells nothing."""
        bundle = look_at(path, self.places.etc / "rauc/system.conf", self.rauc)
        judge(bundle, running_release(self.places), self.progress.floor(), self.version)
        return bundle

    def install(self, path: str) -> None:
        """Check and install a bundle; what became of it stands in the record. Raises BoxError when it did not work."""
        running = running_release(self.places)
        self._refuse_during_trial(running)
        record = Record(
            state=CHECKING,
            id=self.id,
            by=self.by,
            from_version=running.version,
            from_slot=running.slot,
            from_schema=running.schema,
            slot=other(running.slot),
        )
        before = self.progress.record()
        self.progress.tell(record)
        try:
            bundle = self.checked(path)
        except BoxError as error:
            self._refused(before, record, error)
            raise
        self.progress.forget_slot(record.slot)
        record = self.progress.note(record, state=INSTALLING, version=bundle.version)
        said, code = self._run(bundle, record)
        if said:
            self.progress.note(record, state=FAILED, reason=f"{said}; the version that runs is as it was", code=code)
            raise BoxError(said)
        self.progress.note(record, state=INSTALLED)

    def _refused(self, before: Record, record: Record, error: BoxError) -> None:
        """Tell why; a slot that waits for its restart goes on waiting, which the next start has to know."""
        if before.state == INSTALLED:
            self.progress.note(before, reason=f"another bundle was refused meanwhile: {error}")
        else:
            state, code = (REFUSED, error.code) if isinstance(error, Refused) else (FAILED, "")
            self.progress.note(record, state=state, reason=str(error), code=code)

    def _refuse_during_trial(self, running: Release) -> None:
        record = self.progress.record()
        if record.state == TRIAL and record.slot == running.slot:
            message = f"version {running.version} is still on trial: ask again when it is found good"
            raise BoxError(message)

    def _run(self, bundle: Bundle, record: Record) -> tuple[str, str]:
        """Let RAUC write the other slot; returned is why it did not, in words and in one, or nothing."""
        words = [self.rauc, "install", bundle.path]
        told: list[str] = []
        try:
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    far = percent(line)
                    if far is not None:
                        self.progress.tell(record, far)
                    else:
                        told = [*told[-20:], line]
                status = process.wait(SLOWEST_S)
        except OSError as error:
            return f"RAUC cannot be started: {error}", ""
        if status:
            return explained("".join(told))
        # What counts is what the boot loader was told.
        loader = boot_loader(self.places, record.from_slot)
        return ("", "") if loader.primary() == record.slot else ("the boot loader does not know of the new version", "")
