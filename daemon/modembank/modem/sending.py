"""The send exchange: command line, prompt and gate, PDU and Ctrl-Z, final result, and what is true afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from modembank.at import AtCommand, command
from modembank.failpoints import Failpoint, reach
from modembank.modem.channel import AtChannel, Flight, Interrupted
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass, Evidence, SubmitResult
from modembank.modem.timings import Timings
from modembank.modem.troubles import ChannelError, PortLost
from modembank.modem.verdict import (
    GATE_CLOSED,
    NO_PROMPT,
    PORT_GONE,
    RESTARTED,
    cause_of,
    final_text,
    has_validity,
    judge,
)

Gate = Callable[[], Awaitable[bool]]
_log = structlog.get_logger()
_KEEP_LINK = command("+CMMS", 2, timeout_s=3.0)


class SendMemory:
    """What one modem has shown about sending, kept from exchange to exchange."""

    __slots__ = ("keeps_link", "link_kept", "takes_validity")

    def __init__(self, *, keeps_link: bool) -> None:
        """``keeps_link``: whether AT+CMMS is there at all."""
        self.keeps_link = keeps_link
        self.link_kept = False
        self.takes_validity: bool | None = None


class Exchange:
    """One attempt at one segment; ``run`` it once, as a task of its own."""

    def __init__(
        self, channel: AtChannel, timings: Timings, memory: SendMemory, gate: Gate, *, more_follow: bool
    ) -> None:
        """Prepare; nothing is written yet."""
        self._channel = channel
        self._timings = timings
        self._memory = memory
        self._gate = gate
        self._more_follow = more_follow
        self._withdrawn = False
        self._written = 0
        self._began = 0.0
        self._prompt_s: float | None = None
        self._ctrl_z_s: float | None = None
        self._pdu_has_validity = False
        self.trouble: ChannelError | None = None
        """What the exchange ran into; the modem is to be looked after when set."""

    @property
    def beyond_recall(self) -> bool:
        """Whether Ctrl-Z is out."""
        return self._ctrl_z_s is not None

    def withdraw(self) -> None:
        """Do not send if that can still be prevented."""
        self._withdrawn = True

    async def run(self, pdu: str, length: int) -> SubmitResult:
        """Carry it out. Raises only what the gate raises, after the prompt has been left with ESC."""
        self._pdu_has_validity = has_validity(pdu)
        line = command(
            "+CMGS", length, prefix=("+CMGS:",), payload=pdu, timeout_s=self._timings.final_s,
            prompt_timeout_s=self._timings.prompt_s,
        )  # fmt: skip
        try:
            async with self._channel.turn(urgent=True):
                return await self._speak(line)
        except ChannelError as error:
            self.trouble = error
            return self._not_sent(PORT_GONE if isinstance(error, PortLost) else NO_PROMPT)

    def _called_off(self) -> bool:
        return self._withdrawn

    async def _speak(self, line: AtCommand) -> SubmitResult:
        if self._called_off():
            return self._not_sent(GATE_CLOSED)
        if self._channel.desynchronised:
            await self._channel.resynchronise("AT+CMGS")
        if self._more_follow and self._memory.keeps_link and not self._memory.link_kept:
            answer = await self._channel.execute_held(_KEEP_LINK)
            self._memory.link_kept = answer.ok
            self._memory.keeps_link = answer.ok
        if self._called_off():
            return self._not_sent(GATE_CLOSED)
        flight = self._channel.begin(line)
        self._began = flight.started
        self._written = len(line.text) + 1
        gate = asyncio.ensure_future(self._gate())
        ended = False
        try:
            result = await self._after_line(flight, gate)
            ended = True
        finally:
            if not ended:
                await self._broken_off(flight)
            gate.cancel()
        return result

    async def _broken_off(self, flight: Flight) -> None:
        """The gate failed, or this task was ended: no prompt may stand where the next command would become text."""
        if not self.beyond_recall:
            await self._channel.escape(flight)
        self._channel.drop(flight)

    async def _after_line(self, flight: Flight, gate: asyncio.Future[bool]) -> SubmitResult:
        prompted = await self._prompt(flight)
        allowed = await self._gate_over(gate)
        if flight.final.done():
            return self._ended_early(flight)
        if not prompted or not allowed or self._called_off():
            return await self._leave(flight, GATE_CLOSED if prompted else NO_PROMPT)
        reach(Failpoint.INTENT_DURABLE)
        try:
            octets = self._channel.payload()
        except ChannelError as error:
            self.trouble = error
            self._channel.drop(flight)
            return self._not_sent(PORT_GONE)
        self._written += octets
        self._ctrl_z_s = self._channel.time() - self._began
        reach(Failpoint.CTRL_Z_WRITTEN)
        return await self._after_ctrl_z(flight)

    def _ended_early(self, flight: Flight) -> SubmitResult:
        """It was refused, or the modem or its port went away, before Ctrl-Z."""
        self._channel.drop(flight)
        error = flight.final.exception()
        if isinstance(error, ChannelError):
            self.trouble = error
            return self._not_sent(RESTARTED if isinstance(error, Interrupted) else PORT_GONE)
        result = flight.final.result()
        cause = cause_of(result, None)
        return self._not_sent(cause, self._channel.time() - self._began, final_text(result))

    async def _prompt(self, flight: Flight) -> bool:
        """Return whether the modem stands at its prompt; when not, it refused (the final is there) or said nothing."""
        if flight.prompt is None:
            return False
        try:
            prompted = await self._channel.within(self._timings.prompt_s, flight.prompt)
        except (TimeoutError, ChannelError):
            return False
        if prompted:
            self._prompt_s = self._channel.time() - self._began
        return prompted

    async def _gate_over(self, gate: asyncio.Future[bool]) -> bool:
        """Wait for the gate: what it makes durable must be known to be, or not to be."""
        if not gate.done():
            await asyncio.wait([gate], timeout=self._timings.gate_s)
        if not gate.done():
            _log.error("gate_did_not_end", within_s=self._timings.gate_s)
            gate.cancel()
            return False
        return gate.result()

    async def _leave(self, flight: Flight, cause: Cause) -> SubmitResult:
        self.trouble = await self._channel.escape(flight)
        return self._not_sent(cause)

    async def _after_ctrl_z(self, flight: Flight) -> SubmitResult:
        try:
            result = await self._channel.within(self._timings.final_s, flight.final)
        except TimeoutError:
            return await self._no_final(flight)
        except ChannelError as error:
            self._channel.drop(flight)
            self.trouble = error
            code = "restarted" if isinstance(error, Interrupted) else "port_gone"
            return self._unknown(code, f"{error} after the text was given to the modem")
        reach(Failpoint.FINAL_SEEN)
        final_s = self._channel.time() - self._began
        suspect = self._pdu_has_validity and self._memory.takes_validity is not True
        since_ctrl_z = final_s - (self._ctrl_z_s or 0.0)
        outcome, reference, cause = judge(result, since_ctrl_z, self._timings.late_error_s, validity_suspect=suspect)
        if self._pdu_has_validity:
            self._learn_validity(outcome, cause)
        return SubmitResult(outcome, reference, cause, self._evidence(final_s, final_text(result)))

    def _learn_validity(self, outcome: AttemptOutcome, cause: Cause | None) -> None:
        if outcome is AttemptOutcome.ACCEPTED:
            self._memory.takes_validity = True
        elif cause is not None and cause.klass is CauseClass.VALIDITY:
            self._memory.takes_validity = False

    async def _no_final(self, flight: Flight) -> SubmitResult:
        """The deadline passed after Ctrl-Z: only a final result that still comes before the marker's answer counts."""
        try:
            late = await self._channel.give_up(flight)
        except ChannelError as error:
            self.trouble = error
            return self._unknown("no_final", "no final result after the text was given to the modem")
        for line in late:
            number = line.removeprefix("+CMGS:").strip()
            if line.startswith("+CMGS:") and number.isdecimal() and number.isascii():
                evidence = self._evidence(self._channel.time() - self._began, line[:80])
                return SubmitResult(AttemptOutcome.ACCEPTED, int(number[:3]) & 0xFF, None, evidence)
        return self._unknown("no_final", "no final result after the text was given to the modem")

    def unknown_now(self) -> SubmitResult:
        """Return what is true if the exchange is broken off at this moment."""
        if self.beyond_recall:
            return self._unknown("stopped", "broken off while the modem was sending")
        return self._not_sent(GATE_CLOSED)

    def _not_sent(self, cause: Cause, final_s: float | None = None, final: str | None = None) -> SubmitResult:
        return SubmitResult(AttemptOutcome.NOT_SENT, None, cause, self._evidence(final_s, final))

    def _unknown(self, code: str, text: str) -> SubmitResult:
        cause = Cause(CauseClass.AMBIGUOUS, code, text)
        return SubmitResult(AttemptOutcome.UNKNOWN, None, cause, self._evidence(None, None))

    def _evidence(self, final_s: float | None, final: str | None) -> Evidence:
        return Evidence(
            _rounded(self._prompt_s), _rounded(self._ctrl_z_s), _rounded(final_s), self._written, final
        )  # fmt: skip


async def uninterrupted(exchange: Exchange, task: asyncio.Task[SubmitResult]) -> SubmitResult:
    """Await an exchange so that its outcome is never lost to a cancellation.

    A cancellation withdraws what can still be withdrawn, waits for the outcome, returns it, and strikes the caller at
    its next await instead. Once Ctrl-Z is out nobody but the modem knows how it ends.
    """
    me = asyncio.current_task()
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            exchange.withdraw()
            if me is not None and not cancelled:
                cancelled = True
                me.uncancel()
    if cancelled and me is not None:
        me.cancel()
    return exchange.unknown_now() if task.cancelled() else task.result()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
