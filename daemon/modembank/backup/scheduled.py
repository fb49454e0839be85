"""Backups by the clock: into one folder, a number of them kept, and what became of the last one for all to see."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from modembank.backup.errors import BackupFailed
from modembank.backup.taking import BackupJob, take_backup
from modembank.clock import Clock, to_ms
from modembank.config import BackupConfig
from modembank.errors import ModembankError
from modembank.metrics import Metrics

RETRY_MS = 3_600_000
"""After a failure: a backup costs too much to be tried all the time."""
_ENDING = ".sqlite3"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """How it stands; times are unix milliseconds, None: not yet."""

    folder: Path | None
    """None: no backups are made by the clock."""
    every_ms: int
    last_good_at: int | None = None
    """When the newest backup in the folder was begun."""
    last_failed_at: int | None = None
    """Of this run of the daemon; earlier than ``last_good_at`` when a later one went well."""
    last_error: str = ""

    @property
    def failing(self) -> bool:
        """Whether the latest try failed."""
        return self.last_failed_at is not None and self.last_failed_at > (self.last_good_at or 0)


class ScheduledBackups:
    """Makes a backup when one is due; a failure is logged, noted and tried again, and disturbs nothing else."""

    def __init__(self, config: BackupConfig, box: str, database: Path, clock: Clock, metrics: Metrics) -> None:
        """Prepare; look_around() finds the backups of earlier runs."""
        self._config = config
        self._box = box
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self.facts = BackupFacts(Path(config.folder) if config.folder else None, round(config.every_h * 3_600_000))

    async def run_if_due(self) -> bool:
        """Make a backup if it is time; return whether one was made."""
        folder, now = self.facts.folder, to_ms(self._clock.now())
        if folder is None:
            return False
        try:
            newest = await asyncio.to_thread(self._newest, folder, now)
            self.facts = replace(self.facts, last_good_at=newest)
            if not self._due(now):
                return False
            await self._make(folder, now)
        except (ModembankError, OSError) as error:
            self.facts = replace(self.facts, last_failed_at=now, last_error=str(error))
            self._metrics.backups.labels("failed").inc()
            _log.error("backup_failed", error=str(error), again_in_s=RETRY_MS // 1000)
            return False
        self.facts = replace(self.facts, last_good_at=now)
        self._metrics.backups.labels("made").inc()
        return True

    def newest(self) -> Path | None:
        """Return the file of the newest good backup that is known of."""
        folder, at = self.facts.folder, self.facts.last_good_at
        return None if folder is None or at is None else self._file(folder, at)

    def observe(self) -> None:
        """Bring the gauge up to date."""
        if self.facts.last_good_at is not None:
            self._metrics.backup_age_s.set(max(0.0, self._clock.now() - self.facts.last_good_at / 1000))

    def _due(self, now: int) -> bool:
        failed, good = self.facts.last_failed_at, self.facts.last_good_at
        if self.facts.failing and failed is not None and 0 <= now - failed < RETRY_MS:
            return False
        return good is None or now - good >= self.facts.every_ms

    async def _make(self, folder: Path, now: int) -> None:
        target = self._file(folder, now)
        stop = threading.Event()
        job = BackupJob(self._database, target, self._box, now, replace=True, stopped=stop.is_set)
        making = asyncio.create_task(asyncio.to_thread(self._make_and_prune, job), name="backup")
        try:
            octets = await asyncio.shield(making)
        except asyncio.CancelledError:  # the daemon stops: the thread must not keep it
            stop.set()
            await asyncio.wait([making])
            making.exception()
            raise
        _log.info("backup_made", file=str(target), octets=octets)

    def _make_and_prune(self, job: BackupJob) -> int:
        if not job.target.parent.is_dir():  # made by us it would hide that the disk for backups is not mounted
            raise BackupFailed(path=job.target, detail="there is no such folder: make it, or mount what belongs there")
        take_backup(job)
        for old in self._ours(job.target.parent, job.now_ms)[: -self._config.keep]:
            old.unlink(missing_ok=True)
        return job.target.stat().st_size

    def _newest(self, folder: Path, now: int) -> int | None:
        times = (self._made_at(path) for path in self._ours(folder, now))
        return max((time for time in times if time is not None and time <= now), default=None)

    def _ours(self, folder: Path, now: int) -> list[Path]:
        """Return this box's scheduled backups, oldest first; other files are nobody's business.

        One that is yet to come was made while the clock was wrong: it goes before all others.
        """
        found = [(self._made_at(path), path) for path in folder.glob(f"{self._prefix()}*{_ENDING}")]
        dated = [(time <= now, time, path) for time, path in found if time is not None]
        return [path for _, _, path in sorted(dated)]

    def _made_at(self, path: Path) -> int | None:
        stamp = path.name.removeprefix(self._prefix()).removesuffix(_ENDING)
        try:
            moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
        return round(moment.timestamp() * 1000)

    def _file(self, folder: Path, at: int) -> Path:
        return folder / (self._prefix() + datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ") + _ENDING)

    def _prefix(self) -> str:
        return f"modembank-{self._box}-"
