"""A modem's whole life in one slot: open, initialise, serve, recover, and say at any time where it stands."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from modembank.at import Markers, Urc, UrcKind
from modembank.clock import Clock, to_ms
from modembank.modem.channel import AtChannel, Interrupted
from modembank.modem.climbing import MUTE, Climber, Effect
from modembank.modem.dialogue import Dialogue
from modembank.modem.host import ModemHost, ModemSettings
from modembank.modem.inbound import InboundSink
from modembank.modem.initialization import Initialized, initialize
from modembank.modem.outcome import AttemptOutcome, SubmitResult
from modembank.modem.pin import OutOfService
from modembank.modem.place import Standing
from modembank.modem.quirks import GENERIC
from modembank.modem.receiving import ANNOUNCED
from modembank.modem.recovery import Recovery, Rung
from modembank.modem.refusals import Backoff, absent, missing, verdict_on
from modembank.modem.sending import Gate
from modembank.modem.serving import Serving
from modembank.modem.states import FailedReason, ModemEvent, ModemState, StateMachine
from modembank.modem.transcript import Transcript
from modembank.modem.troubles import Hung, NoReply, PortLost, Trouble
from modembank.modem.ussd import UssdAnswer, UssdFailed
from modembank.modem.verdict import NOT_REGISTERED
from modembank.modem.watching import Restarted
from modembank.port import PortError

_log = structlog.get_logger()
_EARLY = 64


class Modem:
    """Drives one slot's modem; ``run`` it as a supervised task."""

    def __init__(self, settings: ModemSettings, host: ModemHost, sink: InboundSink, clock: Clock) -> None:
        """Start in DETECTED with a closed port."""
        self._settings = settings
        self._timings = settings.timings
        self._host = host
        self._sink = sink
        self._clock = clock
        self.transcript = Transcript(self._now_ms)
        self.machine = StateMachine(host.state_changed)
        self.recovery = Recovery(settings.timings.settled_s)
        self._climber = Climber(settings.slot, settings.power, settings.timings)
        self._channel: AtChannel | None = None
        self._serving: Serving | None = None
        self._sms_ready = asyncio.Event()
        self._kick = asyncio.Event()
        self._early: list[Urc] = []
        self._known: Initialized | None = None
        self._boots = 0
        self._strange = 0
        self._silent_until = 0.0
        self._back_by: float | None = None
        self._backoff = Backoff(settings.timings)
        self.last_error: str | None = None
        self.totals: dict[AttemptOutcome, int] = {}
        self.received = 0
        self.calls_refused = 0
        self.results: dict[str, int] = {}
        self._markers = Markers()

    # -- what others see

    @property
    def state(self) -> ModemState:
        """Where it is in its life."""
        return self.machine.state

    @property
    def serving(self) -> Serving | None:
        """The present stretch of service, if any."""
        return self._serving

    @property
    def known(self) -> Initialized | None:
        """What the latest initialisation found out."""
        return self._known

    @property
    def tty(self) -> str:
        """The tty or address that is open, empty while none is."""
        return "" if self._channel is None else self._channel.path

    @property
    def in_service(self) -> bool:
        """Whether a message may be given to it now."""
        serving = self._serving
        return serving is not None and not serving.closing and self.state is ModemState.REGISTERED

    # -- what others ask

    async def submit(self, pdu: str, length: int, gate: Gate, *, more_follow: bool = False) -> SubmitResult:
        """Send one segment; NOT_SENT at once when the modem is not in service."""
        serving = self._serving
        if serving is None or not self.in_service:
            return SubmitResult(AttemptOutcome.NOT_SENT, None, NOT_REGISTERED)
        result = await serving.submit(pdu, length, gate, more_follow=more_follow)
        self.totals[result.outcome] = self.totals.get(result.outcome, 0) + 1
        return result

    async def ussd(self, code: str) -> UssdAnswer:
        """Ask a USSD code. Raises UssdFailed."""
        if self._serving is None or not self.in_service:
            raise UssdFailed(slot=self._settings.slot, why="the modem is not in service")
        return await self._serving.ussd.ask(code)

    def reset(self) -> None:
        """Restart the modem, after the exchange in flight; in a slow retry, try again at once, every rung allowed."""
        self.recovery.forgive()
        if self._serving is not None:
            self._serving.end(Hung(Trouble.RESET_WANTED, "asked for"))
        self._kick.set()

    def was_cut_off(self) -> None:
        """It was reset from outside: every rung is allowed again, and silence is what a starting modem gives."""
        self.recovery.forgive()
        self._grant(self._timings.boot_s)

    def wake(self) -> None:
        """Try at once to open the port, if it is closed: something is new there."""
        if self._channel is None:
            self._kick.set()

    # -- its life

    async def run(self) -> None:
        """Live until cancelled; then withdraw or finish the exchange in flight, bounded, and close the port."""
        try:
            while True:
                channel = await self._opened()
                self._channel = channel
                try:
                    await self._climber.seen()
                    wait_s = await self._alive(channel)
                finally:
                    await self._close(channel)
                await self._pause(wait_s)
        finally:
            self._fire(ModemEvent.CLOSED)

    async def _opened(self) -> AtChannel:
        """Try until the port is open; every kind of failure has a state and a backoff of its own."""
        self._fire(ModemEvent.OPEN)
        while True:
            channel = AtChannel(self._timings, self.transcript, self._heard, self.results, self._markers)
            try:
                await channel.open(self._settings.opener, self._settings.port)
            except PortError as error:
                self._note(str(error))
                event, failed = verdict_on(error)
                self._fire(event, error.detail, failed)
                if absent(error):  # when it appears it may be silent while it starts
                    self._grant(self._timings.boot_s)
                    await self._bring_back()
                await self._pause(self._backoff.failed(missing=missing(error)))
            else:
                self._fire(ModemEvent.OPENED)
                self._back_by = None
                return channel

    async def _alive(self, channel: AtChannel) -> float:
        """Initialise and serve until the port must be opened afresh; return how long to wait before that."""
        while True:
            try:
                await self._attend(channel)
                await self._serve()
            except OutOfService as error:
                await self._sit_out(channel, error)
            except Restarted as error:
                self._note(error.detail)
                self._fire(ModemEvent.SIM_CHANGED if error.sim_changed else ModemEvent.REBOOTED, error.detail)
            except Interrupted as error:
                self._fire(ModemEvent.REBOOTED, str(error))
            except PortLost as error:
                self._note(str(error))
                self._early.clear()
                self._fire(ModemEvent.LOST, str(error.cause or ""))
                self._grant(self._timings.restart_s)
                if self.recovery.climbing:  # a rung showed late
                    self._back_by = channel.time() + self._timings.restart_s
                return self._timings.reopen_s
            except (Hung, NoReply) as error:
                wait_s = await self._trouble(channel, error.trouble or Trouble.SILENT, str(error))
                if wait_s is not None:
                    return wait_s

    async def _attend(self, channel: AtChannel) -> None:
        """Find the beat, initialise, and have the bank take the SIM. Raises what ``initialize`` and the bank raise."""
        self._sms_ready.clear()
        boots = self._boots
        async with channel.turn():  # an exchange of the last stretch of service may still be on the wire
            await channel.resynchronise("AT", probes=self._timings.rechecks if self.recovery.climbing else None)
        dialogue = Dialogue(channel, self._timings, self._sms_ready)
        known = await initialize(dialogue, self._settings.access, self._settings.learnt)
        if boots != self._boots:
            raise Restarted(detail="it restarted while it was initialised")
        self._known = known
        self._strange = 0
        self._backoff.reset()
        sim_id = await self._host.identified(known.sim, known.capabilities)
        standing = Standing(sim_id, self._settings.slot, self._now_ms)
        self._serving = Serving(
            channel, self._timings, known, standing, self._sink, registration_changed=self._registration
        )

    async def _serve(self) -> None:
        serving = self._serving
        if serving is None:
            return
        self._fire(ModemEvent.INITIALIZED)
        for urc in self._early:
            serving.heard(urc)
        self._early.clear()
        try:
            await serving.run()
        finally:
            self._serving = None
            self.received += serving.receiving.received
            self.calls_refused += serving.watch.calls_refused
            if serving.last_cause is not None:
                self.last_error = serving.last_cause

    async def _close(self, channel: AtChannel) -> None:
        await channel.close()
        self._channel = None

    # -- when something is wrong

    async def _sit_out(self, channel: AtChannel, error: OutOfService) -> None:
        """Wait for a person, time, a restart, or the SIM to change what no command can."""
        self._note(error.detail)
        locked = error.reason in _LOCKS
        self._fire(ModemEvent.LOCKED if locked else ModemEvent.INIT_FAILED, error.detail, error.reason)
        await self._idle(channel, self._timings.locked_s)

    async def _idle(self, channel: AtChannel, seconds: float) -> None:
        """Wait with the port open: for time, a person, a sign of life, or the end of the port."""
        self._kick.clear()
        kicked = asyncio.ensure_future(self._kick.wait())
        ends: list[asyncio.Future[Any]] = [kicked, channel.lost]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            kicked.cancel()

    async def _trouble(self, channel: AtChannel, trouble: Trouble, detail: str) -> float | None:
        """Decide what trouble means here; return None to initialise again on this port, else when to open it afresh."""
        self._note(detail)
        if self._known is None and (trouble in MUTE or trouble is Trouble.INIT_REFUSED):
            return self._stranger(trouble, detail)
        if trouble in MUTE and channel.time() < self._silent_until:
            # It was restarted or has just come back: silence is what a starting modem gives.
            self._fire(ModemEvent.TROUBLE, detail)
            return self._timings.reopen_s
        return await self._recover(channel, trouble, detail)

    def _stranger(self, trouble: Trouble, detail: str) -> float:
        """A port that never answered as a modem: nothing is done to it but to ask again, more and more rarely."""
        self._strange += 1
        if self._strange == 1 and trouble is not Trouble.INIT_REFUSED:
            self._fire(ModemEvent.TROUBLE, detail)
            return 0.0
        failed = FailedReason.INIT_REFUSED if trouble is Trouble.INIT_REFUSED else FailedReason.NOT_A_MODEM
        self._fire(ModemEvent.INIT_FAILED, detail, failed)
        return self._backoff.failed()

    async def _recover(self, channel: AtChannel, trouble: Trouble, detail: str) -> float | None:
        """Climb until a rung is there for this modem; return as ``_trouble``."""
        self._fire(ModemEvent.RESET if trouble is Trouble.RESET_WANTED else ModemEvent.TROUBLE, detail)
        quirks = self._known.quirks if self._known is not None else GENERIC
        while True:
            rung = self.recovery.next(trouble, channel.time(), self._now_ms())
            if rung is Rung.QUARANTINE:
                _log.error("modem_quarantined", modem=self._settings.slot, trouble=trouble.value)
                self._fire(ModemEvent.EXHAUSTED, detail, FailedReason.QUARANTINED)
                await self._idle(channel, self._timings.quarantine_s)
                return 0.0
            match await self._climber.climb(rung, trouble, channel, quirks):
                case Effect.NOT_THERE:
                    self.recovery.not_there()
                case Effect.STAYED:
                    self._fire(ModemEvent.RECOVERED)
                    return None
                case Effect.NO_SIGN:
                    return 0.0
                case Effect.WENT_DOWN:
                    self._grant(self._timings.restart_s)
                    self._back_by = channel.time() + self._timings.restart_s
                    return self._timings.reopen_s

    async def _bring_back(self) -> None:
        """Help once a modem that a rung made go down and that did not come back; nothing is done for mere absence."""
        now = asyncio.get_running_loop().time()
        if self._back_by is None or now < self._back_by:
            return
        self._back_by = None
        rung = self.recovery.next(Trouble.VANISHED, now, self._now_ms())
        if rung is not Rung.POWER or not await self._climber.bring_back():
            self.recovery.not_there()

    # -- odds and ends

    def _heard(self, urc: Urc) -> None:
        if urc.kind is UrcKind.BOOT:
            self._boots += 1
            self._climber.booted()
            self._kick.set()
        if urc.kind is UrcKind.SMS_READY:
            self._sms_ready.set()
        if urc.kind in {UrcKind.CPIN, UrcKind.SIM_STATE}:
            self._kick.set()
        if self._serving is not None:
            self._serving.heard(urc)
        elif urc.kind in ANNOUNCED and len(self._early) < _EARLY:
            self._early.append(urc)
        if urc.kind is UrcKind.BOOT and self._serving is None and self._channel is not None:
            self._channel.interrupt(urc.name)

    def _registration(self, registered: bool) -> None:
        if registered:
            self.recovery.well(asyncio.get_running_loop().time())
        self._fire(ModemEvent.REGISTERED if registered else ModemEvent.REGISTRATION_LOST)

    def _fire(self, event: ModemEvent, detail: str = "", failed: FailedReason | None = None) -> None:
        self.machine.fire(event, detail[:200], failed)

    def _note(self, error: str) -> None:
        self.last_error = error[:200]

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    def _grant(self, seconds: float) -> None:
        """From now on, silence for so long is what a starting modem gives."""
        self._silent_until = max(self._silent_until, asyncio.get_running_loop().time() + seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless somebody asks for a try at once."""
        self._kick.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._kick.wait()
        except TimeoutError:
            return


_LOCKS = frozenset(
    {
        FailedReason.PIN_MISSING,
        FailedReason.PIN_WRONG,
        FailedReason.PIN_AT_RISK,
        FailedReason.PUK_REQUIRED,
    }
)
