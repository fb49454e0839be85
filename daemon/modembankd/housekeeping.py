"""Rare chores, each a named loop of its own under the supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from modembank.supervision import Supervisor


class Chore(msgspec.Struct, frozen=True):
    """Something to do every ``every_s`` seconds, the first time ``first_s`` seconds after the start."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]
    first_s: float = 5.0


def start_chores(supervisor: Supervisor, chores: tuple[Chore, ...]) -> None:
    """Start each chore in a loop of its own."""
    for chore in chores:
        supervisor.start(f"chore.{chore.name}", _loop_of(chore))


def _loop_of(chore: Chore) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        await asyncio.sleep(chore.first_s)
        while True:
            await chore.run()
            await asyncio.sleep(chore.every_s)

    return loop
