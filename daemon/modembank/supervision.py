"""Children in restart loops: one that fails is started again and never disturbs its siblings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection

import msgspec
import structlog

_log = structlog.get_logger()


class RestartPolicy(msgspec.Struct, frozen=True):
    """How long to wait before a failed child starts again: doubling from ``first_s`` to ``most_s``, with jitter.

    A child that lived ``settled_s`` seconds counts as healthy again and starts from ``first_s``.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    settled_s: float = 60.0


class Supervisor:
    """Owns named children; each runs until it returns, and again after it raised."""

    def __init__(self) -> None:
        """Start with no children."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, child: Callable[[], Awaitable[None]], policy: RestartPolicy = RestartPolicy()) -> None:
        """Run ``child()`` under ``policy``; a child of that name that still runs is a programming error."""
        if name in self._tasks:
            message = f"a child named {name} is running"
            raise RuntimeError(message)
        task = asyncio.create_task(_keep_running(name, child, policy), name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._forget(name, done))

    async def stop(self, name: str, within_s: float = 5.0) -> bool:
        """Cancel one child and wait for it; return whether it ended in time."""
        task = self._tasks.get(name)
        return True if task is None else await _end([task], within_s)

    async def wait_for(self, names: Collection[str], within_s: float) -> None:
        """Wait until these children have ended by themselves, for so long at most."""
        tasks = [task for name, task in self._tasks.items() if name in names]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    async def stop_all(self, within_s: float = 5.0) -> bool:
        """Cancel every child and wait; return whether all ended in time."""
        return await _end(list(self._tasks.values()), within_s)

    def names(self) -> tuple[str, ...]:
        """Return the names of the children that run now."""
        return tuple(self._tasks)

    def _forget(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name]


async def _end(tasks: list[asyncio.Task[None]], within_s: float) -> bool:
    for task in tasks:
        task.cancel()
    if not tasks:
        return True
    _, pending = await asyncio.wait(tasks, timeout=within_s)
    for task in pending:
        _log.error("child_did_not_end", child=task.get_name(), within_s=within_s)
    return not pending


async def _keep_running(name: str, child: Callable[[], Awaitable[None]], policy: RestartPolicy) -> None:
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await child()
        except Exception as error:  # noqa: BLE001 - a named boundary: a supervised child
            if loop.time() - started >= policy.settled_s:
                failures = 0
            wait_s = min(policy.most_s, policy.first_s * 2**failures) * random.uniform(0.75, 1.25)
            level = _log.warning if failures == 0 else _log.info
            level("child_failed", child=name, error=repr(error), restart_in_s=round(wait_s, 2), exc_info=failures == 0)
            failures += 1
            await asyncio.sleep(wait_s)
        else:
            return
