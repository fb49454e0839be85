"""One line's sender: takes the best message, sends its segments back to back, and acts on what became of them."""

from __future__ import annotations

import asyncio
import random

import msgspec
import structlog
from msgspec.structs import replace

from modembank.bank.line import Line
from modembank.dispatch.carriers import Carriers
from modembank.dispatch.desk import Desk
from modembank.dispatch.encoder import Encoder
from modembank.dispatch.lines import LineState
from modembank.dispatch.policy import Action, Blame, Step, cause_text, rest_s, step_after
from modembank.dispatch.queues import Entry
from modembank.dispatch.refusals import Refusals
from modembank.ids import public_id
from modembank.messages.model import (
    BeginVerdict,
    Expire,
    Fail,
    Intent,
    OnUnknown,
    OptedOut,
    QueuedMessage,
    RetryAt,
    Settlement,
)
from modembank.messages.outbox import Outbox
from modembank.messages.views import MESSAGE_ID
from modembank.modem.outcome import AttemptOutcome, Evidence, SubmitResult
from modembank.store import StoreClosed, StoreError
from modembank.tpdu import BadAddress, TextRefused, UnencodableTpdu

REFUSED_SIM_MS = 300_000
"""How long a SIM does not try a message again that it could not send, while others can."""
STORE_REST_MS = 2_000
_log = structlog.get_logger()


class Attempt(msgspec.Struct):
    """One exchange with a modem, from AT+CMGS to its end, or with a provider."""

    intent: Intent
    verdict: BeginVerdict | None = None
    """None: the gate was not asked, a limit held it, or the intent could not be made durable."""
    held: bool = False
    """A limit or the store kept the gate shut."""


class Sender:
    """Serves one SIM for as long as the daemon runs; knows how to send, not what comes next."""

    def __init__(
        self, state: LineState, desk: Desk, outbox: Outbox, carriers: Carriers, *, encoder: Encoder, refusals: Refusals
    ) -> None:
        """Use these."""
        self._state = state
        self._desk = desk
        self._outbox = outbox
        self._carriers = carriers
        self._encoder = encoder
        self._refusals = refusals
        self._chance = random.Random()

    async def run(self) -> None:
        """Send for ever."""
        state = self._state
        while True:
            state.wake_up.clear()
            entry = self._desk.take(state)
            if entry is None:
                await self._wait()
                continue
            ended = False
            try:
                await self._send(entry)
                ended = True
            finally:
                self._desk.hand_over(state, entry.message.id)
                if not ended:
                    self._desk.abandon(entry)

    async def _wait(self) -> None:
        """Wait until woken, or until the limit or the rest that closed the line is over."""
        state = self._state
        state.idle = True
        left_ms = state.closed_until - self._desk.now
        try:
            async with asyncio.timeout(left_ms / 1000 if left_ms > 0 and state.line is not None else None):
                await state.wake_up.wait()
        except TimeoutError:
            pass
        finally:
            state.idle = False

    async def _send(self, entry: Entry) -> None:
        """Send what is left of a message; ends with the message given back, decided about, or settled."""
        if not self.prepare(entry):
            return
        tries = entry.message.tries + 1
        left = [n for n in range(1, entry.message.segments + 1) if n not in entry.message.done]
        for place, segment in enumerate(left):
            line = self._state.line
            if line is None or not await self._admitted(entry.message, starts=place == 0):
                self._desk.give_back(entry)
                return
            more = place + 1 < len(left)
            if not await self._send_segment(line, entry, segment, tries, starts=place == 0, more=more):
                return
        self._desk.decency.sent(self._state.sim_id, entry.message.recipient, entry.message.text, self._desk.now)
        self._desk.forget(entry.message.id)

    def prepare(self, entry: Entry) -> bool:
        """Split a message's text, once; one that cannot be encoded fails and False is returned."""
        if entry.parts is not None:
            return True
        message = entry.message
        try:
            entry.parts, entry.reference = self._encoder.split(message)
            self._encoder.pdu(message, entry.parts, 1, self._state.sim_id, self._desk.now)
        except (TextRefused, BadAddress, UnencodableTpdu) as error:
            problem = str(error)
        else:
            if len(entry.parts.parts) == message.segments:
                return True
            problem = f"it makes {len(entry.parts.parts)} segments, {message.segments} were accepted"
        _log.error("message_not_encodable", message=public_id(MESSAGE_ID, message.id), problem=problem)
        self._desk.decide(message.id, Fail(f"encoding: {problem}"))
        return False

    async def _admitted(self, message: QueuedMessage, *, starts: bool) -> bool:
        """Wait until the SIM's limits allow one more segment; False when the line goes down first."""
        state = self._state
        while state.line is not None and self._desk.open:
            now = self._desk.now
            denied = self._desk.denied(state, message, now, starts=starts)
            if denied is None:
                return True
            if starts:  # limits were lowered since it was taken
                return False
            state.close(now + 60_000 if denied.until is None else denied.until, denied)
            state.wake_up.clear()
            await self._wait()
        return False

    async def _send_segment(
        self, line: Line, entry: Entry, segment: int, tries: int, *, starts: bool, more: bool
    ) -> bool:
        """Send one segment; return whether the message goes on with the next."""
        message, parts = entry.message, entry.parts
        assert parts is not None
        concat = entry.reference if message.segments > 1 else None
        attempt = Attempt(Intent(message.id, segment, tries, self._state.sim_id, line.slot, 0, concat))
        pdu, length = self._encoder.pdu(message, parts, segment, self._state.sim_id, self._desk.now)
        asyncio.get_running_loop().call_soon(self._look_ahead)
        more_follow = more or self._desk.peek(self._state) is not None

        async def gate() -> bool:
            return await self._open_gate(attempt, message, starts=starts)

        result = await line.submit(pdu, length, gate, more_follow=more_follow)
        return await self._after(entry, attempt, result)

    async def _open_gate(self, attempt: Attempt, message: QueuedMessage, *, starts: bool) -> bool:
        """Count the segment and make its intent durable: the last moment before Ctrl-Z."""
        now = self._desk.now
        if self._desk.denied(self._state, message, now, starts=starts) is not None:
            attempt.held = True
            return False
        self._carriers.ledger(attempt.intent.sim_id).record(now, 1, message.recipient, starts=starts)
        attempt.intent = replace(attempt.intent, at=now)
        try:
            attempt.verdict = await self._outbox.begin(attempt.intent)
        except StoreError as error:
            attempt.held = True
            if not isinstance(error, StoreClosed):
                _log.error("intent_not_recorded", message=public_id(MESSAGE_ID, message.id), error=str(error))
            return False
        return attempt.verdict is BeginVerdict.GO

    def _look_ahead(self) -> None:
        """While the modem works, split the text of the message that comes next."""
        coming = self._desk.peek(self._state)
        if coming is not None:
            self.prepare(coming)

    async def _after(self, entry: Entry, attempt: Attempt, result: SubmitResult) -> bool:
        message = entry.message
        if attempt.held and result.outcome is AttemptOutcome.NOT_SENT:
            self._state.close(self._desk.now + STORE_REST_MS)
            self._desk.give_back(entry)
            return False
        if attempt.verdict not in (None, BeginVerdict.GO) and result.outcome is AttemptOutcome.NOT_SENT:
            if attempt.verdict is BeginVerdict.EXPIRED:
                self._desk.decide(message.id, Expire())
            elif attempt.verdict is BeginVerdict.OPTED_OUT:
                self._desk.decide(message.id, OptedOut())
            else:
                self._desk.look_up(message.id, message.route_id)
            return False
        recorded = self._record(attempt, result)
        entry.message = _after_attempt(message, attempt.intent, result) if recorded else message
        step = step_after(result, attempt.intent.n, self._chance)
        self._log(message, attempt.intent, result, step)
        if step.action is Action.NEXT:
            self._state.failures = 0
            self._refusals.sent(attempt.intent.sim_id)
            return True
        self._act(entry, step, result)
        await self._count_against_sim(entry, step, result)
        return False

    def _record(self, attempt: Attempt, result: SubmitResult) -> bool:
        """Journal how it ended; an exchange that never came to its gate is recorded only when it was refused."""
        intent, now = attempt.intent, self._desk.now
        begun = attempt.verdict is BeginVerdict.GO
        if not begun and result.outcome is AttemptOutcome.NOT_SENT:
            return False
        evidence = _evidence(result.evidence)
        if begun:
            settlement = Settlement(intent, result.outcome, now, result.tp_mr, cause_text(result.cause), evidence)
            self._outbox.settle(settlement)
        else:
            intent = replace(intent, at=now)
            settlement = Settlement(intent, result.outcome, now, result.tp_mr, cause_text(result.cause), evidence)
            self._outbox.record_refused(settlement)
        return True

    def _act(self, entry: Entry, step: Step, result: SubmitResult) -> None:
        """Do what the policy says with a message of which a segment was not taken."""
        message, sim_id = entry.message, self._state.sim_id
        cause = cause_text(result.cause) or result.outcome.name.lower()
        if step.action in (Action.BACK, Action.UNKNOWN):
            self._rest(result)
        if step.action is Action.BACK or (
            step.action is Action.WITHOUT_VALIDITY and self._encoder.drop_validity(sim_id)
        ):
            self._desk.give_back(entry)
        elif step.action is Action.FAIL:
            self._desk.decide(message.id, Fail(cause))
        elif step.action is Action.UNKNOWN and message.on_unknown is OnUnknown.HOLD:
            if len(message.done) < message.segments:
                self._desk.give_back(entry)  # the rest follows: it is worth little without, and nothing goes twice
            else:
                self._desk.forget(message.id)  # the fold makes it UNKNOWN
        elif not ((step.action is Action.OTHER_SIM or step.other_sim) and self._pass_on(entry)):
            self._desk.decide(message.id, RetryAt(self._desk.now + round(step.delay_s * 1000), cause))

    def _pass_on(self, entry: Entry) -> bool:
        """Leave a message to the other SIMs for a while, if there are any and no part of it was sent."""
        message, sim_id = entry.message, self._state.sim_id
        if message.done or not self._desk.others(message.route_id, sim_id, entry):
            return False
        entry.refused_until[sim_id] = self._desk.now + REFUSED_SIM_MS
        self._desk.give_back(entry)
        return True

    def _rest(self, result: SubmitResult) -> None:
        """The modem is to blame: let it rest, the longer the more often it failed, so that others get the message."""
        self._state.failures += 1
        klass = None if result.cause is None else result.cause.klass
        rest_ms = round(rest_s(klass, self._state.failures, self._chance) * 1000)
        self._state.close(self._desk.now + rest_ms)

    async def _count_against_sim(self, entry: Entry, step: Step, result: SubmitResult) -> None:
        if step.blame is Blame.NOBODY:
            return
        sim_id = self._state.sim_id
        cause = "no cause" if result.cause is None else result.cause.text
        reason = self._refusals.refused(sim_id, step.blame, entry.message.recipient, cause)
        if reason is not None:
            _log.warning("sim_paused", sim=sim_id, reason=reason)
            await self._carriers.sims.pause(sim_id, reason)

    def _log(self, message: QueuedMessage, intent: Intent, result: SubmitResult, step: Step) -> None:
        level = _log.warning if result.outcome is AttemptOutcome.UNKNOWN else _log.info
        level(
            "segment_ended",
            message=public_id(MESSAGE_ID, message.id),
            sim=intent.sim_id,
            slot=intent.slot,
            segment=intent.segment,
            n=intent.n,
            outcome=result.outcome.name.lower(),
            cause=None if result.cause is None else result.cause.code,
            next=step.action.value,
        )


def _after_attempt(message: QueuedMessage, intent: Intent, result: SubmitResult) -> QueuedMessage:
    """Return the message as a reload would show it after this attempt."""
    held = result.outcome is AttemptOutcome.UNKNOWN and message.on_unknown is OnUnknown.HOLD
    if result.outcome is AttemptOutcome.ACCEPTED or held:
        return msgspec.structs.replace(
            message,
            done=message.done | {intent.segment},
            sim_id=intent.sim_id,
            concat=intent.concat,
            tries=message.tries if result.outcome is AttemptOutcome.ACCEPTED else intent.n,
        )
    return msgspec.structs.replace(message, tries=intent.n)


def _evidence(evidence: Evidence) -> str:
    kept = {name: value for name, value in msgspec.to_builtins(evidence).items() if value is not None}
    return msgspec.json.encode(kept).decode()
