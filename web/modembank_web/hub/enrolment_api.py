"""The hub's API of enrolment: tokens, certificates, and boxes that are shut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339, to_ms
from modembank_hub.rows_of_enrolment import CertificateRow, TokenRow
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import fleet_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.hub.api import BOXES, Word, number_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

ENROLMENT, CERTIFICATES = "/api/v1/enrolment", "/api/v1/certificates"
TOKENS = f"{ENROLMENT}/tokens"
_BOX = f"{BOXES}/{{site}}/{{box}}"
_WHICH = {"site": ("The box's site", "leeds"), "box": ("Its name there", "b1")}
_READ, _CHANGE = (Scope.MODEMS, Scope.ADMIN), (Scope.ADMIN,)
_TAG = "Enrolment"


class TokensQuery(msgspec.Struct, frozen=True):
    """Where in the list of tokens."""

    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class CertificatesQuery(msgspec.Struct, frozen=True):
    """Which certificates: ``box`` is site/name."""

    box: Word | None = None
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class EnrolmentView(msgspec.Struct, frozen=True):
    """Where boxes enrol, and who vouches for them."""

    address: str
    """Empty: this hub enrols no boxes."""
    brokers: Sequence[str]
    fingerprint: str
    """SHA-256 of the authority's certificate, in hexadecimal digits."""
    authority: str
    """The certificate (PEM), for the broker's ``cafile``."""
    revocation_list: str
    """The file of revoked certificates, for the broker's ``crlfile``."""
    problem: str
    """Why the list could not be written; empty: it was."""


class TokenView(msgspec.Struct, frozen=True):
    """A token; ``state``: open, used, expired, withdrawn."""

    id: str
    box: str
    """For which; ``site/*``: one that names itself."""
    state: str
    by: str
    made_at: str
    ends_at: str
    used_at: str | None
    used_by: str
    """The box that used it."""


class NewTokenView(TokenView, frozen=True):
    """A token with its text, which is shown this once."""

    token: str


class TokensPage(msgspec.Struct, frozen=True):
    """A page of tokens, newest first."""

    items: Sequence[TokenView]
    next: str | None


class CertificateView(msgspec.Struct, frozen=True):
    """A certificate of a box; ``state``: good, revoked, expired; ``how``: for a token, or a renewal."""

    serial: str
    box: str
    state: str
    how: str
    issued_at: str
    ends_at: str
    revoked_at: str | None
    revoked_by: str
    reason: str


class CertificatesPage(msgspec.Struct, frozen=True):
    """A page of certificates, newest first."""

    items: Sequence[CertificateView]
    next: str | None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which box: a site and a name, or a site alone for one that names itself."""

    site: Annotated[str, msgspec.Meta(max_length=64)]
    box: Annotated[str, msgspec.Meta(max_length=64)] = ""
    hours: float | None = None
    """For how long it is good; 24, or what the configuration says."""


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for whoever looks later."""

    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Revoked(msgspec.Struct, frozen=True):
    """What was done: how many certificates were revoked, and what went wrong with the broker's list."""

    box: str
    certificates: int
    problem: str


_TOKEN, _REVOCATION = JsonBody(NewToken), JsonBody(Revocation)


def token_view(row: TokenRow, now_ms: int) -> TokenView:
    """Return a token."""
    return TokenView(**_of_token(row, now_ms))


def certificate_view(row: CertificateRow, now_ms: int) -> CertificateView:
    """Return a certificate."""
    return CertificateView(
        serial=row.serial,
        box=row.name,
        state=row.state(now_ms),
        how=row.how,
        issued_at=rfc3339(row.issued_at),
        ends_at=rfc3339(row.ends_at),
        revoked_at=_when(row.revoked_at),
        revoked_by=row.revoked_by,
        reason=row.why,
    )


async def get_enrolment(call: Call) -> Answer:
    """Return where boxes enrol."""
    call.caller.require(Scope.MODEMS)
    app = hub(call)
    config, authority = app.config.enrolment, app.enrolment.authority
    return json_answer(
        EnrolmentView(
            address=config.address,
            brokers=config.brokers,
            fingerprint="" if authority is None else authority.fingerprint.hex(),
            authority="" if authority is None else authority.pem.decode("ascii"),
            revocation_list="" if authority is None else str(app.enrolment.crl),
            problem=app.enrolment.crl_why,
        )
    )


async def list_tokens(call: Call) -> Answer:
    """Return a page of tokens."""
    query = call.query(TokensQuery)
    page = await hub(call).enrolment.tokens(call.caller, cursor=number_of(query.cursor), limit=query.limit)
    rows = [token_view(row, _now(call)) for row in page.tokens]
    return json_answer(TokensPage(rows, next_address(TOKENS, query, _cursor(page.cursor))))


async def make_token(call: Call) -> Answer:
    """Make a token."""
    new = await call.json(_TOKEN)
    row, text = await hub(call).enrolment.make_token(call.caller, new.site, new.box, new.hours)
    return json_answer(NewTokenView(**_of_token(row, _now(call)), token=text), 201)


async def withdraw_token(call: Call) -> Answer:
    """Let a token count no more."""
    number = number_of(call.path("id"))
    row = await hub(call).enrolment.withdraw_token(call.caller, 0 if number is None else number)
    return json_answer(token_view(row, _now(call)))


async def list_certificates(call: Call) -> Answer:
    """Return a page of certificates."""
    query = call.query(CertificatesQuery)
    site, _, box = (query.box or "").partition("/")
    which = None if query.box is None else (site, box)
    page = await hub(call).enrolment.certificates(call.caller, which, cursor=number_of(query.cursor), limit=query.limit)
    rows = [certificate_view(row, _now(call)) for row in page.certificates]
    return json_answer(CertificatesPage(rows, next_address(CERTIFICATES, query, _cursor(page.cursor))))


async def revoke_box(call: Call) -> Answer:
    """Shut a box out."""
    reason = (await call.json(_REVOCATION)).reason
    site, box = call.path("site"), call.path("box")
    count = await hub(call).enrolment.revoke(call.caller, site, box, reason)
    return json_answer(Revoked(f"{site}/{box}", count, hub(call).enrolment.crl_why))


def _of_token(row: TokenRow, now_ms: int) -> dict[str, Any]:
    return {
        "id": str(row.n),
        "box": row.name,
        "state": row.state(now_ms),
        "by": row.actor,
        "made_at": rfc3339(row.made_at),
        "ends_at": rfc3339(row.ends_at),
        "used_at": _when(row.used_at),
        "used_by": row.used_by,
    }


def _now(call: Call) -> int:
    return to_ms(call.app.clock.now())


def _cursor(cursor: int | None) -> str | None:
    return None if cursor is None else str(cursor)


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


_OPEN: dict[str, Any] = {
    "id": "7",
    "box": "leeds/b1",
    "state": "open",
    "by": "anna",
    "made_at": "2026-11-20T14:05:00.000Z",
    "ends_at": "2026-11-21T14:05:00.000Z",
    "used_at": None,
    "used_by": "",
}
_MADE = _OPEN | {"token": examples.OF_A_HUB}
_CERTIFICATE = {
    "serial": "2fe19c07a7f5b1d0",
    "box": "leeds/b1",
    "state": "good",
    "how": "token",
    "issued_at": "2026-11-20T14:07:31.000Z",
    "ends_at": "2027-02-18T14:07:31.000Z",
    "revoked_at": None,
    "revoked_by": "",
    "reason": "",
}
_ABOUT = {
    "address": "https://hub.example.com:8443",
    "brokers": ["mqtts://hub.example.com:8883"],
    "fingerprint": "00" * 32,
    "authority": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    "revocation_list": "/var/lib/modembank-hub/ca/crl.pem",
    "problem": "",
}
OPERATIONS = (
    Operation(
        id="getEnrolment",
        method="GET",
        path=ENROLMENT,
        tag=_TAG,
        summary="Where boxes enrol",
        description="The address, the fleet's authority, and the file of revoked certificates.",
        run=get_enrolment,
        needs=_READ,
        replies=(Reply(200, "Where, and who vouches", EnrolmentView, _ABOUT),),
    ),
    Operation(
        id="listTokens",
        method="GET",
        path=TOKENS,
        tag=_TAG,
        summary="List the tokens",
        description="Newest first; their texts are not kept.",
        run=list_tokens,
        needs=_CHANGE,
        query=TokensQuery,
        replies=(Reply(200, "A page of tokens", TokensPage, {"items": [_OPEN], "next": None}),),
    ),
    Operation(
        id="makeToken",
        method="POST",
        path=TOKENS,
        tag=_TAG,
        summary="Make a token for a box",
        description=(
            "With it one box gets its certificate, once. For a name that is there already the new box takes the place"
            " of the one before, whose certificates are revoked. 409 where this hub enrols no boxes."
        ),
        run=make_token,
        needs=_CHANGE,
        body=Body(NewToken, {"a box": {"site": "leeds", "box": "b1"}, "any name": {"site": "leeds", "hours": 72.0}}),
        replies=(Reply(201, "The token, this once", NewTokenView, _MADE),),
        raises=("conflict",),
    ),
    Operation(
        id="withdrawToken",
        method="DELETE",
        path=f"{TOKENS}/{{id}}",
        tag=_TAG,
        summary="Withdraw a token",
        description="An open one counts no more. 409 when it is not open any more.",
        run=withdraw_token,
        needs=_CHANGE,
        parameters={"id": ("The token's id", "7")},
        replies=(Reply(200, "Withdrawn", TokenView, _OPEN | {"state": "withdrawn"}),),
        raises=("conflict",),
    ),
    Operation(
        id="listCertificates",
        method="GET",
        path=CERTIFICATES,
        tag=_TAG,
        summary="List the certificates of boxes",
        description="Newest first: of one box, or of all.",
        run=list_certificates,
        needs=_READ,
        query=CertificatesQuery,
        replies=(Reply(200, "A page of certificates", CertificatesPage, {"items": [_CERTIFICATE], "next": None}),),
    ),
    Operation(
        id="revokeBox",
        method="POST",
        path=f"{_BOX}/revoke",
        tag=_TAG,
        summary="Shut a box out",
        description=(
            "Its certificates are revoked and listed for the broker, which refuses it once it has read the list again."
            " At once, the hub takes nothing that the box says, and tells it nothing. A new token for its name lets it"
            " in."
        ),
        run=revoke_box,
        needs=_CHANGE,
        parameters=_WHICH,
        body=Body(Revocation, {"stolen": {"reason": "stolen from the cellar"}}),
        replies=(Reply(200, "It is shut out", Revoked, {"box": "leeds/b1", "certificates": 1, "problem": ""}),),
    ),
)
