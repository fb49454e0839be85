"""Checks of whole files before anything is made of them: in the background, one at a time, for whoever waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.events import MailingChanged
from modembank.mailings.importing import Importing
from modembank.mailings.model import KEPT_ROWS, Found, Layout, Row
from modembank.mailings.reading import UnreadableFile
from modembank.supervision import Supervisor

_BLOCK = 1 << 20


class Check(msgspec.Struct):
    """How far one is, and what it found."""

    layout: Layout
    """What is checked: another layout is another check."""
    waits: bool = True
    """Another one runs before it."""
    rows: int = 0
    """That were looked at."""
    of: int | None = None
    """About how many there are; None when nobody knows."""
    found: Found | None = None
    """At the end."""
    problem: str | None = None
    """Why the file cannot be read: a sentence about it."""
    refused: list[tuple[int, str, str]] = msgspec.field(default_factory=list)
    """Line, number as written, reason: the first of them."""

    @property
    def over(self) -> bool:
        """Whether nothing more will change."""
        return self.found is not None or self.problem is not None


class Checks:
    """The checks of all drafts, by the draft's id."""

    def __init__(self, bus: Bus, clock: Clock, importing: Importing) -> None:
        """Use these."""
        self._bus = bus
        self._clock = clock
        self._importing = importing
        self._children = Supervisor()
        self._turn = asyncio.Lock()
        self._checks: dict[str, Check] = {}

    async def of(self, draft: str, user_id: int, path: Path, layout: Layout) -> Check:
        """Return the check of a draft's file as it is to be read; it begins when there is none."""
        check = self._checks.get(draft)
        if check is None or check.layout != layout:
            await self.forget(draft)
            check = self._checks[draft] = Check(layout)
            self._children.start(_named(draft), _Run(self, check, user_id, path, layout))
        return check

    def over(self, draft: str) -> tuple[Layout, Found] | None:
        """Return what the check of a draft found, and in what layout; None unless it is over."""
        check = self._checks.get(draft)
        return None if check is None or check.found is None else (check.layout, check.found)

    async def forget(self, draft: str) -> None:
        """End the check of a draft, and what it found."""
        if self._checks.pop(draft, None) is not None:
            await self._children.stop(_named(draft))

    async def stop(self) -> None:
        """End all of them."""
        await self._children.stop_all()
        self._checks.clear()

    async def run(self, check: Check, user_id: int, path: Path, layout: Layout) -> None:
        """Carry one out when its turn comes."""

        def seen(rows: int, refused: Sequence[Row]) -> None:
            check.rows += rows
            room = KEPT_ROWS - len(check.refused)
            check.refused += [(row.line, row.written, row.reason) for row in refused][:room]
            self._tell(user_id)

        async with self._turn:
            check.waits, check.rows = False, 0
            check.refused.clear()
            try:
                if layout.kind == "csv":
                    check.of = max(await asyncio.to_thread(_lines, path) - layout.header_rows, 1)
                check.found = await self._importing.check(path, layout, seen)
            except UnreadableFile as error:
                check.problem = str(error)
            except FileNotFoundError:
                check.problem = "the file is gone: upload it again"
        self._tell(user_id)

    def _tell(self, user_id: int) -> None:
        self._bus.publish(MailingChanged(to_ms(self._clock.now()), user_id))


class _Run(msgspec.Struct, frozen=True):
    checks: Checks
    check: Check
    user_id: int
    path: Path
    layout: Layout

    async def __call__(self) -> None:
        await self.checks.run(self.check, self.user_id, self.path, self.layout)


def _named(draft: str) -> str:
    return f"mailings.check.{draft}"


def _lines(path: Path) -> int:
    """Return how many lines a file has, by its line feeds; a quoted one counts too, so it is about that many rows."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            count += block.count(b"\n")
            last = block
    return count + (not last.rstrip(b"\0").endswith(b"\n"))
