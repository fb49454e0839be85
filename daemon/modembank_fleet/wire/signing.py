"""Signatures of what the hub says: Ed25519 over ``topic || 0x00 || payload``, so that nothing works on another box.

The signature and the name of its key are user properties (``sig``, ``kid``): the payload is signed as it is sent.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modembank_fleet.wire.errors import WireError


class HubKey(msgspec.Struct, frozen=True):
    """A key that a box trusts."""

    kid: str
    public: bytes
    """32 octets."""
    not_after: float | None = None
    """Unix seconds after which it counts for nothing."""

    @property
    def written(self) -> str:
        """Its octets as a box's configuration has them (base64)."""
        return base64.b64encode(self.public).decode("ascii")

    def __post_init__(self) -> None:
        """Refuse what is no key: raises WireError."""
        if len(self.public) != 32:
            raise WireError(code="bad_key", detail=f"{self.kid}: an Ed25519 key has 32 octets, not {len(self.public)}")


class Signer(msgspec.Struct, frozen=True):
    """Signs with one key."""

    kid: str
    private: bytes
    """32 octets."""

    @property
    def public(self) -> HubKey:
        """What boxes are told to trust."""
        return HubKey(self.kid, _private(self.private).public_key().public_bytes_raw())

    def sign(self, topic: str, payload: bytes) -> str:
        """Return the value of ``sig``."""
        return base64.b64encode(_private(self.private).sign(_signed(topic, payload))).decode("ascii")


def new_signer(kid: str) -> Signer:
    """Make a key."""
    return Signer(kid, Ed25519PrivateKey.generate().private_bytes_raw())


def verify(keys: Sequence[HubKey], kid: str, signature: str, topic: str, payload: bytes, now: float | None) -> None:
    """Return when a trusted key signed this on this topic, else raise WireError.

    ``now`` is unix seconds; None, while nobody knows the time, lets keys count beyond their end rather than shut the
    hub out.
    """
    key = next((key for key in keys if key.kid == kid), None)
    if key is None:
        raise WireError(code="unknown_key" if kid else "unsigned", detail=f"no key {kid[:40]!a} is trusted here")
    if now is not None and key.not_after is not None and now > key.not_after:
        raise WireError(code="key_expired", detail=f"the key {kid} is not to be trusted any more")
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key.public).verify(raw, _signed(topic, payload))
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise WireError(code="bad_signature", detail=f"not what {kid} signed") from error


def _signed(topic: str, payload: bytes) -> bytes:
    return topic.encode() + b"\0" + payload


def _private(octets: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(octets)
