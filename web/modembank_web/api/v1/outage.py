"""What grew old while nothing could be sent: how much is held, and an admin's decision."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.messages import OutageDecision, OutageView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import outage_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/outage"
Age = Annotated[int, msgspec.Meta(ge=0, le=400 * 86_400)]


class DecideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of held messages: all of them, or those of an age."""

    decision: Literal["send", "expire"]
    older_than_s: Age | None = None
    newer_than_s: Age | None = None


_DECIDE = JsonBody(DecideRequest)


async def get_outage(call: Call) -> Answer:
    """Return what is held, and why."""
    return json_answer(await call.app.held.overview(call.caller))


async def decide_outage(call: Call) -> Answer:
    """Send or give up held messages."""
    request = await call.json(_DECIDE)
    decided = await call.app.held.decide(
        call.caller, request.decision, older_than_s=request.older_than_s, newer_than_s=request.newer_than_s
    )
    return json_answer(decided)


OPERATIONS = (
    Operation(
        id="getOutage",
        method="GET",
        path=PATH,
        tag="Outage",
        summary="See what is held after an outage",
        description=(
            "When nothing could be sent for long (`[outage] after_s`: the box was down, or no SIM for a route was in "
            "service), messages that had waited longer than `older_than_s` when it ended do not simply flood out. "
            "Under the rule `ask` they are held until an admin decides; each says so in `waiting_for`. This tells how "
            "many there are, how old, and for which outages."
        ),
        run=get_outage,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "What is held, and the outages", OutageView, examples.OUTAGE),),
    ),
    Operation(
        id="decideOutage",
        method="POST",
        path=f"{PATH}/decide",
        tag="Outage",
        summary="Send or give up what is held",
        description=(
            "`send` puts held messages back into the queue, in their old order by priority and age; `expire` gives "
            "them up. With `older_than_s` or `newer_than_s` only those are meant that have been due for longer or for "
            "less. Calling it again changes only what is still held. 409 while the box is still looking through what "
            "waited."
        ),
        run=decide_outage,
        needs=(Scope.ADMIN,),
        body=Body(DecideRequest, examples.DECIDE),
        replies=(Reply(200, "What was done", OutageDecision, examples.DECIDED),),
        raises=("conflict",),
    ),
)
