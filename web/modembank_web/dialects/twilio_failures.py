"""How the Twilio dialect comes in, and how it writes what is refused."""

from __future__ import annotations

import base64
import binascii

import msgspec

from modembank.accounts import Actor, Unauthorized
from modembank.twilio import Code
from modembank_web.answer import JSON, Answer, encode
from modembank_web.operation import Call, Failures
from modembank_web.problems import PROBLEMS_PAGE, Failure, ProblemKind

_BAD = 400
_CODES = {
    "unauthorized": Code.AUTHENTICATE,
    "forbidden": Code.AUTHENTICATE,
    "not_found": Code.NOT_FOUND,
    "method_not_allowed": Code.NOT_ALLOWED_METHOD,
    "conflict": Code.CANNOT_DELETE,
    "opted_out": Code.OPTED_OUT,
    "unknown_provider": Code.NOT_OUR_FROM,
    "too_many_requests": Code.TOO_MANY_REQUESTS,
    "internal_error": Code.INTERNAL,
    "unavailable": Code.UNAVAILABLE,
    "no_provider_available": Code.UNAVAILABLE,
    "store_full": Code.UNAVAILABLE,
}
_AS_BAD = frozenset({"invalid_payload", "opted_out", "unknown_provider", "idempotency_mismatch"})


class TwilioError(msgspec.Struct, frozen=True):
    """What was refused: ``code`` is what programs switch on, ``more_info`` leads to a page of the box itself."""

    code: int
    message: str
    more_info: str
    status: int


def status_of(kind: ProblemKind) -> int:
    """Return the status that clients of that API expect: what is wrong with a request is a 400."""
    return _BAD if kind.key in _AS_BAD else kind.status


def failure_answer(failure: Failure, tracking_id: str) -> Answer:
    """Answer a failure; one of the box itself names the id under which its log has more."""
    kind = failure.kind
    code = failure.details.get("code", _CODES.get(kind.key, Code.INVALID_PARAMETER))
    words = failure.detail[:2000]
    if failure.problems:
        words = "; ".join(f"{each.pointer.removeprefix('/') or 'the form'} {each.detail}" for each in failure.problems)
    if kind.status >= 500:
        words = f"{words} ({tracking_id})"
    status = status_of(kind)
    body = TwilioError(int(code), words[:2000], f"{PROBLEMS_PAGE}#{kind.key}", status)
    # API keys as such are not taken here.
    headers = tuple(header for header in failure.headers if not header[1].startswith(b"Bearer"))
    return Answer(encode(body), status, JSON, headers)


def _example(kind: ProblemKind) -> dict[str, object]:
    code = int(_CODES.get(kind.key, Code.INVALID_PARAMETER))
    more = f"{PROBLEMS_PAGE}#{kind.key}"
    return {"code": code, "message": kind.when, "more_info": more, "status": status_of(kind)}


FAILURES = Failures(answer=failure_answer, shape=TwilioError, example=_example, status=status_of)


async def authenticate(call: Call) -> Actor:
    """Return on whose behalf a call is made: Basic, the account's sid and its auth token; raises Unauthorized."""
    scheme, _, encoded = call.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        raise Unauthorized(why="HTTP Basic is needed: the account's sid, and its auth token as the password")
    try:
        sid, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("latin-1").partition(":")
    except (binascii.Error, ValueError):
        raise Unauthorized(why="the header Authorization: Basic is not base64") from None
    if not colon:
        raise Unauthorized(why="the header Authorization: Basic has no password: the auth token goes there")
    return await call.app.twilio.authenticate(sid, password, call.source)
