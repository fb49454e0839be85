"""Accounts over a real store with a clock that is turned by hand, and passwords that cost next to nothing to hash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import argon2

from modembank.accounts import LOCAL_ADMIN, Accounts, Role
from modembank.store import Store

GOOD = "teapot-gravel-october-lantern"
"""Ann's password."""
OTHER = "quilt harbour nine ladders"
ADDRESS = "192.0.2.7"


class HandClock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_795_000_000.0, 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def turn(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    @property
    def ms(self) -> int:
        return round(self.wall * 1000)


def make_cheap(accounts: Accounts) -> Accounts:
    """Let the service hash with the least work that argon2 allows, the comparison for nobody included."""
    accounts._passwords._hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts._passwords._nobody = accounts._passwords._hasher.hash("nobody's")
    return accounts


@asynccontextmanager
async def guarded(path: Path, clock: HandClock) -> AsyncIterator[Accounts]:
    """Yield accounts over the database at a path; new ones have the admin ada and the sender ann, with passwords."""
    store = await Store.open(path)
    try:
        accounts = make_cheap(Accounts(store, clock))
        if not await accounts.users(LOCAL_ADMIN):
            await accounts.add_user(LOCAL_ADMIN, "ada", Role.ADMIN, OTHER)
            await accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER, GOOD)
        yield accounts
    finally:
        await store.close()


def octets_in(folder: Path) -> bytes:
    """Everything that lies in a folder's files."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
