"""The text with which a box is enrolled at a hub: where that is, whom to believe there, and a secret for one use."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import msgspec

from modembank.errors import FieldProblem, InvalidRequest

PREFIX = "mbh1_"
SECRET_OCTETS = 16
_FINGERPRINT_OCTETS = 32
_CHECK_OCTETS = 4
_LONGEST = 1000
_TORN = FieldProblem("/token", "is not whole: copy it again from the hub's page")
_ADDRESS = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


class HubToken(msgspec.Struct, frozen=True):
    """A token, taken apart."""

    address: str
    """Where boxes enrol: ``https://HOST:PORT``."""
    fingerprint: bytes
    """SHA-256 of the certificate (DER) of the fleet's authority: 32 octets."""
    secret: bytes
    """16 octets, of which the hub keeps the SHA-256 alone."""

    @property
    def written(self) -> str:
        """The text, with a check of its own so that a piece of it is no other token."""
        octets = self.secret + self.fingerprint + self.address.encode("ascii")
        whole = octets + zlib.crc32(octets).to_bytes(_CHECK_OCTETS, "big")
        return PREFIX + base64.urlsafe_b64encode(whole).decode("ascii").rstrip("=")


def is_hub_address(text: str) -> bool:
    """Whether a text is the address of a hub's enrolment: a scheme, a host, perhaps a port, and no more."""
    return len(text) <= 300 and _ADDRESS.fullmatch(text) is not None


def read_token(text: str) -> HubToken:
    """Take a token apart; raises InvalidRequest (token)."""
    given = "".join(text.split())
    if not given.startswith(PREFIX):
        raise InvalidRequest(FieldProblem("/token", f"is no token of a hub: one begins with {PREFIX}"))
    try:
        body = given.removeprefix(PREFIX)[:_LONGEST]
        whole = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        octets, check = whole[:-_CHECK_OCTETS], whole[-_CHECK_OCTETS:]
        address = octets[SECRET_OCTETS + _FINGERPRINT_OCTETS :].decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(_TORN) from error
    if zlib.crc32(octets).to_bytes(_CHECK_OCTETS, "big") != check or not is_hub_address(address):
        raise InvalidRequest(_TORN)
    fingerprint = octets[SECRET_OCTETS : SECRET_OCTETS + _FINGERPRINT_OCTETS]
    return HubToken(address, fingerprint, octets[:SECRET_OCTETS])
