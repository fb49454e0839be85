"""One provider's sender: hands it whole messages, several at once, and acts on what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

import msgspec
import structlog
from msgspec.structs import replace

from modembank.dispatch.carriers import Carriers
from modembank.dispatch.desk import Desk
from modembank.dispatch.lines import LineState
from modembank.dispatch.policy import Action, Blame, Step, cause_text, provider_rest_s, step_after
from modembank.dispatch.queues import Entry
from modembank.dispatch.sender import REFUSED_SIM_MS, STORE_REST_MS, Attempt
from modembank.ids import public_id
from modembank.messages.model import (
    WHOLE,
    BeginVerdict,
    Expire,
    Fail,
    Intent,
    MessageFlags,
    OnUnknown,
    OptedOut,
    QueuedMessage,
    RetryAt,
    Settlement,
)
from modembank.messages.outbox import Outbox
from modembank.messages.views import MESSAGE_ID
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Adapter, Outbound, Provider, Providers, Result
from modembank.store import StoreClosed, StoreError

LOOK_S = 2.0
"""Between two looks whether a provider is ready, and whether those that go before it cannot send any more."""
HANDOVER_S = 300.0
"""No adapter may take longer; its own limits are below."""
REFERENCE_LIMIT = 200
_log = structlog.get_logger()


class HandingOver:
    """Serves one provider until it is removed."""

    def __init__(
        self, state: LineState, provider: Provider, desk: Desk, outbox: Outbox, carriers: Carriers, providers: Providers
    ) -> None:
        """Use these."""
        self._state = state
        self._provider = provider
        self._desk = desk
        self._outbox = outbox
        self._carriers = carriers
        self._providers = providers
        self._chance = random.Random()

    async def run(self) -> None:
        """Hand over until the provider is removed; cancelled, what is under way is left as it stands in the journal."""
        async with asyncio.TaskGroup() as under_way:
            while self._provider.row.removed_at is None:
                self._state.wake_up.clear()
                entry = self._next()
                if entry is None:
                    await self._wait()
                else:
                    under_way.create_task(self._hand_over(entry), name=f"{self._provider.name}.{entry.message.id}")

    def _next(self) -> Entry | None:
        adapter = self._provider.adapter
        if adapter is None or not self._state.is_up or len(self._state.in_hand) >= adapter.window:
            return None
        return self._desk.take(self._state)

    async def _wait(self) -> None:
        self._state.idle = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._state.wake_up.wait()
        self._state.idle = False

    async def _hand_over(self, entry: Entry) -> None:
        ended = False
        try:
            await self._send(entry)
            ended = True
        finally:
            self._desk.hand_over(self._state, entry.message.id)
            if not ended:
                self._desk.abandon(entry)
            self._state.wake_up.set()

    async def _send(self, entry: Entry) -> None:
        message, adapter = entry.message, self._provider.adapter
        if adapter is None:
            self._desk.give_back(entry)
            return
        attempt = Attempt(Intent(message.id, WHOLE, message.tries + 1, self._provider.id, self._provider.name, 0))
        began = time.monotonic()
        result = await self._result(adapter, attempt, message)
        if attempt.verdict is None and result.outcome in (AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN):
            _log.error("provider_without_gate", provider=self._provider.name, message=_public(message))
        self._after(entry, attempt, result, time.monotonic() - began)

    async def _result(self, adapter: Adapter, attempt: Attempt, message: QueuedMessage) -> Result:
        async def gate() -> bool:
            return await self._open_gate(attempt, message)

        try:
            async with asyncio.timeout(HANDOVER_S):
                return await adapter.send(self._outbound(message), gate)
        except TimeoutError:
            cause = Cause(CauseClass.MODEM, "overdue", f"no end in {HANDOVER_S:g} seconds")
        except Exception as error:  # noqa: BLE001 - a named boundary: an adapter may be anybody's
            _log.error("provider_fault", provider=self._provider.name, message=_public(message), exc_info=error)
            cause = Cause(CauseClass.MODEM, "fault", f"its adapter failed: {type(error).__name__}")
        if attempt.verdict is BeginVerdict.GO:
            return Result(AttemptOutcome.UNKNOWN, cause=replace(cause, klass=CauseClass.AMBIGUOUS))
        return Result(AttemptOutcome.NOT_SENT, cause=cause)

    def _outbound(self, message: QueuedMessage) -> Outbound:
        return Outbound(
            key=f"{self._providers.key}-{_public(message)}",
            channel=self._provider.channel,
            recipient=message.recipient,
            text=message.text,
            subject=message.subject,
            segments=message.segments,
            flash=bool(message.flags & MessageFlags.FLASH),
            delivery_report=bool(message.flags & MessageFlags.DELIVERY_REPORT),
            valid_for_s=max(1, (message.expires_at - self._desk.now) // 1000),
        )

    async def _open_gate(self, attempt: Attempt, message: QueuedMessage) -> bool:
        """Count the message and make its intent durable: the last moment before the provider may have it."""
        now = self._desk.now
        if self._desk.denied(self._state, message, now) is not None:
            attempt.held = True
            return False
        self._provider.ledger.record(now, message.segments, message.recipient)
        attempt.intent = replace(attempt.intent, at=now)
        try:
            attempt.verdict = await self._outbox.begin(attempt.intent)
        except StoreError as error:
            attempt.held = True
            if not isinstance(error, StoreClosed):
                _log.error("intent_not_recorded", message=_public(message), error=str(error))
            return False
        return attempt.verdict is BeginVerdict.GO

    def _after(self, entry: Entry, attempt: Attempt, result: Result, seconds: float) -> None:
        message = entry.message
        if attempt.held and result.outcome is AttemptOutcome.NOT_SENT:
            self._state.close(self._desk.now + STORE_REST_MS)
            self._desk.give_back(entry)
            return
        if attempt.verdict not in (None, BeginVerdict.GO) and result.outcome is AttemptOutcome.NOT_SENT:
            self._refused_at_gate(message, attempt.verdict)
            return
        self._providers.tried(self._provider, result.outcome, seconds, result.cause)
        if attempt.verdict is BeginVerdict.GO or result.outcome is not AttemptOutcome.NOT_SENT:
            self._record(attempt, result)
            entry.message = replace(message, tries=attempt.intent.n)
        step = step_after(result, attempt.intent.n, self._chance)
        self._log(message, attempt.intent, result, step)
        if step.action is Action.NEXT:
            self._state.failures = 0
            self._desk.decency.sent(self._provider.id, message.recipient, message.text, self._desk.now)
            self._desk.forget(message.id)
            return
        self._act(entry, step, result)

    def _refused_at_gate(self, message: QueuedMessage, verdict: BeginVerdict | None) -> None:
        if verdict is BeginVerdict.EXPIRED:
            self._desk.decide(message.id, Expire())
        elif verdict is BeginVerdict.OPTED_OUT:
            self._desk.decide(message.id, OptedOut())
        else:
            self._desk.look_up(message.id, message.route_id)

    def _record(self, attempt: Attempt, result: Result) -> None:
        """Journal how it ended; a refusal that came before the gate was asked brings its intent along."""
        now = self._desk.now
        begun = attempt.verdict is BeginVerdict.GO
        intent = attempt.intent if begun else replace(attempt.intent, at=now)
        reference = None if result.reference is None else result.reference[:REFERENCE_LIMIT]
        evidence = msgspec.json.encode({"provider": dict(result.evidence)}).decode()
        settlement = Settlement(intent, result.outcome, now, None, cause_text(result.cause), evidence, reference)
        if begun:
            self._outbox.settle(settlement)
        else:
            self._outbox.record_refused(settlement)

    def _act(self, entry: Entry, step: Step, result: Result) -> None:
        """Do what the policy says with a message that was not taken."""
        message, now = entry.message, self._desk.now
        cause = cause_text(result.cause) or result.outcome.name.lower()
        asked_ms = round((result.retry_after_s or 0) * 1000)
        if step.action in (Action.BACK, Action.UNKNOWN) or step.blame is Blame.SIM:
            self._rest(step, asked_ms)
        if step.action is Action.BACK:
            self._desk.give_back(entry)
        elif step.action is Action.FAIL:
            self._desk.decide(message.id, Fail(cause))
        elif step.action is Action.UNKNOWN and message.on_unknown is OnUnknown.HOLD:
            self._desk.forget(message.id)  # the fold makes it UNKNOWN
        elif not ((step.action is Action.OTHER_SIM or step.other_sim) and self._pass_on(entry)):
            self._desk.decide(message.id, RetryAt(now + max(round(step.delay_s * 1000), asked_ms), cause))

    def _pass_on(self, entry: Entry) -> bool:
        """Leave a message to the others for a while, if there are any."""
        if not self._desk.others(entry.message.route_id, self._state.sim_id, entry):
            return False
        entry.refused_until[self._state.sim_id] = self._desk.now + REFUSED_SIM_MS
        self._desk.give_back(entry)
        return True

    def _rest(self, step: Step, asked_ms: int) -> None:
        """The provider is to blame: leave it alone, the longer the more often it failed, so that others get more."""
        self._state.failures += 1
        if step.action is Action.OTHER_SIM and self._state.failures < 3:
            return  # an account that refuses one message may take the next
        rest_ms = round(provider_rest_s(self._state.failures, self._chance) * 1000)
        self._state.close(self._desk.now + max(rest_ms, asked_ms))

    def _log(self, message: QueuedMessage, intent: Intent, result: Result, step: Step) -> None:
        level = _log.warning if result.outcome is AttemptOutcome.UNKNOWN else _log.info
        level(
            "handed_over",
            message=_public(message),
            provider=intent.slot,
            n=intent.n,
            outcome=result.outcome.name.lower(),
            cause=None if result.cause is None else result.cause.code,
            next=step.action.value,
        )


def _public(message: QueuedMessage) -> str:
    return public_id(MESSAGE_ID, message.id)
