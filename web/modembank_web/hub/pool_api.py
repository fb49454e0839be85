"""The hub's API of messages for the pool of all boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339
from modembank.messages import IdempotencyKey
from modembank_fleet.pool.assigning import State
from modembank_hub.pool import VALID_S, Order
from modembank_hub.rows_of_pool import PoolRow, Step
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.hub.api import number_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

POOL, MESSAGES = "/api/v1/pool", "/api/v1/pool/messages"
_SEND, _READ = (Scope.MESSAGES_SEND,), (Scope.MESSAGES_READ,)
_ID = "m019abcde123f00d1e5a7b9c3d2e4"
_WHICH = {"id": ("The message's id", _ID)}
Word = Annotated[str, msgspec.Meta(max_length=80)]


class NewPoolMessages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text for one or many recipients, each a message of its own."""

    to: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    valid_for_s: int = VALID_S
    delivery: Literal["at_most_once", "at_least_once"] = "at_most_once"
    reference: str | None = None


class PoolQuery(msgspec.Struct, frozen=True):
    """Which messages to list."""

    state: Word | None = None
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class PoolMessageView(msgspec.Struct, frozen=True):
    """A message of the pool; ``maybe_twice``: it was given to another box although it may have been sent."""

    id: str
    to: str
    text: str
    reference: str | None
    delivery: str
    state: str
    code: str
    by: str
    accepted_at: str
    not_after: str
    ended_at: str | None
    assignments: int
    wanted_back: bool
    maybe_twice: bool
    conflicts: int


class PoolStepView(msgspec.Struct, frozen=True):
    """A step of a message's way; ``box`` is null where no box had to do with it."""

    at: str
    what: str
    assignment: int
    box: str | None
    code: str


class PoolMessageDetail(PoolMessageView, frozen=True):
    """A message with its way, the oldest step first."""

    way: Sequence[PoolStepView] = ()


class PoolAccepted(msgspec.Struct, frozen=True):
    """The messages that a request made, in the order of its recipients."""

    messages: Sequence[PoolMessageView]


class PoolPage(msgspec.Struct, frozen=True):
    """A page of messages, newest first."""

    items: Sequence[PoolMessageView]
    next: str | None


class PoolTotalsView(msgspec.Struct, frozen=True):
    """How many messages are in each state, how many may have been sent twice, and how many were seen to be."""

    states: Mapping[str, int]
    maybe_twice: int
    conflicts: int


_MESSAGE: dict[str, Any] = {
    "id": _ID,
    "to": "+447900900123",
    "text": "Your parcel arrives today",
    "reference": "order-4711",
    "delivery": "at_most_once",
    "state": "delivered",
    "code": "",
    "by": "anna",
    "accepted_at": "2026-11-20T14:05:00.000Z",
    "not_after": "2026-11-20T15:05:00.000Z",
    "ended_at": "2026-11-20T14:05:09.000Z",
    "assignments": 1,
    "wanted_back": False,
    "maybe_twice": False,
    "conflicts": 0,
}
_QUEUED = _MESSAGE | {"state": "queued", "ended_at": None, "assignments": 0}
_STEPS = [
    {"at": "2026-11-20T14:05:00.000Z", "what": "queued", "assignment": 0, "box": None, "code": ""},
    {"at": "2026-11-20T14:05:01.000Z", "what": "assigned", "assignment": 1, "box": "leeds/b1", "code": ""},
    {"at": "2026-11-20T14:05:02.000Z", "what": "accepted", "assignment": 1, "box": "leeds/b1", "code": ""},
    {"at": "2026-11-20T14:05:06.000Z", "what": "sent", "assignment": 1, "box": "leeds/b1", "code": ""},
    {"at": "2026-11-20T14:05:09.000Z", "what": "delivered", "assignment": 1, "box": "leeds/b1", "code": ""},
]
_NEW = JsonBody(NewPoolMessages)
_ALO = "alo"


def view_of(row: PoolRow) -> PoolMessageView:
    """Return a message as lists show it."""
    return PoolMessageView(**_fields(row))


def detail_of(row: PoolRow, steps: Sequence[Step]) -> PoolMessageDetail:
    """Return a message with its way."""
    way = [PoolStepView(rfc3339(one.at), one.what, one.fence, one.box, one.code) for one in steps]
    return PoolMessageDetail(**_fields(row), way=way)


def _fields(row: PoolRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "to": row.recipient,
        "text": row.text,
        "reference": row.reference,
        "delivery": "at_least_once" if row.dup == _ALO else "at_most_once",
        "state": row.state,
        "code": row.code,
        "by": row.actor,
        "accepted_at": rfc3339(row.accepted_at),
        "not_after": rfc3339(row.not_after),
        "ended_at": None if row.ended_at is None else rfc3339(row.ended_at),
        "assignments": row.fence,
        "wanted_back": bool(row.cancel),
        "maybe_twice": bool(row.maybe_dup),
        "conflicts": row.conflicts,
    }


async def send(call: Call) -> Answer:
    """Accept messages for the pool, durably, before answering."""
    body = await call.body()
    wanted = _NEW.read(body)
    given = call.headers.get(b"idempotency-key")
    key = None if given is None else IdempotencyKey.of(given.decode("latin-1"), body)
    listed = not isinstance(wanted.to, str)
    order = Order(
        [wanted.to] if isinstance(wanted.to, str) else wanted.to,
        wanted.text,
        wanted.valid_for_s,
        _ALO if wanted.delivery == "at_least_once" else "amo",
        wanted.reference,
        listed,
    )
    accepted, replayed = await hub(call).pool.submit(call.caller, order, key)
    headers = [(b"location", (MESSAGES if listed else f"{MESSAGES}/{accepted[0].id}").encode())]
    if replayed:
        headers.append((b"idempotent-replay", b"true"))
    return json_answer(PoolAccepted([view_of(row) for row in accepted]), 202, tuple(headers))


async def list_messages(call: Call) -> Answer:
    """Return a page of messages."""
    query = call.query(PoolQuery)
    page = await hub(call).pool.list(
        call.caller, state=query.state, cursor=number_of(query.cursor), limit=query.limit
    )  # fmt: skip
    cursor = None if page.cursor is None else str(page.cursor)
    return json_answer(PoolPage([view_of(row) for row in page.items], next_address(MESSAGES, query, cursor)))


async def get_message(call: Call) -> Answer:
    """Return one message with its way."""
    return json_answer(detail_of(*await hub(call).pool.get(call.caller, call.path("id"))))


async def cancel_message(call: Call) -> Answer:
    """Want a message back."""
    return json_answer(view_of(await hub(call).pool.cancel(call.caller, call.path("id"))))


async def get_totals(call: Call) -> Answer:
    """Return the pool at a glance."""
    totals = await hub(call).pool.totals(call.caller)
    return json_answer(PoolTotalsView(totals.states, totals.maybe_dup, totals.conflicts))


OPERATIONS = (
    Operation(
        id="getPool",
        method="GET",
        path=POOL,
        tag="Pool",
        summary="The pool at a glance",
        description="How many messages are in each state, and how many may have been, or were, sent twice.",
        run=get_totals,
        needs=(Scope.ADMIN,),
        replies=(
            Reply(
                200,
                "The sums",
                PoolTotalsView,
                {"states": {state.value: 0 for state in State}, "maybe_twice": 0, "conflicts": 0},
            ),
        ),
    ),
    Operation(
        id="sendThroughPool",
        method="POST",
        path=MESSAGES,
        tag="Pool",
        summary="Send a text through whichever box can",
        description=(
            "Accepts the text durably before it answers 202, a message for each recipient. A box sends each at most "
            "once; with `delivery: at_least_once` another box sends it when the first does not answer in time, and it "
            "is marked `maybe_twice`. What was not sent within `valid_for_s` never is.\n\nWith the header "
            "`Idempotency-Key`, repeating the same request returns its messages again with `Idempotent-Replay: true` "
            "and sends nothing; the same key with another body is refused with 422."
        ),
        run=send,
        needs=_SEND,
        body=Body(
            NewPoolMessages,
            {
                "one": {"to": "+447900900123", "text": "Your parcel arrives today", "reference": "order-4711"},
                "an alarm": {
                    "to": ["+447900900123", "+447900900124"],
                    "text": "Boiler 3 is cold",
                    "valid_for_s": 600,
                    "delivery": "at_least_once",
                },
            },
        ),
        headers={"Idempotency-Key": ("1 to 255 printable ASCII characters, remembered for 48 hours", "order-4711")},
        replies=(
            Reply(
                202,
                "Accepted and durable",
                PoolAccepted,
                {"messages": [_QUEUED]},
                headers={
                    "Location": "The message's address, or the list",
                    "Idempotent-Replay": "`true` when this is the answer to an earlier request with the same key",
                },
            ),
        ),
        raises=("conflict", "idempotency_mismatch"),
    ),
    Operation(
        id="listPoolMessages",
        method="GET",
        path=MESSAGES,
        tag="Pool",
        summary="List the messages of the pool",
        description="Newest first; those of others too for admins alone.",
        run=list_messages,
        needs=_READ,
        query=PoolQuery,
        replies=(Reply(200, "A page of messages", PoolPage, {"items": [_MESSAGE], "next": None}),),
    ),
    Operation(
        id="getPoolMessage",
        method="GET",
        path=f"{MESSAGES}/{{id}}",
        tag="Pool",
        summary="Follow a message",
        description=(
            "How it stands, and its way: `queued`, `assigned` to a box, `accepted` by it, then `sent`, `delivered`, "
            "`undelivered`, `failed`, `unknown`, `expired`, `expired_unknown` or `cancelled`."
        ),
        run=get_message,
        needs=_READ,
        parameters=_WHICH,
        replies=(Reply(200, "The message", PoolMessageDetail, _MESSAGE | {"way": _STEPS}),),
    ),
    Operation(
        id="cancelPoolMessage",
        method="POST",
        path=f"{MESSAGES}/{{id}}/cancel",
        tag="Pool",
        summary="Want a message back",
        description="At once while no box has it; else its box is asked, and its state tells what came of that.",
        run=cancel_message,
        needs=_SEND,
        parameters=_WHICH,
        replies=(Reply(200, "As it stands", PoolMessageView, _QUEUED | {"state": "cancelled"}),),
        raises=("conflict",),
    ),
)
