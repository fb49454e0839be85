"""One bound session with an SMSC: requests and their answers, and what the SMSC asks.

The socket is read and written here and nowhere else. What decides between NOT_SENT and UNKNOWN is here too: a request
that fails before it is written raises NotWritten, one that fails afterwards NoAnswer.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import msgspec
import structlog

from modembank.providers.adapters.smpp_pdu import LAST_SEQUENCE, RESPONSE, Command, Framer, Pdu
from modembank.providers.adapters.smpp_status_table import RINVCMDID, ROK, RX_T_APPN

_log = structlog.get_logger()

MOST_DELIVERIES: Final = 100
"""Messages and receipts of the SMSC under way at once; more are answered that they shall come again."""
MOST_UNREAD: Final = 1024 * 1024
"""Octets written that the SMSC has not taken, before the session counts as dead."""
_READ: Final = 64 * 1024
_UNANSWERED: Final = frozenset({Command.OUTBIND, Command.ALERT_NOTIFICATION})
"""Requests that have no response (4.1.7, 4.12)."""
_LEAVE_S: Final = 1.0
"""For each of the steps of an end: the leave, what is being delivered, the connection."""


class NotWritten(Exception):
    """Nothing of the request went out."""


class Silence(enum.StrEnum):
    """Why a request has no answer."""

    TIMEOUT = "no_answer"
    LOST = "session_lost"
    NONSENSE = "nonsense"


class NoAnswer(Exception):
    """The request went out, at least in part, and nothing is known of it."""

    def __init__(self, silence: Silence, text: str) -> None:
        super().__init__(text)
        self.silence = silence


class Answer(msgspec.Struct, frozen=True):
    """What the SMSC is answered."""

    status: int
    proved: Callable[[], None] | None = None
    """Called when the SMSC is known to have read it."""


Deliver: TypeAlias = Callable[[Pdu, int], Coroutine[Any, Any, Answer]]
"""Takes a deliver_sm or data_sm and the number of its session; when it raises, the SMSC shall send it again."""


class Link:
    """A connection, from its first PDU to its end; binding is its user's affair."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        number: int,
        deliver: Deliver,
        response_s: float,
    ) -> None:
        """Take a new connection under a number that no other has."""
        self._reader, self._writer = streams
        # drain() waits until all is with the kernel; with high=0 an empty buffer would count as full under TLS.
        self._writer.transport.set_write_buffer_limits(high=1, low=0)
        self._framer, self._number, self._deliver = Framer(), number, deliver
        self._response_s = response_s
        self._sequence = 0
        self._waiting: dict[int, tuple[int, asyncio.Future[Pdu]]] = {}
        self._deliveries: set[asyncio.Task[Answer]] = set()
        self._unproved: deque[tuple[int, Callable[[], None]]] = deque()
        self._writing = asyncio.Lock()
        self._leaving = False
        self.unbound = False
        """The SMSC ended it."""
        self.ended: str | None = None
        """Why nothing can be asked any more."""

    async def request(self, command: Command, body: bytes = b"") -> Pdu:
        """Ask and return the answer, whatever its status. Raises NotWritten, NoAnswer."""
        async with self._writing:
            await self._room()
            if self._sequence == LAST_SEQUENCE:
                self.end("its sequence numbers are used up")
            if self.ended is not None or self._leaving or self._writer.transport.is_closing():
                raise NotWritten(self.ended or "the session is ending")
            self._leaving = command == Command.UNBIND
            self._sequence += 1
            sequence = self._sequence
            answered: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
            self._waiting[sequence] = (command, answered)
            self._writer.write(Pdu(command, 0, sequence, body).encode())
        try:
            async with asyncio.timeout(self._response_s):
                return await answered
        except TimeoutError:
            raise NoAnswer(Silence.TIMEOUT, f"no answer within {self._response_s:g} seconds") from None
        finally:
            self._waiting.pop(sequence, None)

    async def _room(self) -> None:
        """Wait until the SMSC has taken what was written before, so that a request is written now or not at all."""
        if self.ended is not None:
            return
        try:
            async with asyncio.timeout(self._response_s):
                await self._writer.drain()
        except TimeoutError:
            self.end("the SMSC reads nothing", abort=True)
        except OSError:
            self.end("the connection broke")

    async def serve(self, enquire_s: float) -> str:
        """Read until the session ends, and return why it did. What is under way then has no answer."""
        enquiring = asyncio.create_task(self._enquire(enquire_s), name="smpp.enquire")
        try:
            self.end(await self._read())
        finally:
            enquiring.cancel()
            self.end("the session was ended")
            await self._leave()
        return self.ended or ""

    async def unbind(self, within_s: float = _LEAVE_S) -> None:
        """Take leave, for so long at most; answers that are due come first (4.2.2)."""
        with contextlib.suppress(NotWritten, NoAnswer, TimeoutError):
            async with asyncio.timeout(within_s):
                await self.request(Command.UNBIND)
        self.end("unbound")

    def end(self, why: str, *, abort: bool = False) -> None:
        """Let nothing more be written, for a reason that people are told; the first one counts.

        ``abort``: nor what was handed over and not taken yet.
        """
        if self.ended is None:
            self.ended = why
            self._writer.close()
        if abort:
            self._writer.transport.abort()

    async def _leave(self) -> None:
        for _, answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(NoAnswer(Silence.LOST, f"before the answer: {self.ended}"))
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=_LEAVE_S)
        for task in self._deliveries:
            task.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _enquire(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.request(Command.ENQUIRE_LINK)
            except (NotWritten, NoAnswer) as error:
                self.end(f"enquire_link: {error}", abort=True)
                return

    async def _read(self) -> str:
        """Handle what comes; returns why nothing more will."""
        while True:
            try:
                octets = await self._reader.read(_READ)
            except OSError as error:
                return f"the connection broke: {error.strerror or type(error).__name__}"
            if not octets:
                return self.ended or "the SMSC closed the connection"
            for pdu in self._framer.feed(octets):
                if pdu.is_response:
                    self._response(pdu)
                elif self._request(pdu):
                    self.unbound = True
                    return "the SMSC ended the session (unbind)"
            if self._framer.broken is not None:
                return f"the SMSC sends no SMPP: {self._framer.broken}"
            if self._writer.transport.get_write_buffer_size() > MOST_UNREAD:
                return "the SMSC reads nothing"

    def _response(self, pdu: Pdu) -> None:
        while self._unproved and self._unproved[0][0] <= pdu.sequence and pdu.sequence in self._waiting:
            self._unproved.popleft()[1]()
        command, answered = self._waiting.get(pdu.sequence, (None, None))
        if answered is None or answered.done():
            _log.info("smpp_answer_to_nothing", command=hex(pdu.command), status=hex(pdu.status))
        elif pdu.command == Command.GENERIC_NACK and pdu.status != ROK:
            answered.set_result(pdu)
        elif command is None or pdu.command != command | RESPONSE:
            why = f"the answer makes no sense: command {pdu.command:#x}, status {pdu.status:#x}"
            answered.set_exception(NoAnswer(Silence.NONSENSE, why))
        else:
            answered.set_result(pdu)

    def _request(self, pdu: Pdu) -> bool:
        """Answer what the SMSC asks, at once or when it is durable; returns whether the session is over."""
        if pdu.command in {Command.ENQUIRE_LINK, Command.UNBIND}:
            self._answer(pdu, ROK)
            return pdu.command == Command.UNBIND
        if pdu.command in {Command.DELIVER_SM, Command.DATA_SM}:
            if len(self._deliveries) >= MOST_DELIVERIES:
                self._answer(pdu, RX_T_APPN)
                return False
            task = asyncio.create_task(self._deliver(pdu, self._number), name="smpp.delivery")
            self._deliveries.add(task)
            task.add_done_callback(lambda done: self._delivered(pdu, done))
        elif pdu.command not in _UNANSWERED:
            _log.info("smpp_unknown_request", command=hex(pdu.command))
            self._write(Pdu(Command.GENERIC_NACK, RINVCMDID, pdu.sequence))
        return False

    def _delivered(self, pdu: Pdu, done: asyncio.Task[Answer]) -> None:
        """Answer a message of the SMSC: it is durable, or shall come again."""
        self._deliveries.discard(done)
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            _log.warning("smpp_delivery_not_taken", error=repr(error))
            self._answer(pdu, RX_T_APPN)
            return
        answer = done.result()
        self._answer(pdu, answer.status)
        if answer.proved is not None and self.ended is None:
            self._unproved.append((self._sequence + 1, answer.proved))

    def _answer(self, pdu: Pdu, status: int) -> None:
        # deliver_sm_resp and data_sm_resp have a message_id, which is empty (4.6.2)
        body = b"\0" if pdu.command in {Command.DELIVER_SM, Command.DATA_SM} else b""
        self._write(Pdu(pdu.command | RESPONSE, status, pdu.sequence, body))

    def _write(self, pdu: Pdu) -> None:
        if self.ended is None:
            self._writer.write(pdu.encode())
