"""One stretch of service: a modem initialised, with a SIM the bank took, until something ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from modembank.at import Urc, UrcKind
from modembank.modem.capabilities import Feature
from modembank.modem.channel import AtChannel
from modembank.modem.inbound import InboundSink
from modembank.modem.initialization import Initialized
from modembank.modem.outcome import AttemptOutcome, CauseClass, SubmitResult
from modembank.modem.place import Standing
from modembank.modem.receiving import ANNOUNCED, Receiving
from modembank.modem.sending import Exchange, Gate, SendMemory, uninterrupted
from modembank.modem.timings import Timings
from modembank.modem.troubles import ChannelError, Hung, NoReply, PortLost, Trouble
from modembank.modem.ussd import Ussd
from modembank.modem.watching import REGISTRATION_KINDS, Restarted, Watch

_TOO_MANY_NOT_READY = 5
_SIM_CODES = frozenset({"cme_10", "cme_13", "cme_15", "cms_310", "cms_311", "cms_313", "cms_315", "cms_316"})


class Serving:
    """Ties sending, receiving and watching to one channel."""

    def __init__(
        self, channel: AtChannel, timings: Timings, initialized: Initialized, standing: Standing, sink: InboundSink, *,
        registration_changed: Callable[[bool], None],
    ) -> None:  # fmt: skip
        """Prepare; ``run`` starts the work."""
        capabilities, quirks = initialized.capabilities, initialized.quirks
        self.channel = channel
        self.initialized = initialized
        self.standing = standing
        self._timings = timings
        self._memory = SendMemory(keeps_link=capabilities.has(Feature.KEEP_LINK))
        self.receiving = Receiving(channel, timings, capabilities, quirks, standing=standing, sink=sink)
        self.watch = Watch(channel, timings, initialized, registration_changed)
        self.ussd = Ussd(channel, timings, quirks, standing.slot)
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exchanges: dict[asyncio.Task[SubmitResult], Exchange] = {}
        self._not_ready = 0
        self.closing = False
        """True once the end has begun: nothing new may be submitted."""
        self.outcomes: dict[AttemptOutcome, int] = {}
        self.last_cause: str | None = None

    @property
    def takes_validity(self) -> bool | None:
        """Whether validity periods are taken; None when not yet seen."""
        return self._memory.takes_validity

    async def run(self) -> None:
        """Serve until something ends it. Raises Hung, Restarted or PortLost; never returns."""
        children = [
            self._child("receiving", self.receiving.run()),
            self._child("watch", self.watch.run()),
        ]
        ends: list[asyncio.Future[Any]] = [*children, self._end, self.channel.lost]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._finish()
            raise
        finally:
            self.closing = True
            for child in children:
                child.cancel()
            await asyncio.wait(children)
            await self.receiving.store_rest()
            for exchange in self._exchanges.values():
                exchange.withdraw()
        if self.channel.lost.done():
            raise PortLost(self.channel.lost.result())
        for ended in (self._end, *children):
            if ended.done() and not ended.cancelled():
                error = ended.exception()
                if error is not None:
                    raise _ending(error)
        raise PortLost(None)

    def end(self, error: Exception) -> None:
        """End the service from outside; the first reason counts."""
        self.closing = True
        if not self._end.done():
            self._end.set_exception(error)
            self._end.exception()

    def heard(self, urc: Urc) -> None:
        """Hand an unsolicited code to whom it is for; never blocks."""
        kind = urc.kind
        if kind in ANNOUNCED:
            self.receiving.announce(urc)
        elif kind in REGISTRATION_KINDS:
            self.watch.heard(urc)
        elif kind is UrcKind.RING:
            self.watch.ringing()
        elif kind is UrcKind.CUSD:
            self.ussd.heard(urc)
        elif kind in {UrcKind.SMS_READY, UrcKind.CPIN, UrcKind.SIM_STATE, UrcKind.POWER_DOWN}:
            self.watch.look_closely()
            if kind is UrcKind.SMS_READY:
                self.receiving.sweep_soon()
        elif kind is UrcKind.BOOT:
            self.channel.interrupt(urc.name)
            self.end(Restarted(detail=f"it says {urc.name[:32]}"))

    async def sweep(self) -> int:
        """Empty all memories and return how many messages were taken; how full they are is known afterwards."""
        taken = await self.receiving.sweep_now()
        taken += await self.receiving.sweep_now()  # its first question is how much is left
        self.watch.storage |= self.receiving.reader.storage
        return taken

    # -- sending

    async def submit(self, pdu: str, length: int, gate: Gate, *, more_follow: bool) -> SubmitResult:
        """Send one segment; see ``modembank.bank.line.Line.submit``."""
        exchange = Exchange(self.channel, self._timings, self._memory, gate, more_follow=more_follow)
        task = asyncio.create_task(exchange.run(pdu, length), name=f"modem[{self.standing.slot}].exchange")
        self._exchanges[task] = exchange
        try:
            result = await uninterrupted(exchange, task)
        finally:
            self._exchanges.pop(task, None)
        self._learn(exchange, result)
        return result

    async def _finish(self) -> None:
        """Withdraw what can be, wait for what is beyond recall, and break that off when it takes too long."""
        self.closing = True
        for exchange in self._exchanges.values():
            exchange.withdraw()
        tasks = list(self._exchanges)
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=self._timings.stop_s)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=1.0)

    def _learn(self, exchange: Exchange, result: SubmitResult) -> None:
        self.outcomes[result.outcome] = self.outcomes.get(result.outcome, 0) + 1
        cause = result.cause
        if cause is not None and result.outcome is not AttemptOutcome.ACCEPTED:
            self.last_cause = cause.text
        if exchange.trouble is not None:
            self._after_trouble(exchange.trouble)
            return
        if cause is not None and cause.klass is CauseClass.STORAGE:
            self.receiving.sweep_soon()
        if cause is not None and cause.code == "no_final":  # mute until now: it may have stopped routing meanwhile
            self.watch.look_closely()
        if cause is not None and cause.code in _SIM_CODES:
            self.watch.look_closely()
        self._not_ready = self._not_ready + 1 if _modem_to_blame(result) else 0
        if self._not_ready >= _TOO_MANY_NOT_READY:
            self.end(Hung(Trouble.NOT_READY, self.last_cause or ""))

    def _after_trouble(self, error: ChannelError) -> None:
        if isinstance(error, NoReply):
            self.end(Hung(error.trouble, str(error)) if error.trouble else Restarted(detail=str(error)))
        elif not isinstance(error, PortLost):
            self.end(Restarted(detail=str(error)))

    def _child(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"modem[{self.standing.slot}].{name}")


def _modem_to_blame(result: SubmitResult) -> bool:
    cause = result.cause
    return cause is not None and cause.klass is CauseClass.MODEM and cause.code != "gate_closed"


def _ending(error: BaseException) -> BaseException:
    """Turn a failed dialogue into what the life of the modem knows."""
    if isinstance(error, NoReply):
        return Hung(error.trouble or Trouble.SILENT, str(error))
    if isinstance(error, ChannelError) and not isinstance(error, PortLost):
        return Restarted(detail=str(error))
    return error
