"""The box itself: what it is, its room and clock, its backups, the settings in force, its routes and its latest log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from modembank.accounts import Scope
from modembank.messages.backlog import Backlog
from modembank.modem import AdminState, ModemState
from modembank.sim import Sim
from modembank.system import KEPT, LEVELS, Level
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/system"
_NEEDS = (Scope.ADMIN,)
_CLOCK_ISSUE = "clock_not_set"
_MOST_NAMED = 6
"""SIMs of a route that are named; beyond that they are counted."""


class LogQuery(msgspec.Struct, frozen=True):
    """From which level on."""

    level: Level = "info"


@dataclass(frozen=True, slots=True)
class Member:
    """A SIM of a pool: whether it can send now, and a word for that."""

    sim: Sim
    tone: str
    word: str


@dataclass(frozen=True, slots=True)
class Pool:
    """SIMs that a message may go through, and how many messages wait for them alone."""

    name: str
    hint: str
    members: Sequence[Member]
    waiting: int
    more: bool

    @property
    def able(self) -> int:
        """How many of its SIMs can send now."""
        return sum(member.tone == "ok" for member in self.members)


async def system(call: Call) -> Answer:
    """Show what the box is and how it stands."""
    app, actor = call.app, call.caller
    about = await app.system.about(actor)
    clock = next((issue for issue in app.health.open() if issue.kind == _CLOCK_ISSUE), None)
    backups: dict[str, Any] = {
        "backup": app.backups.facts,
        "keep": app.config.backup.keep,
        "newest": app.backups.newest(),
    }
    return render(call, "system/page.html", about=about, site=app.config.box.site, clock=clock, **backups)


async def settings(call: Call) -> Answer:
    """Show the configuration in force."""
    service, actor = call.app.system, call.caller
    return render(call, "system/settings.html", sections=service.settings(actor), file=service.config_file(actor))


async def routes(call: Call) -> Answer:
    """Show which SIMs messages go through."""
    return render(call, "system/routes.html", **await _pools(call))


async def routes_now(call: Call) -> Answer:
    """Answer the pools alone."""
    return render(call, "system/_pools.html", **await _pools(call))


async def log(call: Call) -> Answer:
    """Show the latest log lines."""
    return render(call, "system/log.html", **_log(call))


async def log_now(call: Call) -> Answer:
    """Answer the lines alone."""
    return render(call, "system/_log.html", **_log(call))


def _log(call: Call) -> dict[str, Any]:
    query = call.query(LogQuery)
    return {
        "level": query.level,
        "levels": LEVELS,
        "kept": KEPT,
        "lines": call.app.system.log(call.caller, query.level),
    }


async def _pools(call: Call) -> dict[str, Any]:
    members = _members(call)
    backlogs = await call.app.messages.backlogs()
    labels = Counter(member.sim.label for member in members if member.sim.label)
    by_pool = {backlog.route.pool: backlog for backlog in backlogs if backlog.route.pool is not None}
    anywhere = next((each for each in backlogs if each.route.pool is None and not each.route.sims), None)
    pools = [_pool("Any SIM", "messages that name none", members, anywhere)]
    for label in sorted({*labels, *by_pool}):
        of_it = [member for member in members if member.sim.label == label]
        pools.append(_pool(label, "", of_it, by_pool.get(label)))
    return {"pools": pools, "named": list(_named(backlogs, members)), "most_named": _MOST_NAMED}


def _named(backlogs: Sequence[Backlog], members: Sequence[Member]) -> Iterator[Pool]:
    """Yield what waits for SIMs that messages name one by one."""
    by_id = {member.sim.id: member for member in members}
    for backlog in backlogs:
        if backlog.route.sims:
            of_it = [by_id[sim_id] for sim_id in backlog.route.sims if sim_id in by_id]
            yield _pool("", "", of_it, backlog)


def _pool(name: str, hint: str, members: Sequence[Member], backlog: Backlog | None) -> Pool:
    waiting, more = (backlog.waiting, backlog.more) if backlog is not None else (0, False)
    return Pool(name, hint, members, waiting, more)


def _members(call: Call) -> list[Member]:
    views = {view.sim_id: view for view in call.app.bank.modems() if view.sim_id is not None}
    found = []
    for sim in call.app.sims.all():
        view = views.get(sim.id)
        if view is None:
            found.append(Member(sim, "", "not in the box"))
        elif sim.paused:
            found.append(Member(sim, "warn", "paused"))
        elif view.state is ModemState.REGISTERED and view.admin is AdminState.ENABLED:
            found.append(Member(sim, "ok", "can send"))
        else:
            found.append(Member(sim, "warn", view.state.value))
    return found


PAGES = (
    Page("system", "GET", PATH, system, _NEEDS),
    Page("systemSettings", "GET", f"{PATH}/settings", settings, _NEEDS),
    Page("systemRoutes", "GET", f"{PATH}/routes", routes, _NEEDS),
    Page("systemRoutesNow", "GET", f"{PATH}/routes/now", routes_now, _NEEDS),
    Page("systemLog", "GET", f"{PATH}/log", log, _NEEDS),
    Page("systemLogNow", "GET", f"{PATH}/log/now", log_now, _NEEDS),
)
