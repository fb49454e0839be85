"""The one table from exceptions to problem documents."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from modembank.accounts import Unauthorized
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest, ModembankError, NotFound
from modembank.messages import IdempotencyMismatch, UnknownProvider
from modembank.store import StoreClosed, StoreError, StoreFull
from modembank_web.credentials import KeyInAddress
from modembank_web.problems import BY_KEY, KINDS, new_tracking_id, problem_answer, sort_failure
from modembank_web.reading import BodyTooLarge, BodyTooSlow, ClientGone, UnsupportedMediaType

FIXED = {
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "INVALID_PAYLOAD": 422,
    "UNKNOWN_PROVIDER": 422,
    "PROVIDER_DISABLED": 409,
    "ALL_PROVIDERS_DISABLED": 409,
    "NO_PROVIDER_AVAILABLE": 503,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL_ERROR": 500,
}


class Quota(ModembankError):
    key = "too_many_requests"
    template = "{used} of {quota} messages this month"


def test_the_codes_that_clients_rely_on() -> None:
    table = {kind.code: kind.status for kind in KINDS}
    assert FIXED.items() <= table.items()
    assert len(BY_KEY) == len(KINDS)
    assert all(kind.title and kind.when for kind in KINDS)
    assert all(any(name == b"retry-after" for name, _ in kind.headers) for kind in KINDS if kind.status in {429, 503})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthorized(why="no key"), 401, "UNAUTHORIZED"),
        (Forbidden(why="not yours"), 403, "FORBIDDEN"),
        (NotFound(what="message", which="x"), 404, "NOT_FOUND"),
        (Conflict(why="sent already"), 409, "CONFLICT"),
        (InvalidRequest(FieldProblem("/to", "is empty")), 422, "INVALID_PAYLOAD"),
        (IdempotencyMismatch(idempotency_key="k"), 422, "INVALID_PAYLOAD"),
        (UnknownProvider(FieldProblem("/sim", "there is no SIM x")), 422, "UNKNOWN_PROVIDER"),
        (Quota(used=10, quota=10), 429, "TOO_MANY_REQUESTS"),
        (StoreFull(detail="disk"), 507, "STORAGE_FULL"),
        (StoreClosed(), 503, "SERVICE_UNAVAILABLE"),
        (KeyInAddress(), 400, "BAD_REQUEST"),
        (BodyTooLarge(limit=1), 413, "PAYLOAD_TOO_LARGE"),
        (BodyTooSlow(seconds=30), 408, "REQUEST_TIMEOUT"),
        (ClientGone(), 400, "BAD_REQUEST"),
        (UnsupportedMediaType(why="text"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (NotFoundException(), 404, "NOT_FOUND"),
        (MethodNotAllowedException(headers={"allow": "GET"}), 405, "METHOD_NOT_ALLOWED"),
        (HTTPException("secret detail", status_code=418), 500, "INTERNAL_ERROR"),
        (StoreError(detail="/var/lib/secret is broken"), 500, "INTERNAL_ERROR"),
        (RuntimeError("secret"), 500, "INTERNAL_ERROR"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_exception_has_its_row_and_its_whole_shape(error: Exception, status: int, code: str) -> None:
    answer = problem_answer(sort_failure(error), "/api/v1/messages", "trk_1")
    problem = msgspec.json.decode(answer.body)
    headers = dict(answer.headers)
    assert (answer.status, problem["status"], problem["error_code"]) == (status, status, code)
    assert headers[b"content-type"] == b"application/problem+json"
    assert set(problem) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "error_code",
        "message",
        "details",
        "tracking_id",
        "timestamp",
        "errors",
    }
    assert problem["message"] == problem["detail"]
    assert (problem["instance"], problem["tracking_id"]) == ("/api/v1/messages", "trk_1")
    assert problem["type"].startswith("/docs/problems#")
    assert "secret" not in answer.body.decode()


def test_fields_travel_as_details_and_pointers() -> None:
    assert sort_failure(NotFound(what="message", which="x")).details == {"what": "message", "which": "x"}
    assert sort_failure(NotFound(what="file", which=Path("/a"))).details["which"] == "/a"
    failure = sort_failure(InvalidRequest(FieldProblem("/a", "is bad"), FieldProblem("/b", "too")))
    answer = msgspec.json.decode(problem_answer(failure, "/", "trk_1").body)
    assert answer["errors"] == [{"pointer": "/a", "detail": "is bad"}, {"pointer": "/b", "detail": "too"}]
    assert answer["details"] == {}


def test_a_problem_is_bounded() -> None:
    failure = sort_failure(InvalidRequest(*(FieldProblem(f"/{n}", "x" * 1000) for n in range(5000))))
    assert len(problem_answer(failure, "/" * 60_000, "trk_1").body) < 200_000
    assert len({new_tracking_id() for _ in range(1000)}) == 1000
