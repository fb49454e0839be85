"""The rows of the configuration that the hub sets: how far the newest is, and which keys are the hub's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

State: TypeAlias = Literal[
    "staged", "applying", "trial", "rejecting", "rolling_back", "applied", "rejected", "rolled_back"
]
SETTLED: frozenset[State] = frozenset({"applied", "rejected", "rolled_back"})
"""States in which nothing is under way: what is in force is the last good one."""
Value: TypeAlias = str | bool | float | None
_COLUMNS = "ver, hash, doc, issuer, state, errors, good_ver, good_doc"


class Shadow(msgspec.Struct, frozen=True):
    """The newest configuration that was taken, and the last good one."""

    ver: int = 0
    hash: str = ""
    doc: str = "{}"
    issuer: str = ""
    state: State = "applied"
    errors: str = "[]"
    good_ver: int = 0
    good_doc: str = "{}"

    @property
    def told(self) -> Literal["pending", "applied", "rejected", "rolled_back"]:
        """What became of it, in one word."""
        return self.state if self.state in {"applied", "rejected", "rolled_back"} else "pending"

    @property
    def in_force(self) -> tuple[int, str]:
        """The version and the document that hold now, or are on trial."""
        return (self.ver, self.doc) if self.state in {"applying", "trial"} else (self.good_ver, self.good_doc)


class Owned(NamedTuple):
    """A key of a SIM that is the hub's."""

    sim: int
    key: str
    site: Value
    """What the site had."""
    wanted: tuple[Value] | None = None
    """What the site wants instead."""
    wanted_ver: int = 0


def load(conn: sqlite3.Connection) -> Shadow:
    """Return how it stands; version 0 where there never was one."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM fleet_shadow").fetchone()  # noqa: S608 - our own columns
    return Shadow() if row is None else Shadow(*row)


def keep(conn: sqlite3.Connection, shadow: Shadow) -> None:
    """Write down how it stands."""
    conn.execute(
        f"INSERT OR REPLACE INTO fleet_shadow (id, {_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            shadow.ver, shadow.hash, shadow.doc, shadow.issuer, shadow.state, shadow.errors, shadow.good_ver,
            shadow.good_doc,
        ),
    )  # fmt: skip


def owned(conn: sqlite3.Connection) -> list[Owned]:
    """Return every key that is the hub's."""
    rows = conn.execute("SELECT sim, key, site, wanted, wanted_ver FROM fleet_owned ORDER BY sim, key")
    return [
        Owned(sim, key, json.loads(site), None if wanted is None else (json.loads(wanted),), ver)
        for sim, key, site, wanted, ver in rows
    ]


def own(conn: sqlite3.Connection, sim: int, site: Mapping[str, Value]) -> None:
    """Make keys the hub's; what the site had is kept for it."""
    conn.executemany(
        "INSERT OR IGNORE INTO fleet_owned (sim, key, site) VALUES (?, ?, ?)",
        [(sim, key, json.dumps(value)) for key, value in site.items()],
    )


def release(conn: sqlite3.Connection, keys: Iterable[tuple[int, str]]) -> None:
    """Make keys the site's again."""
    conn.executemany("DELETE FROM fleet_owned WHERE sim = ? AND key = ?", list(keys))


def want(conn: sqlite3.Connection, sim: int, key: str, value: Value, ver: int) -> bool:
    """Note what the site wants of a key; return whether that is new."""
    text = json.dumps(value)
    changed = conn.execute(
        "UPDATE fleet_owned SET wanted = ?3, wanted_ver = ?4 WHERE sim = ?1 AND key = ?2"
        " AND (wanted IS NOT ?3 OR wanted_ver < ?4)",
        (sim, key, text, ver),
    )
    return changed.rowcount > 0


def want_no_more(conn: sqlite3.Connection, sim: int, keys: Iterable[str]) -> None:
    """The site wants what the hub does."""
    conn.executemany("UPDATE fleet_owned SET wanted = NULL WHERE sim = ? AND key = ?", [(sim, key) for key in keys])


def answered(conn: sqlite3.Connection, ver: int) -> None:
    """Forget what the site wanted before a version: that is the hub's answer."""
    conn.execute("UPDATE fleet_owned SET wanted = NULL WHERE wanted IS NOT NULL AND wanted_ver < ?", (ver,))
