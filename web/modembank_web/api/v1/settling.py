"""Settling by hand: saying what became of messages that may or may not have been sent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.messages import MessageView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import examples
from modembank_web.api.v1.messages import PATH
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

Note = Annotated[str, msgspec.Meta(max_length=200)]
Fate = Literal["delivered", "failed"]


class SettleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one message."""

    as_: Fate = msgspec.field(name="as")
    note: Note = ""


class SettleManyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of every message that is unknown and not of lately."""

    as_: Fate = msgspec.field(name="as")
    older_than_s: Annotated[int, msgspec.Meta(ge=60, le=400 * 86_400)]
    note: Note = ""


class SettledMany(msgspec.Struct, frozen=True):
    """How many messages were settled."""

    settled: int


_SETTLE = JsonBody(SettleRequest)
_SETTLE_MANY = JsonBody(SettleManyRequest)


async def settle_message(call: Call) -> Answer:
    """Settle one message."""
    request = await call.json(_SETTLE)
    return json_answer(await call.app.messages.settle(call.caller, call.path("id"), request.as_, request.note))


async def settle_messages(call: Call) -> Answer:
    """Settle all that are unknown and old enough."""
    request = await call.json(_SETTLE_MANY)
    settled = await call.app.messages.settle_all(call.caller, request.as_, request.older_than_s, request.note)
    return json_answer(SettledMany(settled))


OPERATIONS = (
    Operation(
        id="settleMessage",
        method="POST",
        path=f"{PATH}/{{id}}/settle",
        tag="Messages",
        summary="Say what became of an unknown message",
        description=(
            "A message is `unknown` when a part of it may or may not have been sent and no delivery report has told. "
            "Whoever knows better, since the recipient answered or did not, settles it: it becomes `delivered` or "
            "`failed` for good, with who said so in `cause`. Nothing is sent. In any other state it answers 409. A "
            "delivery report that still comes makes `failed` into `delivered`, never the other way round."
        ),
        run=settle_message,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(SettleRequest, examples.SETTLE),
        parameters={"id": ("The message's id", "msg_0000008000001")},
        replies=(Reply(200, "The settled message", MessageView, examples.SETTLED),),
        raises=("conflict",),
    ),
    Operation(
        id="settleMessages",
        method="POST",
        path=f"{PATH}/settle",
        tag="Messages",
        summary="Settle all old unknown messages",
        description=(
            "For an admin: settles every message of every user that is `unknown` and was accepted longer ago than "
            "`older_than_s`. Calling it again changes only what became unknown since."
        ),
        run=settle_messages,
        needs=(Scope.ADMIN,),
        body=Body(SettleManyRequest, examples.SETTLE_MANY),
        replies=(Reply(200, "How many", SettledMany, {"settled": 12}),),
    ),
)
