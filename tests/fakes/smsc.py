"""An SMSC on a loopback port that does as it is told, well or badly. It reads and writes octets by itself.

Nothing here knows the codec of the box, so that a bug in that cannot hide behind itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 1, 2, 9
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK, DATA_SM = 4, 5, 6, 0x15, 0x103
NACK = 0x80000000
RESP = 0x80000000


def pdu(command: int, status: int = 0, sequence: int = 0, body: bytes = b"") -> bytes:
    """Return a PDU as octets."""
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def tlv(tag: int, value: bytes) -> bytes:
    """Return an optional parameter as octets."""
    return struct.pack(">HH", tag, len(value)) + value


def deliver_body(
    text: bytes = b"",
    *,
    source: bytes = b"491701234567",
    source_ton: int = 1,
    to: bytes = b"12345",
    esm_class: int = 0,
    coding: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """Return the body of a deliver_sm."""
    head = b"\0" + bytes((source_ton, 1)) + source + b"\0" + b"\x03\0" + to + b"\0"
    return head + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, coding, 0, len(text))) + text + tlvs


@dataclass
class Submitted:
    """A submit_sm that came, its fields as they stood."""

    sequence: int
    fields: dict[str, bytes]
    tlvs: dict[int, bytes]

    @classmethod
    def read(cls, sequence: int, body: bytes) -> Submitted:
        """Take one apart; an error when it is not what the specification says."""
        left = body

        def string() -> bytes:
            nonlocal left
            text, nul, left = left.partition(b"\0")
            assert nul, "a string has no end"
            return text

        def octet() -> bytes:
            nonlocal left
            found, left = left[:1], left[1:]
            assert found, "an octet is missing"
            return found

        names = (
            ("service_type", string), ("source_ton", octet), ("source_npi", octet), ("source", string),
            ("dest_ton", octet), ("dest_npi", octet), ("dest", string), ("esm_class", octet), ("protocol", octet),
            ("priority", octet), ("scheduled", string), ("validity", string), ("registered", octet),
            ("replace", octet), ("coding", octet), ("default", octet), ("length", octet),
        )  # fmt: skip
        fields = {name: read() for name, read in names}
        count = fields["length"][0]
        fields["text"], left = left[:count], left[count:]
        assert len(fields["text"]) == count
        tlvs = {}
        while left:
            tag, length = struct.unpack(">HH", left[:4])
            tlvs[tag] = left[4 : 4 + length]
            assert len(tlvs[tag]) == length
            left = left[4 + length :]
        return cls(sequence, fields, tlvs)

    @property
    def content(self) -> bytes:
        return self.fields["text"] or self.tlvs.get(0x0424, b"")

    def number(self, name: str) -> int:
        return self.fields[name][0]


@dataclass(eq=False)
class Session:
    """One connection."""

    smsc: Smsc
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    mode: int = 0
    bound: bool = False
    enquiries: int = 0
    unbound: bool = False
    nacks: list[int] = field(default_factory=list)
    answers: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    sequence: int = 0

    def send(self, octets: bytes) -> None:
        """Write octets, whatever they are."""
        self.writer.write(octets)

    def answer(self, submitted: Submitted, status: int = 0, message_id: bytes = b"") -> None:
        """Answer a submit_sm."""
        self.send(pdu(SUBMIT_SM | RESP, status, submitted.sequence, message_id + b"\0" if status == 0 else b""))

    def ask(self, command: int, body: bytes = b"", *, sequence: int | None = None) -> asyncio.Future[int]:
        """Send a request; the status of its answer comes."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        self.answers[sequence] = asyncio.get_running_loop().create_future()
        self.send(pdu(command, 0, sequence, body))
        return self.answers[sequence]

    async def deliver(self, body: bytes, *, sequence: int | None = None, command: int = DELIVER_SM) -> int:
        """Send a deliver_sm and return the status that it is answered with."""
        async with asyncio.timeout(10):
            return await self.ask(command, body, sequence=sequence)

    def hang_up(self) -> None:
        """End the connection after what was written."""
        self.writer.close()

    def cut(self) -> None:
        """Cut it at once, with a reset."""
        self.writer.transport.abort()

    async def enquire(self) -> None:
        """Ask whether the box is there, and wait until it says so."""
        async with asyncio.timeout(10):
            await self.ask(ENQUIRE_LINK)


OnSubmit = Callable[[Session, Submitted], Awaitable[None] | None]


@dataclass(eq=False)
class Smsc:
    """The server: what it has seen, and what it does instead of what is right."""

    password: str = "secret"
    port: int = 0
    sessions: list[Session] = field(default_factory=list)
    binds: list[dict[str, bytes | int]] = field(default_factory=list)
    submits: list[Submitted] = field(default_factory=list)
    bind_statuses: list[int] = field(default_factory=list)
    """Answers to the next binds; afterwards by the password."""
    on_submit: OnSubmit | None = None
    """None: it is taken, its id the number of submits so far."""
    after_bind: Callable[[Session], None] | None = None
    mute: set[int] = field(default_factory=set)
    """Commands that it does not answer."""
    deaf: bool = False
    """It reads nothing."""

    @property
    def session(self) -> Session:
        """The newest one that is bound."""
        return next(one for one in reversed(self.sessions) if one.bound)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self, reader, writer)
        self.sessions.append(session)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                while self.deaf:
                    await asyncio.sleep(0.01)
                length, command, status, sequence = struct.unpack(">IIII", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                await self._handle(session, command, status, sequence, body)
        session.bound = False
        writer.close()

    async def _handle(self, session: Session, command: int, status: int, sequence: int, body: bytes) -> None:
        if command == NACK:
            session.nacks.append(status)
        elif command & RESP:
            if (waiting := session.answers.get(sequence)) is not None and not waiting.done():
                waiting.set_result(status)
        elif command in {BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER}:
            self._bind(session, command, sequence, body)
        elif command == SUBMIT_SM:
            submitted = Submitted.read(sequence, body)
            self.submits.append(submitted)
            if command in self.mute:
                return
            if self.on_submit is None:
                session.answer(submitted, 0, b"%d" % len(self.submits))
            elif (going := self.on_submit(session, submitted)) is not None:
                await going
        elif command not in self.mute:
            session.enquiries += command == ENQUIRE_LINK
            session.unbound |= command == UNBIND
            session.send(pdu(command | RESP, 0, sequence))
            if command == UNBIND:
                session.hang_up()

    def _bind(self, session: Session, command: int, sequence: int, body: bytes) -> None:
        system_id, password, system_type, rest = body.split(b"\0", 3)
        version, ton, npi = rest[:3]
        address_range, nul, left = rest[3:].partition(b"\0")
        assert nul
        assert not left
        self.binds.append({
            "system_id": system_id, "password": password, "system_type": system_type, "version": version, "ton": ton,
            "npi": npi, "range": address_range, "command": command,
        })  # fmt: skip
        if command in self.mute:
            return
        right = password == self.password.encode()
        status = self.bind_statuses.pop(0) if self.bind_statuses else (0 if right else 0x0E)
        session.send(pdu(command | RESP, status, sequence, b"" if status else b"fake\0" + tlv(0x0210, b"\x34")))
        if status == 0:
            session.mode, session.bound = command, True
            if self.after_bind is not None:
                self.after_bind(session)


@contextlib.asynccontextmanager
async def smsc(tls: ssl.SSLContext | None = None, *, narrow: bool = False, **more: object) -> AsyncIterator[Smsc]:
    """Serve until the block ends; ``narrow``: the kernel keeps little of what is not read."""
    found = Smsc(**more)  # type: ignore[arg-type]
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await found.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            talks.discard(task)

    listening = socket.socket()
    if narrow:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(serve, sock=listening, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        if talks:
            await asyncio.wait(talks, timeout=5)
