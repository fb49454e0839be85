"""Opening the database file: as its owner, or beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import msgspec
import structlog

from modembank.durable import sync
from modembank.ids import EPOCH_SHIFT
from modembank.store.checkpoints import Checkpointer
from modembank.store.errors import (
    SchemaTooNew,
    SchemaTooOld,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    from_sqlite,
    primary_code,
)
from modembank.store.lock import OwnerLock, TurnLock
from modembank.store.schema import BOX, Migration, Schema, check_identity, known_migrations, migrate
from modembank.store.writer import CheckpointPolicy

BUSY_TIMEOUT_MS = 5_000
"""How long a transaction waits for another process's small write."""
_CACHE_KIB = 16_384
_WAL_KEPT_OCTETS = 32 << 20
"""A log that grew beyond this is cut when it starts over."""
_HIGHEST = (
    ("messages", "SELECT max(id) FROM messages"),
    ("inbox", "SELECT max(id) FROM inbox"),
    ("inbound_pdus", "SELECT max(id) FROM inbound_pdus"),
    ("messages", "SELECT max(batch_id) FROM messages WHERE batch_id IS NOT NULL"),
    ("mailings", "SELECT max(id) FROM mailings"),
)
"""By table: a database of an older schema, or of another, has not all of them."""
_log = structlog.get_logger()


class Opened(msgspec.Struct):
    """A writing connection with all that belongs to it."""

    connection: sqlite3.Connection
    checkpoints: CheckpointPolicy
    turn: TurnLock
    owner: OwnerLock | None
    epoch: int
    last_id: int

    def close(self, last_id: int) -> None:
        """Note the last id handed out, empty the log (as the owner only), and let go of everything."""
        try:
            if self.owner is not None and isinstance(self.checkpoints, Checkpointer):
                _note_last_id(self.connection, last_id)
                self.checkpoints.at_close()
        except sqlite3.Error as error:  # full or broken: what is committed is safe in the log
            _log.warning("close_checkpoint_failed", error=str(error))
        finally:
            self.connection.close()
            self.turn.close()
            if self.owner is not None:
                self.owner.release()


class NoCheckpoints:
    """For tools beside the daemon: they never checkpoint."""

    __slots__ = ("_turn",)

    def __init__(self, turn: TurnLock) -> None:
        """Write only while holding ``turn``."""
        self._turn = turn

    def writing(self) -> AbstractContextManager[object]:
        """Keep the daemon from checkpointing meanwhile."""
        return self._turn.held(wait=True)

    def committed(self) -> None:
        """Do nothing."""

    def after_commit(self, *, urgent_waits: bool) -> None:
        """Do nothing."""

    def when_idle(self) -> None:
        """Do nothing."""


def open_owned(path: Path, now_ms: int, migrations: Sequence[Migration] | None = None, schema: Schema = BOX) -> Opened:
    """Lock, connect and migrate; raises what Store.open() names."""
    with ExitStack() as undo:
        owner = OwnerLock(path)
        owner.take()
        undo.callback(owner.release)
        turn = TurnLock(path)
        undo.callback(turn.close)
        # A tool that writes now is waited for: a migration's commit and checkpoint must not meet its write.
        with turn.held(wait=True):
            _sync_log(path)
            connection = connect(path, schema)
            undo.callback(connection.close)
            due = known_migrations(schema) if migrations is None else migrations
            migrate(connection, path, due, now_ms, schema)
        connection.execute("INSERT OR IGNORE INTO box (name, value) VALUES ('epoch', '0')")
        opened = Opened(connection, Checkpointer(connection, path, turn), turn, owner, *_identity(connection))
        undo.pop_all()
    return opened


def open_beside(path: Path, now_ms: int, schema: Schema = BOX) -> Opened:
    """Connect next to the daemon that owns the database, or as its owner when there is none."""
    with suppress(StoreBusy):
        return open_owned(path, now_ms, schema=schema)
    with ExitStack() as undo:
        turn = TurnLock(path)
        undo.callback(turn.close)
        connection = connect(path, schema)
        undo.callback(connection.close)
        known = len(known_migrations(schema))
        found = check_identity(connection, path, schema)
        if found > known:
            raise SchemaTooNew(path=path, found=found, known=known)
        if found < known:
            raise SchemaTooOld(path=path, found=found, known=known)
        opened = Opened(connection, NoCheckpoints(turn), turn, None, *_identity(connection))
        undo.pop_all()
    return opened


def connect(path: Path, schema: Schema = BOX) -> sqlite3.Connection:
    """Return a connection that may write: WAL, synchronous FULL, no automatic checkpoints, no implicit transactions.

    FULL: a commit is on the disk when it returns. Raises StoreCorrupt, ForeignDatabase, StoreError.
    """
    try:
        with ExitStack() as undo:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
            undo.callback(connection.close)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            check_identity(connection, path, schema)  # before anything is changed in a file that is not ours
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is redacted is overwritten, whoever built SQLite
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_OCTETS}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store = MEMORY")
            undo.pop_all()
    except sqlite3.Error as error:
        raise _opening_error(error, path) from error
    return connection


def _sync_log(path: Path) -> None:
    """Put on the disk what a killed process left in the log; SQLite shows its commits without, and they could go again.

    Killed while its disk was slow, it has acknowledged nothing of this; but whoever reads it now may rely on it.
    """
    log = path.with_name(path.name + "-wal")
    try:
        if log.exists():
            sync(log)
            sync(log.parent)
    except OSError as error:
        raise StoreError(detail=f"{log} cannot be synced: {error.strerror}") from error


def known_epoch(connection: sqlite3.Connection) -> int:
    """Return the highest epoch that a database knows: the noted one, or that of an id in it."""
    epoch, last_id = _identity(connection)
    return max(epoch, last_id >> EPOCH_SHIFT)


def _opening_error(error: sqlite3.Error, path: Path) -> StoreError:
    if primary_code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreCorrupt(path=path, detail=str(error))
    return from_sqlite(error)


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the epoch and the highest id ever handed out."""
    noted = dict(connection.execute("SELECT name, value FROM box WHERE name IN ('epoch', 'last_id')"))
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    stored = (connection.execute(query).fetchone()[0] or 0 for table, query in _HIGHEST if table in tables)
    return int(noted.get("epoch", 0)), max(int(noted.get("last_id", 0)), *stored, 0)


def _note_last_id(connection: sqlite3.Connection, last_id: int) -> None:
    """Keep it: when the newest rows were deleted meanwhile, their ids must not name other messages later."""
    connection.execute(
        "INSERT INTO box (name, value) VALUES ('last_id', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(last_id),),
    )
