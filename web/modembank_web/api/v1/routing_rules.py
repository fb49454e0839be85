"""Routing rules: which providers take which messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.dispatch import Foreseen
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages.routes import SimNames
from modembank.providers import Channel, Rule
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import provider_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/routing-rules"
_NEEDS = (Scope.ADMIN,)


class RoutingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules, in order."""

    rules: Sequence[Rule]


class RoutePreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that names nobody; nothing is stored."""

    to: str
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    user: str = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


_RULES, _PREVIEW = JsonBody(RoutingRules), JsonBody(RoutePreviewRequest)


async def get_rules(call: Call) -> Answer:
    """Return the rules."""
    return json_answer(RoutingRules(call.app.providers.rules))


async def put_rules(call: Call) -> Answer:
    """Put rules in the place of those that are."""
    await set_rules(call, (await call.json(_RULES)).rules)
    return await get_rules(call)


async def set_rules(call: Call, rules: Sequence[Rule]) -> None:
    """Put rules in the place of those that are; raises Forbidden, InvalidRequest with pointers below ``/rules``."""
    names = SimNames(call.app.sims)
    try:
        await call.app.providers.route(call.caller, rules, lambda name: bool(names.one(name)))
    except InvalidRequest as error:
        below = [FieldProblem(f"/rules{each.pointer}", each.detail) for each in error.problems]
        raise InvalidRequest(*below) from error


async def preview_route(call: Call) -> Answer:
    """Tell who would take a message."""
    asked = await call.json(_PREVIEW)
    return json_answer(foreseen(call, asked))


def foreseen(call: Call, asked: RoutePreviewRequest) -> Foreseen:
    """Return who would take a message; raises InvalidRequest."""
    now = to_ms(call.app.clock.now() if asked.at is None else asked.at.timestamp())
    return call.app.foresight.foresee(asked.to, Channel(asked.channel), asked.user, asked.priority, now)


OPERATIONS = (
    Operation(
        id="getRoutingRules",
        method="GET",
        path=PATH,
        tag="Providers",
        summary="Read the routing rules",
        description="In order: of those that fit a message, the first counts. They are for messages that name nobody.",
        run=get_rules,
        needs=_NEEDS,
        replies=(Reply(200, "The rules", RoutingRules, examples.RULES),),
    ),
    Operation(
        id="putRoutingRules",
        method="PUT",
        path=PATH,
        tag="Providers",
        summary="Change the routing rules",
        description="All of them at once. They count from the next message on, also for those that wait already.",
        run=put_rules,
        needs=_NEEDS,
        body=Body(RoutingRules, {"rules": examples.RULES}),
        replies=(Reply(200, "The rules", RoutingRules, examples.RULES),),
    ),
    Operation(
        id="previewRouting",
        method="POST",
        path=f"{PATH}/preview",
        tag="Providers",
        summary="See who would take a message",
        description="Tells which rule fits, and who may take the message in which order; without a rule the cheapest "
        "go first. Stores nothing and sends nothing.",
        run=preview_route,
        needs=_NEEDS,
        body=Body(RoutePreviewRequest, examples.PREVIEW),
        replies=(Reply(200, "Who would take it", Foreseen, examples.FORESEEN),),
    ),
)
