"""What a backup says of itself: one row of its own table ``box``."""

from __future__ import annotations

import sqlite3
from importlib import metadata

import msgspec

from modembank.errors import ModembankError

_NAME = "backup"
_PINS = "failed_pins"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Where, when and by what a backup was made, and how much is in it."""

    made_at: int
    """Unix milliseconds: everything committed before is in it, nothing after."""
    box: str
    """The name of the box, ``[box] id``."""
    release: str
    schema: int
    epoch: int
    messages: int
    waiting: int
    """Of them: not sent yet."""
    inbox: int
    users: int


class NoManifest(ModembankError):
    """The row is there, but it is not to be understood."""

    key = "no_manifest"
    template = "its manifest cannot be read: {detail}"


def release() -> str:
    """Return the number of this release."""
    return metadata.version("modembank")


def describe(conn: sqlite3.Connection, box: str, made_at: int) -> Manifest:
    """Return the manifest of a database."""

    def one(query: str) -> int:
        found = conn.execute(query).fetchone()
        return 0 if found is None else int(found[0])

    return Manifest(
        made_at=made_at,
        box=box,
        release=release(),
        schema=one("PRAGMA user_version"),
        epoch=one("SELECT value FROM box WHERE name = 'epoch'"),
        messages=one("SELECT count(*) FROM messages"),
        waiting=one("SELECT count(*) FROM messages WHERE ready IS NOT NULL"),
        inbox=one("SELECT count(*) FROM inbox"),
        users=one("SELECT count(*) FROM users"),
    )


def write_manifest(conn: sqlite3.Connection, manifest: Manifest, failed_pins: list[str]) -> None:
    """Make a copy of a database a backup; ``failed_pins`` are digests (modembank.modem.pin)."""
    _put(conn, _NAME, manifest)
    _put(conn, _PINS, failed_pins)


def read_manifest(conn: sqlite3.Connection) -> Manifest | None:
    """Return the manifest, None when it is just a database; raises NoManifest."""
    row = conn.execute("SELECT value FROM box WHERE name = ?", (_NAME,)).fetchone()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row[0], type=Manifest)
    except msgspec.MsgspecError as error:
        raise NoManifest(detail=str(error)) from error


def take_failed_pins(conn: sqlite3.Connection) -> list[str]:
    """Return the digests of PINs that failed, and make the backup a plain database again."""
    row = conn.execute("SELECT value FROM box WHERE name = ?", (_PINS,)).fetchone()
    conn.execute("DELETE FROM box WHERE name IN (?, ?)", (_NAME, _PINS))
    return [] if row is None else msgspec.json.decode(row[0], type=list[str])


def _put(conn: sqlite3.Connection, name: str, value: object) -> None:
    conn.execute(
        "INSERT OR REPLACE INTO box (name, value) VALUES (?, ?)", (name, msgspec.json.encode(value).decode("utf-8"))
    )
