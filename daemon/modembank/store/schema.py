"""The schema's versions: numbered SQL files, each applied as a whole or not at all, with a backup before."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import msgspec
import structlog

from modembank.durable import sync
from modembank.failpoints import Failpoint, reach
from modembank.store.errors import ForeignDatabase, MigrationFailed, SchemaTooNew, StoreCorrupt, primary_code

APPLICATION_ID = 0x4D424E4B
"""'MBNK': tells our files from those of other programs (sqlite.org/pragma.html, application_id)."""
BACKUPS_KEPT = 3
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_log = structlog.get_logger()


class Schema(msgspec.Struct, frozen=True):
    """Which database a file is: the mark that its files bear, and the package that its migrations lie in."""

    application_id: int
    package: str


BOX = Schema(APPLICATION_ID, "modembank.store")


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema, from version ``number - 1`` to ``number``."""

    number: int
    name: str
    statements: tuple[str, ...]


def known_migrations(schema: Schema = BOX) -> tuple[Migration, ...]:
    """Return the migrations of this release in order; their numbers are 1, 2, 3 ..."""
    found = []
    for entry in (resources.files(schema.package) / "migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), entry.name, tuple(split_statements(entry.read_text("utf-8")))))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        message = f"migrations are not numbered without gaps: {[migration.name for migration in found]}"
        raise RuntimeError(message)
    return tuple(found)


def split_statements(script: str) -> Iterator[str]:
    """Yield the statements of an SQL script; semicolons in strings, comments and triggers do not end one."""
    statement = ""
    for piece in re.split(r"(?<=;)", script):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if _without_comments(statement):
        message = f"a statement does not end: {statement.strip()[:60]!r}"
        raise ValueError(message)


def check_identity(connection: sqlite3.Connection, path: Path, schema: Schema = BOX) -> int:
    """Return the schema version of a database of ours (0: empty file).

    Raises StoreCorrupt when it is damaged or no database, ForeignDatabase when it is another program's.
    """
    try:
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    except sqlite3.Error as error:
        if primary_code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreCorrupt(path=path, detail=str(error)) from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes what it finds where its schema should be
        raise StoreCorrupt(path=path, detail="its schema is no text") from error
    if application != schema.application_id and (application or version or tables):
        raise ForeignDatabase(path=path, application_id=application)
    return version


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration], now_ms: int, schema: Schema = BOX
) -> None:
    """Bring the database to the newest schema, after a backup when it holds anything.

    Raises SchemaTooNew, MigrationFailed (nothing is changed), and what check_identity raises.
    """
    version = check_identity(connection, path, schema)
    if version > len(migrations):
        raise SchemaTooNew(path=path, found=version, known=len(migrations))
    due = migrations[version:]
    if due and version:
        backup = back_up(connection, path, f"before-{due[0].number:04d}-{now_ms}", due[0].number)
        _log.info("database_backed_up", backup=str(backup), schema=version)
    _apply_all(connection, path, due, schema)


def apply_due(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a copy of a database to the newest schema; without a backup, since it is one. Raises as migrate does."""
    _apply_all(connection, path, known_migrations()[check_identity(connection, path) :])


def back_up(connection: sqlite3.Connection, path: Path, mark: str, number: int) -> Path:
    """Write a whole, checked copy beside the database and return its path; the newest BACKUPS_KEPT stay.

    Raises MigrationFailed when there is no room, StoreCorrupt when the database cannot be read as a whole.
    """
    target = path.with_name(f"{path.name}.{mark}.bak")
    unfinished = target.with_name(target.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    try:
        connection.execute("VACUUM INTO ?", (str(unfinished),))
    except sqlite3.Error as error:
        unfinished.unlink(missing_ok=True)
        if primary_code(error) == sqlite3.SQLITE_CORRUPT:
            raise StoreCorrupt(path=path, detail=str(error)) from error
        raise MigrationFailed(path=path, number=number, detail=f"the backup before it failed: {error}") from error
    sync(unfinished)
    unfinished.rename(target)
    sync(target.parent)
    for old in sorted(path.parent.glob(f"{path.name}.before-*.bak"), key=_backup_time)[:-BACKUPS_KEPT]:
        old.unlink()
    return target


def _apply_all(connection: sqlite3.Connection, path: Path, due: Sequence[Migration], schema: Schema = BOX) -> None:
    for migration in due:
        _apply(connection, path, migration, schema)
        _log.info("database_migrated", migration=migration.name)


def _apply(connection: sqlite3.Connection, path: Path, migration: Migration, schema: Schema) -> None:
    # Off, because a table that is rebuilt would take its children's rows along; it cannot be changed in a transaction.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    statement = ""
    try:
        for statement in migration.statements:
            connection.execute(statement)
            reach(Failpoint.MIGRATION_STATEMENT)
        statement = "PRAGMA foreign_key_check"
        orphans = connection.execute(statement).fetchall()
        if orphans:
            raise MigrationFailed(path=path, number=migration.number, detail=f"rows without parents: {orphans[:3]}")
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {migration.number}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        detail = f"{error} (in: {' '.join(_without_comments(statement).split())[:80]})"
        raise MigrationFailed(path=path, number=migration.number, detail=detail) from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys = ON")


def _without_comments(statement: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", statement, flags=re.DOTALL).strip()


def _backup_time(backup: Path) -> int:
    return int(backup.name.rsplit("-", 1)[1].removesuffix(".bak"))
