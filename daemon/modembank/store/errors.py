"""What can go wrong with the store, each with a stable key."""

from __future__ import annotations

import sqlite3

from modembank.errors import ModembankError


class StoreError(ModembankError):
    """The database could not do what was asked; what the caller wrote is not stored."""

    key = "store_error"
    template = "the database failed: {detail}"


class StoreFull(StoreError):
    """There is no room; what was not committed is not stored, everything committed is safe."""

    key = "store_full"
    template = "no room for the database: {detail}"


class StoreClosed(StoreError):
    """The store is closed, or closing and takes nothing new."""

    key = "store_closed"
    template = "the database is closed"


class StoreBusy(StoreError):
    """Another daemon owns the database."""

    key = "store_busy"
    template = "{path} is in use by process {pid}"


class StoreCorrupt(StoreError):
    """The file is damaged or not a database; it is left as it is."""

    key = "store_corrupt"
    template = "{path} is not a sound database ({detail}); the file was kept as it is"


class ForeignDatabase(StoreError):
    """The file is a database of another program; it is left as it is."""

    key = "foreign_database"
    template = "{path} is a database of another program (application id {application_id:#010x})"


class SchemaTooNew(StoreError):
    """A newer release wrote this database; this one must not touch it."""

    key = "schema_too_new"
    template = (
        "{path} has schema {found}, this release knows up to {known}: install the newer release or restore a backup"
    )


class SchemaTooOld(StoreError):
    """A small tool met a schema that only the daemon may migrate."""

    key = "schema_too_old"
    template = "{path} has schema {found}, this release needs {known}: restart the daemon to migrate it"


class MigrationFailed(StoreError):
    """A migration was undone as a whole; the database is as it was before."""

    key = "migration_failed"
    template = "migration {number} of {path} was undone: {detail}"


_FULL = frozenset({sqlite3.SQLITE_FULL})
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of an error, or 0 when the error did not come from SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)  # absent on errors that Python's own layer raised
    return code & 0xFF


def is_fatal(error: BaseException) -> bool:
    """Return whether an error is about the file and not about one statement: the whole transaction is in doubt."""
    return isinstance(error, sqlite3.Error) and primary_code(error) in _FULL | _BROKEN


def from_sqlite(error: sqlite3.Error) -> StoreError:
    """Return the store's word for an error of SQLite."""
    if primary_code(error) in _FULL:
        return StoreFull(detail=str(error))
    return StoreError(detail=f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}")
