"""The link to the hub, if there is one."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339
from modembank.fleet import EnrolmentState, HubState, LinkState
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import fleet_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/fleet"
ENROLMENT = f"{PATH}/enrolment"


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the link to the hub stands; of a box without a hub everything but ``state`` is empty."""

    state: LinkState
    since: str | None
    why: str
    broker: str
    site: str
    box: str
    epoch: str
    hub: HubState
    acknowledged_at: str | None
    events_waiting: int
    results_waiting: int
    oldest_waiting_at: str | None
    next_try_at: str | None
    profile: str
    privacy: Literal["counts", "meta", "full"]
    commands_refused: int
    configuration: int
    """The version of the hub's configuration that is in force; 0: nothing is the hub's."""
    configuration_newest: int
    configuration_state: Literal["", "pending", "applied", "rejected", "rolled_back"]
    enrolment: EnrolmentState
    """How the box stands to the hub of its latest token; none: it was given none, or its file names one."""
    enrolment_hub: str
    enrolment_why: str
    """What keeps it from being enrolled, or its certificate from being renewed; empty: nothing."""
    certificate_ends_at: str | None
    certificate_renews_at: str | None


class NewEnrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token of a hub, as its page shows it; ``address`` goes before the one in it."""

    token: Annotated[str, msgspec.Meta(max_length=2000)]
    address: Annotated[str, msgspec.Meta(max_length=300)] = ""


_NEW = JsonBody(NewEnrolment)


async def get_fleet(call: Call) -> Answer:
    """Return how the link stands."""
    return await _told(call)


async def enrol(call: Call) -> Answer:
    """Take a hub's token."""
    new = await call.json(_NEW)
    await call.app.fleet.enrolment.ask(call.caller, new.token, new.address.rstrip("/"))
    return await _told(call, 202)


async def leave(call: Call) -> Answer:
    """Leave the hub, or take a token back."""
    await call.app.fleet.enrolment.forget(call.caller)
    return await _told(call)


async def _told(call: Call, status: int = 200) -> Answer:
    view = await call.app.fleet.view(call.caller)
    times = {name: _time(getattr(view, name)) for name in examples.TIMES}
    plain = {name: getattr(view, name) for name in FleetStatus.__struct_fields__ if name not in times}
    return json_answer(msgspec.convert(plain | times, FleetStatus), status)


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


OPERATIONS = (
    Operation(
        id="getFleet",
        method="GET",
        path=PATH,
        tag="Fleet",
        summary="See how the link to the hub stands",
        description="Whether the broker takes the box, whether the hub hears it, and what waits for it.",
        run=get_fleet,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The link", FleetStatus, examples.FLEET),),
    ),
    Operation(
        id="enrolAtHub",
        method="POST",
        path=ENROLMENT,
        tag="Fleet",
        summary="Enrol at a hub",
        description=(
            "The box makes a key, presents the token until the hub has answered, and connects with what it got. What it"
            " had of another hub stays until then. `GET /api/v1/fleet` shows how far it is. 409 where the configuration"
            " file names a hub."
        ),
        run=enrol,
        needs=(Scope.ADMIN,),
        body=Body(NewEnrolment, {"a token": {"token": examples.OF_A_HUB}}),
        replies=(Reply(202, "The token is kept", FleetStatus, examples.ASKING),),
        raises=("conflict",),
    ),
    Operation(
        id="leaveHub",
        method="DELETE",
        path=ENROLMENT,
        tag="Fleet",
        summary="Leave the hub, or take a token back",
        description="Key and certificate are deleted, and the link ends. The hub is not asked, and not told.",
        run=leave,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The box stands alone", FleetStatus, examples.STANDS_ALONE),),
        raises=("conflict",),
    ),
)
