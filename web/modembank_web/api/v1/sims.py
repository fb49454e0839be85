"""SIM cards: what they sent, what they may send, and changing that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from modembank.accounts import Scope
from modembank.clock import rfc3339, to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.sim import Sim, SimChange
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import hardware_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.orders import change_sim, sim_named
from modembank_web.reading import JsonBody

PATH = "/api/v1/sims"
_ICCID = {"iccid": ("The SIM's ICCID, as in the list", "8944110068256270054")}

Cap = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Limits(msgspec.Struct, frozen=True):
    """What may leave: segments per rolling window, seconds between messages, distinct recipients; 0 means no limit."""

    min_interval_s: float
    per_minute: int
    per_hour: int
    per_day: int
    per_month: int
    recipients_per_month: int


class LimitsPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits to change; null goes back to the box's default."""

    min_interval_s: Seconds | UnsetType | None = UNSET
    per_minute: Cap | UnsetType | None = UNSET
    per_hour: Cap | UnsetType | None = UNSET
    per_day: Cap | UnsetType | None = UNSET
    per_month: Cap | UnsetType | None = UNSET
    recipients_per_month: Cap | UnsetType | None = UNSET


class SimPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a SIM; what is left out stays."""

    label: Annotated[str, msgspec.Meta(max_length=64)] | UnsetType = UNSET
    limits: LimitsPatch | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    paused_reason: Annotated[str, msgspec.Meta(max_length=200)] | UnsetType = UNSET


class SimView(msgspec.Struct, frozen=True):
    """A SIM: who it is, where it sits, and how much of its limits is used."""

    iccid: str
    label: str
    msisdn: str | None
    operator: str | None
    slot: str | None
    paused: bool
    paused_reason: str | None
    limits: Limits
    overrides: dict[str, float]
    used: dict[str, int]
    first_seen_at: str
    last_seen_at: str


class SimsPage(msgspec.Struct, frozen=True):
    """All SIMs that the box has ever seen."""

    items: Sequence[SimView]
    next: None = None


_PATCH = JsonBody(SimPatch)


async def list_sims(call: Call) -> Answer:
    """Return all SIMs."""
    return json_answer(SimsPage([_view(call, sim) for sim in call.app.sims.all()]))


async def get_sim(call: Call) -> Answer:
    """Return one SIM."""
    return json_answer(_view(call, sim_named(call)))


async def patch_sim(call: Call) -> Answer:
    """Change a SIM; what is changed holds at once."""
    sim = sim_named(call)
    patch = await call.json(_PATCH)
    if patch.paused_reason is not UNSET and patch.paused is not True:
        raise InvalidRequest(FieldProblem("/paused_reason", "only goes together with paused: true"))
    wanted = SimChange(
        label=None if patch.label is UNSET else patch.label,
        limits=None if patch.limits is UNSET else changes(patch.limits),
        pause=(patch.paused_reason or f"paused by {call.caller.name}") if patch.paused is True else None,
        resume=patch.paused is False,
    )
    await change_sim(call, sim, wanted, msgspec.to_builtins(patch))
    return json_answer(_view(call, sim_named(call)))


def changes(patch: LimitsPatch) -> dict[str, float | None]:
    """Return the limits that a patch names, None for those that go back to the default."""
    named = {name: getattr(patch, name) for name in patch.__struct_fields__}
    return {name: value for name, value in named.items() if value is not UNSET}


def _view(call: Call, sim: Sim) -> SimView:
    used = call.app.sims.ledger(sim.id).usage(to_ms(call.app.clock.now()))
    limits = sim.limits
    return SimView(
        iccid=sim.iccid,
        label=sim.label,
        msisdn=sim.msisdn,
        operator=sim.operator,
        slot=sim.slot,
        paused=sim.paused,
        paused_reason=sim.paused_reason,
        limits=Limits(**{name: getattr(limits, name) for name in Limits.__struct_fields__}),
        overrides=dict(sim.overrides),
        used={name.value: count for name, count in used.items()},
        first_seen_at=rfc3339(sim.first_seen_at),
        last_seen_at=rfc3339(sim.last_seen_at),
    )


OPERATIONS = (
    Operation(
        id="listSims",
        method="GET",
        path=PATH,
        tag="SIMs",
        summary="List the SIMs",
        description="All that were ever seen, with their limits and what of them is used in the rolling windows.",
        run=list_sims,
        needs=(Scope.MODEMS,),
        replies=(Reply(200, "All SIMs", SimsPage, {"items": [examples.SIM], "next": None}),),
    ),
    Operation(
        id="getSim",
        method="GET",
        path=f"{PATH}/{{iccid}}",
        tag="SIMs",
        summary="Look up one SIM",
        description="By its ICCID.",
        run=get_sim,
        needs=(Scope.MODEMS,),
        parameters=_ICCID,
        replies=(Reply(200, "The SIM", SimView, examples.SIM),),
    ),
    Operation(
        id="patchSim",
        method="PATCH",
        path=f"{PATH}/{{iccid}}",
        tag="SIMs",
        summary="Change a SIM",
        description="Label, limits and pause; it holds at once and survives a restart. What is left out stays.",
        run=patch_sim,
        needs=(Scope.MODEMS,),
        body=Body(SimPatch, examples.SIM_PATCH),
        parameters=_ICCID,
        replies=(Reply(200, "The SIM as it is now", SimView, examples.SIM),),
        raises=("conflict",),
    ),
)
