"""The system service: what an admin may know of the box itself."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec

from modembank.accounts import Actor, Scope
from modembank.appliance import RUN
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.system.recent_logs import Level, LogLine, RecentLogs
from modembank.system.settings import Section, sections

MOST_FILES = 100_000
"""Files of the data folder that are looked at; with more its size is a floor."""


class Process(msgspec.Struct, frozen=True):
    """What the process knows and the box does not: its configuration file, if it has one, and what it logged."""

    config_file: Path | None = None
    box_state: Path = RUN
    """Where the root side of an appliance image tells of the box."""
    logs: RecentLogs = msgspec.field(default_factory=RecentLogs)


class About(msgspec.Struct, frozen=True):
    """The box at one moment; sizes are octets, ``now`` and ``started_at`` unix milliseconds."""

    version: str
    python: str
    sqlite: str
    machine: str
    data_dir: str
    data_octets: int
    data_octets_at_least: bool
    """There are too many files: it may be more."""
    database_octets: int
    log_octets: int
    """SQLite's write-ahead log beside the database."""
    free_octets: int
    total_octets: int
    now: int
    started_at: int
    up_s: float
    zone: str
    """The box's own, as it is named now."""
    utc_offset: str


class System:
    """Facts, settings and log lines, on behalf of an admin."""

    def __init__(self, config: Config, database: Path, clock: Clock, process: Process | None = None) -> None:
        """Use these; uptime counts from now."""
        self._config = config
        self._database = database
        self._clock = clock
        self._process = process or Process()
        self._began = clock.monotonic()

    async def about(self, actor: Actor) -> About:
        """Return what the box is and how it stands. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        up_s, now = self._clock.monotonic() - self._began, self._clock.now()
        return await asyncio.to_thread(self._about, now, up_s)

    def settings(self, actor: Actor) -> Sequence[Section]:
        """Return the configuration in force. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        return sections(self._config)

    def config_file(self, actor: Actor) -> Path | None:
        """Return where it was read from; None: from no file. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        return self._process.config_file

    def log(self, actor: Actor, level: Level = "info") -> Sequence[LogLine]:
        """Return the latest lines of a level and above, the newest first. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        return self._process.logs.lines(level)

    def _about(self, now: float, up_s: float) -> About:
        folder = Path(self._config.box.data_dir)
        octets, all_seen = _octets_below(folder)
        free, total = _room(folder)
        return About(
            version=metadata.version("modembank"),
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            machine=f"{platform.system()} {platform.release()}, {platform.machine()}",
            data_dir=str(folder),
            data_octets=octets,
            data_octets_at_least=not all_seen,
            database_octets=_octets(self._database),
            log_octets=_octets(self._database.with_name(self._database.name + "-wal")),
            free_octets=free,
            total_octets=total,
            now=to_ms(now),
            started_at=to_ms(now - up_s),
            up_s=up_s,
            zone=time.strftime("%Z", time.localtime(now)),
            utc_offset=time.strftime("%z", time.localtime(now)),
        )


def _octets_below(folder: Path) -> tuple[int, bool]:
    """Return the size of all files below a folder, and whether all were looked at."""
    octets = seen = 0
    for place, _, names in os.walk(folder):
        for name in names:
            octets += _octets(Path(place, name))
            seen += 1
            if seen >= MOST_FILES:
                return octets, False
    return octets, True


def _octets(path: Path) -> int:
    with suppress(OSError):  # it went away meanwhile
        return path.lstat().st_size
    return 0


def _room(folder: Path) -> tuple[int, int]:
    with suppress(OSError):
        usage = shutil.disk_usage(folder)
        return usage.free, usage.total
    return 0, 0
