"""Routes: which SIMs a message may leave through, interned as rows so that a message carries one small number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from modembank.messages.model import Stage

ANY = "{}"
"""Through any SIM."""


class KnownSim(Protocol):
    """What a request may name a SIM by."""

    @property
    def id(self) -> int:
        """Row id."""

    @property
    def iccid(self) -> str:
        """ICCID, or ``imsi:…`` where the modem cannot tell it."""

    @property
    def label(self) -> str:
        """The name people gave it; SIMs with the same label are a pool."""

    @property
    def slot(self) -> str | None:
        """Where it was last seen."""


class SimDirectory(Protocol):
    """All SIMs the box has ever seen, in memory; the SIM registry is one."""

    def all(self) -> Iterable[KnownSim]:
        """Return every SIM."""


def sims_spec(sims: Iterable[int]) -> str:
    """Return the canonical spec of these SIMs (row ids)."""
    return msgspec.json.encode({"sims": sorted(set(sims))}).decode()


def pool_spec(label: str) -> str:
    """Return the canonical spec of the SIMs with this label, whichever they are when the message is sent."""
    return msgspec.json.encode({"pool": label}).decode()


def channel_spec(channel: str) -> str:
    """Return the canonical spec of whoever carries a channel."""
    return ANY if channel == "sms" else msgspec.json.encode({"channel": channel}).decode()


def staged_spec(channel: str, stages: Sequence[Stage]) -> str:
    """Return the canonical spec of those that take a message in order."""
    spec: dict[str, object] = {} if channel == "sms" else {"channel": channel}
    return msgspec.json.encode(spec | {"stages": stages}).decode()


def intern_route(conn: sqlite3.Connection, spec: str) -> int:
    """Return the id of the route with this spec, creating its row when new; runs inside a write."""
    row = conn.execute("SELECT id FROM routes WHERE spec = ?", (spec,)).fetchone()
    if row is None:
        row = conn.execute("INSERT INTO routes (spec) VALUES (?) RETURNING id", (spec,)).fetchone()
    return int(row[0])


class SimNames:
    """Resolves the names of a request against the directory."""

    def __init__(self, directory: SimDirectory) -> None:
        """Look names up in this directory, live."""
        self._directory = directory

    def one(self, name: str) -> tuple[int, ...]:
        """Return the SIMs meant by one SIM's name: by ICCID, else by slot, else all with that label."""
        known = tuple(self._directory.all())
        for same in (
            [sim.id for sim in known if sim.iccid == name],
            [sim.id for sim in known if sim.slot == name],
            [sim.id for sim in known if sim.label == name],
        ):
            if name and same:
                return tuple(same)
        return ()

    def is_pool(self, label: str) -> bool:
        """Whether any SIM has the label."""
        return bool(label) and any(sim.label == label for sim in self._directory.all())
