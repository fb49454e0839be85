"""The rows of the fleet's tables."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from modembank.eventlog import log
from modembank.fleet.model import Life

Stream: TypeAlias = Literal["ev", "res"]
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_JOURNALLED = (
    "id, signed, verb, digest, issuer, args, issued_at, ends_at, received_at, state, code, data FROM fleet_commands"
)


class Result(NamedTuple):
    """What became of a command, as it is told."""

    seq: int
    at: int
    command: str
    verb: str
    state: str
    code: str
    data: str


class Journalled(msgspec.Struct, frozen=True):
    """A command that was taken."""

    id: str
    signed: bool
    verb: str
    digest: bytes
    issuer: str
    args: str
    issued_at: float
    ends_at: float
    received_at: int
    state: str
    code: str = ""
    data: str = "{}"


def begin(conn: sqlite3.Connection, store_epoch: int) -> Life:
    """Count a start of the daemon; in another generation of the database a new epoch begins where the hub was."""
    row = conn.execute("SELECT store_epoch FROM fleet_life").fetchone()
    epoch = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    if row is None:
        after = log.latest(conn)
        conn.execute(
            "INSERT INTO fleet_life (id, epoch, store_epoch, starts, secret, ev_base, ev_acked, res_base, res_acked)"
            " VALUES (1, ?, ?, 0, ?, ?, ?, 1, 0)",
            (epoch, store_epoch, secrets.token_bytes(32), after + 1, after),
        )
    elif row[0] != store_epoch:
        conn.execute(  # what a backup holds of commands under way was for the life before
            "UPDATE fleet_commands SET state = 'unknown', code = 'stale_epoch' WHERE state IN ('accepted', 'running')"
        )
        conn.execute(
            "UPDATE fleet_life SET epoch = ?, store_epoch = ?, starts = 0, ev_base = ev_acked + 1,"
            " res_base = res_acked + 1",
            (epoch, store_epoch),
        )
    conn.execute("UPDATE fleet_life SET starts = starts + 1")
    return Life(*conn.execute("SELECT epoch, starts, secret, ev_base, res_base FROM fleet_life").fetchone())


def acked(conn: sqlite3.Connection) -> dict[Stream, int]:
    """Return up to where the hub has each stream; nothing where no hub was ever set up."""
    row = conn.execute("SELECT ev_acked, res_acked FROM fleet_life").fetchone()
    return {} if row is None else {"ev": row[0], "res": row[1]}


def newest(conn: sqlite3.Connection) -> dict[Stream, int]:
    """Return the last number of each stream."""
    row = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'fleet_results'").fetchone()
    return {"ev": log.latest(conn), "res": row[0] if row else 0}


def acknowledge(conn: sqlite3.Connection, wanted: Mapping[Stream, int], now: int) -> dict[Stream, int] | None:
    """Note what the hub has, and return it; None when it speaks of what never was. It never goes back."""
    last, known = newest(conn), acked(conn)
    if any(seq > last[stream] for stream, seq in wanted.items()):
        return None
    new: dict[Stream, int] = {stream: max(seq, wanted.get(stream, 0)) for stream, seq in known.items()}
    conn.execute("UPDATE fleet_life SET ev_acked = ?, res_acked = ?, acked_at = ?", (new["ev"], new["res"], now))
    conn.execute("DELETE FROM fleet_results WHERE seq <= ?", (new["res"],))
    return new


def waiting(conn: sqlite3.Connection) -> tuple[int, int, int | None, int | None]:
    """Return how many events and results wait for the hub, since when the oldest, and when it acknowledged last."""
    row = conn.execute("SELECT ev_acked, acked_at FROM fleet_life").fetchone()
    if row is None:
        return 0, 0, None, None
    results, oldest_result = conn.execute("SELECT count(*), min(at) FROM fleet_results").fetchone()
    oldest = conn.execute("SELECT at FROM event_log WHERE id > ? ORDER BY id LIMIT 1", (row[0],)).fetchone()
    times = [at for at in (oldest_result, oldest[0] if oldest else None) if at is not None]
    return max(log.latest(conn) - row[0], 0), results, min(times, default=None), row[1]


def results_after(conn: sqlite3.Connection, after: int, limit: int) -> list[Result]:
    """Return results in order."""
    rows = conn.execute(
        "SELECT seq, at, command, verb, state, code, data FROM fleet_results WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [Result(*row) for row in rows]


def tell(conn: sqlite3.Connection, taken: Journalled, now: int) -> None:
    """Add for the hub how a command stands."""
    conn.execute(
        "INSERT INTO fleet_results (at, command, verb, state, code, data) VALUES (?, ?, ?, ?, ?, ?)",
        (now, taken.id, taken.verb, taken.state, taken.code, taken.data),
    )


def tell_of(conn: sqlite3.Connection, told: Result) -> int:
    """Add for the hub how something else than a command stands, under a number of its own, which is returned."""
    added = conn.execute(
        "INSERT INTO fleet_results (at, command, verb, state, code, data) VALUES (?, ?, ?, ?, ?, ?)",
        told[1:],
    )
    return int(added.lastrowid or 0)


# -- the journal of commands


def find(conn: sqlite3.Connection, command: str, *, signed: bool) -> Journalled | None:
    """Return a command that was taken before."""
    row = conn.execute(f"SELECT {_JOURNALLED} WHERE id = ? AND signed = ?", (command, signed)).fetchone()
    return None if row is None else _journalled(row)


def unfinished(conn: sqlite3.Connection) -> list[Journalled]:
    """Return commands without an end, the oldest first."""
    rows = conn.execute(f"SELECT {_JOURNALLED} WHERE state IN ('accepted', 'running') ORDER BY received_at, id")
    return [_journalled(row) for row in rows]


def journal(conn: sqlite3.Connection, taken: Journalled) -> None:
    """Keep a command, and tell the hub how it stands."""
    conn.execute(
        "INSERT INTO fleet_commands (id, signed, verb, digest, issuer, args, issued_at, ends_at, received_at, state,"
        " code, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            taken.id, taken.signed, taken.verb, taken.digest, taken.issuer, taken.args, taken.issued_at, taken.ends_at,
            taken.received_at, taken.state, taken.code, taken.data,
        ),
    )  # fmt: skip
    tell(conn, taken, taken.received_at)


def move(conn: sqlite3.Connection, taken: Journalled, now: int) -> None:
    """Note how a command stands now, and tell the hub."""
    conn.execute(
        "UPDATE fleet_commands SET state = ?, code = ?, data = ? WHERE id = ? AND signed = ?",
        (taken.state, taken.code, taken.data, taken.id, taken.signed),
    )
    tell(conn, taken, now)


def horizon(conn: sqlite3.Connection) -> float:
    """Return up to which time of issue (unix seconds) commands were forgotten."""
    row = conn.execute("SELECT horizon FROM fleet_life").fetchone()
    return row[0] if row else 0.0


def forget(conn: sqlite3.Connection, before: int) -> int:
    """Forget ended commands received before (unix ms), and remember that; return how many."""
    old = "state NOT IN ('accepted', 'running') AND received_at < ?"
    newest = f"SELECT COALESCE(max(issued_at), 0) FROM fleet_commands WHERE signed AND {old}"  # noqa: S608 - ours
    conn.execute(f"UPDATE fleet_life SET horizon = max(horizon, ({newest}))", (before,))  # noqa: S608 - ours
    return conn.execute(f"DELETE FROM fleet_commands WHERE {old}", (before,)).rowcount  # noqa: S608 - ours


def _journalled(row: tuple[Any, ...]) -> Journalled:
    return Journalled(row[0], bool(row[1]), *row[2:])
