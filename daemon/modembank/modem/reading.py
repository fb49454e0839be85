"""Reading and emptying a modem's memories: read, make durable, delete, in that order and never another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import structlog

from modembank.at import AtCommand, AtResult, FinalStatus, command, parse_cmgl, parse_cmgr, parse_cpms, pdu_fits
from modembank.failpoints import Failpoint, reach
from modembank.modem.capabilities import Capabilities, Feature
from modembank.modem.channel import AtChannel
from modembank.modem.inbound import InboundSink
from modembank.modem.memories import EMPTY_CMS, LIST_ALL, select
from modembank.modem.place import Standing
from modembank.modem.troubles import NoReply

_log = structlog.get_logger()
WARN_AT = 0.7
"""From this share on a memory counts as filling up: reception stops without a word when it is full."""
_RECEIVED = frozenset({0, 1, None})
"""Unread and read; 2 and 3 are somebody's drafts (3GPP TS 27.005 3.1)."""
_ONE_BY_ONE_LIMIT = 512
_READINGS = 4
"""Of one slot whose PDU is not there or does not have the length that its header declares."""


class Storage(msgspec.Struct, frozen=True):
    """Fill of one memory when last looked at."""

    memory: str
    used: int
    total: int

    @property
    def filling(self) -> bool:
        """Whether it is at least 70 % full."""
        return self.total > 0 and self.used >= WARN_AT * self.total


class Reader:
    """Reads one modem's memories; only one coroutine uses it at a time."""

    def __init__(
        self,
        channel: AtChannel,
        capabilities: Capabilities,
        standing: Standing,
        sink: InboundSink,
        between: Callable[[], Awaitable[None]],
    ) -> None:
        """Start with the preferred memory selected, as the initialisation left it.

        ``between`` is awaited after each message: a full memory takes long, and others may not wait for its end.
        """
        self._between = between
        self._channel = channel
        self._capabilities = capabilities
        self._standing = standing
        self._sink = sink
        self._selected = capabilities.preferred
        self._lists = not capabilities.lacks(Feature.LIST_PDUS)
        self.storage: dict[str, Storage] = {}
        self.taken = 0

    async def fetch(self, memory: str, index: int) -> bool:
        """Read, store and delete one slot; return whether there was a message.

        Raises what the sink raises when it could not make the PDU durable (the modem keeps its copy), and ChannelError.
        """
        if not await self._select(memory):
            return False
        return await self._fetch_selected(memory, index)

    async def sweep(self, memory: str) -> int:
        """Empty one memory; return how many messages were taken. Raises as ``fetch``."""
        if not await self._select(memory, refresh=True):
            return 0
        fill = self.storage.get(memory)
        if fill is not None and fill.used == 0:
            return 0
        if self._lists:
            listed = await self._ask(LIST_ALL)
            if listed is not None and (listed.ok or _is_empty(listed)):
                return await self._take_listed(memory, listed)
            self._lists = False
        return await self._one_by_one(memory, fill)

    async def back(self) -> None:
        """Select the preferred memory again."""
        preferred = self._capabilities.preferred
        if preferred is not None and self._selected != preferred:
            await self._select(preferred)

    async def _take_listed(self, memory: str, listed: AtResult) -> int:
        """Read by itself what a listing names.

        Where noise broke a header and the PDU before it, the listing has a PDU behind another's header: to take it for
        that one would be to delete a message that nobody read.
        """
        taken = 0
        for entry in map(parse_cmgl, listed.lines[::2]):
            if entry is not None and entry.index is not None and entry.stat in _RECEIVED:
                taken += await self._fetch_selected(memory, entry.index)
        return taken

    async def _one_by_one(self, memory: str, fill: Storage | None) -> int:
        """For modems that refuse CMGL=4 in PDU mode (EP06-A: text-mode words only); indexes start at 0 or at 1."""
        total, left = (fill.total, fill.used) if fill is not None else (50, None)
        taken = 0
        for index in range(min(total, _ONE_BY_ONE_LIMIT) + 1):
            if left is not None and taken >= left:
                break
            taken += await self._fetch_selected(memory, index)
        return taken

    async def _fetch_selected(self, memory: str, index: int) -> bool:
        order = command("+CMGR", index, prefix=("+CMGR:",), follows=True, timeout_s=10.0)
        before = ""
        for _ in range(_READINGS):
            result = await self._ask(order)
            if result is None or not result.ok or len(result.lines) < 2:
                return False
            entry, pdu = parse_cmgr(result.lines[0]), result.lines[1]
            length = entry.length if entry is not None else None
            if (entry is not None and entry.stat not in _RECEIVED) or (not pdu and not length):
                return False
            # What was broken on the line reads differently the next time; what lies there so reads the same.
            if pdu and (pdu_fits(pdu, length) or pdu == before):
                await self._keep(memory, index, pdu)
                return True
            before = pdu
        _log.warning("slot_unreadable", modem=self._standing.slot, memory=memory, index=index)
        return False

    async def _keep(self, memory: str, index: int, pdu: str) -> None:
        ledger_id = await self._sink.store(self._standing.stored(pdu, memory, index))
        self.taken += 1
        reach(Failpoint.INBOUND_STORED)
        # Only now: until the row is durable, the modem's copy is the only one.
        result = await self._ask(command("+CMGD", index, timeout_s=10.0))
        reach(Failpoint.INBOUND_DELETED)
        if result is not None and result.ok:
            await self._sink.deleted(ledger_id)
        else:
            _log.warning("delete_refused", modem=self._standing.slot, memory=memory, index=index)
        await self._between()

    async def _select(self, memory: str, *, refresh: bool = False) -> bool:
        if self._selected == memory and not refresh:
            return True
        order = select(memory)
        if self._capabilities.preferred is None and memory == self._selected:
            return True
        result = await self._ask(order)
        if result is None or not result.ok:
            # A modem that cannot choose has one memory only, and that one is selected.
            return self._capabilities.preferred is None
        self._selected = memory
        uses = parse_cpms(result.lines[0]) if result.lines else ()
        if uses:
            self.storage[memory] = Storage(memory, uses[0].used, uses[0].total)
        return True

    async def _ask(self, order: AtCommand) -> AtResult | None:
        try:
            return await self._channel.execute(order)
        except NoReply as silence:
            if silence.trouble is not None:
                raise
            _log.info("no_reply", modem=self._standing.slot, command=order.text.partition("=")[0])
            return None


def _is_empty(result: AtResult) -> bool:
    return result.status is FinalStatus.CMS_ERROR and result.code == EMPTY_CMS
