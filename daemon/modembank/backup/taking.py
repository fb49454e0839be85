"""Making a backup beside a running daemon: one read snapshot, copied page by page, checked before it has its name.

A copy holds a read transaction open, so the daemon's log cannot start over meanwhile: it grows by what is written
during the copy (not during the checks, which read the copy), and shrinks at the next checkpoint. The daemon is never
locked out. The copy goes to the disk in small pieces: a card that had to take it all at once would let the daemon's
commits wait for seconds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from modembank.backup.checking import find_problem, interruptible
from modembank.backup.errors import BackupExists, BackupFailed, BackupStopped
from modembank.backup.manifest import Manifest, describe, write_manifest
from modembank.backup.placing import unfinished
from modembank.backup.seal import seal
from modembank.durable import sync
from modembank.modem import FAILED_PINS, PinRecord
from modembank.store import StoreError
from modembank.store.health import RESERVE_OCTETS, Room
from modembank.store.schema import check_identity

STEP_PAGES = 1_024
"""Pages copied, and put on the disk, at once: 4 MiB."""


def _never() -> bool:
    return False


class BackupJob(msgspec.Struct, frozen=True):
    """What to copy where, and when to give up."""

    database: Path
    target: Path
    box: str
    now_ms: int
    replace: bool = False
    stopped: Callable[[], bool] = _never
    """Asked now and then; once true the backup ends with BackupStopped."""


def take_backup(job: BackupJob) -> Manifest:
    """Write a whole, checked backup to ``job.target`` and return what it says of itself; blocks.

    Raises BackupExists, BackupFailed (nothing is left behind), ForeignDatabase.
    """
    if job.target.exists() and not job.replace:
        raise BackupExists(path=job.target)
    if not job.database.exists():
        raise BackupFailed(path=job.target, detail=f"there is no database at {job.database}")
    try:
        with unfinished(job.target) as path:
            manifest = _copy_and_check(job, path)
            seal(path, job.stopped)
            if job.stopped():
                raise BackupStopped(path=job.target)
            path.replace(job.target)
            sync(job.target.parent)
    except OSError as error:
        raise BackupFailed(path=job.target, detail=error.strerror or str(error)) from error
    except (sqlite3.Error, StoreError) as error:
        if job.stopped():
            raise BackupStopped(path=job.target) from error
        raise BackupFailed(path=job.target, detail=str(error)) from error
    return manifest


def _copy_and_check(job: BackupJob, path: Path) -> Manifest:
    with ExitStack() as done:
        copy = done.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        # The copy is nobody's but ours, and thrown away when it fails: it needs no locks and no journal.
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -1024"):
            copy.execute(f"PRAGMA {setting}").fetchone()
        _copy_pages(job, copy, path)
        copy.execute("PRAGMA journal_mode = MEMORY").fetchone()  # what is written stays one file
        done.enter_context(interruptible(copy, job.stopped))
        manifest = describe(copy, job.box, job.now_ms)
        write_manifest(copy, manifest, PinRecord(job.database.with_name(FAILED_PINS)).digests())
        problem = find_problem(copy)
        if problem is not None:
            raise BackupFailed(path=job.target, detail=f"{job.database} is damaged: {problem}")
    return manifest


def _copy_pages(job: BackupJob, copy: sqlite3.Connection, path: Path) -> None:
    uri = f"{job.database.absolute().as_uri()}?mode=ro"
    fd = os.open(path, os.O_RDONLY)
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            check_identity(source, job.database)
            source.execute("BEGIN")
            # The first read takes the snapshot; while it is held no commit of the daemon makes the copy start over.
            pages: int = source.execute("PRAGMA page_count").fetchone()[0]
            octets: int = pages * source.execute("PRAGMA page_size").fetchone()[0]
            _check_room(job, octets)

            def step(*_: int) -> None:
                if job.stopped():
                    raise BackupStopped(path=job.target)
                os.fdatasync(fd)

            source.backup(copy, pages=STEP_PAGES, progress=step)
    finally:
        os.close(fd)


def _check_room(job: BackupJob, octets: int) -> None:
    """Refuse before the first octet what would not fit, or would leave the daemon without room."""
    same_disk = job.target.parent.stat().st_dev == job.database.stat().st_dev
    reserve = RESERVE_OCTETS if same_disk else 0
    free = Room(job.target).free_octets()
    if free < octets + reserve:
        kept = f", and {reserve >> 20} MiB must stay for the daemon" if reserve else ""
        detail = f"no room in {job.target.parent}: {octets >> 20} MiB are needed, {free >> 20} MiB are free{kept}"
        raise BackupFailed(path=job.target, detail=detail)
