"""The ways out: SIMs in their pools, what each may still send, what waits and what failed, and who is in which pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.messages.backlog import Backlog
from modembank.modem import AdminState, ModemState
from modembank.sim import Sim, SimChange
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.orders import change_sim, sim_named
from modembank_web.pages.bank import Meter, meters
from modembank_web.pages.page import ROOT, Page, errors_by_field, goes_to
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/routes"
_NEEDS = (Scope.ADMIN,)
_MOST_NAMED = 6
"""SIMs of a route that are named; beyond that they are counted."""


class InForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which SIM goes into which pool, as it was filled in."""

    iccid: Annotated[str, msgspec.Meta(max_length=64)] = ""
    pool: Annotated[str, msgspec.Meta(max_length=200)] = ""


class PoolForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All SIMs of a pool; without a name, all of the box."""

    pool: Annotated[str, msgspec.Meta(max_length=200)] = ""


_IN, _POOL = FormBody(InForm), FormBody(PoolForm)


class Member(msgspec.Struct, frozen=True):
    """A SIM: whether it can send now, a word for that, its limits, and what failed through it."""

    sim: Sim
    slot: str | None
    tone: str
    word: str
    hour: Meter
    day: Meter
    failed: int


class WayOut(msgspec.Struct, frozen=True):
    """SIMs that a message may go through, and how many messages wait for them alone."""

    name: str
    """The pool's; empty: whatever the message names otherwise."""
    members: Sequence[Member]
    waiting: int = 0
    more: bool = False

    @property
    def able(self) -> int:
        """How many of its SIMs can send now."""
        return sum(member.tone == "ok" for member in self.members)

    @property
    def paused(self) -> int:
        """How many of its SIMs are paused."""
        return sum(member.sim.paused for member in self.members)

    @property
    def failed(self) -> int:
        """Messages of the last 24 hours that its SIMs tried last, and that came to a bad end."""
        return sum(member.failed for member in self.members)

    @property
    def left_this_hour(self) -> int | None:
        """Segments that the SIMs that can send may still send; None: one of them has no limit."""
        return _left(member.hour for member in self.members if member.tone == "ok")

    @property
    def left_today(self) -> int | None:
        """The same for 24 hours."""
        return _left(member.day for member in self.members if member.tone == "ok")


async def routes(call: Call) -> Answer:
    """Show every way out."""
    return render(call, "routes/page.html", **await _ways(call), typed=InForm(), errors={})


async def routes_now(call: Call) -> Answer:
    """Answer the ways out alone."""
    return await _now(call)


async def put_in(call: Call) -> Answer:
    """Put a SIM into a pool, which is made by its first SIM."""
    form = await call.form(_IN)
    pool, errors = form.pool.strip(), {}
    sim = call.app.sims.by_iccid(form.iccid) if form.iccid else None
    if sim is None:
        errors["iccid"] = "choose a SIM"
    if not pool:
        errors["pool"] = "give the pool a name"
    if sim is not None and not errors:
        try:
            await change_sim(call, sim, SimChange(label=pool), {"label": pool})
        except InvalidRequest as error:
            errors["pool"] = errors_by_field(error)["label"]
    if errors:
        return render(call, "routes/_in.html", status=422, **await _ways(call), typed=form, errors=errors)
    return goes_to(call, PATH)


async def take_out(call: Call) -> Answer:
    """Take a SIM out of its pool. Raises Conflict where the configuration file puts it there."""
    sim = sim_named(call)
    configured = call.app.sims.configured(sim.iccid)
    if configured is not None and configured.label == sim.label:
        raise Conflict(why="the configuration file puts this SIM into its pool: change its label there")
    await change_sim(call, sim, SimChange(label=""), {"label": ""})
    return await _now(call)


async def pause(call: Call) -> Answer:
    """Let all SIMs of a pool rest; those that rest already keep their reason. Raises NotFound."""
    pool = (await call.form(_POOL)).pool
    reason = f"all of {f'the pool {pool}' if pool else 'the box'} paused by {call.caller.name}"
    for sim in _sims_of(call, pool):
        if not sim.paused:
            await change_sim(call, sim, SimChange(pause=reason), {"paused": True, "paused_reason": reason})
    return await _now(call)


async def resume(call: Call) -> Answer:
    """Let all SIMs of a pool send again, but those that a hub has paused. Raises NotFound, Conflict for those."""
    refused: Conflict | None = None
    for sim in _sims_of(call, (await call.form(_POOL)).pool):
        if sim.paused:
            try:
                await change_sim(call, sim, SimChange(resume=True), {"paused": False})
            except Conflict as error:  # a hub's to resume: the others are not to wait for it
                refused = error
    if refused is not None:
        raise refused
    return await _now(call)


async def _now(call: Call) -> Answer:
    return render(call, "routes/_ways.html", **await _ways(call))


def _sims_of(call: Call, pool: str) -> Sequence[Sim]:
    found = [sim for sim in call.app.sims.all() if not pool or sim.label == pool]
    if pool and not found:
        raise NotFound(what="pool", which=ascii(pool[:64]))
    return found


async def _ways(call: Call) -> dict[str, Any]:
    failures = await call.app.figures.failures(call.caller)
    members = list(_members(call, failures))
    backlogs = await call.app.messages.backlogs()
    by_pool = {backlog.route.pool: backlog for backlog in backlogs if backlog.route.pool is not None}
    anywhere = next((each for each in backlogs if each.route.pool is None and not each.route.sims), None)
    names = sorted({*by_pool, *(member.sim.label for member in members if member.sim.label)})
    pools = [_way(name, [each for each in members if each.sim.label == name], by_pool.get(name)) for name in names]
    return {
        "all": _way("", members, anywhere),
        "loose": [member for member in members if not member.sim.label],
        "pools": pools,
        "named": list(_named(backlogs, members)),
        "untried": failures.get(None, 0),
        "most_named": _MOST_NAMED,
        "sim_options": [("", "–"), *((member.sim.iccid, _title(member)) for member in members)],
    }


def _named(backlogs: Sequence[Backlog], members: Sequence[Member]) -> Iterator[WayOut]:
    """Yield what waits for SIMs that messages name one by one."""
    by_id = {member.sim.id: member for member in members}
    for backlog in backlogs:
        if backlog.route.sims:
            yield _way("", [by_id[sim_id] for sim_id in backlog.route.sims if sim_id in by_id], backlog)


def _way(name: str, members: Sequence[Member], backlog: Backlog | None) -> WayOut:
    return WayOut(name, members) if backlog is None else WayOut(name, members, backlog.waiting, backlog.more)


def _members(call: Call, failures: Mapping[int | None, int]) -> Iterator[Member]:
    app, now_ms = call.app, to_ms(call.app.clock.now())
    views = {view.sim_id: view for view in app.bank.modems() if view.sim_id is not None}
    for sim in app.sims.all():
        view = views.get(sim.id)
        if view is None:
            tone, word = "", "not in the box"
        elif sim.paused:
            tone, word = "warn", "paused"
        elif view.state is ModemState.REGISTERED and view.admin is AdminState.ENABLED:
            tone, word = "ok", "can send"
        else:
            tone, word = "warn", view.state.value
        _, hour, day, *_ = meters(app, sim, now_ms)
        yield Member(sim, None if view is None else view.slot, tone, word, hour, day, failures.get(sim.id, 0))


def _left(used: Iterable[Meter]) -> int | None:
    left = 0
    for meter in used:
        if meter.cap is None:
            return None
        left += max(0, meter.cap - meter.used)
    return left


def _title(member: Member) -> str:
    """Return what tells a SIM from others in a list to choose from."""
    told = (member.sim.msisdn, f"…{member.sim.iccid[-6:]}", member.slot, member.sim.label and f"in {member.sim.label}")
    return ", ".join(each for each in told if each)


PAGES = (
    Page("routes", "GET", PATH, routes, _NEEDS),
    Page("routesNow", "GET", f"{PATH}/now", routes_now, _NEEDS),
    Page("routePutIn", "POST", f"{PATH}/sims", put_in, _NEEDS),
    Page("routeTakeOut", "POST", f"{PATH}/sims/{{iccid}}/out", take_out, _NEEDS),
    Page("routePause", "POST", f"{PATH}/pause", pause, _NEEDS),
    Page("routeResume", "POST", f"{PATH}/resume", resume, _NEEDS),
)
