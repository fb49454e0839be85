"""Providers that answer as a script says, beside SIMs, around a real dispatcher."""

import asyncio
from dataclasses import dataclass, field

from fakes.lines import DispatchBox, ScriptedLine
from modembank.config import ProvidersConfig
from modembank.dispatch import Decency, Dispatcher, QuietHours
from modembank.messages import Loops, Receiving
from modembank.messages.model import MessageState
from modembank.messages.numbers import normalise_sender
from modembank.messages.returning import Returning
from modembank.messages.waiting import WaitingMessage
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Channel, Limits, Outbound, Provider, Providers, Reply, Result, Rule, Sharing, rows
from modembank.sim import Sims

PATIENCE = 60_001


def refused(klass: CauseClass, code: str = "nope", retry_after_s: float | None = None) -> Result:
    return Result(AttemptOutcome.REJECTED, cause=Cause(klass, code, "it says no"), retry_after_s=retry_after_s)


def not_sent(klass: CauseClass = CauseClass.MODEM) -> Result:
    return Result(AttemptOutcome.NOT_SENT, cause=Cause(klass, "refused", "nobody listens"))


def unknown() -> Result:
    return Result(AttemptOutcome.UNKNOWN, cause=Cause(CauseClass.AMBIGUOUS, "timeout", "no answer"))


@dataclass
class ScriptedProvider:
    """Asks the gate and then answers: the next of ``answers``, or takes the message under a reference."""

    name: str
    taken: list[tuple[str, Outbound]]
    window: int = 4
    answers: list[Result | Exception] = field(default_factory=list)
    why: str | None = None
    before_gate: bool = False
    release: asyncio.Event | None = None
    seen: list[Outbound] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    sink: object = None

    def not_ready(self) -> str | None:
        return self.why

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, message: Outbound, gate) -> Result:
        self.seen.append(message)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(message, gate)
        finally:
            self.under_way -= 1

    async def _answer(self, message: Outbound, gate) -> Result:
        answer = self.answers.pop(0) if self.answers else None
        if self.before_gate and isinstance(answer, Result):
            return answer
        if not await gate():
            return Result(AttemptOutcome.NOT_SENT, cause=Cause(CauseClass.MODEM, "gate_closed", "not sent"))
        if self.release is not None:
            await self.release.wait()
        if isinstance(answer, Exception):
            raise answer
        if answer is None or answer.outcome in (AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN):
            self.taken.append((self.name, message))
        return answer or Result(AttemptOutcome.ACCEPTED, f"{self.name}-{len(self.taken)}", evidence={"status": 202})

    async def called(self, call) -> Reply:
        return Reply(body=call.body.decode())


class ScriptedProviders(Providers):
    """Makes scripted adapters, the same over all changes of a provider."""

    def __init__(self, *given: object, adapters: dict[str, ScriptedProvider]) -> None:
        super().__init__(*given)
        self._adapters = adapters

    def _made(self, provider: Provider, sinks) -> ScriptedProvider:
        adapter = self._adapters[provider.name]
        adapter.sink = sinks.of(provider)
        return adapter


@dataclass
class CarrierBox(DispatchBox):
    """A box with SIMs, providers and a dispatcher; ``taken`` is what providers took over all its lives."""

    taken: list[tuple[str, Outbound]] = field(default_factory=list)
    adapters: dict[str, ScriptedProvider] = field(default_factory=dict)
    providers: Providers | None = None

    async def open(self, *, recover: bool = True, start: bool = True) -> "CarrierBox":
        await super(DispatchBox, self).open(recover=recover)
        self.sims = Sims(self.store, self.bus, self.clock, self.limits)
        await self.sims.load()
        config = ProvidersConfig()
        self.providers = ScriptedProviders(
            self.store, self.bus, self.clock, self.metrics, config, adapters=self.adapters
        )
        await self.providers.load()
        self.loops = Loops(self.loop_rule, self.bus)
        decency = Decency(QuietHours(self.quiet, self.zone), self.loops)
        self.dispatcher = Dispatcher(self.outbox, self.sims, self.bus, self.clock, decency, self.providers)
        self.receiving = Receiving(self.store, self.bus, self.clock, self.metrics, self.outbox)
        self.returning = Returning(
            self.store, self.clock, self.metrics, self.outbox, self.receiving, lambda one: normalise_sender(one, "GB")
        )
        self.lines = {}
        if start:
            self.providers.start(self.returning)
            await self.dispatcher.start()
        return self

    def journals(self) -> tuple[list, ...]:
        return self.air, self.taken

    async def close(self) -> None:
        if self.store is not None:
            await self.providers.stop()
        await super().close()

    async def provider(
        self,
        name: str = "alpha",
        *,
        channel: Channel = Channel.SMS,
        cost: float = 1.0,
        automatic: bool = True,
        window: int = 4,
        why: str | None = None,
        **limits: float,
    ) -> ScriptedProvider:
        """Add a provider, as if an admin had; it is ready unless ``why`` says that it is not."""
        adapter = self.adapters[name] = ScriptedProvider(name, self.taken, window, why=why)
        now = self.clock.now_ms
        row = rows.ProviderRow(
            0, name, "scripted", channel.value, {}, Sharing(cost, automatic, Limits(**limits)), True, None, now, now
        )
        await self.store.write(lambda conn: rows.insert(conn, row))
        await self.providers.stop()
        self.providers._providers.clear()
        await self.providers.load()
        self.providers.start(self.returning)
        return adapter

    async def rules(self, *rules: Rule) -> None:
        await self.store.write(lambda conn: rows.write_rules(conn, rules))
        self.providers.rules = rules
        self.providers._changed()

    def number_of(self, name: str) -> int:
        found = self.providers.named(name)
        assert found is not None
        return found.id

    async def patience(self) -> None:
        """Let those who go first have had their time, and everybody look again."""
        await self.turn(PATIENCE)

    def down(self, line: ScriptedLine, why: str = "no network") -> None:
        self.dispatcher.line_down(line.sim_id, why)

    async def ready(self, name: str, why: str | None) -> None:
        """A provider's session comes or goes."""
        self.adapters[name].why = why
        self.dispatcher._look_at_providers()
        self.dispatcher._vigil.look()
        self.dispatcher._desk.notify_all()
        await asyncio.sleep(0)

    async def explain(self, message: int) -> str | None:
        """Why a message waits."""
        row = await self.row(message, "id, route_id, rank, state, ready, not_before, window, cause")
        return self.dispatcher.explain(WaitingMessage(*row[:3], MessageState(row[3]), row[4] == 1, *row[5:]))

    @property
    def took(self) -> list[str]:
        """Who took something, in order."""
        return [name for name, _ in self.taken]
