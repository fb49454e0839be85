"""What boxes ask of the hub, on a listener of its own: the authority, a certificate for a token, another one, the list.

It shows nothing else of the hub: no pages, no accounts. Who asks shows what it knows with the request itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from litestar import Litestar

from modembank.errors import NotFound
from modembank_fleet.wire.enrolment import AUTHORITY, CERTIFICATES, CRL, RENEWALS, Enrolled, EnrolRequest, RenewRequest
from modembank_hub.app import HubApp
from modembank_web.answer import Answer, json_answer
from modembank_web.hub.surface import hub
from modembank_web.operation import Access, Body, Call, Operation, Reply
from modembank_web.problems import Failure
from modembank_web.reading import JsonBody, check_json_media, read_body
from modembank_web.routing import litestar_over

if TYPE_CHECKING:
    from litestar.types import HTTPScope

    from modembank.app import App

MOST_BODY = 65_536
"""Octets of a request; a certificate and a request for one are some thousand each."""
T = TypeVar("T")
_PEM = b"application/x-pem-file"
_ENROL, _RENEW = JsonBody(EnrolRequest), JsonBody(RenewRequest)


async def get_authority(call: Call) -> Answer:
    """Answer the fleet's authority, which everybody may see."""
    authority = hub(call).enrolment.authority
    if authority is None:
        raise NotFound(what="authority", which="here")
    return Answer(authority.pem, 200, _PEM)


async def get_list(call: Call) -> Answer:
    """Answer the list of revoked certificates, for a broker on another machine."""
    try:
        content = await asyncio.to_thread(hub(call).enrolment.crl.read_bytes)
    except OSError as error:
        raise NotFound(what="list", which="of revoked certificates") from error
    return Answer(content, 200, _PEM)


async def enrol(call: Call) -> Answer:
    """Give a certificate for a token."""
    return json_answer(await hub(call).enrolment.enrol(await _read(call, _ENROL), call.source))


async def renew(call: Call) -> Answer:
    """Give another certificate to who has one."""
    return json_answer(await hub(call).enrolment.renew(await _read(call, _RENEW), call.source))


async def _read(call: Call, reader: JsonBody[T]) -> T:
    """Return the body: anybody may send one, so it is a small one."""
    check_json_media(call.headers)
    return reader.read(await read_body(call.receive, call.headers, MOST_BODY))


def create_doorway(app: HubApp) -> Litestar:
    """Return the web application that boxes reach."""
    return litestar_over(cast("App", app), OPERATIONS, _nothing)


def _nothing(scope: HTTPScope, failure: Failure, tracking_id: str) -> Answer | None:  # noqa: ARG001 - what routing calls
    return None


_PEM_EXAMPLE = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
_REQUEST_EXAMPLE = "-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n"
_ANSWER = {
    "v": 1,
    "site": "leeds",
    "box": "b1",
    "certificate": _PEM_EXAMPLE,
    "renew_before_s": 2_592_000.0,
    "authority": _PEM_EXAMPLE,
    "broker_ca": _PEM_EXAMPLE,
    "brokers": ["mqtts://hub.example.com:8883"],
    "hub_keys": [{"kid": "h1", "public": "LmUY+0Eo7gk2DLIpFaBvnSdVqVbCc0mZYQ0oW9QZzPk="}],
}
OPERATIONS = (
    Operation(
        id="getAuthority",
        method="GET",
        path=AUTHORITY,
        tag="Enrolment",
        summary="The fleet's authority",
        description="Its certificate, to be believed by the fingerprint in a token.",
        run=get_authority,
        access=Access.OPEN,
        replies=(Reply(200, "PEM", example=_PEM_EXAMPLE, media=_PEM.decode()),),
    ),
    Operation(
        id="getRevocationList",
        method="GET",
        path=CRL,
        tag="Enrolment",
        summary="The list of revoked certificates",
        description="For a broker on another machine.",
        run=get_list,
        access=Access.OPEN,
        replies=(Reply(200, "PEM", example=_PEM_EXAMPLE, media=_PEM.decode()),),
    ),
    Operation(
        id="enrol",
        method="POST",
        path=CERTIFICATES,
        tag="Enrolment",
        summary="Get a certificate for a token",
        description="The same token with the same key is answered alike, however often.",
        run=enrol,
        access=Access.OPEN,
        body=Body(EnrolRequest, {"a token": {"token": "0" * 32, "csr": _REQUEST_EXAMPLE, "box": "b1"}}),
        replies=(Reply(200, "What the box needs", Enrolled, _ANSWER),),
        raises=("forbidden", "too_many_requests"),
    ),
    Operation(
        id="renew",
        method="POST",
        path=RENEWALS,
        tag="Enrolment",
        summary="Get another certificate",
        description="For another key, which the key of the one before vouches for.",
        run=renew,
        access=Access.OPEN,
        body=Body(
            RenewRequest, {"one before": {"certificate": _PEM_EXAMPLE, "csr": _REQUEST_EXAMPLE, "proof": "MEUCIQ=="}}
        ),
        replies=(Reply(200, "What the box needs", Enrolled, _ANSWER),),
        raises=("forbidden", "too_many_requests"),
    ),
)
