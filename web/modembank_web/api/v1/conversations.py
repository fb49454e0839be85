"""Conversations: what was written to a number and what came from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

import msgspec

from modembank.accounts import Scope
from modembank.conversations import ConversationView, ReadView
from modembank.messages import IdempotencyKey, InboxView, MessageView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import conversation_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, next_address
from modembank_web.api.v1.messages import Receipt, receipt_answer
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/conversations"
_NUMBER = {"number": ("The number in any usual form, or a sender's name", "+447900900123")}
_Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]


class ConversationsQuery(msgspec.Struct, frozen=True):
    """Which part of a list."""

    cursor: str | None = None
    limit: _Limit = DEFAULT_LIMIT


class ConversationsPage(msgspec.Struct, frozen=True):
    """A page of conversations, the newest inbound message first; ``next`` is the address of the next page, or null."""

    items: Sequence[ConversationView]
    next: str | None


class ThreadPage(msgspec.Struct, frozen=True):
    """What was said with a number, newest first; ``direction`` of each item tells inbound from outbound.

    ``next`` is the address of what came before, or null at the end; a short or empty page can have one too.
    """

    number: str
    opted_out: bool
    items: Sequence[InboxView | MessageView]
    next: str | None


class ReplyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer to the number of a conversation."""

    text: str


class ReadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was read."""

    up_to: str | None = None


_REPLY = JsonBody(ReplyRequest)
_READ = JsonBody(ReadRequest)


async def list_conversations(call: Call) -> Answer:
    """Return a page of conversations."""
    query = call.query(ConversationsQuery)
    page = await call.app.conversations.list(call.caller, cursor=query.cursor, limit=query.limit)
    return json_answer(ConversationsPage(page.items, next_address(PATH, query, page.cursor)))


async def get_conversation(call: Call) -> Answer:
    """Return a part of a thread."""
    query, number = call.query(ConversationsQuery), call.path("number")
    thread = await call.app.conversations.thread(call.caller, number, cursor=query.cursor, limit=query.limit)
    following = next_address(f"{PATH}/{quote(thread.number, safe='')}", query, thread.cursor)
    # The items are of two shapes, which JSON tells apart by their direction.
    return json_answer(
        {"number": thread.number, "opted_out": thread.opted_out, "items": thread.items, "next": following}
    )


async def reply(call: Call) -> Answer:
    """Write to the number."""
    body, number = await call.body(), call.path("number")
    request = _REPLY.read(body)
    key = call.headers.get(b"idempotency-key")
    # The number is a part of what the key stands for, though it is not in the body.
    whole = hashlib.sha256(number.encode()).digest() + body
    idempotency = None if key is None else IdempotencyKey.of(key.decode("latin-1"), whole)
    receipt = await call.app.conversations.reply(call.caller, number, request.text, idempotency)
    return receipt_answer(receipt, one=True)


async def mark_read(call: Call) -> Answer:
    """Mark what came from the number as read."""
    request = await call.json(_READ)
    return json_answer(await call.app.conversations.read(call.caller, call.path("number"), request.up_to))


OPERATIONS = (
    Operation(
        id="listConversations",
        method="GET",
        path=PATH,
        tag="Conversations",
        summary="List conversations",
        description=(
            "Numbers from which something came, the newest inbound message first, with its beginning, how many are "
            "unread, and what became of the last message to the number. A sender's key sees the answers to its own "
            "messages; an admin's sees a conversation for each user that a number answers, and those of nobody."
        ),
        run=list_conversations,
        needs=(Scope.MESSAGES_READ,),
        query=ConversationsQuery,
        replies=(Reply(200, "A page of conversations", ConversationsPage, examples.PAGE),),
    ),
    Operation(
        id="getConversation",
        method="GET",
        path=f"{PATH}/{{number}}",
        tag="Conversations",
        summary="Read one conversation",
        description=(
            "What was written to a number and what came from it, newest first, each as its own resource shows it. "
            "Also of a number that never answered; one with which nothing was said has an empty thread. A sender's "
            "key sees its own part, an admin's all."
        ),
        run=get_conversation,
        needs=(Scope.MESSAGES_READ,),
        parameters=_NUMBER,
        query=ConversationsQuery,
        replies=(Reply(200, "A part of the thread", ThreadPage, examples.THREAD),),
    ),
    Operation(
        id="replyInConversation",
        method="POST",
        path=f"{PATH}/{{number}}/messages",
        tag="Conversations",
        summary="Answer a number",
        description=(
            "Sends a text through the SIM that received the last message of the number, so that the answer comes from "
            "the number that was written to; through any SIM when nothing came yet, or when that SIM is gone. "
            "`Idempotency-Key` works as for any message."
        ),
        run=reply,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(ReplyRequest, examples.REPLY),
        parameters=_NUMBER,
        headers={"Idempotency-Key": ("1 to 255 printable ASCII characters, remembered for 48 hours", "reply-17")},
        replies=(
            Reply(
                202,
                "Accepted and durable",
                Receipt,
                examples.RECEIPT,
                headers={
                    "Location": "The message's address",
                    "Idempotent-Replay": "`true` when this is the answer to an earlier request with the same key",
                },
            ),
        ),
        raises=("opted_out", "idempotency_mismatch", "too_many_requests"),
    ),
    Operation(
        id="markConversationRead",
        method="POST",
        path=f"{PATH}/{{number}}/read",
        tag="Conversations",
        summary="Mark a conversation as read",
        description=(
            "Up to and with one inbound message, or all there are. What was marked once stays so. A sender's key "
            "marks its own conversation, an admin's those of all users with the number."
        ),
        run=mark_read,
        needs=(Scope.MESSAGES_READ,),
        body=Body(ReadRequest, examples.READ_REQUEST),
        parameters=_NUMBER,
        replies=(Reply(200, "What is still unread", ReadView, examples.READ),),
    ),
)
