"""SMPP 3.4: messages through an account at an SMSC, over sessions that are held open.

What becomes of a message, and why:

=====================================================  ==========  =================================================
what happened                                          outcome     class, and what follows
=====================================================  ==========  =================================================
no session: name, TCP, TLS, bind refused, back-off     NOT_SENT    MODEM: nothing was written
the session ended before the request was written       NOT_SENT    MODEM
the SMSC reads nothing, the request was not written    NOT_SENT    MODEM
the text or the address cannot be carried              NOT_SENT    RECIPIENT
submit_sm_resp with ESME_ROK                           ACCEPTED    reference: its message_id
submit_sm_resp or generic_nack with another status     REJECTED    by smpp_status_table; throttled or full: rest
no answer in time                                      UNKNOWN     AMBIGUOUS: the SMSC may be slow and have it
the session lost after writing, whole or in part       UNKNOWN     AMBIGUOUS: how much was read cannot be known
an answer to another command, or a nack without cause  UNKNOWN     AMBIGUOUS: evidence keeps what it was
a later segment refused or lost, the first one taken   UNKNOWN     AMBIGUOUS: the recipient may get a piece
=====================================================  ==========  =================================================
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers.adapters import smpp_settings
from modembank.providers.adapters.smpp_inbound import Inbound
from modembank.providers.adapters.smpp_keeper import Keeper
from modembank.providers.adapters.smpp_link import Link, NoAnswer, NotWritten
from modembank.providers.adapters.smpp_pdu import Command, Pdu, ShortMessage, message_id
from modembank.providers.adapters.smpp_receipts import reference_of
from modembank.providers.adapters.smpp_settings import BindAs, Long
from modembank.providers.adapters.smpp_status_table import RESTING, RINVBNDSTS, ROK, cause_of
from modembank.providers.adapters.smpp_text import address, bodies_of, relative_period
from modembank.providers.model import BadCall, Call, Channel, Gate, Means, Outbound, Reply, Result
from modembank.tpdu import TextRefused

_log = structlog.get_logger()

NAME: Final = "smpp"
Settings = smpp_settings.Settings

FIRST_REST_S: Final = 1.0
MOST_REST_S: Final = 60.0
"""After ESME_RTHROTTLED and ESME_RMSGQFUL: doubling, until something is taken again."""
PART_TRIES: Final = 5
"""For a segment that is throttled when others of its message were taken: the refused one cannot be there twice."""


def channel(settings: Settings) -> Channel:
    """Return SMS."""
    del settings
    return Channel.SMS


def check(settings: Settings) -> None:
    """Raise InvalidRequest for what types cannot say."""
    smpp_settings.check(settings)


def make(settings: Settings, means: Means) -> Smpp:
    """Return a provider; sessions come with ``run``."""
    return Smpp(settings, means)


class Smpp:
    """An account at an SMSC."""

    def __init__(self, settings: Settings, means: Means) -> None:
        """Do nothing yet."""
        self._settings, self._means = settings, means
        self._inbound = Inbound(settings, means)
        self._keepers = {
            command: Keeper(settings, means, command, self._inbound.deliver) for command in _BINDS[settings.bind]
        }
        self._sender = next((one for command, one in self._keepers.items() if command != Command.BIND_RECEIVER), None)
        self._slots = asyncio.Semaphore(settings.window)
        self._pace = Pace(settings.rate_per_s, means)
        self._rests = 0
        self._rest_until = 0.0
        self._reference = random.randrange(256)

    @property
    def window(self) -> int:
        """How many messages may wait for an answer."""
        return self._settings.window

    def not_ready(self) -> str | None:
        """Return why nothing can be handed over now."""
        if self._sender is None:
            return "it is bound as a receiver only: it sends nothing"
        if self._link() is None:
            return self._sender.why
        if (rest_s := self._rest_s()) > 0:
            return f"the SMSC asked for less: resting {max(1, round(rest_s))} s more"
        return None

    async def run(self) -> None:
        """Hold the sessions until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for command, keeper in self._keepers.items():
                    group.create_task(keeper.run(), name=f"smpp.{command.name.lower()}")
                group.create_task(self._inbound.watch(), name="smpp.parts")
        finally:
            await self._inbound.flush()

    async def send(self, message: Outbound, gate: Gate) -> Result:
        """Submit a message and return what became of it."""
        try:
            bodies = self._bodies(message)
        except TextRefused as error:
            return _not_sent(CauseClass.RECIPIENT, "text_refused", str(error))
        if bodies is None:
            return _not_sent(CauseClass.RECIPIENT, "address_refused", "no number that SMPP can carry")
        if (why := self.not_ready()) is not None:
            return _not_sent(CauseClass.MODEM, "smpp_not_ready", why, self._rest_s() or None)
        try:
            async with asyncio.timeout(self._settings.response_timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            return _not_sent(CauseClass.MODEM, "smpp_busy", "all of the window waits for answers")
        try:
            return await self._submit(bodies, gate)
        finally:
            self._slots.release()

    async def called(self, call: Call) -> Reply:
        """Refuse: receipts come over the session."""
        del call
        raise BadCall(why="an SMPP provider is not called over HTTP: its receipts come over the session")

    def _bodies(self, message: Outbound) -> list[ShortMessage] | None:
        settings = self._settings
        source = address(settings.source, settings.source_ton, settings.source_npi)
        destination = address(message.recipient, settings.dest_ton, settings.dest_npi)
        if source is None or destination is None or not destination.digits.isdigit():
            return None
        template = ShortMessage(
            source,
            destination,
            registered_delivery=int(message.delivery_report),
            validity=relative_period(message.valid_for_s) if settings.validity else "",
            service_type=settings.service_type,
        )
        self._reference += 1
        return bodies_of(
            message.text,
            template,
            alphabet=settings.alphabet,
            flash=message.flash,
            payload=settings.long is Long.PAYLOAD,
            reference=self._reference,
        )

    async def _submit(self, bodies: list[ShortMessage], gate: Gate) -> Result:
        await self._pace.wait()
        if (link := self._link()) is None:
            return _not_sent(CauseClass.MODEM, "smpp_session_lost", "the session ended before anything was written")
        if not await gate():
            return _not_sent(CauseClass.MODEM, "gate_closed", "it was not to be sent any more")
        return await self._written(link, bodies, self._means.clock.monotonic())

    async def _written(self, link: Link, bodies: list[ShortMessage], started: float) -> Result:
        """Submit the requests one after the other, the next when the one before was taken."""
        named = None
        for number, body in enumerate(bodies, 1):
            if number > 1:
                await self._pace.wait()
            try:
                answer = await self._ask(link, body, tries=1 if number == 1 else PART_TRIES)
            except NotWritten as error:
                if number == 1:
                    return _not_sent(CauseClass.MODEM, "smpp_session_lost", f"nothing was written: {error}")
                return self._unknown("half_taken", str(error), started, number, len(bodies))
            except NoAnswer as error:
                return self._unknown(error.silence, str(error), started, number, len(bodies))
            if answer.status != ROK:
                return self._refused(answer, started, number, len(bodies))
            self._rests = 0
            named = reference_of(message_id(answer.body), self._settings.receipt_id)
        return Result(AttemptOutcome.ACCEPTED, named, evidence=self._evidence(started, len(bodies), len(bodies)))

    async def _ask(self, link: Link, body: ShortMessage, tries: int) -> Pdu:
        """Submit one request, again after a rest when it may be; raises NotWritten, NoAnswer."""
        while True:
            answer = await link.request(Command.SUBMIT_SM, body.encode())
            tries -= 1
            if answer.status == RINVBNDSTS:
                link.end("the SMSC says that the session is not bound")
            if self._is_rest(answer.status):
                self._rest()
            if not tries or not self._is_rest(answer.status):
                return answer
            await asyncio.sleep(self._rest_s())

    def _refused(self, answer: Pdu, started: float, number: int, parts: int) -> Result:
        cause = cause_of(answer.status, self._settings.meaning(answer.status))
        if number > 1:
            return self._unknown("half_taken", cause.text, started, number, parts)
        return Result(
            AttemptOutcome.REJECTED,
            cause=cause,
            evidence={**self._evidence(started, number, parts), "command_status": f"{answer.status:#010x}"},
            retry_after_s=self._rest_s() if self._is_rest(answer.status) else None,
        )

    def _unknown(self, code: str, why: str, started: float, number: int, parts: int) -> Result:
        where = f"segment {number} of {parts}: " if parts > 1 else ""
        cause = Cause(CauseClass.AMBIGUOUS, f"smpp_{code}", f"smpp_{code}: {where}{why}")
        return Result(AttemptOutcome.UNKNOWN, cause=cause, evidence=self._evidence(started, number, parts))

    def _evidence(self, started: float, number: int, parts: int) -> dict[str, str | int | float | bool]:
        waited = round(self._means.clock.monotonic() - started, 3)
        return {"smsc": self._settings.authority, "waited_s": waited, "request": number, "requests": parts}

    def _link(self) -> Link | None:
        link = None if self._sender is None else self._sender.link
        return link if link is not None and link.ended is None else None

    def _is_rest(self, status: int) -> bool:
        told = self._settings.meaning(status)
        return status in RESTING if told is None else told is CauseClass.MODEM

    def _rest(self) -> None:
        seconds = min(MOST_REST_S, FIRST_REST_S * 2.0 ** min(self._rests, 10)) * random.uniform(0.8, 1.2)
        self._rests += 1
        self._rest_until = max(self._rest_until, self._means.clock.monotonic() + seconds)
        _log.info("smpp_throttled", smsc=self._settings.authority, rest_s=round(seconds, 1))

    def _rest_s(self) -> float:
        return max(0.0, self._rest_until - self._means.clock.monotonic())


class Pace:
    """Spreads requests over time, so many in a second at most."""

    def __init__(self, rate_per_s: float | None, means: Means) -> None:
        """None: at once, always."""
        self._gap_s = 1 / rate_per_s if rate_per_s else 0.0
        self._clock = means.clock
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for a place."""
        now = self._clock.monotonic()
        place = max(self._next, now)
        self._next = place + self._gap_s
        if place > now:
            await asyncio.sleep(place - now)


_BINDS: Final = {
    BindAs.TRANSCEIVER: (Command.BIND_TRANSCEIVER,),
    BindAs.PAIR: (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER),
    BindAs.TRANSMITTER: (Command.BIND_TRANSMITTER,),
    BindAs.RECEIVER: (Command.BIND_RECEIVER,),
}


def _not_sent(klass: CauseClass, code: str, why: str, retry_after_s: float | None = None) -> Result:
    return Result(AttemptOutcome.NOT_SENT, cause=Cause(klass, code, f"{code}: {why}"), retry_after_s=retry_after_s)
