"""The link to the hub, if there is one."""

from __future__ import annotations

from typing import Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339
from modembank.fleet import HubState, LinkState
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import fleet_examples as examples
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/fleet"


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


async def get_fleet(call: Call) -> Answer:
    """Return how the link stands."""
    view = await call.app.fleet.view(call.caller)
    times = {name: _time(getattr(view, name)) for name in examples.TIMES}
    plain = {name: getattr(view, name) for name in FleetStatus.__struct_fields__ if name not in times}
    return json_answer(msgspec.convert(plain | times, FleetStatus))


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
)
