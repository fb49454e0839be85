"""The folder of backups that are made by the clock: how files are named there, and which go when there are too many."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from modembank.backup.errors import BackupFailed
from modembank.backup.taking import BackupJob, take_backup

_ENDING = ".sqlite3"


class BackupFile(msgspec.Struct, frozen=True):
    """One backup in the folder: when it was begun (unix ms), and its size."""

    path: Path
    at: int
    octets: int


class BackupFolder(msgspec.Struct, frozen=True):
    """One box's backups in a folder; other files there, those of other boxes too, are nobody's business."""

    folder: Path
    box: str

    def make(self, database: Path, now: int, keep: int, stop: threading.Event | None = None) -> Path:
        """Make a backup as of ``now`` (unix ms), delete the oldest beyond ``keep``, and return its file.

        Raises BackupFailed and what take_backup() raises; then nothing was deleted.
        """
        target = self.file(now)
        if not self.folder.is_dir():  # made by us it would hide that the disk for backups is not mounted
            raise BackupFailed(path=target, detail="there is no such folder: make it, or mount what belongs there")
        stop = stop or threading.Event()
        take_backup(BackupJob(database, target, self.box, now, replace=True, stopped=stop.is_set))
        for old in self._ours(now)[:-keep]:
            old.unlink(missing_ok=True)
        return target

    def files(self, now: int) -> list[BackupFile]:
        """Return them, the newest first."""
        found = []
        for path in reversed(self._ours(now)):
            with suppress(OSError):  # it went away meanwhile
                found.append(BackupFile(path, self._made_at(path) or 0, path.stat().st_size))
        return found

    def newest(self, now: int) -> int | None:
        """Return when the newest one was begun, in unix milliseconds; one that is yet to come does not count."""
        times = (self._made_at(path) for path in self._ours(now))
        return max((time for time in times if time is not None and time <= now), default=None)

    def file(self, at: int) -> Path:
        """Return where the backup as of a moment (unix ms) is."""
        return self.folder / (
            self._prefix + datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ") + _ENDING
        )

    @property
    def _prefix(self) -> str:
        return f"modembank-{self.box}-"

    def _ours(self, now: int) -> list[Path]:
        """Return them, oldest first; one that is yet to come was made while the clock was wrong: it goes first."""
        found = [(self._made_at(path), path) for path in self.folder.glob(f"{self._prefix}*{_ENDING}")]
        dated = [(time <= now, time, path) for time, path in found if time is not None]
        return [path for _, _, path in sorted(dated)]

    def _made_at(self, path: Path) -> int | None:
        stamp = path.name.removeprefix(self._prefix).removesuffix(_ENDING)
        try:
            moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
        return round(moment.timestamp() * 1000)
