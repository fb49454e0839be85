"""Inbound messages and reports: announced places are read, direct ones acknowledged, forgotten ones swept up."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

import structlog

from modembank.at import AtCommand, Urc, UrcKind, command, parse_place
from modembank.errors import ModembankError
from modembank.failpoints import Failpoint, reach
from modembank.modem.capabilities import Capabilities
from modembank.modem.channel import AtChannel
from modembank.modem.inbound import InboundSink, RawInbound
from modembank.modem.place import Standing
from modembank.modem.quirks import Acknowledge, Quirks
from modembank.modem.reading import Reader
from modembank.modem.routing import setting
from modembank.modem.timings import Timings
from modembank.modem.troubles import NoReply

_log = structlog.get_logger()
_NOT_EXPECTED = 340
"""No +CNMA acknowledgement expected (3GPP TS 27.005 3.2.5)."""
_MOST_WAITING = 1024
_REST_S = 2.0
ANNOUNCED = frozenset({UrcKind.CMTI, UrcKind.CDSI, UrcKind.CMT, UrcKind.CDS, UrcKind.MEMORY_FULL})
"""The unsolicited codes that are for this module."""


class Receiving:
    """One modem's inbound side while its SIM is in service; ``run`` it as a task."""

    def __init__(
        self, channel: AtChannel, timings: Timings, capabilities: Capabilities, quirks: Quirks, *, standing: Standing,
        sink: InboundSink,
    ) -> None:  # fmt: skip
        """Start with a sweep due: what came while nobody listened lies in the memories."""
        self._channel = channel
        self._timings = timings
        self._capabilities = capabilities
        self._quirks = quirks
        self._standing = standing
        self._sink = sink
        self._acknowledges = capabilities.service == 1 and quirks.acknowledge is not Acknowledge.NEVER
        self._form = quirks.acknowledge
        self._direct: deque[RawInbound] = deque(maxlen=_MOST_WAITING)
        self._places: Counter[tuple[str, int]] = Counter()
        """What is to be read, with how often it was announced: a slot may be filled again before it is off the list."""
        self._sweeps = Counter(capabilities.memories)
        self._wake = asyncio.Event()
        self._wake.set()
        self._rested = asyncio.Event()
        self.reader = Reader(channel, capabilities, standing, sink, self._answer_direct)
        self.received = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is known to wait."""
        return not (self._direct or self._places or self._sweeps)

    def announce(self, urc: Urc) -> None:
        """Note an unsolicited code; never blocks."""
        match urc.kind:
            case UrcKind.CMT | UrcKind.CDS:
                if urc.pdu is not None:
                    self._direct.append(self._standing.direct(urc.pdu))
            case UrcKind.CMTI | UrcKind.CDSI:
                self._note_place(urc)
            case _:
                self.sweep_soon()
        self._wake.set()

    def sweep_soon(self) -> None:
        """Look through all memories as soon as sending leaves room."""
        self._sweeps.update(self._capabilities.memories)
        self._wake.set()

    async def sweep_now(self) -> int:
        """Look through all memories; return how many messages were taken once nothing is known to wait."""
        before = self.received
        self.sweep_soon()
        while not self.idle:
            self._rested.clear()
            await self._rested.wait()
        return self.received - before

    async def run(self) -> None:
        """Work until cancelled. Raises ChannelError when the dialogue fails."""
        while True:
            await self._rest()
            try:
                while not self.idle:
                    await self._next()
                await self.reader.back()
                self._rested.set()
            except ModembankError as error:
                # Not durable: the modem keeps its copy (or the network, unacknowledged), and we ask again.
                _log.error("inbound_not_stored", modem=self._standing.slot, error=str(error))
                await asyncio.sleep(self._timings.store_retry_s)
                self._wake.set()
            except NoReply as silence:
                if silence.trouble is not None:
                    raise
                self._wake.set()  # it lives; what was not finished is still on its list

    async def store_rest(self) -> None:
        """When the service ends: make durable what the modem keeps no copy of, as far as that can be done now."""
        try:
            async with asyncio.timeout(_REST_S):
                while self._direct:
                    await self._store_direct()
        except (TimeoutError, ModembankError) as error:
            _log.error("inbound_lost", modem=self._standing.slot, pdus=len(self._direct), error=str(error))

    async def _store_direct(self) -> None:
        """Store the oldest direct PDU exactly once: a cancellation waits for the answer, not to store it again."""
        task = asyncio.ensure_future(self._sink.store(self._direct[0]))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=_REST_S)
            raise
        finally:
            if task.done() and not task.cancelled() and task.exception() is None:
                self._direct.popleft()
                self.received += 1
        task.result()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._timings.sweep_s):
                await self._wake.wait()
        except TimeoutError:
            self.sweep_soon()
        self._wake.clear()

    async def _next(self) -> None:
        """Do one thing, and take it off its list only when it is done and was not announced again meanwhile."""
        if self._direct:
            await self._answer_direct()
        elif self._places:
            place, announced = next(iter(self._places.items()))
            await self._read_place(*place)
            if self._places[place] == announced:
                del self._places[place]
        else:
            memory, asked = next(iter(self._sweeps.items()))
            self.received += await self.reader.sweep(memory)
            if self._sweeps[memory] == asked:
                del self._sweeps[memory]

    async def _answer_direct(self) -> None:
        """Store and acknowledge what came directly; unanswered for 15 s or so, a modem stops routing."""
        while self._direct:
            await self._store_direct()
            await self._acknowledge()

    async def _read_place(self, memory: str, index: int) -> None:
        if await self.reader.fetch(memory, index):
            self.received += 1
        elif memory not in self._capabilities.memories or len(self._capabilities.memories) > 1:
            # Announced in one memory, filed in another: look in all of them.
            self.sweep_soon()

    def _note_place(self, urc: Urc) -> None:
        place = parse_place(urc.raw)
        if place is None or place.index < 0:  # SIMCom says -1 when the memory is full
            self.sweep_soon()
            return
        real = self._quirks.report_memory
        if urc.kind is UrcKind.CDSI and real in self._capabilities.memories and real is not None:
            self._sweeps[real] += 1
        elif len(self._places) < _MOST_WAITING:
            reach(Failpoint.INBOUND_ANNOUNCED)
            key = place.memory, place.index
            self._places[key] += 1
        else:
            self.sweep_soon()

    # -- acknowledging what came directly

    async def _acknowledge(self) -> None:
        if not self._acknowledges:
            return
        for form in dict.fromkeys((self._form, Acknowledge.PLAIN, Acknowledge.POSITIVE)):
            try:
                result = await self._channel.execute(AtCommand(form.value, timeout_s=5.0), urgent=True)
            except NoReply as silence:
                if silence.trouble is not None:
                    raise
                continue
            if result.ok or result.code == _NOT_EXPECTED:
                self._form = form
                return
        await self._stop_acknowledging()

    async def _stop_acknowledging(self) -> None:
        """A modem that cannot be acknowledged stops handing over; go back to service 0 and set the routing again."""
        _log.warning("acknowledge_refused", modem=self._standing.slot)
        self._acknowledges = False
        await self._channel.execute(command("+CSMS", 0, prefix=("+CSMS:",), timeout_s=10.0))
        if self._capabilities.routing is not None:
            await self._channel.execute(setting(self._capabilities.routing))
