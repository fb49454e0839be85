"""The dialect of an SMS service: messages between two numbers, each with a uuid that makes it happen once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.messages import HandedIn, IdempotencyKey, IdempotencyMismatch, InboxView, MessageView, SubmitRequest
from modembank_web.answer import Answer, Header, json_answer
from modembank_web.api.v1.listing import next_address
from modembank_web.dialects.addressing import fields_named
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

TAG = "SMS service"
SENT: Literal["SMS sent successfully"] = "SMS sent successfully"
RECEIVED: Literal["SMS received successfully"] = "SMS received successfully"
CONVERSATION = "/api/get-conversation"
_REPLAY: Header = (b"idempotent-replay", b"true")
_NAMES = {"to": "receiverPhone", "text": "messageText", "sender": "senderPhone", "receiver": "receiverPhone"}
_Phone = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Uuid = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[!-~]+$")]
_UNIX_MS_FROM = 100_000_000_000
"""A number of seconds so great is in the year 5138: it is milliseconds."""
_LATEST_MS = 4_102_444_800_000
"""The beginning of 2100: a message is from no later time."""


class SmsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A message from one number to another."""

    sender_phone: _Phone
    receiver_phone: _Phone
    message_text: str
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)] | datetime
    uuid: _Uuid


class SmsDone(msgspec.Struct, frozen=True):
    """That it was done, and as which message."""

    message: Literal["SMS sent successfully", "SMS received successfully"]
    id: str


class SmsSaid(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    phone_number: str
    """The other side's."""
    message_text: str
    timestamp: str
    direction: Literal["sent", "received"]


class SmsConversation(msgspec.Struct, frozen=True):
    """The last messages with a number, oldest first; ``next`` is the address of those before them, or null."""

    messages: Sequence[SmsSaid]
    next: str | None


class SmsConversationQuery(msgspec.Struct, frozen=True):
    """How much of a conversation."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100


class UuidReused(ModembankError):
    """The uuid named another message before."""

    key = "idempotency_mismatch"
    template = "the uuid {uuid} came before with another body: a new message needs a new one"
    problems = (FieldProblem("/uuid", "came before with another body: a new message needs a new one"),)


_REQUEST = JsonBody(SmsRequest)


async def send_sms(call: Call) -> Answer:
    """Accept a message for the receiver."""
    asked = await call.json(_REQUEST)
    _moment_ms(asked.timestamp)
    sim = call.app.taking.own.sim_with(asked.sender_phone)
    request = SubmitRequest(to=asked.receiver_phone, text=asked.message_text, sim=None if sim is None else sim.iccid)
    with _in_its_words(asked):
        receipt = await call.app.messages.submit(call.caller, request, _key("send-sms", asked))
    return json_answer(SmsDone(SENT, receipt.messages[0].id), 200, (_REPLAY,) if receipt.replayed else ())


async def receive_sms(call: Call) -> Answer:
    """Take a message over that came for the box elsewhere."""
    asked = await call.json(_REQUEST)
    handed = HandedIn(asked.sender_phone, asked.receiver_phone, asked.message_text, _moment_ms(asked.timestamp))
    with _in_its_words(asked):
        taken = await call.app.taking.take(call.caller, handed, _key("receive-sms", asked))
    return json_answer(SmsDone(RECEIVED, taken.id), 200, (_REPLAY,) if taken.replayed else ())


async def get_conversation(call: Call) -> Answer:
    """Return the last messages with a number."""
    query, number = call.query(SmsConversationQuery), call.path("phone_number")
    thread = await call.app.conversations.thread(call.caller, number, cursor=query.cursor, limit=query.limit)
    said = [_said(thread.number, item) for item in reversed(thread.items)]
    address = f"{CONVERSATION}/{quote(thread.number, safe='')}"
    return json_answer(SmsConversation(said, next_address(address, query, thread.cursor)))


def _said(number: str, item: InboxView | MessageView) -> SmsSaid:
    if isinstance(item, InboxView):
        return SmsSaid(number, item.text, item.received_at, "received")
    return SmsSaid(number, item.text, item.created_at, "sent")


@contextmanager
def _in_its_words(asked: SmsRequest) -> Iterator[None]:
    """Name fields as this dialect does in what is refused, also the one that is our key."""
    try:
        with fields_named(_NAMES):
            yield
    except IdempotencyMismatch as error:
        raise UuidReused(uuid=asked.uuid) from error


def _key(kind: str, asked: SmsRequest) -> IdempotencyKey:
    """Return a key of its own for each kind: both ends of a message may be handed to one box."""
    return IdempotencyKey.of(f"{kind}:{asked.uuid}", msgspec.json.encode(asked))


def _moment_ms(timestamp: int | datetime) -> int:
    """Return unix milliseconds; raises InvalidRequest for a time that no message can be from."""
    if isinstance(timestamp, int):
        return timestamp if timestamp >= _UNIX_MS_FROM else timestamp * 1000
    aware = timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
    moment = to_ms(aware.timestamp())
    if not 0 <= moment <= _LATEST_MS:
        raise InvalidRequest(FieldProblem("/timestamp", "must lie between 1970 and 2100"))
    return moment


_EXAMPLE: dict[str, Any] = {
    "senderPhone": "+447900900001",
    "receiverPhone": "+447900900123",
    "messageText": "Your table is ready.",
    "timestamp": "2026-11-20T14:05:00Z",
    "uuid": "7d0e3c4a-5a59-4a52-9c5b-0f6f2a8f2f11",
}
_RAISES = ("idempotency_mismatch",)
_ONCE = (
    "The same `uuid` with the same body is done once and answered alike for 48 hours; with another body it is refused."
)

OPERATIONS = (
    Operation(
        id="smsServiceSend",
        method="POST",
        path="/api/send-sms",
        tag=TAG,
        summary="Send a message",
        description=(
            "Accepts the text durably. It goes through the SIM whose number is `senderPhone`, or through any SIM when "
            f"none has that number; `timestamp` is the client's own and delays nothing. {_ONCE}"
        ),
        run=send_sms,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(SmsRequest, {"send": _EXAMPLE}),
        replies=(
            Reply(
                200,
                "Accepted and durable",
                SmsDone,
                {"message": SENT, "id": "msg_0000008000001"},
                headers={"Idempotent-Replay": "`true` when the same request came before"},
            ),
        ),
        raises=(*_RAISES, "opted_out", "too_many_requests"),
    ),
    Operation(
        id="smsServiceReceive",
        method="POST",
        path="/api/receive-sms",
        tag=TAG,
        summary="Hand in a message that came elsewhere",
        description=(
            "Stores it durably as an inbound message from `senderPhone`, received by the SIM with the number "
            "`receiverPhone` when there is one. A sender's key hands in messages of its own; what an admin's key "
            f"hands in belongs to the user who last wrote to `senderPhone`. {_ONCE}"
        ),
        run=receive_sms,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(
            SmsRequest,
            {
                "receive": {
                    **_EXAMPLE,
                    "senderPhone": "+447900900123",
                    "receiverPhone": "+447900900001",
                    "messageText": "On my way.",
                    "uuid": "1b8d1f2e-90a2-4f61-8f0e-3a6f3e1f5c02",
                }
            },
        ),
        replies=(
            Reply(
                200,
                "Durable",
                SmsDone,
                {"message": RECEIVED, "id": "inb_0000008000002"},
                headers={"Idempotent-Replay": "`true` when the same request came before"},
            ),
        ),
        raises=_RAISES,
    ),
    Operation(
        id="smsServiceConversation",
        method="GET",
        path=f"{CONVERSATION}/{{phone_number}}",
        tag=TAG,
        summary="Read the conversation with a number",
        description=(
            "The last messages to and from the number, oldest first: 100, or as many as `limit` says, up to 200. "
            "`next` leads to those before them."
        ),
        run=get_conversation,
        needs=(Scope.MESSAGES_READ,),
        parameters={"phone_number": ("The number in any usual form", "+447900900123")},
        query=SmsConversationQuery,
        replies=(
            Reply(
                200,
                "The conversation",
                SmsConversation,
                {
                    "messages": [
                        {
                            "phone_number": "+447900900123",
                            "message_text": "Your table is ready.",
                            "timestamp": "2026-11-20T14:05:00.000Z",
                            "direction": "sent",
                        },
                        {
                            "phone_number": "+447900900123",
                            "message_text": "On my way.",
                            "timestamp": "2026-11-20T14:07:14.020Z",
                            "direction": "received",
                        },
                    ],
                    "next": None,
                },
            ),
        ),
    ),
)
