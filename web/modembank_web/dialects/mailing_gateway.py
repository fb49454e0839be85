"""The dialect of a mailing gateway: a text to one number or many becomes a task, whose result is asked for later."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence

import msgspec

from modembank.accounts import Scope
from modembank.errors import NotFound
from modembank.messages import Accepted, IdempotencyKey, IdempotencyMismatch, MessageState, SubmitReceipt, SubmitRequest
from modembank_web.answer import Answer, json_answer
from modembank_web.dialects.addressing import IDEMPOTENCY, fields_named, message_address
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

TAG = "Mailing gateway"
PENDING, STARTED, SUCCESS, FAILURE = "PENDING", "STARTED", "SUCCESS", "FAILURE"
_REFUSED = "refused"
_WAITING = {MessageState.ACCEPTED.word, MessageState.SCHEDULED.word, MessageState.QUEUED.word}
_GONE = {MessageState.SENT.word, MessageState.DELIVERED.word, MessageState.UNKNOWN.word, MessageState.UNDELIVERED.word}
_TASK = re.compile(r"(?P<messages>(?:msg|bat)_[0-9a-z]{13})(?:-(?P<mark>[0-9a-f]{16}))?")


class SendingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to one number."""

    number: str
    text: str


class MailingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to many numbers."""

    numbers: Sequence[str]
    text: str


class TaskResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one number: a message's state, or ``refused``."""

    status: str
    number: str
    URL: str
    """Of the message; empty when there is none."""
    detail: str = ""
    """Why it was refused."""


class Task(msgspec.Struct, frozen=True):
    """A task; its result is one object for one number, and a list for a list of numbers."""

    task_id: str
    task_status: str
    task_result: TaskResult | Sequence[TaskResult]


_SENDING = JsonBody(SendingRequest)
_MAILING = JsonBody(MailingRequest)


async def sending(call: Call) -> Answer:
    """Accept a text for one number."""
    body = await call.body()
    asked = _SENDING.read(body)
    header = call.headers.get(b"idempotency-key")
    key = None if header is None else IdempotencyKey.of(header.decode("latin-1"), body)
    with fields_named({"to": "number"}):
        receipt = await call.app.messages.submit(call.caller, SubmitRequest(to=asked.number, text=asked.text), key)
    (accepted,) = receipt.messages
    return _accepted(Task(accepted.id, PENDING, _result(call, accepted)), receipt)


async def mailing(call: Call) -> Answer:
    """Accept a text for those of many numbers that can be written to."""
    body = await call.body()
    asked = _MAILING.read(body)
    mark = _mark(call)
    request = SubmitRequest(to=asked.numbers, text=asked.text, partial=True)
    try:
        with fields_named({"to": "numbers"}):
            receipt = await call.app.messages.submit(call.caller, request, IdempotencyKey.of(_key(mark), body))
    except IdempotencyMismatch as error:  # it knows our key; who asked gave another one
        given = call.headers.get(b"idempotency-key", b"").decode("latin-1")
        raise IdempotencyMismatch(idempotency_key=given) from error
    first = next(accepted.id for accepted in receipt.messages if accepted.id)
    task = Task(f"{receipt.batch or first}-{mark}", PENDING, [_result(call, each) for each in receipt.messages])
    return _accepted(task, receipt)


async def get_task(call: Call) -> Answer:
    """Tell what became of a task until now."""
    asked = call.path("task_id")
    found = _TASK.fullmatch(asked)
    if found is None:
        raise NotFound(what="task", which=ascii(asked[:40]))
    name, mark = found["messages"], found["mark"]
    if name.startswith("msg"):
        view = await call.app.messages.get(call.caller, name)
        states = {view.id: (view.to, view.status)}
    else:
        states = {one.id: (one.to, one.state.word) for one in await call.app.messages.batch(call.caller, name)}
    receipt = None if mark is None else await call.app.messages.remembered(call.caller, _key(mark))
    # The answer that was given then knows who was refused, as long as it is remembered.
    given = () if receipt is None or (receipt.batch or name) != name else receipt.messages
    results = [_result(call, each, states.pop(each.id, None)) for each in given if not each.id or each.id in states]
    results += [_of_message(call, message, *state) for message, state in states.items()]
    status = _status(result.status for result in results)
    return json_answer(Task(asked, status, results if mark else results[0]))


def _mark(call: Call) -> str:
    """Return what names the answer to this request, the same for the same Idempotency-Key."""
    header = call.headers.get(b"idempotency-key")
    if header is None:
        return secrets.token_hex(8)
    checked = IdempotencyKey.of(header.decode("latin-1"), b"").key
    return hashlib.sha256(checked.encode()).hexdigest()[:16]


def _key(mark: str) -> str:
    return f"mailing:{mark}"


def _accepted(task: Task, receipt: SubmitReceipt) -> Answer:
    location = (b"location", f"/tasks/{task.task_id}".encode())
    return json_answer(task, 202, (location, (b"idempotent-replay", b"true")) if receipt.replayed else (location,))


def _result(call: Call, accepted: Accepted, now: tuple[str, str] | None = None) -> TaskResult:
    if not accepted.id:
        return TaskResult(_REFUSED, accepted.to, "", accepted.detail)
    return _of_message(call, accepted.id, accepted.to, accepted.status if now is None else now[1])


def _of_message(call: Call, message: str, number: str, state: str) -> TaskResult:
    return TaskResult(state, number, message_address(call, message))


def _status(states: Iterable[str]) -> str:
    """Return the task's word: it has succeeded when all is settled and something has left the box."""
    seen = set(states) - {_REFUSED}
    if seen <= _WAITING:
        return PENDING
    if seen & _WAITING or MessageState.SENDING.word in seen:
        return STARTED
    return SUCCESS if seen & _GONE else FAILURE


_RESULT = {
    "status": "queued",
    "number": "+447900900123",
    "URL": "https://modembank.example/api/v1/messages/msg_0000008000001",
}
_BAD = {
    "status": _REFUSED,
    "number": "+44790090012",
    "URL": "",
    "detail": "+44790090012 is no possible number of country code +44: it is too short",
}
_LIST_ID = "bat_0000008000009-9f86d081884c7d65"
_HEADERS = {
    "Location": "The task's address",
    "Idempotent-Replay": "`true` when this is the answer to an earlier request with the same key",
}
_RAISES = ("opted_out", "idempotency_mismatch", "too_many_requests")

OPERATIONS = (
    Operation(
        id="gatewaySending",
        method="POST",
        path="/sending",
        tag=TAG,
        summary="Send a text to one number",
        description="Accepts the text durably and answers with a task whose `task_result` is one object.",
        run=sending,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(SendingRequest, {"one": {"number": "+447900900123", "text": "Your parcel arrives today."}}),
        headers=IDEMPOTENCY,
        replies=(
            Reply(
                202,
                "Accepted and durable",
                Task,
                {"task_id": "msg_0000008000001", "task_status": PENDING, "task_result": _RESULT},
                headers=_HEADERS,
            ),
        ),
        raises=_RAISES,
    ),
    Operation(
        id="gatewayMailing",
        method="POST",
        path="/mailing",
        tag=TAG,
        summary="Send a text to many numbers",
        description=(
            "Up to 10,000 numbers. Those that cannot be written to (no number, opted out) are `refused` in "
            "`task_result`, the others are accepted durably; if none is left, the answer is 422. The same number "
            "twice gets one message."
        ),
        run=mailing,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(
            MailingRequest,
            {"two": {"numbers": ["+447900900123", "+44790090012"], "text": "The office is closed tomorrow."}},
        ),
        headers=IDEMPOTENCY,
        replies=(
            Reply(
                202,
                "Accepted and durable",
                Task,
                {"task_id": _LIST_ID, "task_status": PENDING, "task_result": [_RESULT, _BAD]},
                headers=_HEADERS,
            ),
        ),
        raises=_RAISES,
    ),
    Operation(
        id="gatewayTask",
        method="GET",
        path="/tasks/{task_id}",
        tag=TAG,
        summary="Look up a task",
        description=(
            "`task_status` is `PENDING` while every message waits, `STARTED` while some do, `SUCCESS` when all have "
            "left the box or ended and at least one has left it, `FAILURE` when none has. The numbers that were "
            "refused are told for 48 hours."
        ),
        run=get_task,
        needs=(Scope.MESSAGES_READ,),
        parameters={"task_id": ("The task's id, as it was answered", "msg_0000008000001")},
        replies=(
            Reply(
                200,
                "The task",
                Task,
                {
                    "task_id": _LIST_ID,
                    "task_status": SUCCESS,
                    "task_result": [{**_RESULT, "status": "delivered"}, _BAD],
                },
            ),
        ),
    ),
)
