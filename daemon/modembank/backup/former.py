"""The database that a restore finds in its place: what can be read of it, and setting it aside."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from modembank.backup.checking import find_problem, open_untouched
from modembank.backup.errors import RestoreRefused
from modembank.durable import sync
from modembank.store import StoreError
from modembank.store.opening import connect, known_epoch
from modembank.store.schema import check_identity, known_migrations

_LOG = "-wal"
_INDEX = "-shm"


class FormerDatabase(msgspec.Struct, frozen=True):
    """What is known of it."""

    epoch: int = -1
    """The highest that it knows; -1 when nobody can tell."""
    sound: bool = False
    """Whether all of it can be read, understood and believed, and is in its one file."""

    @classmethod
    def look_at(cls, path: Path) -> FormerDatabase:
        """Look at it, if it is there, and empty the log of a sound one; raises RestoreRefused while somebody reads."""
        if not path.exists():
            return cls()
        epoch = -1
        try:
            with closing(open_untouched(path)) as conn:
                schema = check_identity(conn, path)
                epoch = known_epoch(conn)
                sound = schema <= len(known_migrations()) and find_problem(conn) is None
            if sound:
                _empty_log(path)
            return cls(epoch, sound)
        except (sqlite3.Error, StoreError):
            return cls(
                epoch
            )  # damaged, or not ours: like one of a newer release it is set aside as it is, with its log


def set_aside(path: Path, now_ms: int) -> Path:
    """Give the database a dated name besides its own, with its log if it could not be emptied; return that name.

    The caller puts another file in its place next. Until then a sound one is what it was: only an empty log is gone.
    """
    log, index = path.with_name(path.name + _LOG), path.with_name(path.name + _INDEX)
    logged = log.exists() and log.stat().st_size > 0
    for earlier in _set_aside_before(path):
        its_log = earlier.with_name(earlier.name + _LOG)
        if its_log.exists() and not logged:  # it has the log already
            index.unlink(missing_ok=True)
            return earlier
        its_log.unlink(missing_ok=True)
        earlier.unlink()
    aside = _free_name(path, now_ms)
    os.link(path, aside)
    if logged:
        os.link(log, aside.with_name(aside.name + _LOG))
    sync(path.parent)
    # A log beside another database than its own would destroy that.
    log.unlink(missing_ok=True)
    index.unlink(missing_ok=True)
    return aside


def _set_aside_before(path: Path) -> list[Path]:
    """Return other names of the very same file: a restore was killed before the new one had its name."""
    return [each for each in path.parent.glob(f"{path.name}.set-aside-*") if each.samefile(path)]


def _empty_log(path: Path) -> None:
    with closing(connect(path)) as conn:
        conn.execute("PRAGMA busy_timeout = 0")
        if conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise RestoreRefused(detail=f"another program (a backup?) still reads {path}: wait for its end")


def _free_name(path: Path, now_ms: int) -> Path:
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    first = path.with_name(f"{path.name}.set-aside-{stamp}")
    names = (first, *(first.with_name(f"{first.name}-{n}") for n in range(2, 1000)))
    return next(name for name in names if not name.exists())
