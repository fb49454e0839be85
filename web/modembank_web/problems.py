"""Every error as RFC 9457 ``application/problem+json``: one table from what was raised to what is answered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog
from litestar.exceptions import HTTPException

from modembank.clock import rfc3339, to_ms
from modembank.errors import FieldProblem, ModembankError
from modembank_web.answer import PROBLEM, TEXT, Answer, Header, encode

_log = structlog.get_logger()

PROBLEMS_PAGE = "/docs/problems"


class ProblemKind(msgspec.Struct, frozen=True):
    """One row of the table: ``key`` is the error's stable key, ``code`` what clients switch on."""

    key: str
    status: int
    code: str
    title: str
    when: str
    headers: tuple[Header, ...] = ()


_CHALLENGE = (
    (b"www-authenticate", b'Bearer realm="modembank"'),
    (b"www-authenticate", b'Basic realm="modembank", charset="UTF-8"'),
)
# Not Basic: a browser would ask for name and password itself, behind the page's back.
_LOG_IN = ((b"www-authenticate", b'Cookie realm="modembank", cookie-name="__Host-mb"'),)
_LATER = ((b"retry-after", b"5"),)
# The rest of the body is not wanted: a client that goes on sending it meets a closed connection.
_HANG_UP = ((b"connection", b"close"),)
_A_MINUTE = ((b"retry-after", b"60"),)

KINDS: tuple[ProblemKind, ...] = (
    ProblemKind(
        "bad_request", 400, "BAD_REQUEST", "Bad request", "the request is no HTTP, or could be read in two ways"
    ),
    ProblemKind(
        "key_in_address", 400, "BAD_REQUEST", "Key in the address", "an API key was put into the query string", ()
    ),
    ProblemKind("bad_call", 400, "BAD_REQUEST", "Bad call", "a provider's call proves itself and makes no sense"),
    ProblemKind(
        "unauthorized",
        401,
        "UNAUTHORIZED",
        "Not authenticated",
        "the key is missing, invalid, expired or revoked, or its user is not active",
        _CHALLENGE,
    ),
    ProblemKind(
        "not_logged_in",
        401,
        "UNAUTHORIZED",
        "Not logged in",
        "the name or the password is wrong, or the session of the cookie has ended",
        _LOG_IN,
    ),
    ProblemKind("forbidden", 403, "FORBIDDEN", "Not allowed", "the key's scopes or the user's role do not allow it"),
    ProblemKind("not_found", 404, "NOT_FOUND", "Not found", "there is no such thing, or none that this key may see"),
    ProblemKind("method_not_allowed", 405, "METHOD_NOT_ALLOWED", "Method not allowed", "see the header Allow"),
    ProblemKind(
        "request_timeout", 408, "REQUEST_TIMEOUT", "Request timeout", "the request did not arrive in time", _HANG_UP
    ),
    ProblemKind("client_gone", 400, "BAD_REQUEST", "Incomplete request", "the connection closed before the body ended"),
    ProblemKind("conflict", 409, "CONFLICT", "Conflict", "the thing is in a state in which this cannot be done"),
    ProblemKind(
        "provider_disabled",
        409,
        "PROVIDER_DISABLED",
        "Provider disabled",
        "the only provider named takes nothing now: an admin disabled it, or it is not ready; the message names nobody "
        "else",
    ),
    ProblemKind(
        "all_providers_disabled",
        409,
        "ALL_PROVIDERS_DISABLED",
        "All providers disabled",
        "none of the providers named takes anything now, and the message names nobody else; `detail` says why of each",
    ),
    ProblemKind(
        "payload_too_large",
        413,
        "PAYLOAD_TOO_LARGE",
        "Body too large",
        "the body exceeds what the operation takes",
        _HANG_UP,
    ),
    ProblemKind(
        "unsupported_media_type",
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "Unsupported media type",
        "the header Content-Type is none that the operation reads, or the body is compressed",
    ),
    ProblemKind(
        "head_too_large",
        431,
        "HEAD_TOO_LARGE",
        "Request head too large",
        "the request line and the headers together are longer than the box reads",
        _HANG_UP,
    ),
    ProblemKind(
        "invalid_payload",
        422,
        "INVALID_PAYLOAD",
        "Invalid request",
        "the body or a parameter fails validation; errors[] names every field",
    ),
    ProblemKind(
        "idempotency_mismatch",
        422,
        "INVALID_PAYLOAD",
        "Idempotency key reused",
        "the same Idempotency-Key came before with another body",
    ),
    ProblemKind(
        "opted_out",
        422,
        "INVALID_PAYLOAD",
        "Recipient opted out",
        "recipients have asked for no more messages of this box; errors[] names each, and nothing else is wrong",
    ),
    ProblemKind(
        "unknown_provider",
        422,
        "UNKNOWN_PROVIDER",
        "Unknown provider",
        "a provider, pool or SIM that is named does not exist",
    ),
    ProblemKind(
        "too_many_requests",
        429,
        "TOO_MANY_REQUESTS",
        "Too many requests",
        "the user's quota is spent, or too many passwords were tried; Retry-After says when to come again",
        _A_MINUTE,
    ),
    ProblemKind(
        "internal_error", 500, "INTERNAL_ERROR", "Internal error", "a fault of the box; the log has the tracking id"
    ),
    ProblemKind("ussd_failed", 502, "USSD_FAILED", "No USSD answer", "the modem or the network gave no answer"),
    ProblemKind(
        "no_provider_available",
        503,
        "NO_PROVIDER_AVAILABLE",
        "No provider available",
        "the channel has no provider on this box, or none that takes anything now",
        _LATER,
    ),
    ProblemKind(
        "unavailable",
        503,
        "SERVICE_UNAVAILABLE",
        "Not available now",
        "the box is starting or stopping; try again",
        _LATER,
    ),
    ProblemKind(
        "too_busy",
        503,
        "SERVICE_UNAVAILABLE",
        "Too busy",
        "more connections are open than the box serves at once; nothing of the request was read",
        (*_LATER, *_HANG_UP),
    ),
    ProblemKind(
        "store_full",
        507,
        "STORAGE_FULL",
        "Storage full",
        "there is no room to make it durable; nothing of the request was accepted",
        _A_MINUTE,
    ),
)
BY_KEY: Mapping[str, ProblemKind] = {kind.key: kind for kind in KINDS}
_SAME_AS = {"store_closed": "unavailable", "bad_number": "invalid_payload"}
_INTERNAL = BY_KEY["internal_error"]
_BY_STATUS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with one field: where (a JSON pointer, ``""`` for the whole), and what would be right."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """An error (RFC 9457). ``type`` leads to its description, ``error_code`` is what programs switch on."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error_code: str
    message: str
    details: dict[str, Any]
    tracking_id: str
    timestamp: str
    errors: tuple[FieldError, ...] = ()


class Failure(msgspec.Struct, frozen=True):
    """What was raised, sorted: its row, its words, and its fields."""

    kind: ProblemKind
    detail: str
    details: dict[str, Any]
    problems: tuple[FieldProblem, ...]
    headers: tuple[Header, ...] = ()


def sort_failure(error: Exception) -> Failure:
    """Return the row of the table for an exception; what is not in it is an internal error without its words."""
    if isinstance(error, ModembankError):
        kind = BY_KEY.get(_SAME_AS.get(error.key, error.key), _INTERNAL)
        if kind is not _INTERNAL:
            problems: Iterable[FieldProblem] = getattr(error, "problems", ())
            return Failure(kind, str(error), _plain(error.fields), tuple(problems), _headers(kind, error))
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        kind = BY_KEY[_BY_STATUS[error.status_code]]
        headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in (error.headers or {}).items()]
        return Failure(kind, _http_words(kind, error), {}, (), (*kind.headers, *headers))
    return Failure(_INTERNAL, "something went wrong inside the box; its log has more under the tracking id", {}, ())


def problem_answer(failure: Failure, path: str, tracking_id: str) -> Answer:
    """Answer a failure."""
    kind = failure.kind
    problem = Problem(
        type=f"{PROBLEMS_PAGE}#{kind.key}",
        title=kind.title,
        status=kind.status,
        detail=failure.detail[:2000],
        instance=path[:500],
        error_code=kind.code,
        message=failure.detail[:2000],
        details=failure.details,
        tracking_id=tracking_id,
        timestamp=rfc3339(to_ms(time.time())),
        errors=tuple(FieldError(problem.pointer, problem.detail) for problem in failure.problems[:100]),
    )
    return Answer(encode(problem), kind.status, PROBLEM, failure.headers)


def plain_answer(failure: Failure, tracking_id: str) -> Answer:
    """Answer a failure in the fewest words: for when telling it has failed too."""
    text = f"{failure.kind.title}. The box could not say more; its log has it under {tracking_id}.\n"
    return Answer(text.encode(), failure.kind.status, TEXT, failure.headers)


def new_tracking_id() -> str:
    """Return an id that a client can quote and the log has."""
    return f"trk_{secrets.token_hex(8)}"


def log_internal(error: Exception, tracking_id: str, **where: object) -> None:
    """Log a fault of ours with its trace; the client only gets the id."""
    _log.error("request_failed", tracking_id=tracking_id, exc_info=error, **where)


def _headers(kind: ProblemKind, error: ModembankError) -> tuple[Header, ...]:
    """Return the kind's headers, with the time to wait that the error knows in the place of the usual one."""
    wait_s: int | None = getattr(error, "retry_after_s", None)
    if wait_s is None:
        return kind.headers
    others = (header for header in kind.headers if header[0] != b"retry-after")
    return (*others, (b"retry-after", b"%d" % wait_s))


def _http_words(kind: ProblemKind, error: HTTPException) -> str:
    if kind.status == 405:
        return f"allowed here: {(error.headers or {}).get('allow', 'other methods')}"
    return {404: "there is nothing at this address; /docs has all there is", 413: "the body is too large"}.get(
        kind.status, error.detail
    )


def _plain(fields: Mapping[str, object]) -> dict[str, Any]:
    """Keep what JSON can say; anything else becomes its text."""
    return {
        name: value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in fields.items()
        if name != "summary"
    }
