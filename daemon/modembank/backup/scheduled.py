"""Backups by the clock: into one folder, a number of them kept, and what became of the last one for all to see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from modembank.backup.folder import BackupFile, BackupFolder
from modembank.clock import Clock, to_ms
from modembank.config import BackupConfig
from modembank.errors import Conflict, ModembankError
from modembank.metrics import Metrics

RETRY_MS = 3_600_000
"""After a failure: a backup costs too much to be tried all the time."""
_log = structlog.get_logger()


class BackupFacts(msgspec.Struct, frozen=True):
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
        self._folder = BackupFolder(Path(config.folder), box)
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()
        self.facts = BackupFacts(Path(config.folder) if config.folder else None, round(config.every_h * 3_600_000))

    async def run_if_due(self) -> bool:
        """Make a backup if it is time; return whether one was made."""
        return await self._run(self._due)

    async def run_now(self) -> bool:
        """Make a backup whether it is time or not; return whether it was made. The facts say why not.

        Raises Conflict when one is being made, or when there is no folder for them.
        """
        if self.facts.folder is None:
            raise Conflict(why="no folder for backups is set up")
        if self._one_at_a_time.locked():
            raise Conflict(why="a backup is being made already")
        return await self._run(lambda _: True)

    async def files(self) -> Sequence[BackupFile]:
        """Return the backups in the folder, the newest first; none while it cannot be read."""
        if self.facts.folder is None:
            return ()
        return await asyncio.to_thread(self._folder.files, to_ms(self._clock.now()))

    def newest(self) -> Path | None:
        """Return the file of the newest good backup that is known of."""
        at = self.facts.last_good_at
        return None if self.facts.folder is None or at is None else self._folder.file(at)

    def observe(self) -> None:
        """Bring the gauge up to date."""
        if self.facts.last_good_at is not None:
            self._metrics.backup_age_s.set(max(0.0, self._clock.now() - self.facts.last_good_at / 1000))

    async def _run(self, wanted: Callable[[int], bool]) -> bool:
        """Make one if it is wanted at that moment (unix ms)."""
        if self.facts.folder is None:
            return False
        async with self._one_at_a_time:
            now = to_ms(self._clock.now())
            try:
                newest = await asyncio.to_thread(self._folder.newest, now)
                self.facts = replace(self.facts, last_good_at=newest)
                if not wanted(now):
                    return False
                await self._make(now)
            except (ModembankError, OSError) as error:
                self.facts = replace(self.facts, last_failed_at=now, last_error=str(error))
                self._metrics.backups.labels("failed").inc()
                _log.error("backup_failed", error=str(error), again_in_s=RETRY_MS // 1000)
                return False
            self.facts = replace(self.facts, last_good_at=now)
            self._metrics.backups.labels("made").inc()
            return True

    def _due(self, now: int) -> bool:
        failed, good = self.facts.last_failed_at, self.facts.last_good_at
        if self.facts.failing and failed is not None and 0 <= now - failed < RETRY_MS:
            return False
        return good is None or now - good >= self.facts.every_ms

    async def _make(self, now: int) -> None:
        stop = threading.Event()
        work = asyncio.to_thread(self._folder.make, self._database, now, self._config.keep, stop)
        making = asyncio.create_task(work, name="backup")
        try:
            file = await asyncio.shield(making)
        except asyncio.CancelledError:  # the daemon stops: the thread must not keep it
            stop.set()
            await asyncio.wait([making])
            making.exception()
            raise
        _log.info("backup_made", file=str(file), octets=file.stat().st_size)
