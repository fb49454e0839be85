"""The hub's pages: the fleet, one box, commands, what could not be read; and those that it shares with the box's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank_hub.events import (
    AlertsChanged,
    BoxesChanged,
    CommandsChanged,
    ConfigsChanged,
    EnrolmentChanged,
    PoolChanged,
    Quarantined,
)
from modembank_hub.orders import DEFAULT_TTL_S, VERBS
from modembank_hub.rows_of_boxes import BoxRow, Wanted
from modembank_hub.rows_of_commands import CommandRow
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub import (
    alert_pages,
    channel_pages,
    config_pages,
    enrolment_pages,
    pool_pages,
    software_pages,
    views,
)
from modembank_web.hub.api import number_of
from modembank_web.hub.status import reasons_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call, Operation
from modembank_web.pages import account, audit, first, keys, login, setup, users
from modembank_web.pages.assets import ASSET
from modembank_web.pages.live import live_page
from modembank_web.pages.navigation import Entry, Group
from modembank_web.pages.page import ROOT, Page, goes_to, operations_of, to
from modembank_web.pages.rendering import render

FLEET, COMMANDS, QUARANTINE = f"{ROOT}/fleet", f"{ROOT}/commands", f"{ROOT}/quarantine"
_BOX = f"{ROOT}/boxes/{{site}}/{{box}}"
_READ, _CHANGE = (Scope.MODEMS,), (Scope.ADMIN,)
_A_PAGE = 50
_RECENT, _FEW = 10, 20
"""Of a box: its latest commands and events."""
TOPICS = {
    AlertsChanged: ("alerts",),
    BoxesChanged: ("boxes",),
    CommandsChanged: ("commands",),
    ConfigsChanged: ("configs",),
    EnrolmentChanged: ("enrolment",),
    PoolChanged: ("pool",),
    Quarantined: ("quarantine",),
}
TONES = {
    "online": "ok", "stale": "warn", "offline": "bad",
    "waiting": "", "sent": "info", "accepted": "info", "running": "info", "done": "ok",
    "rejected": "bad", "expired": "warn", "cancelled": "", "unknown": "warn",
    "registered": "ok", "detected": "", "failed": "bad", "locked": "bad", "gone": "bad",
    "info": "", "warning": "warn", "error": "bad", "security": "bad",
}  # fmt: skip
"""Of how a box stands, how far a command is, how a modem is, and how grave an event is."""
_LINES = 500
"""Of a log that is shown: the last ones."""
_STEPS = ("waiting", "sent", "accepted", "running")
SPANS = (("day", "24 hours"), ("week", "7 days"), ("quarter", "3 months"))
_MENU = (
    Group(
        "Fleet",
        (
            Entry("Boxes", FLEET, "bank", Scope.MODEMS, also=f"{ROOT}/boxes"),
            Entry("Alerts", alert_pages.ALERTS, "issue", Scope.MODEMS, also=alert_pages.ALERTING),
            Entry("Pool", pool_pages.POOL, "message", Scope.MODEMS),
            Entry("Commands", COMMANDS, "send", Scope.MODEMS),
            Entry("Configuration", config_pages.CONFIG, "edit", Scope.MODEMS, also=config_pages.ROLLOUTS),
            Entry("Enrolment", enrolment_pages.ENROLMENT, "key", Scope.MODEMS),
            Entry("Quarantine", QUARANTINE, "optout", Scope.ADMIN),
        ),
    ),
    Group(
        "Administration",
        (
            Entry("Users", "/ui/users", "users", Scope.ADMIN),
            Entry("API keys", "/ui/keys", "key"),
            Entry("Audit", "/ui/audit", "audit", Scope.ADMIN),
        ),
    ),
)
Word = Annotated[str, msgspec.Meta(max_length=80)]


class FleetQuery(msgspec.Struct, frozen=True):
    """Which boxes, and where the list goes on."""

    standing: Word = ""
    text: Word = ""
    version: Word = ""
    problems: bool = False
    cursor: Word | None = None

    def address(self, cursor: str | None) -> str:
        """Return where the page after this one is, empty at the end."""
        if cursor is None:
            return ""
        given = {name: value for name, value in msgspec.to_builtins(self).items() if value}
        return f"{FLEET}?{urlencode(given | {'cursor': cursor})}"


class ListQuery(msgspec.Struct, frozen=True):
    """Where a list goes on."""

    cursor: Word | None = None


class SpanQuery(msgspec.Struct, frozen=True):
    """How far back charts go."""

    span: Word = "day"


class OrderForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command as it was filled in."""

    verb: Word = ""
    args: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    ttl: Word = ""


class ClearForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to where it was looked at."""

    until: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}\Z")] = "0"


class Shown(msgspec.Struct, frozen=True):
    """A box as lists show it."""

    row: BoxRow
    view: views.BoxView


_ORDER, _CLEAR = FormBody(OrderForm), FormBody(ClearForm)


async def start(_: Call) -> Answer:
    """Lead to the fleet."""
    return to(FLEET)


async def fleet(call: Call) -> Answer:
    """Show the fleet and its boxes; or the next page of them."""
    query = call.query(FleetQuery)
    shown = await _boxes(call, query)
    if query.cursor is not None:
        return render(call, "hub/_box_rows.html", **shown)
    told = await _totals(call)
    versions = [(name, name) for name, _ in told["totals"].versions]
    return render(call, "hub/fleet.html", versions=versions, **shown, **told)


async def fleet_now(call: Call) -> Answer:
    """Answer the figures."""
    return render(call, "hub/_totals.html", **await _totals(call))


async def fleet_boxes(call: Call) -> Answer:
    """Answer the list, as it is now."""
    return render(call, "hub/_boxes.html", **await _boxes(call, call.query(FleetQuery)))


async def box(call: Call) -> Answer:
    """Show one box."""
    row, which = await _found(call)
    events = await hub(call).fleet.events(call.caller, *which, limit=_FEW)
    shown: dict[str, Any] = {
        "events": events.items,
        "events_at": f"{_path(row)}/events?cursor={events.cursor}" if events.cursor else "",
        "gaps": await hub(call).fleet.gaps(call.caller, *which),
    }
    shown |= _form(call, row) | software_pages.software_form(row)
    return render(call, "hub/box.html", **(shown | _now(row) | await _charts(call, row)))


async def box_now(call: Call) -> Answer:
    """Answer what changes on it."""
    row, _ = await _found(call)
    return render(call, "hub/_box.html", **_now(row))


async def box_events(call: Call) -> Answer:
    """Answer more of its events, or all anew."""
    row, which = await _found(call)
    query = call.query(ListQuery)
    limit = _FEW if query.cursor is None else _A_PAGE
    page = await hub(call).fleet.events(call.caller, *which, cursor=query.cursor, limit=limit)
    more = f"{_path(row)}/events?cursor={page.cursor}" if page.cursor else ""
    part = "hub/_events.html" if query.cursor is None else "hub/_event_rows.html"
    return render(call, part, row=row, path=_path(row), events=page.items, events_at=more, tones=TONES)


async def box_commands(call: Call) -> Answer:
    """Answer its latest commands."""
    row, _ = await _found(call)
    page = await hub(call).orders.list(call.caller, box_id=row.id, limit=_RECENT)
    return render(call, "hub/_recent.html", path=_path(row), commands=page.items, tones=TONES)


async def order(call: Call) -> Answer:
    """Give a command; what is wrong is shown with the form, else its own page follows it."""
    row, which = await _found(call)
    form = await call.form(_ORDER)
    errors: Mapping[str, str] = {}
    try:
        given = await hub(call).orders.give(call.caller, *which, form.verb, _args(form.args), _ttl(form.ttl))
    except InvalidRequest as refused:
        errors = {one.pointer.lstrip("/").partition("/")[0].removesuffix("_s"): _told(one) for one in refused.problems}
    except Conflict as refused:
        errors = {"verb": str(refused)}
    else:
        return goes_to(call, f"{COMMANDS}/{given.id}")
    return render(call, "hub/_order.html", status=422, **_form(call, row, form, errors))


async def commands(call: Call) -> Answer:
    """Show all commands; or the next page of them."""
    query = call.query(ListQuery)
    page = await hub(call).orders.list(call.caller, cursor=number_of(query.cursor), limit=_A_PAGE)
    more = f"{COMMANDS}?cursor={page.cursor}" if page.cursor else ""
    part = "hub/commands.html" if query.cursor is None else "hub/_command_rows.html"
    return render(call, part, commands=page.items, more_at=more, tones=TONES)


async def commands_now(call: Call) -> Answer:
    """Answer the newest commands."""
    page = await hub(call).orders.list(call.caller, limit=_A_PAGE)
    more = f"{COMMANDS}?cursor={page.cursor}" if page.cursor else ""
    return render(call, "hub/_commands.html", commands=page.items, more_at=more, tones=TONES)


async def command(call: Call) -> Answer:
    """Follow one command."""
    return render(call, "hub/command.html", **await _command(call))


async def command_now(call: Call) -> Answer:
    """Answer how far it is."""
    return render(call, "hub/_command.html", **await _command(call))


async def cancel(call: Call) -> Answer:
    """Take it back."""
    await hub(call).orders.cancel(call.caller, call.path("id"))
    return render(call, "hub/_command.html", **await _command(call))


async def quarantine(call: Call) -> Answer:
    """Show what could not be read; or the next page of it."""
    query = call.query(ListQuery)
    page = await hub(call).fleet.quarantined(call.caller, cursor=number_of(query.cursor), limit=_A_PAGE)
    more = f"{QUARANTINE}?cursor={page.cursor}" if page.cursor else ""
    part = "hub/quarantine.html" if query.cursor is None else "hub/_quarantine_rows.html"
    return render(call, part, items=page.items, more_at=more)


async def clear_quarantine(call: Call) -> Answer:
    """Delete what was looked at."""
    until = (await call.form(_CLEAR)).until
    await hub(call).fleet.clear_quarantine(call.caller, int(until))
    return goes_to(call, QUARANTINE)


async def _boxes(call: Call, query: FleetQuery) -> dict[str, Any]:
    standing = query.standing if query.standing in {"online", "stale", "offline"} else None
    wanted = Wanted(standing, query.text.strip(), query.version or None, query.problems)
    page = await hub(call).fleet.listed(call.caller, wanted, cursor=query.cursor, limit=_A_PAGE)
    boxes = [Shown(row, views.box_view(row)) for row in page.items]
    again = query.address("").replace(FLEET, f"{FLEET}/boxes").rpartition("cursor=")[0]
    return {"query": query, "boxes": boxes, "more_at": query.address(page.cursor), "again": again, "tones": TONES}


async def _totals(call: Call) -> dict[str, Any]:
    fleet = hub(call).fleet
    totals, traffic = await fleet.totals(call.caller), await fleet.traffic(call.caller)
    alerts = await hub(call).alerts.summary(call.caller)
    return {"totals": totals, "traffic": traffic, "alerts": alerts, "reasons": reasons_of(call)}


async def _found(call: Call) -> tuple[BoxRow, tuple[str, str]]:
    which = call.path("site"), call.path("box")
    return await hub(call).fleet.get(call.caller, *which), which


def _path(row: BoxRow) -> str:
    return f"{ROOT}/boxes/{row.site}/{row.box}"


def _now(row: BoxRow) -> dict[str, Any]:
    return {
        "row": row,
        "view": views.box_view(row),
        "birth": json.loads(row.birth) if row.birth else {},
        "tele": json.loads(row.tele) if row.tele else {},
        "update": json.loads(row.ota) if row.ota else {},
        "config": json.loads(row.reported) if row.reported else {},
        "modems": views.modem_table(row),
        "path": _path(row),
        "tones": TONES,
    }


async def _charts(call: Call, row: BoxRow) -> dict[str, Any]:
    span = call.query(SpanQuery).span
    span = span if span in dict(SPANS) else "day"
    step, rows = await hub(call).fleet.series(call.caller, row.site, row.box, span)
    tabs = [(f"{_path(row)}?span={name}", word) for name, word in SPANS]
    return {"series": rows, "step": step, "spans": tabs, "span": f"{_path(row)}?span={span}"}


def _form(
    call: Call, row: BoxRow, form: OrderForm | None = None, errors: Mapping[str, str] | None = None
) -> dict[str, Any]:
    carried = set(json.loads(row.birth)["verbs"]) if row.birth else set()
    orders = hub(call).orders
    possible = [verb for name, verb in VERBS.items() if name in carried and orders.may(verb)]
    return {
        "verbs": [(verb.name, verb.name) for verb in possible],
        "closed": sorted(set(VERBS) - {verb.name for verb in possible}),
        "form": form or OrderForm(ttl=str(DEFAULT_TTL_S)),
        "errors": errors or {},
        "path": _path(row),
        "row": row,
    }


async def _command(call: Call) -> dict[str, Any]:
    found = await hub(call).orders.get(call.caller, call.path("id"))
    lines = await hub(call).orders.log(call.caller, found.id) if call.caller.is_admin else ()
    shown = {"command": found, "view": views.command_view(found), "steps": steps_of(found)}
    return {**shown, "log": lines[-_LINES:], "lines": len(lines), "tones": TONES}


def steps_of(row: CommandRow) -> tuple[Sequence[tuple[str, str]], int]:
    """Return the steps of a command's way and which it is at; beyond the last when it has ended."""
    times = {"sent": row.sent_at, "accepted": row.accepted_at, "running": row.running_at}
    passed = [word for word in _STEPS if word == "waiting" or times.get(word) is not None or row.ended_at is None]
    end = row.state if row.ended_at is not None else "end"
    steps = [("", word) for word in (*passed, end)]
    return steps, len(steps) if row.ended_at is not None else passed.index(row.state)


def _args(text: str) -> Mapping[str, Any]:
    try:
        args = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        args = None
    if not isinstance(args, dict):
        raise InvalidRequest(FieldProblem("/args", 'must be a JSON object, such as {"slot": "slot-01"}'))
    return args


def _ttl(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isdecimal() and text.isascii()):
        raise InvalidRequest(FieldProblem("/ttl_s", "must be a number of seconds"))
    return int(text)


def _told(problem: FieldProblem) -> str:
    _, _, below = problem.pointer.lstrip("/").partition("/")
    return f"{below}: {problem.detail}" if below else problem.detail


PAGES = (
    Page("first", "GET", ROOT, start),
    *setup.PAGES,
    *login.PAGES,
    *account.PAGES,
    live_page(TOPICS),
    Page("fleet", "GET", FLEET, fleet, _READ),
    Page("fleetNow", "GET", f"{FLEET}/now", fleet_now, _READ),
    Page("fleetBoxes", "GET", f"{FLEET}/boxes", fleet_boxes, _READ),
    Page("box", "GET", _BOX, box, _READ),
    Page("boxNow", "GET", f"{_BOX}/now", box_now, _READ),
    Page("boxEvents", "GET", f"{_BOX}/events", box_events, _READ),
    Page("boxCommands", "GET", f"{_BOX}/commands", box_commands, _READ),
    Page("order", "POST", f"{_BOX}/commands", order, _CHANGE),
    Page("commands", "GET", COMMANDS, commands, _READ),
    Page("commandsNow", "GET", f"{COMMANDS}/now", commands_now, _READ),
    Page("command", "GET", f"{COMMANDS}/{{id}}", command, _READ),
    Page("commandNow", "GET", f"{COMMANDS}/{{id}}/now", command_now, _READ),
    Page("cancelCommand", "POST", f"{COMMANDS}/{{id}}/cancel", cancel, _CHANGE),
    *config_pages.PAGES,
    *enrolment_pages.PAGES,
    *software_pages.PAGES,
    *alert_pages.PAGES,
    *channel_pages.PAGES,
    Page("quarantine", "GET", QUARANTINE, quarantine, _CHANGE),
    Page("clearQuarantine", "POST", f"{QUARANTINE}/clear", clear_quarantine, _CHANGE),
    *pool_pages.PAGES,
    *users.PAGES,
    *keys.PAGES,
    *audit.PAGES,
)
OPERATIONS: tuple[Operation, ...] = (
    *operations_of(PAGES, _MENU),
    first.BARE,
    ASSET,
)
