"""The dialect of a messaging service with several channels: SMS, and what else there is a provider for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import structlog

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.messages import (
    AttemptView,
    IdempotencyKey,
    MessageFilter,
    MessageView,
    NoProviderAvailable,
    SubmitRequest,
)
from modembank.messages.model import WHOLE
from modembank.providers import Channel
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.dialects.addressing import IDEMPOTENCY, fields_named, message_address
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

TAG = "Messaging service"
PATH = "/sendMessage"
_log = structlog.get_logger()


class NoProvider(ModembankError):
    """Nothing on this box can send that kind of message now."""

    key = "no_provider_available"
    template = "no provider for {type} takes messages on this box: {why}"
    retry_after_s = 3600
    """A person must see to one first."""
    problems = (FieldProblem("/type", "has no provider on this box that takes messages; sms always waits for one"),)


class ChannelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message on one of several channels."""

    type: Literal["sms", "email", "whatsapp"]
    recipient: str
    content: str


class ChannelReceipt(msgspec.Struct, frozen=True):
    """What was accepted."""

    id: str
    type: str
    recipient: str
    status: str
    address: str
    """Where the message and its tries are shown."""


class Try(msgspec.Struct, frozen=True):
    """One try to deliver: a segment given to a modem, or a message given to a provider."""

    at: str
    status: str
    """``accepted`` by the network or the provider, ``rejected``, ``not_sent``, ``unknown``, or ``in_flight``."""
    provider: str | None
    """Its name, or the ICCID of the SIM."""
    detail: str
    """What that means, for people."""


class ChannelMessage(msgspec.Struct, frozen=True):
    """A message with every try that was made."""

    id: str
    type: str
    recipient: str
    content: str
    status: str
    created_at: str
    attempts: Sequence[Try]


class ChannelQuery(msgspec.Struct, frozen=True):
    """Which part of the list."""

    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class ChannelPage(msgspec.Struct, frozen=True):
    """A page of messages, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[ChannelMessage]
    next: str | None


_SEND = JsonBody(ChannelRequest)


async def send_message(call: Call) -> Answer:
    """Accept a message; refuse what there is no provider for."""
    body = await call.body()
    asked = _SEND.read(body)
    header = call.headers.get(b"idempotency-key")
    key = None if header is None else IdempotencyKey.of(header.decode("latin-1"), body)
    with fields_named({"to": "recipient", "text": "content", "channel": "type"}):
        request = SubmitRequest(to=asked.recipient, text=asked.content, channel=asked.type)
        try:
            receipt = await call.app.messages.submit(call.caller, request, key)
        except NoProviderAvailable as error:
            _log.info("no_provider_for_message", type=asked.type, actor=call.caller.name)
            raise NoProvider(type=asked.type, why=error.fields["why"]) from error
        except InvalidRequest as error:
            if asked.type == "sms" or call.app.providers.of(Channel(asked.type)):
                raise
            _log.info("no_provider_for_message", type=asked.type, actor=call.caller.name)
            raise NoProvider(type=asked.type, why="none is configured") from error  # whatever else is wrong with it
    (accepted,) = receipt.messages
    location = (b"location", f"{PATH}/{accepted.id}".encode())
    answer = ChannelReceipt(accepted.id, asked.type, accepted.to, accepted.status, message_address(call, accepted.id))
    return json_answer(answer, 202, (location, (b"idempotent-replay", b"true")) if receipt.replayed else (location,))


async def get_message(call: Call) -> Answer:
    """Return one message with its tries."""
    return json_answer(_shown(await call.app.messages.get(call.caller, call.path("id"))))


async def list_messages(call: Call) -> Answer:
    """Return a page of messages with their tries."""
    query = call.query(ChannelQuery)
    page = await call.app.messages.list(call.caller, MessageFilter(), cursor=query.cursor, limit=query.limit)
    return json_answer(ChannelPage([_shown(view) for view in page.items], next_address(PATH, query, page.cursor)))


def _shown(view: MessageView) -> ChannelMessage:
    tries = [Try(each.started_at, each.outcome, _provider_of(each), each.verdict) for each in view.attempts]
    return ChannelMessage(view.id, view.channel, view.to, view.text, view.status, view.created_at, tries)


def _provider_of(attempt: AttemptView) -> str | None:
    return attempt.slot if attempt.segment == WHOLE else attempt.sim


_MESSAGE: dict[str, Any] = {
    "id": "msg_0000008000001",
    "type": "sms",
    "recipient": "+447900900123",
    "content": "Your code is 4711.",
    "status": "delivered",
    "created_at": "2026-11-20T14:05:00.000Z",
    "attempts": [
        {
            "at": "2026-11-20T14:05:00.530Z",
            "status": "accepted",
            "provider": "8944110068256270054",
            "detail": "it arrived: a delivery report says so",
        }
    ],
}

OPERATIONS = (
    Operation(
        id="channelSend",
        method="POST",
        path=PATH,
        tag=TAG,
        summary="Send a message on a channel",
        description=(
            "`sms` is accepted durably and sent through the modems, or through providers as the box's rules say. "
            "`email` and `whatsapp` need a provider of theirs: while none takes messages the answer is 503, nothing is "
            "kept of the message, and the log has a line of it."
        ),
        run=send_message,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(
            ChannelRequest,
            {
                "sms": {"type": "sms", "recipient": "+447900900123", "content": "Your code is 4711."},
                "email": {"type": "email", "recipient": "reader@clinic.example", "content": "Your code is 4711."},
            },
        ),
        headers=IDEMPOTENCY,
        replies=(
            Reply(
                202,
                "Accepted and durable",
                ChannelReceipt,
                {
                    "id": "msg_0000008000001",
                    "type": "sms",
                    "recipient": "+447900900123",
                    "status": "queued",
                    "address": "https://modembank.example/api/v1/messages/msg_0000008000001",
                },
                headers={
                    "Location": "The message's address in this dialect",
                    "Idempotent-Replay": "`true` when this is the answer to an earlier request with the same key",
                },
            ),
        ),
        raises=("opted_out", "idempotency_mismatch", "too_many_requests", "no_provider_available"),
    ),
    Operation(
        id="channelList",
        method="GET",
        path=PATH,
        tag=TAG,
        summary="List messages with their tries",
        description="Newest first. A sender's key sees its own messages, an admin's all.",
        run=list_messages,
        needs=(Scope.MESSAGES_READ,),
        query=ChannelQuery,
        replies=(Reply(200, "A page of messages", ChannelPage, {"items": [_MESSAGE], "next": None}),),
    ),
    Operation(
        id="channelGet",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag=TAG,
        summary="Look up a message and its tries",
        description="With the delivery status, and every try with its own.",
        run=get_message,
        needs=(Scope.MESSAGES_READ,),
        parameters={"id": ("The message's id", "msg_0000008000001")},
        replies=(Reply(200, "The message", ChannelMessage, _MESSAGE),),
    ),
)
