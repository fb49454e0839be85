"""Payloads: JSON of at most 256 KiB, packed where it is worth it; unknown fields are passed over."""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

from modembank_fleet.wire.errors import WireError

MOST_OCTETS = 256 * 1024
"""Of a payload, as it is sent and as it is unpacked; both sides announce it as their Maximum Packet Size."""
WORTH_PACKING = 256
"""Octets from which on a payload may be deflated."""
DEFLATE = "deflate"
"""Value of the user property ``ce``."""

T = TypeVar("T", bound=msgspec.Struct)
_encoder = msgspec.json.Encoder()
_decoders: dict[type, msgspec.json.Decoder[msgspec.Struct]] = {}


def encode(message: msgspec.Struct) -> bytes:
    """Return the payload of a message; raises WireError when it is too large."""
    payload = _encoder.encode(message)
    if len(payload) > MOST_OCTETS:
        raise WireError(code="too_large", detail=f"{len(payload)} octets, more than {MOST_OCTETS}")
    return payload


def decode(shape: type[T], payload: bytes, content_encoding: str = "") -> T:
    """Read a payload as a message of ``shape``; raises WireError, and nothing else, whatever it holds."""
    if len(payload) > MOST_OCTETS:
        raise WireError(code="too_large", detail=f"{len(payload)} octets, more than {MOST_OCTETS}")
    if content_encoding:
        payload = unpack(payload, content_encoding)
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        return decoder.decode(payload)  # type: ignore[return-value]  # the dictionary is by shape
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(code="malformed", detail=str(error)[:200] or type(error).__name__) from error


def pack(payload: bytes) -> tuple[bytes, str]:
    """Return a payload deflated where that is worth it, and the value of ``ce`` ('' when it is as it was)."""
    if len(payload) <= WORTH_PACKING:
        return payload, ""
    packed = zlib.compress(payload, 6)
    return (packed, DEFLATE) if len(packed) < len(payload) else (payload, "")


def unpack(payload: bytes, content_encoding: str) -> bytes:
    """Undo ``pack``; never makes more than a payload may have. Raises WireError."""
    if content_encoding != DEFLATE:
        raise WireError(code="malformed", detail=f"{content_encoding[:40]!a} is no way of packing")
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(payload, MOST_OCTETS + 1)
    except zlib.error as error:
        raise WireError(code="malformed", detail=f"not deflated: {error}") from error
    if len(plain) > MOST_OCTETS:
        raise WireError(code="too_large", detail=f"more than {MOST_OCTETS} octets when unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise WireError(code="malformed", detail="not deflated as a whole")
    return plain
