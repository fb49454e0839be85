"""Whoever waits for something to happen: woken, counted, and never holding up whoever makes it happen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from modembank.eventlog.errors import TooManyFollowers, TooManyOfYours

MOST_FOLLOWERS = 64
MOST_OF_ONE = 8
"""Connections of one user."""


class Follower:
    """Wakes its owner when there may be something new."""

    def __init__(self, user_id: int | None) -> None:
        """Start asleep: the first look needs no waking."""
        self.user_id = user_id
        self._news = asyncio.Event()
        self.ended = False
        """Nothing more will be told: the box stops."""

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    def looks(self) -> None:
        """Say, before reading, that what comes from now on is news."""
        self._news.clear()

    async def wait(self, most_s: float) -> None:
        """Return when there may be news, or after ``most_s`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._news.wait()


class Followers:
    """All who follow."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._followers: set[Follower] = set()
        self._stopped = False
        self.pulse = 0
        """Counts what happened: whoever knows another number has missed something."""

    def stop(self) -> None:
        """End all following."""
        self._stopped = True
        for follower in self._followers:
            follower.ended = True
        self.wake()

    def wake(self) -> None:
        """Let followers look."""
        self.pulse += 1
        for follower in self._followers:
            follower.wake()

    @contextlib.contextmanager
    def follow(self, user_id: int | None = None) -> Iterator[Follower]:
        """Be woken inside the block. Connections from outside name their user, and are counted.

        Raises TooManyOfYours, TooManyFollowers.
        """
        if user_id is not None:
            self._check_room(user_id)
        follower = Follower(user_id)
        follower.ended = self._stopped
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def _check_room(self, user_id: int) -> None:
        if self._stopped:
            raise TooManyFollowers(why="the box is stopping; try again")
        counted = [follower.user_id for follower in self._followers if follower.user_id is not None]
        if counted.count(user_id) >= MOST_OF_ONE:
            raise TooManyOfYours(most=MOST_OF_ONE)
        if len(counted) >= MOST_FOLLOWERS:
            raise TooManyFollowers(why=f"at most {MOST_FOLLOWERS} connections follow the events at once; try again")
