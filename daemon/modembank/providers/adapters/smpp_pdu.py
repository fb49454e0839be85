"""Protocol data units of SMPP 3.4: octets in, values out, and back. No I/O, no clock.

What an SMSC sends is read as leniently as sense allows: numbers that no list knows are kept as numbers, parameters that
nobody asked for are skipped, strings may be longer than the specification says. Reading a body raises MalformedPdu and
nothing else. Clauses are those of the SMPP Protocol Specification v3.4, issue 1.2.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from typing import Final, Self

import msgspec

HEADER: Final = struct.Struct("!IIII")
"""command_length, command_id, command_status, sequence_number (3.2)."""
PDU_LIMIT: Final = 72 * 1024
"""Octets of one PDU: the longest message_payload (5.3.2.32) and ample room beside it. Nothing longer is believed."""
RESPONSE: Final = 0x8000_0000
"""The bit that a response has over its request (5.1.2.1)."""
LAST_SEQUENCE: Final = 0x7FFF_FFFF
VERSION: Final = 0x34


class Command(enum.IntEnum):
    """The requests of 5.1.2.1 that matter here; a response is its request with RESPONSE set."""

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER = 0x0000_0001
    BIND_TRANSMITTER = 0x0000_0002
    SUBMIT_SM = 0x0000_0004
    DELIVER_SM = 0x0000_0005
    UNBIND = 0x0000_0006
    BIND_TRANSCEIVER = 0x0000_0009
    OUTBIND = 0x0000_000B
    ENQUIRE_LINK = 0x0000_0015
    ALERT_NOTIFICATION = 0x0000_0102
    DATA_SM = 0x0000_0103


class Tag(enum.IntEnum):
    """The optional parameters of 5.3.2 that are read or written."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class MalformedPdu(ValueError):
    """Octets that are no PDU; ``reason`` is a short phrase without anything of what they said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Pdu(msgspec.Struct, frozen=True):
    """One PDU whose body has not been read."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def is_response(self) -> bool:
        """Whether it answers a request, generic_nack included."""
        return bool(self.command & RESPONSE)

    def encode(self) -> bytes:
        """Return it as it goes over the wire."""
        return HEADER.pack(HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body


class Framer:
    """Cuts a stream of octets into PDUs, however the network cut it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._octets = bytearray()
        self.broken: str | None = None
        """Why nothing of the stream can be understood any more: a PDU of an impossible length."""

    def feed(self, octets: bytes) -> list[Pdu]:
        """Take what was read and return the PDUs that are complete by now; none once the stream is broken."""
        if self.broken is not None:
            return []
        self._octets += octets
        found: list[Pdu] = []
        at = 0
        while len(self._octets) - at >= 4:
            length = int.from_bytes(self._octets[at : at + 4])
            if not HEADER.size <= length <= PDU_LIMIT:
                self.broken = f"a PDU of {length} octets"
                self._octets.clear()
                return found
            if len(self._octets) - at < length:
                break
            _, command, status, sequence = HEADER.unpack_from(self._octets, at)
            found.append(Pdu(command, status, sequence, bytes(self._octets[at + HEADER.size : at + length])))
            at += length
        del self._octets[:at]
        return found


class Address(msgspec.Struct, frozen=True):
    """An address with its type of number and numbering plan (5.2.5, 5.2.6)."""

    ton: int = 0
    npi: int = 0
    digits: str = ""

    def encode(self) -> bytes:
        """Return the three fields."""
        return bytes((self.ton, self.npi)) + c_string(self.digits)


class Bind(msgspec.Struct, frozen=True):
    """The body of the three bind requests (4.1)."""

    system_id: str
    password: str
    system_type: str = ""
    address_range: Address = Address()

    def encode(self) -> bytes:
        """Return the body."""
        names = c_string(self.system_id) + c_string(self.password) + c_string(self.system_type)
        return names + bytes((VERSION,)) + self.address_range.encode()


class ShortMessage(msgspec.Struct, frozen=True):
    """The body of submit_sm and deliver_sm (4.4.1, 4.6.1), or what data_sm has of it (4.7.1)."""

    source: Address = Address()
    destination: Address = Address()
    octets: bytes = b""
    """short_message, at most 254 octets."""
    esm_class: int = 0
    data_coding: int = 0
    registered_delivery: int = 0
    validity: str = ""
    service_type: str = ""
    protocol_id: int = 0
    priority: int = 0
    scheduled: str = ""
    replace: int = 0
    default_message: int = 0
    tlvs: Mapping[int, bytes] = msgspec.field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The message: short_message, or message_payload when that is empty."""
        return self.octets or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")

    def encode(self) -> bytes:
        """Return the body of a submit_sm. Raises ValueError for what its fields cannot carry."""
        numbers = (self.esm_class, self.protocol_id, self.priority)
        flags = (self.registered_delivery, self.replace, self.data_coding, self.default_message, len(self.octets))
        return b"".join((
            c_string(self.service_type),
            self.source.encode(),
            self.destination.encode(),
            bytes(numbers),
            c_string(self.scheduled),
            c_string(self.validity),
            bytes(flags),
            self.octets,
            *(struct.pack("!HH", tag, len(value)) + value for tag, value in self.tlvs.items()),
        ))  # fmt: skip

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the body of a deliver_sm or a submit_sm. Raises MalformedPdu."""
        cursor = _Cursor(body)
        service_type, source, destination = cursor.string(), cursor.address(), cursor.address()
        esm_class, protocol_id, priority = cursor.octet(), cursor.octet(), cursor.octet()
        scheduled, validity = cursor.string(), cursor.string()
        registered, replace, coding, default = (cursor.octet() for _ in range(4))
        octets = cursor.take(cursor.octet())
        return cls(
            source, destination, octets, esm_class, coding, registered, validity, service_type, protocol_id, priority,
            scheduled, replace, default, cursor.tlvs(),
        )  # fmt: skip

    @classmethod
    def decode_data_sm(cls, body: bytes) -> Self:
        """Read the body of a data_sm. Raises MalformedPdu."""
        cursor = _Cursor(body)
        service_type, source, destination = cursor.string(), cursor.address(), cursor.address()
        esm_class, registered, coding = cursor.octet(), cursor.octet(), cursor.octet()
        return cls(
            source, destination, b"", esm_class, coding, registered, service_type=service_type, tlvs=cursor.tlvs()
        )


def c_string(text: str) -> bytes:
    """Return a C-octet string (3.1). Raises ValueError for a text that it cannot carry."""
    octets = text.encode("latin-1")
    if b"\0" in octets:
        message = "a NUL in a string"
        raise ValueError(message)
    return octets + b"\0"


def message_id(body: bytes) -> str:
    """Return the message_id of a submit_sm_resp; empty when there is none. Never fails: its end may be missing."""
    return body.partition(b"\0")[0].decode("latin-1").strip()


class _Cursor:
    """Reads a body from its start to its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise MalformedPdu("the body ends within a field")  # noqa: EM101 - one short phrase
        self._at += count
        return taken

    def octet(self) -> int:
        return self.take(1)[0]

    def string(self) -> str:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise MalformedPdu("a string without an end")  # noqa: EM101
        text = self._body[self._at : end].decode("latin-1")
        self._at = end + 1
        return text

    def address(self) -> Address:
        return Address(self.octet(), self.octet(), self.string())

    def tlvs(self) -> dict[int, bytes]:
        """Read the optional parameters; the first of one tag counts.

        Some SMSCs leave a remainder behind the last one. It is skipped, but for the message itself, of which no part
        may be lost silently.
        """
        found: dict[int, bytes] = {}
        while len(self._body) - self._at >= 4:
            tag, length = struct.unpack_from("!HH", self._body, self._at)
            self._at += 4
            value = self._body[self._at : self._at + length]
            self._at += length
            if len(value) == length:
                found.setdefault(tag, value)
            elif tag == Tag.MESSAGE_PAYLOAD:
                raise MalformedPdu("the body ends within message_payload")  # noqa: EM101
        return found
