"""Whether a file can be restored from: ours, whole, of a schema that is known, and with nothing lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from modembank.backup.errors import BackupDamaged, BackupTooNew, NotABackup
from modembank.backup.manifest import Manifest, NoManifest, describe, read_manifest
from modembank.backup.seal import seal_problem
from modembank.messages.model import MessageState
from modembank.messages.outbox import ACCEPTED_EVER
from modembank.store import ForeignDatabase, StoreCorrupt
from modembank.store.schema import check_identity, known_migrations

_MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat.html, 1.3.1
_ACCEPTED_EVER_SINCE = 2
"""The schema that began to count all messages ever accepted."""
_SHOWN = 3


class Checked(msgspec.Struct, frozen=True):
    """A file that is as it should be; ``is_backup``: made by `modembank backup`, else just a database of a box."""

    path: Path
    manifest: Manifest
    is_backup: bool


def check_file(path: Path) -> Checked:
    """Look at every octet of a backup, or of a database that nobody has open.

    Raises NotABackup, ForeignDatabase, BackupTooNew, BackupDamaged.
    """
    _check_magic(path)
    try:
        with closing(open_untouched(path)) as conn:
            schema = check_identity(conn, path)
            if not schema:
                raise NotABackup(path=path, detail="it is an empty database")
            manifest = _manifest(conn, path)
            known = len(known_migrations())
            if schema > known:
                made_by = "a newer one" if manifest is None else manifest.release
                raise BackupTooNew(path=path, found=schema, known=known, release=made_by)
            problem = seal_problem(path) if manifest is not None else None
            problem = problem or find_problem(conn)
            if problem is not None:
                raise BackupDamaged(path=path, detail=problem)
            made_at = round(path.stat().st_mtime * 1000)
            return Checked(path, manifest or describe(conn, "", made_at), manifest is not None)
    except StoreCorrupt as error:
        raise BackupDamaged(path=path, detail=error.fields["detail"]) from error
    except (sqlite3.Error, NoManifest) as error:
        raise BackupDamaged(path=path, detail=str(error)) from error


def find_problem(conn: sqlite3.Connection) -> str | None:
    """Return what is wrong with a database, None when it is sound and holds the law; reads all of it."""
    damage = [row[0] for row in conn.execute(f"PRAGMA integrity_check({_SHOWN})") if row[0] != "ok"]
    if damage:
        return "; ".join(" ".join(each.split()) for each in damage)
    orphans = conn.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN)
    if orphans:
        return f"rows without parents: {', '.join(f'{child} {row}' for child, row, *_ in orphans)}"
    return broken_law(conn)


def broken_law(conn: sqlite3.Connection) -> str | None:
    """Return how the counters contradict the messages (accepted = terminal + open), None when they agree."""
    recorded = dict(conn.execute("SELECT state, n FROM state_counts"))
    counted = dict(conn.execute("SELECT state, count(*) FROM messages GROUP BY state"))
    accepted = recorded.pop(ACCEPTED_EVER, 0)
    for state in sorted(recorded.keys() | counted.keys()):
        if recorded.get(state, 0) != counted.get(state, 0):
            word = MessageState(state).word if state in set(MessageState) else f"in the unknown state {state}"
            return f"{recorded.get(state, 0)} messages were counted as {word}, {counted.get(state, 0)} are there"
    schema: int = conn.execute("PRAGMA user_version").fetchone()[0]
    if schema >= _ACCEPTED_EVER_SINCE and accepted != sum(recorded.values()):
        return f"{accepted} messages were ever accepted, {sum(recorded.values())} are there"
    return None


def open_untouched(path: Path) -> sqlite3.Connection:
    """Connect without touching anything, where no log stands beside it: a backup may lie on what cannot be written."""
    log = path.with_name(path.name + "-wal")
    logged = log.exists() and log.stat().st_size > 0
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if logged else '&immutable=1'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


@contextmanager
def interruptible(conn: sqlite3.Connection, stopped: Callable[[], bool]) -> Iterator[None]:
    """Let statements inside the block end with an error soon after ``stopped()`` is true."""
    conn.set_progress_handler(lambda: int(stopped()), 500_000)  # steps of SQLite's machine: some milliseconds
    try:
        yield
    finally:
        conn.set_progress_handler(None, 0)


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_MAGIC))
    except OSError as error:
        raise NotABackup(path=path, detail=f"it cannot be read ({error.strerror})") from error
    if begin != _MAGIC:
        raise NotABackup(path=path, detail="it does not begin as a database does" if begin else "it is empty")


def _manifest(conn: sqlite3.Connection, path: Path) -> Manifest | None:
    if conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'box'").fetchone() is None:
        raise ForeignDatabase(path=path, application_id=conn.execute("PRAGMA application_id").fetchone()[0])
    return read_manifest(conn)
