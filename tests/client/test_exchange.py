"""What is tried again, when, and with what: the core without any I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from modembank.client import (
    BoxError,
    ClientError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSettled,
    Retry,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
    calls,
)
from modembank.client.exchange import Give, Lost, Request, Response, Wait, exchange, json_request, retry_after_s

RETRY = Retry(tries=4, first_s=0.5, most_s=3.0, longest_wait_s=20.0)
OK = Response(200, {}, b"{}")
GET = Request("GET", "/api/v1/modems")
SEND = json_request("POST", "/api/v1/messages", {"to": "1"}, "key-1")
CANCEL = Request("POST", "/api/v1/messages/msg_1/cancel")
CUT = Lost("cut", maybe_done=True)
NOT_THERE = Lost("refused", maybe_done=False)


def play(steps: Any, *answers: Any) -> tuple[list[Any], list[float], Any]:
    """Answer each request in turn; return the requests, the waits, and the result or what was raised."""
    left, requests, waits, came = list(answers), [], [], None
    try:
        while True:
            step = steps.send(came)
            came = None
            if isinstance(step, Wait):
                waits.append(step.seconds)
            elif not isinstance(step, Give):
                requests.append(step)
                came = left.pop(0)
    except StopIteration as end:
        return requests, waits, end.value
    except ClientError as error:
        return requests, waits, error


def refusal(status: int, retry_after: str = "", **body: Any) -> Response:
    return Response(status, {"retry-after": retry_after} if retry_after else {}, json.dumps(body).encode())


def test_an_answer_is_returned_at_once() -> None:
    assert play(exchange(SEND, RETRY), OK) == ([SEND], [], OK)


@pytest.mark.parametrize("request_", [GET, SEND])
def test_lost_answers_are_asked_for_again_with_the_very_same_request(request_: Request) -> None:
    requests, waits, result = play(exchange(request_, RETRY), CUT, CUT, OK)
    assert result is OK
    assert requests == [request_] * 3
    assert 0.25 <= waits[0] <= 0.5
    assert 0.5 <= waits[1] <= 1.0


def test_what_may_not_be_done_twice_is_not_repeated_once_it_may_have_been_received() -> None:
    requests, _, error = play(exchange(CANCEL, RETRY), CUT)
    assert len(requests) == 1
    assert isinstance(error, Unreachable)
    assert error.maybe_done
    assert "may have been received" in str(error)
    assert play(exchange(CANCEL, RETRY), NOT_THERE, OK)[2] is OK


def test_the_tries_end_and_the_error_has_the_key_to_go_on_with() -> None:
    requests, waits, error = play(exchange(SEND, RETRY), *[NOT_THERE] * 4)
    assert (len(requests), len(waits)) == (4, 3)
    assert isinstance(error, Unreachable)
    assert (error.reason, error.maybe_done, error.idempotency_key) == ("refused", False, "key-1")
    error = play(exchange(SEND, RETRY), CUT, *[NOT_THERE] * 3)[2]
    assert error.maybe_done


@pytest.mark.parametrize("status", [502, 503, 504])
def test_not_now_is_tried_again(status: int) -> None:
    requests, waits, result = play(exchange(SEND, RETRY), refusal(status), refusal(status, "7"), OK)
    assert result is OK
    assert len(requests) == 3
    assert waits[1] == 7.0
    error = play(exchange(SEND, RETRY), *[refusal(status)] * 4)[2]
    assert isinstance(error, Unavailable)
    assert isinstance(play(exchange(CANCEL, RETRY), refusal(status))[2], Unavailable)


def test_a_quota_is_waited_for_only_as_long_as_agreed() -> None:
    assert play(exchange(SEND, RETRY), refusal(429, "20"), OK)[1:] == ([20.0], OK)
    requests, waits, error = play(exchange(SEND, RETRY), refusal(429, "21", error_code="TOO_MANY_REQUESTS"))
    assert isinstance(error, TooManyRequests)
    assert (len(requests), waits, error.retry_after) == (1, [], 21.0)
    assert isinstance(play(exchange(SEND, RETRY), refusal(429))[2], TooManyRequests)
    assert isinstance(play(exchange(SEND, RETRY), refusal(503, "3600"))[2], Unavailable)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BoxError),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (422, InvalidRequest),
        (500, BoxError),
        (507, Unavailable),
    ],
)
def test_refusals_are_final_and_say_everything(status: int, kind: type[BoxError]) -> None:
    body = {"error_code": "CODE", "title": "T", "detail": "d", "tracking_id": "trk_1", "new": 1, "details": {"left": 3}}
    body["errors"] = [{"pointer": "/to", "detail": "is no number", "more": 1}]
    requests, waits, error = play(exchange(SEND, RETRY), refusal(status, **body))
    assert (len(requests), waits) == (1, [])
    assert type(error) is kind
    assert (error.status, error.error_code, error.detail, error.title) == (status, "CODE", "d", "T")
    assert (error.tracking_id, error.details, error.retry_after) == ("trk_1", {"left": 3}, None)
    assert [(field.pointer, field.detail) for field in error.errors] == [("/to", "is no number")]
    assert str(error) == f"{status} CODE: /to is no number"


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[1]", b'{"errors": 5}', b"null"])
def test_refusals_by_something_else_than_a_box_are_errors_too(body: bytes) -> None:
    error = play(exchange(CANCEL, RETRY), Response(502, {}, body))[2]
    assert isinstance(error, Unavailable)
    assert str(error).startswith("502 error: ")


def test_both_forms_of_retry_after() -> None:
    assert retry_after_s({"retry-after": "5"}) == 5.0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    assert 45 < (retry_after_s({"retry-after": soon}) or 0) <= 50
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}) == 0.0
    for nothing in ("", "soon", "-5", "1.5", "²", "Wed, 99 Oct 2015 07:28:00 GMT"):
        assert retry_after_s({"retry-after": nothing}) is None


def test_pauses_grow_to_a_bound_and_differ() -> None:
    pauses = [RETRY.pause_s(tried) for tried in range(1, 2000)]
    assert max(pauses) <= 3.0
    assert min(pauses) >= 0.25
    assert len({RETRY.pause_s(1) for _ in range(20)}) > 1


def test_each_send_has_a_key_of_its_own_and_the_callers_when_it_gives_one() -> None:
    keys = [play(calls.send(RETRY, "1", "x"), CUT, CUT, CUT, CUT)[2].idempotency_key for _ in range(3)]
    assert len(set(keys)) == 3
    error = play(calls.send(RETRY, "1", "x", idempotency_key="mine"), *[CUT] * 4)[2]
    assert error.idempotency_key == "mine"
    assert play(calls.reply(RETRY, "+44/1", "x"), *[CUT] * 4)[2].idempotency_key


def test_options_that_were_not_given_are_not_sent() -> None:
    receipt = b'{"messages": [], "future": true}'
    (request,), _, _ = play(calls.send(RETRY, ("1", "2"), "x"), Response(202, {}, receipt))
    assert json.loads(request.body) == {"to": ["1", "2"], "text": "x"}
    moment = datetime(2030, 1, 1, 9, tzinfo=UTC)
    (request,), _, _ = play(
        calls.send(RETRY, "1", "x", send_at=moment, flash=False, priority=0), Response(202, {}, receipt)
    )
    assert json.loads(request.body) == {
        "to": "1", "text": "x", "send_at": "2030-01-01T09:00:00+00:00", "flash": False, "priority": 0,
    }  # fmt: skip


def test_a_time_without_a_zone_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="no zone"):
        next(calls.send(RETRY, "1", "x", send_at=datetime(2030, 1, 1)))  # noqa: DTZ001 - the mistake itself


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (lambda: calls.get(RETRY, "a/../b?c"), "/api/v1/messages/a%2F..%2Fb%3Fc"),
        (lambda: calls.conversation(RETRY, "+44 7"), "/api/v1/conversations/%2B44%207?limit=100"),
        (
            lambda: calls.messages(RETRY, to="+44&x", status="sent"),
            "/api/v1/messages?status=sent&to=%2B44%26x&limit=100",
        ),
        (lambda: calls.remove_opt_out(RETRY, "+447", reason="asked"), "/api/v1/opt-outs/%2B447?reason=asked"),
    ],
)
def test_what_is_put_into_a_path_stays_in_its_place(steps: Callable[[], Any], path: str) -> None:
    assert next(steps()).path == path


def test_an_answer_that_is_none_is_told_as_such() -> None:
    for body in (b"<html>", b"[]", b'{"id": 5}', b"\xff"):
        error = play(calls.get(RETRY, "msg_1"), Response(200, {}, body))[2]
        assert isinstance(error, ClientError)
        assert "is this the address of a Modembank?" in str(error)


def page(*items: Any, next_: str | None = None) -> Response:
    return Response(200, {}, json.dumps({"items": items, "next": next_}).encode())


def test_a_list_is_read_page_by_page_only_as_far_as_it_is_used() -> None:
    message = {"id": "m", "to": "1", "status": "sent"}
    steps = calls.messages(RETRY)
    request = steps.send(None)
    given = [steps.send(page(message, message, next_="/api/v1/messages?cursor=2")), steps.send(None)]
    assert [step.item.id for step in given] == ["m", "m"]
    assert steps.send(None).path == "/api/v1/messages?cursor=2"
    assert request.path == "/api/v1/messages?limit=100"
    assert steps.send(page(next_="/api/v1/messages?cursor=3")).path == "/api/v1/messages?cursor=3"  # an empty page
    with pytest.raises(StopIteration):
        steps.send(page())


def test_waiting_ends_with_the_message_or_with_how_it_was_last() -> None:
    def answer(status: str, **more: Any) -> Response:
        return Response(200, {}, json.dumps({"id": "m", "to": "1", "status": status, **more}).encode())

    requests, waits, message = play(
        calls.wait_until_settled(RETRY, "m"), answer("queued"), answer("sent"), answer("delivered")
    )
    assert (len(requests), message.status, message.ended) == (3, "delivered", True)
    assert waits[0] < waits[1]
    assert play(calls.wait_until_settled(RETRY, "m"), answer("sent", delivery_report=False))[2].status == "sent"
    assert play(calls.wait_until_settled(RETRY, "m"), answer("unknown"))[2].status == "unknown"
    error = play(calls.wait_until_settled(RETRY, "m", 0), answer("queued", waiting_for="no modem is registered"))[2]
    assert isinstance(error, NotSettled)
    assert str(error) == "m is still queued after 0 seconds: no modem is registered"
    assert error.message.status == "queued"
