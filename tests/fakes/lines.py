"""SIMs in modems that answer as a script says, and a whole box around a dispatcher."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo

from fakes.outboxes import OutboxBox
from modembank.config import LimitsConfig
from modembank.decency import LoopsConfig, QuietHoursConfig
from modembank.dispatch import Decency, Dispatcher, QuietHours
from modembank.messages import Loops
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass, SubmitResult
from modembank.sim import SimIdentity, Sims
from modembank.tpdu import SubmitTpdu, decode_pdu

NO_LIMITS = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=0, per_day=0)


def refused(klass: CauseClass, code: str = "cms_1", text: str = "+CMS ERROR 1: unassigned number") -> SubmitResult:
    return SubmitResult(AttemptOutcome.REJECTED, cause=Cause(klass, code, text))


def unknown(code: str = "no_final") -> SubmitResult:
    cause = Cause(CauseClass.AMBIGUOUS, code, "silence after Ctrl-Z")
    return SubmitResult(AttemptOutcome.UNKNOWN, cause=cause)


def not_sent(klass: CauseClass = CauseClass.PORT, code: str = "port_gone") -> SubmitResult:
    return SubmitResult(AttemptOutcome.NOT_SENT, cause=Cause(klass, code, "the port is gone"))


@dataclass
class Sent:
    """One PDU that went out on the air."""

    sim_id: int
    number: str
    at: int
    tpdu: SubmitTpdu
    outcome: AttemptOutcome
    tp_mr: int | None = None
    """What the network knows it by; told to us only when it was accepted."""

    @property
    def part(self) -> tuple[int, int, int]:
        """Reference, total, number; (0, 1, 1) when it is whole."""
        concat = self.tpdu.user_data.udh.concat if self.tpdu.user_data.udh else None
        return (0, 1, 1) if concat is None else (concat.reference, concat.total, concat.sequence)


@dataclass
class ScriptedLine:
    """A SIM that asks the gate and then answers: the next of ``answers``, or accepts."""

    sim_id: int
    slot: str
    air: list[Sent]
    clock: object
    answers: list[SubmitResult] = field(default_factory=list)
    answer: Callable[[SubmitTpdu], SubmitResult | None] | None = None
    takes_s: float = 0.0
    before_gate: bool = False
    """The next NOT_SENT or REJECTED answer comes before the prompt."""
    release: asyncio.Event | None = None
    """When set, the final result waits for it."""
    busy: bool = False
    reference: int = 0
    submits: int = 0

    async def submit(self, pdu, length, gate, *, more_follow=False) -> SubmitResult:
        assert not self.busy, "one exchange at a time"
        self.busy = True
        self.submits += 1
        try:
            return await self._exchange(pdu, length, gate)
        finally:
            self.busy = False

    async def _exchange(self, pdu, length, gate) -> SubmitResult:
        tpdu = decode_pdu(pdu, direction="outbound", tpdu_length=length).tpdu
        assert tpdu.reference == 0
        result = self.answer(tpdu) if self.answer else None
        if result is None and self.answers:
            result = self.answers.pop(0)
        if (
            result is not None
            and self.before_gate
            and result.outcome
            in (
                AttemptOutcome.NOT_SENT,
                AttemptOutcome.REJECTED,
            )
        ):
            await asyncio.sleep(0)
            return result
        asked_at = self.clock.now_ms
        if not await gate():
            cause = Cause(CauseClass.MODEM, "gate_closed", "not sent")
            return SubmitResult(AttemptOutcome.NOT_SENT, cause=cause)
        reference = None
        outcome = AttemptOutcome.ACCEPTED if result is None else result.outcome
        if outcome in (AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN):
            self.reference = (self.reference + 1) % 256
            self.air.append(Sent(self.sim_id, tpdu.destination.number, asked_at, tpdu, outcome, self.reference))
            reference = self.reference
        if self.release is not None:
            await self.release.wait()
        else:
            await asyncio.sleep(self.takes_s)
        if outcome is AttemptOutcome.ACCEPTED:
            return SubmitResult(AttemptOutcome.ACCEPTED, tp_mr=reference)
        return result


@dataclass
class DispatchBox(OutboxBox):
    """A box with SIMs and a dispatcher; the air keeps what was sent over all its lives."""

    limits: LimitsConfig = NO_LIMITS
    air: list[Sent] = field(default_factory=list)
    lines: dict[int, ScriptedLine] = field(default_factory=dict)
    cuts: int = 0
    quiet: QuietHoursConfig = field(default_factory=QuietHoursConfig)
    zone: tzinfo | None = None
    loop_rule: LoopsConfig = field(default_factory=LoopsConfig)

    async def open(self, *, recover: bool = True, start: bool = True) -> "DispatchBox":
        await super().open(recover=recover)
        self.sims = Sims(self.store, self.bus, self.clock, self.limits)
        await self.sims.load()
        self.loops = Loops(self.loop_rule, self.bus)
        decency = Decency(QuietHours(self.quiet, self.zone), self.loops)
        self.dispatcher = Dispatcher(self.outbox, self.sims, self.bus, self.clock, decency)
        self.lines = {}
        if start:
            await self.dispatcher.start()
        return self

    async def crash(self) -> "DispatchBox":
        """Stop without any of the politeness of a shutdown, then start on the same file."""
        await self.dispatcher._children.stop_all()
        return await self.reopen()

    async def power_cut(self) -> "DispatchBox":
        """Go on from what was on the disk at one moment: nothing submitted but uncommitted is there.

        The files are copied on the writer's thread, where no checkpoint can run; what was sent later was not.
        """
        self.cuts += 1
        path = self.path.with_name(f"cut-{self.cuts}.db")

        def copy(_: object) -> tuple[int, ...]:
            for suffix in ("", "-wal"):
                source = self.path.with_name(self.path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, path.with_name(path.name + suffix))
            return tuple(len(kept) for kept in self.journals())

        sent = await self.store.write(copy)
        await self.close()
        for kept, length in zip(self.journals(), sent, strict=True):
            del kept[length:]
        self.path = path
        return await self.open()

    def journals(self) -> tuple[list, ...]:
        """What was sent, by those who took it."""
        return (self.air,)

    async def close(self) -> None:
        if self.store is not None:
            await self.dispatcher._children.stop_all()
        await super().close()

    async def sim(self, number: int, label: str = "", **limits: float) -> int:
        """Identify a SIM in a slot; return its row id."""
        iccid = f"89440000000000{number:05d}"
        found = await self.sims.identify(SimIdentity(iccid=iccid), f"slot-{number}")
        if label:
            await self.sims.set_label(found.id, label)
        if limits:
            await self.sims.set_limits(found.id, limits)
        return found.id

    async def line(self, number: int = 1, label: str = "", *, up: bool = True, **limits: float) -> ScriptedLine:
        """A SIM in a registered modem."""
        sim_id = await self.sim(number, label, **limits)
        line = ScriptedLine(sim_id, f"slot-{number}", self.air, self.clock)
        self.lines[sim_id] = line
        if up:
            self.dispatcher.line_up(line)
        return line

    async def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Wait for what must come; fails after long enough to be sure."""
        for _ in range(4000):
            if condition():
                return
            await asyncio.sleep(0.0025)
        message = f"{what} did not come about"
        raise AssertionError(message)

    async def settled(self) -> None:
        """Let everything that can happen now happen."""
        last = None
        for _ in range(2000):
            await self.outbox.flush()
            seen = (len(self.air), self.dispatcher.in_flight(), sum(line.submits for line in self.lines.values()))
            if seen == last and not seen[1]:
                return
            last = seen
            await asyncio.sleep(0.005)

    async def turn(self, ms: int) -> None:
        """Turn the clock and have everybody notice."""
        self.clock.turn(ms)
        self.dispatcher.recheck()
        await asyncio.sleep(0)
