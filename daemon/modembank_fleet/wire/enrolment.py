"""What a box and a hub say to each other over HTTPS before there is a link, and when a certificate is renewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec

AUTHORITY, CERTIFICATES, RENEWALS = "/enrol/v1/authority", "/enrol/v1/certificates", "/enrol/v1/renewals"
CRL = "/enrol/v1/crl"
MOST_ANSWER = 65_536
"""Octets of an answer of the hub."""
Pem: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,31})?\Z")]


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A box presents its token and wants a certificate for its key."""

    v: int = 1
    token: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    """The secret of the token, in hexadecimal digits."""
    csr: Pem
    """PKCS #10; the name in it counts for nothing."""
    box: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """What the box calls itself, where the token leaves that open."""


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A box wants another certificate for another key."""

    v: int = 1
    certificate: Pem
    """The one that it has."""
    csr: Pem
    proof: Annotated[str, msgspec.Meta(max_length=200)]
    """Base64: what the key of the certificate signed of the request."""


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs for the hub."""

    kid: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")]
    public: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=\Z")]
    """Ed25519, in base64."""


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a box needs for its link."""

    v: int = 1
    site: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
    box: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
    certificate: Pem
    renew_before_s: Annotated[float, msgspec.Meta(ge=0, le=1e8)]
    """So long before the certificate's end another one is due."""
    authority: Pem
    """The fleet's authority, which gave the certificate and is the hub's at this address."""
    broker_ca: Annotated[str, msgspec.Meta(min_length=1, max_length=32_768)]
    """The authorities that the broker's certificate is checked with."""
    brokers: Annotated[
        Sequence[Annotated[str, msgspec.Meta(pattern=r"^mqtts?://[A-Za-z0-9.:\[\]-]{1,253}\Z")]],
        msgspec.Meta(min_length=1, max_length=8),
    ]
    hub_keys: Annotated[Sequence[TrustedKey], msgspec.Meta(max_length=8)]
