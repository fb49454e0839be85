"""What a box asks of its hub over HTTPS: who vouches for it, a certificate for a token, another one for the former.

The token names the authority by its fingerprint. So that is fetched first, from whoever answers, and believed when it
has that fingerprint; the token itself goes only to a server that this authority vouches for.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx
import msgspec

from modembank.errors import ModembankError
from modembank_fleet.credentials import fingerprint
from modembank_fleet.wire.enrolment import (
    AUTHORITY,
    CERTIFICATES,
    MOST_ANSWER,
    RENEWALS,
    Enrolled,
    EnrolRequest,
    RenewRequest,
)

WITHIN_S = 30.0
"""One request, with its connection."""


class HubAway(ModembankError):
    """Nobody answered who can be believed: to be tried again."""

    key = "hub_away"
    template = "{why}"

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        """Say why, and for how long the hub wants to be left alone."""
        super().__init__(why=why)
        self.after_s = after_s


class HubRefuses(ModembankError):
    """The hub said no, and will again."""

    key = "hub_refuses"
    template = "{why}"

    def __init__(self, code: str, why: str) -> None:
        """Hold the hub's code and its words."""
        super().__init__(why=why)
        self.code = code


class _Refusal(msgspec.Struct):
    """What counts of a problem (RFC 9457)."""

    detail: str = ""
    error_code: str = ""
    details: dict[str, Any] = {}
    errors: list[dict[str, str]] = []


async def authority(address: str, wanted: bytes) -> str:
    """Return the certificate (PEM) that has the fingerprint; raises HubAway."""
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE  # whoever it is: only the fingerprint counts
    status, content = await _exchange(address, AUTHORITY, None, blind)
    if status != 200:
        raise HubAway(why=f"there is no hub at {address} (HTTP {status})")
    try:
        found = content.decode("ascii")
        its = fingerprint(content)
    except ValueError as error:
        raise HubAway(why=f"there is no hub at {address}: it shows no certificate of an authority") from error
    if its != wanted:
        raise HubAway(
            why=f"the hub at {address} has another authority than the token says: another hub, or somebody in between"
        )
    return found


async def enrol(address: str, trusted: str, wanted: EnrolRequest) -> Enrolled:
    """Present a token; raises HubAway, HubRefuses."""
    return await _ask(address, trusted, CERTIFICATES, msgspec.json.encode(wanted))


async def renew(address: str, trusted: str, wanted: RenewRequest) -> Enrolled:
    """Ask for another certificate; raises HubAway, HubRefuses."""
    return await _ask(address, trusted, RENEWALS, msgspec.json.encode(wanted))


async def _ask(address: str, trusted: str, path: str, body: bytes) -> Enrolled:
    try:
        seeing = ssl.create_default_context(cadata=trusted)
    except (ssl.SSLError, ValueError) as error:
        raise HubAway(why=f"the authority of {address} cannot be used: {error}") from error
    seeing.minimum_version = ssl.TLSVersion.TLSv1_2
    status, content = await _exchange(address, path, body, seeing)
    if status == 200:
        try:
            return msgspec.json.decode(content, type=Enrolled)
        except msgspec.DecodeError as error:
            raise HubAway(why=f"the answer of {address} cannot be used: {error}") from error
    try:
        said = msgspec.json.decode(content, type=_Refusal)
    except msgspec.DecodeError:
        said = _Refusal()
    words = "; ".join(f"{one.get('pointer', '')} {one.get('detail', '')}".strip() for one in said.errors) or said.detail
    if status in {403, 422} and said.error_code:
        raise HubRefuses(str(said.details.get("code") or said.error_code.lower())[:64], words[:500])
    after = said.details.get("retry_after_s")
    raise HubAway(
        why=f"the hub at {address} does not answer as one (HTTP {status}{f': {words[:300]}' if words else ''})",
        after_s=float(after) if isinstance(after, int | float) and 0 < after < 86_400 else 0.0,
    )


async def _exchange(address: str, path: str, body: bytes | None, tls: ssl.SSLContext) -> tuple[int, bytes]:
    """Ask once, and return status and body; raises HubAway."""
    read = bytearray()
    try:
        async with (
            asyncio.timeout(WITHIN_S),
            httpx.AsyncClient(verify=tls, trust_env=False, timeout=WITHIN_S) as client,
            client.stream(
                "GET" if body is None else "POST",
                address.rstrip("/") + path,
                content=body,
                headers={} if body is None else {"Content-Type": "application/json"},
            ) as answer,
        ):
            async for piece in answer.aiter_raw():
                read += piece
                if len(read) > MOST_ANSWER:
                    raise HubAway(why=f"there is no hub at {address}: it answers without end")
            return answer.status_code, bytes(read)
    except TimeoutError as error:
        raise HubAway(why=f"the hub at {address} does not answer within {WITHIN_S:.0f} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise HubAway(why=f"the hub at {address} cannot be reached: {str(error) or type(error).__name__}") from error
