"""One dialogue over one open port: commands with deadlines, one at a time, and the way back after a deadline passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import structlog

from modembank.at import AtCommand, AtEngine, AtResult, Final, Markers, Noise, NoiseReason, Prompt, Urc, UrcReceived
from modembank.modem.timings import Timings
from modembank.modem.transcript import Transcript
from modembank.modem.troubles import ChannelError, NoReply, PortLost, Trouble
from modembank.modem.turns import Turns
from modembank.port import OnData, OnLost, Port, PortConfig, PortError, PortFailure

T = TypeVar("T")
_log = structlog.get_logger()
_CLOSE_S = 2.0


class Opener(Protocol):
    """How a port is opened; ``modembank.port.open_port`` in production."""

    async def __call__(self, config: PortConfig, *, on_data: OnData, on_lost: OnLost) -> Port:
        """Return an open port or raise PortError."""


class Interrupted(ChannelError):
    """The modem restarted in the middle of a command."""


class Flight:
    """One command on the wire and what is awaited of it."""

    __slots__ = ("command", "final", "octets", "prompt", "started")

    def __init__(self, command: AtCommand, loop: asyncio.AbstractEventLoop, octets: int) -> None:
        """Start the clock; ``octets`` is how much had come in before."""
        self.command = command
        self.started = loop.time()
        self.octets = octets
        self.final: asyncio.Future[AtResult] = loop.create_future()
        self.prompt: asyncio.Future[bool] | None = loop.create_future() if command.payload is not None else None

    def end(self, result: AtResult) -> None:
        """The final result came; a prompt will not."""
        if self.prompt is not None and not self.prompt.done():
            self.prompt.set_result(False)
        if not self.final.done():
            self.final.set_result(result)

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        for future in (self.prompt, self.final):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits still gets it; nobody waiting is no fault


class AtChannel:
    """An AT engine on an open port.

    ``on_urc`` is called on the loop for every unsolicited code and must not block; ``on_lost`` once when the port ends.
    """

    def __init__(
        self,
        timings: Timings,
        transcript: Transcript,
        on_urc: Callable[[Urc], None],
        results: dict[str, int],
        markers: Markers | None = None,
    ) -> None:
        """Make a channel without a port; ``open`` gives it one.

        ``results`` counts the commands by their result. ``markers`` are those of the modem, over all its channels.
        """
        self._timings = timings
        self._transcript = transcript
        self._on_urc = on_urc
        self._loop = asyncio.get_running_loop()
        self._engine = AtEngine(markers=markers)
        self._port: Port | None = None
        self._turns = Turns()
        self._flight: Flight | None = None
        self._octets = 0
        self._urcs = 0
        self._late: list[str] = []
        self.lost: asyncio.Future[PortError | None] = self._loop.create_future()
        self._results = results
        self.given_up = 0
        """Commands that were not answered in time. A modem that was mute for a while may have dropped its settings."""

    async def open(self, opener: Opener, config: PortConfig) -> None:
        """Open the port; raises PortError."""
        self._port = await opener(config, on_data=self._on_data, on_lost=self._on_lost)
        self._transcript.note(f"opened {self._port.config.name}")

    async def close(self) -> None:
        """Close the port and wait until its path can be opened again; idempotent.

        What is awaited fails with PortLost.
        """
        if self._flight is not None:
            self._flight.fail(PortLost(None))
        if self._port is None:
            self._on_lost(None)
            return
        self._port.close()
        await asyncio.wait([self.lost], timeout=_CLOSE_S)

    @property
    def path(self) -> str:
        """The tty or address that is open, empty while none is."""
        return "" if self._port is None or self._port.closed else self._port.config.path

    @property
    def desynchronised(self) -> bool:
        """Whether a command was given up and no marker has been answered since."""
        return self._engine.desynchronised

    @property
    def busy(self) -> bool:
        """Whether a command is on the wire."""
        return self._turns.held

    def time(self) -> float:
        """Return the loop's clock, in seconds."""
        return self._loop.time()

    async def execute(self, command: AtCommand, *, urgent: bool = False) -> AtResult:
        """Send a command and return its final result, whatever that says.

        Raises NoReply when its deadline passed (the channel has been resynchronised, or is in trouble), PortLost, or
        Interrupted when the modem restarted meanwhile.
        """
        async with self.turn(urgent=urgent):
            return await self.execute_held(command)

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold the right to speak."""
        await self._turns.take(urgent=urgent)
        try:
            yield
        finally:
            self._turns.give()

    async def execute_held(self, command: AtCommand) -> AtResult:
        """As ``execute``, for one who holds the turn."""
        if self._engine.desynchronised:
            await self.resynchronise(command.text)
        flight = self.begin(command)
        limit = command.timeout_s
        if self._timings.command_s is not None:
            limit = min(limit, self._timings.command_s)
        try:
            return await self.within(limit, flight.final)
        except TimeoutError:
            await self.give_up(flight)
            raise NoReply(_head(command), None) from None
        finally:
            self._end(flight)

    # -- the steps of an exchange, for one who holds the turn

    def begin(self, command: AtCommand) -> Flight:
        """Write a command line; raises PortLost."""
        flight = Flight(command, self._loop, self._octets)
        line = self._engine.send(command)
        self._flight = flight
        try:
            self.write(line)
        except ChannelError:
            self._end(flight)
            raise
        return flight

    def payload(self) -> int:
        """Write the PDU and Ctrl-Z; return the octets. Raises ChannelError before anything was written."""
        if self._port is None or self._port.closed:
            raise PortLost(None)
        data = self._engine.send_payload()
        self.write(data)
        return len(data)

    async def escape(self, flight: Flight) -> ChannelError | None:
        """Leave the prompt without sending; return what is wrong with the modem, if anything. Never raises."""
        try:
            self.write(self._engine.escape())
            await self.within(self._timings.escape_s, flight.final)
        except TimeoutError:
            try:
                await self.give_up(flight)
            except ChannelError as error:
                return error
        except ChannelError as error:
            return error
        finally:
            self._end(flight)
        return None

    async def give_up(self, flight: Flight) -> list[str]:
        """Drop a command whose deadline passed and resynchronise; return late lines that came for it.

        Raises NoReply with the trouble, or PortLost.
        """
        self._count("timeout")
        self.given_up += 1
        self._engine.abandon()
        self._flight = None
        return await self.resynchronise(_head(flight.command), since=flight.octets)

    def drop(self, flight: Flight) -> None:
        """End an exchange without waiting any more; the next command resynchronises first."""
        self._end(flight)

    async def within(self, seconds: float, future: asyncio.Future[T]) -> T:
        """Await a future of this channel; raises TimeoutError, and what the future raises."""
        deadline = self._loop.call_later(seconds, _expire, future)
        try:
            return await future
        finally:
            deadline.cancel()

    def write(self, data: bytes) -> None:
        """Write octets; raises PortLost, or NoReply when the port takes no more."""
        if self._port is None or self._port.closed:
            raise PortLost(None)
        self._transcript.sent(data)
        try:
            self._port.write(data)
        except PortError as error:
            if error.failure is PortFailure.STUCK:
                raise NoReply(command="write", trouble=Trouble.WRITE_STUCK) from error
            raise PortLost(error) from error

    # -- after a deadline

    async def resynchronise(self, about: str, *, since: int | None = None, probes: int | None = None) -> list[str]:
        """Find the beat again with markers, ``probes`` at most; return the late lines seen.

        Raises NoReply with the trouble, or PortLost.
        """
        since = self._octets if since is None else since
        urcs = self._urcs
        self._late = []
        for _ in range(probes or self._timings.probes):
            if await self._probe():
                return self._late
        trouble = self._diagnose(since, urcs)
        _log.warning("modem_hangs", command=about, trouble=trouble.value)
        raise NoReply(about, trouble)

    async def _probe(self) -> bool:
        probe = self._engine.resync_probe()
        flight = Flight(probe.command, self._loop, self._octets)
        self._flight = flight
        try:
            for step in probe.steps:
                self.write(step.data)
                if step.pause_s and not flight.final.done():
                    await asyncio.wait([flight.final], timeout=step.pause_s * self._timings.quiet_scale)
            await self.within(min(probe.timeout_s, self._timings.probe_s), flight.final)
        except TimeoutError:
            return False
        finally:
            self._end(flight)
        return True

    def _diagnose(self, since: int, urcs: int) -> Trouble:
        if self._port is not None and self._port.write_stuck:
            return Trouble.WRITE_STUCK
        if self._octets == since:
            return Trouble.SILENT
        if self._late:
            return Trouble.CONFUSED
        if self._engine.echo_only:
            return Trouble.ECHO_ONLY
        return Trouble.DEAF if self._urcs > urcs else Trouble.SILENT

    def _end(self, flight: Flight) -> None:
        """Whatever is left of a command is given up: cancelled callers must not leave the engine busy."""
        if self._flight is flight:
            self._flight = None
        if self._engine.in_flight is flight.command:
            self._engine.abandon()

    # -- what comes in

    def _on_data(self, data: bytes) -> None:
        self._octets += len(data)
        self._transcript.received(data)
        for event in self._engine.feed(data):
            match event:
                case Final(result):
                    self._finished(result)
                case Prompt():
                    if self._flight is not None and self._flight.prompt is not None and not self._flight.prompt.done():
                        self._flight.prompt.set_result(True)
                case UrcReceived(urc):
                    self._urcs += 1
                    self._on_urc(urc)
                case Noise():
                    self._noise(event)

    def _finished(self, result: AtResult) -> None:
        self._count(result.status.value)
        if self._flight is not None:
            self._flight.end(result)

    def _noise(self, noise: Noise) -> None:
        if noise.why is NoiseReason.LATE:
            self._late.append(noise.raw)
        elif noise.why is NoiseReason.STRAY_PROMPT and self._port is not None and not self._port.closed:
            # It waits for text that nobody will give; ESC is the only key that sends nothing.
            self.write(self._engine.escape())

    def interrupt(self, why: str) -> None:
        """The modem restarted: what is on the wire will never be answered."""
        if self._flight is not None:
            self._flight.fail(Interrupted(why))

    def _on_lost(self, cause: PortError | None) -> None:
        if self.lost.done():
            return
        self._transcript.note(f"port lost: {cause}" if cause else "port closed")
        self.lost.set_result(cause)
        if self._flight is not None:
            self._flight.fail(PortLost(cause))

    def _count(self, result: str) -> None:
        self._results[result] = self._results.get(result, 0) + 1


def _expire(future: asyncio.Future[T]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def _head(command: AtCommand) -> str:
    """The command's name without its arguments, fit for logs."""
    return command.text.partition("=")[0]
