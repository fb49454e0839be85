"""The dispatcher: brings waiting messages and SIMs that can send together, and starts only after recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from modembank.bank.line import Line
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.dispatch.carriers import Carriers
from modembank.dispatch.decency import LOOP_CAUSE, Decency
from modembank.dispatch.desk import Desk
from modembank.dispatch.encoder import Encoder
from modembank.dispatch.explaining import Explainer
from modembank.dispatch.handover import LOOK_S, HandingOver
from modembank.dispatch.lines import LineState
from modembank.dispatch.loader import Loader
from modembank.dispatch.refusals import Refusals
from modembank.dispatch.sender import Sender
from modembank.dispatch.vigil import Vigil
from modembank.dispatch.withdrawals import Withdrawals
from modembank.events import (
    BatchGrown,
    MessagesReady,
    MessagesSetAside,
    MessageStateChanged,
    OptOutsChanged,
    ProvidersChanged,
    SimChanged,
)
from modembank.messages.loops import Loop
from modembank.messages.model import TERMINAL, Decision, MessageState
from modembank.messages.outbox import Outbox
from modembank.messages.waiting import WaitingMessage
from modembank.providers import Provider, Providers
from modembank.sim import Sims
from modembank.store import Urgency
from modembank.supervision import Supervisor

ROUND_S = 30.0
"""At least this often everything is looked at again: it heals what a jump of the clock has left behind."""
_ENDED = frozenset(TERMINAL | {MessageState.UNKNOWN})
_log = structlog.get_logger()


class Dispatcher:
    """Implements LineListener for the bank and WaitExplainer for the messages."""

    def __init__(
        self,
        outbox: Outbox,
        sims: Sims,
        bus: Bus,
        clock: Clock,
        decency: Decency | None = None,
        providers: Providers | None = None,
    ) -> None:
        """Use these; nothing is sent before start()."""
        self._decency = decency or Decency()
        self._outbox = outbox
        self._sims = sims
        self._clock = clock
        self._providers = providers
        self._carriers = Carriers(sims, providers)
        self._desk = Desk(self._carriers, clock, self._decide, self._decency)
        self._loader = Loader(self._desk, outbox)
        self._vigil = Vigil(self._desk, outbox)
        self._encoder = Encoder()
        self._refusals = Refusals()
        self._withdrawals = Withdrawals(outbox, clock)
        self._explainer = Explainer(self._desk, self._carriers)
        self._children = Supervisor()
        self._rearm = asyncio.Event()
        self._started = False
        self._unsubscribe: tuple[Callable[[], None], ...] = (
            bus.subscribe(MessagesReady, self._ready),
            bus.subscribe(MessagesSetAside, self._set_aside),
            bus.subscribe(MessageStateChanged, self._changed),
            bus.subscribe(BatchGrown, self._grown),
            bus.subscribe(SimChanged, self._sim_changed),
            bus.subscribe(ProvidersChanged, self._providers_changed),
            bus.subscribe(OptOutsChanged, self._withdrawals.note),
        )
        self.last_round_at = clock.monotonic()
        """Monotonic seconds at which the rounds were last alive; for the watchdog, stale after a few ROUND_S."""

    async def start(self) -> None:
        """Begin to give out messages; call it after Outbox.recover() and Sims.load()."""
        await self._vigil.load()
        self._started = self._desk.open = True
        self._children.start("dispatch.loader", self._loader.run)
        self._children.start("dispatch.vigil", self._vigil.run)
        self._children.start("dispatch.rounds", self._rounds)
        self._children.start("dispatch.withdrawals", self._withdrawals.run)
        for line in self._desk.lines.values():
            self._start_sender(line)
        if self._providers is not None:
            self._children.start("dispatch.providers", self._watch_providers)

    async def drain(self, within_s: float = 30.0) -> bool:
        """Give out nothing more and wait for the exchanges in flight; return whether all ended in time."""
        self._desk.open = False
        self._desk.notify_all()
        ended = True
        try:
            async with asyncio.timeout(within_s):
                while self._desk.in_hand():
                    await self._desk.hand_emptied.wait()
        except TimeoutError:
            ended = False
            _log.warning("drain_timed_out", in_flight=len(self._desk.in_hand()))
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = ()
        return await self._children.stop_all() and ended

    def line_up(self, line: Line) -> None:
        """A SIM may be given messages."""
        sim_id = self._sims.get(line.sim_id).id
        state = self._desk.lines.get(sim_id)
        is_new = state is None
        if state is None:
            state = self._desk.lines[sim_id] = LineState(sim_id)
        state.line, state.slot, state.why_down, state.failures = line, line.slot, "", 0
        state.first_up_at = state.first_up_at or self._desk.now
        self._vigil.look()  # before it can take anything: what waited through an outage is judged first
        state.reopen()
        state.wake()
        if is_new and self._started:
            self._start_sender(state)

    def line_down(self, sim_id: int, why: str) -> None:
        """No new message may be given to a SIM; what is in flight ends by itself."""
        state = self._desk.lines.get(self._sims.get(sim_id).id)
        if state is None:
            return
        state.line, state.why_down, state.down_at = None, why, self._desk.now
        self._vigil.look()
        state.wake()
        self._desk.notify_all()

    def explain(self, message: WaitingMessage) -> str | None:
        """Return why a message is not sent yet, or None."""
        return self._explainer.explain(message)

    def recheck(self) -> None:
        """Look at everything again now: after the clock was set."""
        for line in self._desk.lines.values():
            if line.denied is not None:
                line.reopen()
        self._desk.notify_all()
        self._loader.look()
        self._rearm.set()

    async def note_alive(self, urgency: Urgency = Urgency.LAZY) -> None:
        """Note that the box lives, so that the next start knows for how long it did not; call it once a minute."""
        await self._vigil.note_alive(urgency)

    def unserved(self) -> dict[int, int]:
        """Return the routes on which something waits and no SIM is in service, with since when (unix ms)."""
        return self._vigil.unserved()

    def in_flight(self) -> int:
        """Return how many messages are in the hands of lines."""
        return len(self._desk.in_hand())

    def refused_numbers(self, sim_id: int) -> tuple[str, ...]:
        """Return the numbers, masked, whose refusals in a row paused a SIM while this daemon ran."""
        return self._refusals.numbers.get(sim_id, ())

    def loops(self) -> tuple[Loop, ...]:
        """Return the numbers to which nothing is sent for a while, because messages chase each other."""
        loops = self._decency.loops
        return () if loops is None else loops.current(self._desk.now)

    async def release_loop(self, number: str) -> bool:
        """Hold a number back no longer, and try what waits for it; return whether it was held."""
        loops = self._decency.loops
        if loops is None or not loops.release(number, self._desk.now):
            return False
        await self._outbox.let_go(number, LOOP_CAUSE)
        self._rearm.set()
        return True

    def _start_sender(self, line: LineState) -> None:
        sender = Sender(line, self._desk, self._outbox, self._carriers, encoder=self._encoder, refusals=self._refusals)
        self._children.start(f"dispatch[sim-{line.sim_id}].sender", sender.run)

    def _ready(self, event: MessagesReady) -> None:
        self._loader.announce(event)
        if not event.entries:
            self._rearm.set()

    def _set_aside(self, event: MessagesSetAside) -> None:
        in_hand = self._desk.in_hand()
        for message in event.messages:
            if message not in in_hand:
                self._desk.forget(message)

    def _changed(self, event: MessageStateChanged) -> None:
        if event.state == MessageState.SCHEDULED:
            self._rearm.set()
        elif event.state in _ENDED and event.message not in self._desk.in_hand():
            self._desk.forget(event.message)

    def _grown(self, event: BatchGrown) -> None:
        if event.state == MessageState.SCHEDULED:
            self._rearm.set()

    def _sim_changed(self, event: SimChanged) -> None:
        self._vigil.look()
        line = self._desk.lines.get(event.sim)
        if line is not None:
            line.reopen()
            self._desk.reconsider(event.sim)
        self._desk.notify_all()

    def _providers_changed(self, event: ProvidersChanged) -> None:  # noqa: ARG002 - all are looked at
        self._look_at_providers()
        self._vigil.look()
        self._desk.notify_all()

    async def _watch_providers(self) -> None:
        """See when providers become ready and cease to be: their sessions come and go by themselves."""
        while True:
            if self._look_at_providers():
                self._vigil.look()
                self._desk.notify_all()
            await asyncio.sleep(LOOK_S)

    def _look_at_providers(self) -> bool:
        """Bring the lines of providers up to date; return whether one came or went."""
        if self._providers is None or not self._started:
            return False
        changed, there = False, {provider.id: provider for provider in self._providers.all()}
        for provider in there.values():
            state = self._desk.lines.get(provider.id)
            if state is None:
                state = self._desk.lines[provider.id] = LineState(provider.id, slot=provider.name)
                self._start_handing_over(state, provider)
            why = provider.not_ready()
            if state.is_up is not (why is None):
                changed = True
                state.provider = provider if why is None else None
                if why is None:
                    state.first_up_at = state.first_up_at or self._desk.now
                else:
                    state.down_at = self._desk.now
            state.why_down = why or ""
        for carrier in [carrier for carrier in self._desk.lines if carrier < 0 and carrier not in there]:
            changed = True
            self._desk.lines.pop(carrier).provider = None
        return changed

    def _start_handing_over(self, state: LineState, provider: Provider) -> None:
        assert self._providers is not None
        handing = HandingOver(state, provider, self._desk, self._outbox, self._carriers, self._providers)
        self._children.start(f"dispatch[provider-{provider.row.id}].handover", handing.run)

    def _decide(self, message_id: int, decision: Decision) -> None:
        self._outbox.decide(message_id, decision).add_done_callback(lambda _: self._rearm.set())

    async def _rounds(self) -> None:
        """Wake timed messages when they are due, and look at everything now and then."""
        while True:
            self._rearm.clear()
            self.last_round_at = self._clock.monotonic()
            now = to_ms(self._clock.now())
            due = await self._outbox.next_timed()
            if due is not None and due <= now:
                await self._outbox.wake_timed(now)
                continue
            wait_s = ROUND_S if due is None else min(ROUND_S, (due - now) / 1000)
            try:
                async with asyncio.timeout(wait_s):
                    await self._rearm.wait()
            except TimeoutError:
                if wait_s == ROUND_S:
                    await self._outbox.sweep()
                    self._loader.reload()
                    self.recheck()
                    self._rearm.clear()
