"""Hands mails to one server, over connections that stay for a burst; whatever needs mail sent uses this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from modembank.modem.outcome import CauseClass
from modembank.outgoing import Why
from modembank.outgoing.resolving import Resolve
from modembank.providers.adapters.letters import Letter, octets
from modembank.providers.adapters.smtp_outcomes import Stage, failed, not_sent, taken
from modembank.providers.adapters.smtp_talk import Ended, Server, Talk
from modembank.providers.model import Gate, Result

IDLE_S = 20.0
"""After the last mail a connection is closed; servers hang up after minutes."""
MOST_OF_ONE = 100
"""Mails over one connection: many servers count, and hang up."""


class Patience(msgspec.Struct, frozen=True):
    """How long is waited, in seconds."""

    reach_s: float = 60.0
    """For all that comes before the mail's end, twice: up to its recipient, and for the mail itself."""
    answer_s: float = 300.0
    """For the answer to its end: who gives up sooner does not know whether it was taken (RFC 5321 4.5.3.2.6)."""


class Mailer:
    """One server. Mails that are handed over at once have a connection each."""

    def __init__(
        self,
        server: Server,
        password: Callable[[], str],
        patience: Patience = Patience(),  # noqa: B008 - frozen
        *,
        resolve: Resolve | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        """``password`` is asked each time that somebody logs in; it may raise SecretMissing."""
        self._server = server
        self._password = password
        self._patience = patience
        self._resolve = resolve
        self._idle_s = idle_s
        self._idle: list[tuple[Talk, int]] = []
        self._closing: asyncio.TimerHandle | None = None
        self._ended: set[asyncio.Task[None]] = set()

    async def send(self, letter: Letter, gate: Gate) -> Result:
        """Hand a mail over; never raises for what a server does. The gate is asked before DATA."""
        whole = octets(letter)
        talk, mails = await self._past_the_envelope(letter, len(whole))
        if isinstance(talk, Result):
            return talk
        kept = False
        try:
            if not await gate():
                kept = await self._forgotten(talk)
                return not_sent("gate_closed", "withdrawn before it was handed over", CauseClass.MODEM)
            result = await self._handed_over(talk, letter, whole)
            kept = talk.alive and result.cause is None
            return result
        finally:
            if kept and mails + 1 < MOST_OF_ONE:
                self._rest(talk, mails + 1)
            else:
                await self._hang_up(talk, politely=kept)

    async def close(self) -> None:
        """Close what is kept for more."""
        if self._closing is not None:
            self._closing.cancel()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(talk.close(politely=True) for talk, _ in idle), *self._ended)

    # -- up to the recipient

    async def _past_the_envelope(self, letter: Letter, size: int) -> tuple[Talk | Result, int]:
        """Return a connection that knows the mail's envelope and how many mails it has had, or why there is none."""
        while self._idle:
            talk, mails = self._idle.pop()
            if talk.alive:
                result = await self._named(talk, letter, size)
                if result is None:
                    return talk, mails
                if talk.alive:  # it is the mail that was refused
                    await self._spare(talk, mails)
                    return result, mails
            await self._hang_up(talk)  # it has hung up meanwhile, which tells nothing
        talk = Talk(self._server)
        result = await self._named(talk, letter, size, fresh=True)
        if result is None:
            return talk, 0
        if talk.stage >= Stage.SENDER:
            await self._spare(talk, 0)
        else:
            await self._hang_up(talk)
        return result, 0

    async def _named(self, talk: Talk, letter: Letter, size: int, *, fresh: bool = False) -> Result | None:
        try:
            async with asyncio.timeout(self._patience.reach_s):
                if fresh:
                    await talk.open(self._password, self._resolve)
                await talk.name(letter, size)
        except Ended as ended:
            return ended.result
        except TimeoutError:
            stage = talk.stage
            await self._hang_up(talk)
            return failed(stage, Why.TIMEOUT, self._late(self._patience.reach_s))
        except asyncio.CancelledError:
            await self._hang_up(talk)
            raise
        return None

    # -- the mail itself

    async def _handed_over(self, talk: Talk, letter: Letter, whole: bytes) -> Result:
        patience = self._patience
        try:
            async with asyncio.timeout(patience.reach_s):
                await talk.write(whole)
        except Ended as ended:
            return ended.result
        except TimeoutError:
            return failed(talk.stage, Why.TIMEOUT, self._late(patience.reach_s))
        try:
            async with asyncio.timeout(patience.answer_s):
                answer = await talk.end()
        except Ended as ended:
            return ended.result
        except TimeoutError:
            return failed(talk.stage, Why.TIMEOUT, self._late(patience.answer_s))
        return taken(answer, letter.id)

    def _late(self, seconds: float) -> str:
        return f"{self._server.host}:{self._server.port} did not answer within {seconds:g} seconds"

    # -- connections

    async def _spare(self, talk: Talk, mails: int) -> None:
        """Keep a connection that a mail was refused on, if it is good for another."""
        if talk.alive and await self._forgotten(talk):
            self._rest(talk, mails)
        else:
            await self._hang_up(talk)

    async def _forgotten(self, talk: Talk) -> bool:
        """Return whether a connection is good for another mail."""
        try:
            async with asyncio.timeout(5.0):
                await talk.forget()
        except (Ended, TimeoutError):
            return False
        return talk.alive

    def _rest(self, talk: Talk, mails: int) -> None:
        self._idle.append((talk, mails))
        if self._closing is not None:
            self._closing.cancel()
        self._closing = asyncio.get_running_loop().call_later(self._idle_s, self._close_idle)

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for talk, _ in idle:
            task = asyncio.create_task(talk.close(politely=True), name="smtp.close")
            self._ended.add(task)
            task.add_done_callback(self._ended.discard)

    async def _hang_up(self, talk: Talk, *, politely: bool = False) -> None:
        await talk.close(politely=politely)
