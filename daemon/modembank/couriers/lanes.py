"""Several posts at once, and in order what is told of one thing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import TypeVar

P = TypeVar("P")


async def in_lanes(
    posts: Iterable[P], lane_of: Callable[[P], Hashable], tell: Callable[[P], Awaitable[None]], most: int
) -> None:
    """Tell all, at most ``most`` at once; of one lane each after the one before."""
    lanes: dict[Hashable, list[P]] = {}
    for post in posts:
        lanes.setdefault(lane_of(post), []).append(post)
    slots = asyncio.Semaphore(most)

    async def walk(lane: Sequence[P]) -> None:
        for post in lane:
            async with slots:
                await tell(post)

    async with asyncio.TaskGroup() as group:
        for lane in lanes.values():
            group.create_task(walk(lane), name="courier.post")
