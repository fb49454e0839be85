"""Outbound messages: send, preview, look up, list, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.messages import (
    Accepted,
    IdempotencyKey,
    MessageFilter,
    MessageView,
    Note,
    Preview,
    SubmitReceipt,
    SubmitRequest,
)
from modembank_web.answer import Answer, Header, encode, json_answer
from modembank_web.api.v1 import examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/messages"
_PATH_OCTETS = PATH.encode()
_REPLAY: Header = (b"idempotent-replay", b"true")
_ID = {"id": ("The message's id", "msg_0000008000001")}


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was accepted, per recipient in the order given; with ``partial`` also what was refused, in its place.

    When ``to`` was one number and not a list, its message's fields also stand at the top.
    """

    messages: Sequence[Accepted]
    batch: str | None = None
    dry_run: bool = False
    notes: Sequence[Note] = ()
    refused: int = 0
    id: str = ""
    to: str = ""
    status: str = ""
    segments: int = 0
    encoding: str = ""


class PreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to look at; nothing is stored."""

    text: Annotated[str, msgspec.Meta(max_length=50_000)]
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"


class MessagesQuery(msgspec.Struct, frozen=True):
    """Which messages to list."""

    status: str | None = None
    to: str | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    batch: str | None = None
    reference: str | None = None
    sim: str | None = None
    provider: str | None = None
    q: str | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class MessagesPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of messages, newest first.

    ``next`` is the address of the next page, or null at the end; a short or empty page can have one too.
    """

    items: Sequence[MessageView]
    next: str | None
    unsearched: int = 0


_SUBMIT = JsonBody(SubmitRequest)
_PREVIEW = JsonBody(PreviewRequest)


async def send(call: Call) -> Answer:
    """Accept one text for one or many recipients, durably, before answering."""
    body = await call.body()
    request = _SUBMIT.read(body)
    key = call.headers.get(b"idempotency-key")
    idempotency = None if key is None else IdempotencyKey.of(key.decode("latin-1"), body)
    receipt = await call.app.messages.submit(call.caller, request, idempotency)
    return receipt_answer(receipt, one=isinstance(request.to, str))


async def preview(call: Call) -> Answer:
    """Tell how a text would go out."""
    request = await call.json(_PREVIEW)
    return json_answer(call.app.messages.preview(request.text, encoding=request.encoding))


async def list_messages(call: Call) -> Answer:
    """Return a page of messages."""
    query = call.query(MessagesQuery)
    which = MessageFilter(
        status=tuple(query.status.split(",")) if query.status else (),
        to=query.to,
        since=query.since,
        until=query.until,
        batch=query.batch,
        reference=query.reference,
        sim=query.sim,
        provider=query.provider,
        words=query.q,
    )
    page = await call.app.messages.list(call.caller, which, cursor=query.cursor, limit=query.limit)
    return json_answer(MessagesPage(page.items, next_address(PATH, query, page.cursor), page.unsearched))


async def get_message(call: Call) -> Answer:
    """Return one message."""
    return json_answer(await call.app.messages.get(call.caller, call.path("id")))


async def cancel_message(call: Call) -> Answer:
    """Cancel one message."""
    return json_answer(await call.app.messages.cancel(call.caller, call.path("id")))


def receipt_answer(receipt: SubmitReceipt, *, one: bool) -> Answer:
    """Answer what was accepted; ``one``: a single number was asked for, and not a list."""
    first = receipt.messages[0]
    if one:
        content = Receipt(
            receipt.messages,
            receipt.batch,
            receipt.dry_run,
            receipt.notes,
            receipt.refused,
            first.id,
            first.to,
            first.status,
            first.segments,
            first.encoding,
        )
    else:
        content = Receipt(receipt.messages, receipt.batch, receipt.dry_run, receipt.notes, receipt.refused)
    if receipt.dry_run:
        return Answer(encode(content), 200)
    if receipt.batch is None:
        location: Header = (b"location", b"%b/%b" % (_PATH_OCTETS, first.id.encode()))
    else:
        location = (b"location", b"%b?batch=%b" % (_PATH_OCTETS, receipt.batch.encode()))
    extra = (location, _REPLAY) if receipt.replayed else (location,)
    # Answers to POST are not kept by caches unless they say so (RFC 9111 clause 3): one header less on the hot path.
    return Answer(encode(content), 202, extra=extra, cache=b"")


OPERATIONS = (
    Operation(
        id="sendMessage",
        method="POST",
        path=PATH,
        tag="Messages",
        summary="Send a text to one or many recipients",
        description=(
            "Accepts the text durably before it answers 202: what was accepted survives a power cut. All recipients "
            "are accepted or none, and whoever cannot be sent to is named; with `partial: true` the others are "
            "accepted, and `messages` has the verdict on each recipient in the order given (422 if none is left). A "
            "recipient that has opted out is refused like one that is no number. What does not fit into the user's "
            "quota is refused as a whole with 429, also with `partial`.\n\n"
            "The box accepts and queues also while no modem is ready or no SIM has room left under its "
            "limits; `waiting_for` of each message then says what it waits for. Messages of the channels `email` and "
            "`whatsapp`, and those that name providers alone, are refused when none of those takes anything now.\n\n"
            "`providers` are tried in order: the next is for when those before cannot send for a while, or refuse for "
            "reasons of their own. A message that one of them may have is given to no other, unless `on_unknown` is "
            "`resend`.\n\n"
            "With the header `Idempotency-Key`, repeating the same request returns the first answer again with "
            "`Idempotent-Replay: true` and sends nothing; the same key with another body is refused with 422."
        ),
        run=send,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(SubmitRequest, examples.SUBMIT),
        headers={"Idempotency-Key": ("1 to 255 printable ASCII characters, remembered for 48 hours", "order-4711")},
        replies=(
            Reply(
                202,
                "Accepted and durable",
                Receipt,
                examples.RECEIPT,
                headers={
                    "Location": "The message's address, or the list of the batch",
                    "Idempotent-Replay": "`true` when this is the answer to an earlier request with the same key",
                },
            ),
            Reply(200, "A dry run: what would be accepted", Receipt, examples.DRY_RECEIPT),
        ),
        raises=(
            "unknown_provider",
            "opted_out",
            "idempotency_mismatch",
            "provider_disabled",
            "all_providers_disabled",
            "too_many_requests",
            "no_provider_available",
        ),
    ),
    Operation(
        id="previewMessage",
        method="POST",
        path=f"{PATH}/preview",
        tag="Messages",
        summary="See how a text would go out",
        description=(
            "Tells encoding, segments, what the last segment still takes, and which characters force UCS-2 (which "
            "halves what a segment holds). Stores nothing."
        ),
        run=preview,
        needs=(Scope.MESSAGES_SEND, Scope.MESSAGES_READ),
        body=Body(PreviewRequest, examples.PREVIEW_REQUEST),
        replies=(Reply(200, "How it would go out", Preview, examples.PREVIEW),),
    ),
    Operation(
        id="listMessages",
        method="GET",
        path=PATH,
        tag="Messages",
        summary="List outbound messages",
        description=(
            "Newest first. A sender's key sees its own messages, an admin's all. Follow `next` for more until it "
            "is null: a page of rare messages can be short or even empty and still have a `next`. The order stays "
            "stable while new messages arrive.\n\n"
            "`q` looks for words in the texts: all must be there, in any order, whatever their case and accents; "
            '`"several words"` in quotes stand together, and `confirm*` is the beginning of a word. All else is '
            "literal. What was accepted a moment ago is found at once. `unsearched` is there while messages are still "
            "to be indexed, as after an upgrade: so many older ones were not looked at."
        ),
        run=list_messages,
        needs=(Scope.MESSAGES_READ,),
        query=MessagesQuery,
        replies=(Reply(200, "A page of messages", MessagesPage, examples.MESSAGES_PAGE),),
    ),
    Operation(
        id="getMessage",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag="Messages",
        summary="Look up one message",
        description="With every attempt at each segment, the delivery report, and why it is not sent yet. Attempts "
        "through a provider are at the whole message: their `segment` is 0, `slot` is the provider's name, and "
        "`evidence.provider` is what it answered.",
        run=get_message,
        needs=(Scope.MESSAGES_READ,),
        parameters=_ID,
        replies=(Reply(200, "The message", MessageView, examples.MESSAGE),),
    ),
    Operation(
        id="cancelMessage",
        method="POST",
        path=f"{PATH}/{{id}}/cancel",
        tag="Messages",
        summary="Cancel a message",
        description="Works while no attempt was made at it; afterwards it answers 409.",
        run=cancel_message,
        needs=(Scope.MESSAGES_SEND,),
        parameters=_ID,
        replies=(Reply(200, "The cancelled message", MessageView, examples.CANCELLED),),
        raises=("conflict",),
    ),
)
