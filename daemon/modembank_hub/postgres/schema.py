"""The schema's versions at PostgreSQL: whole at one number, and numbered steps from there on, as SQLite has them."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources

import msgspec
import structlog

from modembank.failpoints import Failpoint, reach
from modembank.store import MigrationFailed, SchemaTooNew
from modembank_hub.postgres.driver import Connection, Target
from modembank_hub.postgres.errors import Lost, NotOurs

LOCKS = 0x4D424855
"""'MBHU': the first number of every advisory lock of the hub's."""
WHOLE, LEADER, SCHEMA, LANE = 0, 1, 2, 100
"""The second: the whole database, who leads, who migrates; a lane's is LANE and its own."""
VERSION_NOTE = "hub_schema"
"""The name in table box under which the schema's number is kept."""
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_log = structlog.get_logger()


class Step(msgspec.Struct, frozen=True):
    """A script that brings the database to a number; the first one from nothing."""

    number: int
    name: str
    script: str


def known_steps() -> tuple[Step, ...]:
    """Return the scripts of this release in order; the numbers of all but the first are one more than before."""
    folder = resources.files("modembank_hub.postgres") / "migrations"
    found = [
        Step(int(match[1]), entry.name, entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _NAME.fullmatch(entry.name))
    ]
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(found[0].number, found[0].number + len(found))):
        message = f"the steps are not numbered without gaps: {[step.name for step in found]}"
        raise RuntimeError(message)
    return tuple(found)


def version_of(conn: Connection, target: Target) -> int:
    """Return the number of the schema that is there (0: an empty database); raises NotOurs, sqlite3.Error."""
    tables = {
        row[0] for row in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
    }
    if not tables:
        return 0
    row = None
    if "box" in tables:
        row = conn.execute("SELECT value FROM box WHERE name = ?", (VERSION_NOTE,)).fetchone()
    if row is None:
        raise NotOurs(server=target.name)
    return int(row[0])


def check(conn: Connection, target: Target) -> None:
    """Raise SchemaTooNew where a newer release has been at work, and NotOurs."""
    found, known = version_of(conn, target), known_steps()[-1].number
    if found > known:
        raise SchemaTooNew(path=target.name, found=found, known=known)


def migrate(conn: Connection, target: Target) -> None:
    """Bring the database to the newest schema, each step as a whole; one process does, and others wait for it.

    Raises SchemaTooNew, NotOurs, MigrationFailed (nothing is changed), sqlite3.Error (the connection is lost).
    """
    conn.execute("SELECT pg_advisory_lock(CAST(? AS INTEGER), CAST(? AS INTEGER))", (LOCKS, SCHEMA))
    try:
        check(conn, target)
        found = version_of(conn, target)
        for step in known_steps():
            if step.number > found:
                _apply(conn, target, step)
                _log.info("database_migrated", migration=step.name, server=target.name)
    finally:
        if not conn.lost:
            conn.execute("SELECT pg_advisory_unlock(CAST(? AS INTEGER), CAST(? AS INTEGER))", (LOCKS, SCHEMA))


def _apply(conn: Connection, target: Target, step: Step) -> None:
    conn.execute("BEGIN")
    try:
        conn.execute(step.script)
        reach(Failpoint.MIGRATION_STATEMENT)
        conn.execute(
            "INSERT INTO box (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (VERSION_NOTE, str(step.number)),
        )
        conn.execute("COMMIT")
    except Lost:
        raise
    except sqlite3.Error as error:
        conn.execute("ROLLBACK")
        raise MigrationFailed(path=target.name, number=step.number, detail=str(error)) from error
