"""Processes of one hub at one server: LISTEN and NOTIFY between them, and an advisory lock that one of them holds."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import structlog

from modembank.store import StoreError
from modembank_hub.postgres.driver import Line, Target
from modembank_hub.postgres.schema import LEADER, LOCKS
from modembank_hub.sharing import Receive

LOOK_S = 1.0
"""Between two tries to lead."""
_FIRST_WAIT_S, _MOST_WAIT_S = 0.5, 4.0
_CHANNEL = "modembank_hub"
_MOST_OCTETS = 7_900
"""Of one notification (postgresql.org/docs/15/sql-notify.html: fewer than 8000)."""
_MOST_WAITING = 10_000
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(tuple[str, str, Any]).decode
_log = structlog.get_logger()


class Together:
    """This process and the others."""

    shared = True

    def __init__(self, target: Target) -> None:
        """Follow, and hear nobody, before ``listen``."""
        self._target = target
        self._name = secrets.token_hex(6)
        self._receivers: dict[str, list[Receive]] = defaultdict(list)
        self._waiting: list[str] = []
        self._news = asyncio.Event()
        self.leads, self.follows = asyncio.Event(), asyncio.Event()
        self.follows.set()

    def tell(self, what: str, told: object) -> None:
        """Tell the others, soon; a list that is too long for one notification goes in parts."""
        said = _encode((self._name, what, told)).decode()
        if len(said.encode()) > _MOST_OCTETS and isinstance(told, list) and len(told) > 1:
            self.tell(what, told[: len(told) // 2])
            self.tell(what, told[len(told) // 2 :])
        elif said not in self._waiting[-8:] and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(said)
            self._news.set()

    def on(self, what: str, receive: Receive) -> None:
        """Call ``receive`` with what another process tells."""
        self._receivers[what].append(receive)

    async def listen(self) -> None:
        """Hear the others, and lead when nobody does, for ever; connects again by itself."""
        await self._keep("hub_hears_nobody", self._listen)

    async def speak(self) -> None:
        """Tell what there is to tell, for ever; connects again by itself."""
        await self._keep("hub_tells_nobody", self._speak)

    async def _keep(self, event: str, serve: Callable[[], Awaitable[None]]) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            began = time.monotonic()
            try:
                await serve()
            except StoreError as error:
                if time.monotonic() - began > _MOST_WAIT_S:
                    wait_s = _FIRST_WAIT_S
                (_log.warning if wait_s == _FIRST_WAIT_S else _log.info)(event, why=str(error))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _MOST_WAIT_S)

    async def _listen(self) -> None:
        async with _line(self._target) as line:
            await line.fetch(f"LISTEN {_CHANNEL}")
            try:
                while True:
                    if not self.leads.is_set():
                        await self._try_to_lead(line)
                    for said in await line.heard(LOOK_S):
                        self._hear(said)
            finally:
                if self.leads.is_set():
                    _log.warning("hub_leads_no_more")
                self.leads.clear()
                self.follows.set()

    async def _speak(self) -> None:
        async with _line(self._target) as line:
            while True:
                await self._news.wait()
                self._news.clear()
                said, self._waiting = self._waiting, []
                sql = "SELECT pg_notify($1, told) FROM unnest(CAST($2 AS text[])) AS told"
                await line.fetch(sql, (_CHANNEL, said))

    async def _try_to_lead(self, line: Line) -> None:
        ((mine,),) = await line.fetch(f"SELECT pg_try_advisory_lock({LOCKS}, {LEADER})")
        if mine:
            _log.info("hub_leads")
            self.follows.clear()
            self.leads.set()

    def _hear(self, said: str) -> None:
        try:
            name, what, told = _decode(said)
        except msgspec.MsgspecError:
            _log.warning("hub_told_something_strange")
            return
        if name != self._name:
            for receive in self._receivers[what]:
                receive(told)


@contextlib.asynccontextmanager
async def _line(target: Target) -> AsyncIterator[Line]:
    """Hold a connection inside the block; what it raises is a StoreError."""
    line = await Line.open(target)
    try:
        yield line
    except sqlite3.Error as error:
        raise StoreError(detail=str(error)) from error
    finally:
        await line.close()
