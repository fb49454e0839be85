"""The hub's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest
from modembank_hub.fleet import FleetTotals
from modembank_hub.orders import VERBS, Page
from modembank_hub.rows_of_boxes import Wanted
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.hub import examples
from modembank_web.hub.surface import hub
from modembank_web.hub.views import (
    BoxDetail,
    BoxView,
    CommandView,
    EventView,
    LogView,
    QuarantinedView,
    Standing,
    StretchView,
    VerbView,
    box_detail,
    box_view,
    command_view,
    event_view,
    quarantined_view,
    stretch_view,
    verb_view,
)
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

BOXES, COMMANDS, QUARANTINE = "/api/v1/boxes", "/api/v1/commands", "/api/v1/quarantine"
_BOX = f"{BOXES}/{{site}}/{{box}}"
_WHICH = {"site": ("The box's site", "leeds"), "box": ("Its name there", "b1")}
_COMMAND = {"id": ("The command's id", examples.COMMAND["id"])}
_READ, _CHANGE = (Scope.MODEMS, Scope.ADMIN), (Scope.ADMIN,)
Word = Annotated[str, msgspec.Meta(max_length=80)]


class BoxesQuery(msgspec.Struct, frozen=True):
    """Which boxes to list."""

    standing: Standing | None = None
    text: Word = ""
    version: Word | None = None
    problems: bool = False
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class RowsQuery(msgspec.Struct, frozen=True):
    """Where in a list."""

    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class SeriesQuery(msgspec.Struct, frozen=True):
    """How far back."""

    span: Literal["day", "week", "quarter"] = "day"


class BoxesPage(msgspec.Struct, frozen=True):
    """A page of boxes by site and name; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[BoxView]
    next: str | None


class BoxEventsPage(msgspec.Struct, frozen=True):
    """A page of a box's events, newest first."""

    items: Sequence[EventView]
    next: str | None


class Series(msgspec.Struct, frozen=True):
    """A box's telemetry by stretches of ``step_s`` seconds, oldest first, without holes."""

    step_s: int
    items: Sequence[StretchView]


class CommandsPage(msgspec.Struct, frozen=True):
    """A page of commands, newest first."""

    items: Sequence[CommandView]
    next: str | None


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to order; ``ttl_s``: after which it may not begin any more (default: 5 minutes)."""

    verb: Word
    args: dict[str, Any] = {}
    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] | None = None


class VerbsList(msgspec.Struct, frozen=True):
    """What can be ordered."""

    items: Sequence[VerbView]


class QuarantinePage(msgspec.Struct, frozen=True):
    """A page of what could not be read, newest first."""

    items: Sequence[QuarantinedView]
    next: str | None


class Until(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest that was looked at."""

    until: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}\Z")]


class Cleared(msgspec.Struct, frozen=True):
    """How many were deleted."""

    gone: int


_ORDER, _UNTIL = JsonBody(NewOrder), JsonBody(Until)


def number_of(cursor: str | None) -> int | None:
    """Return a cursor that is a number; raises InvalidRequest."""
    if cursor is None:
        return None
    if not cursor.isdecimal() or not cursor.isascii() or len(cursor) > 18:
        raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
    return int(cursor)


async def list_boxes(call: Call) -> Answer:
    """Return a page of boxes."""
    query = call.query(BoxesQuery)
    wanted = Wanted(query.standing, query.text, query.version, query.problems)
    page = await hub(call).fleet.listed(call.caller, wanted, cursor=query.cursor, limit=query.limit)
    return json_answer(BoxesPage([box_view(row) for row in page.items], next_address(BOXES, query, page.cursor)))


async def get_box(call: Call) -> Answer:
    """Return one box with everything."""
    which = call.path("site"), call.path("box")
    fleet = hub(call).fleet
    found = await fleet.get(call.caller, *which)
    return json_answer(box_detail(found, await fleet.gaps(call.caller, *which)))


async def list_events(call: Call) -> Answer:
    """Return a page of a box's events."""
    query = call.query(RowsQuery)
    which = call.path("site"), call.path("box")
    page = await hub(call).fleet.events(call.caller, *which, cursor=query.cursor, limit=query.limit)
    address = next_address(f"{BOXES}/{which[0]}/{which[1]}/events", query, page.cursor)
    return json_answer(BoxEventsPage([event_view(row) for row in page.items], address))


async def get_series(call: Call) -> Answer:
    """Return a box's telemetry."""
    span = call.query(SeriesQuery).span
    step, rows = await hub(call).fleet.series(call.caller, call.path("site"), call.path("box"), span)
    return json_answer(Series(step, [stretch_view(row) for row in rows]))


async def get_totals(call: Call) -> Answer:
    """Return the fleet at a glance."""
    return json_answer(await hub(call).fleet.totals(call.caller))


async def give_command(call: Call) -> Answer:
    """Order something of a box."""
    order = await call.json(_ORDER)
    given = await hub(call).orders.give(
        call.caller, call.path("site"), call.path("box"), order.verb, order.args, order.ttl_s
    )
    location = (b"location", f"{COMMANDS}/{given.id}".encode())
    return json_answer(command_view(given), 202, (location,))


async def list_box_commands(call: Call) -> Answer:
    """Return a page of a box's commands."""
    query = call.query(RowsQuery)
    which = call.path("site"), call.path("box")
    found = await hub(call).fleet.get(call.caller, *which)
    page = await hub(call).orders.list(call.caller, box_id=found.id, cursor=number_of(query.cursor), limit=query.limit)
    return _commands(page, f"{BOXES}/{which[0]}/{which[1]}/commands", query)


async def list_commands(call: Call) -> Answer:
    """Return a page of all commands."""
    query = call.query(RowsQuery)
    page = await hub(call).orders.list(call.caller, cursor=number_of(query.cursor), limit=query.limit)
    return _commands(page, COMMANDS, query)


def _commands(page: Page, path: str, query: RowsQuery) -> Answer:
    address = next_address(path, query, None if page.cursor is None else str(page.cursor))
    return json_answer(CommandsPage([command_view(row) for row in page.items], address))


async def get_command(call: Call) -> Answer:
    """Return one command."""
    return json_answer(command_view(await hub(call).orders.get(call.caller, call.path("id"))))


async def cancel_command(call: Call) -> Answer:
    """Take a command back."""
    return json_answer(command_view(await hub(call).orders.cancel(call.caller, call.path("id"))))


async def get_log(call: Call) -> Answer:
    """Return the log that a command brought."""
    return json_answer(LogView(await hub(call).orders.log(call.caller, call.path("id"))))


async def list_verbs(call: Call) -> Answer:
    """Return what can be ordered."""
    orders = hub(call).orders
    return json_answer(VerbsList([verb_view(verb, possible=orders.may(verb)) for verb in VERBS.values()]))


async def list_quarantine(call: Call) -> Answer:
    """Return a page of what could not be read."""
    query = call.query(RowsQuery)
    page = await hub(call).fleet.quarantined(call.caller, cursor=number_of(query.cursor), limit=query.limit)
    rows = [quarantined_view(row) for row in page.items]
    return json_answer(QuarantinePage(rows, next_address(QUARANTINE, query, page.cursor)))


async def clear_quarantine(call: Call) -> Answer:
    """Delete what was looked at."""
    until = (await call.json(_UNTIL)).until
    return json_answer(Cleared(await hub(call).fleet.clear_quarantine(call.caller, int(until))))


OPERATIONS = (
    Operation(
        id="getFleet",
        method="GET",
        path="/api/v1/fleet",
        tag="Fleet",
        summary="The fleet at a glance",
        description="How many boxes stand how, the sums of what they told last, and the traffic of 24 hours.",
        run=get_totals,
        needs=_READ,
        replies=(Reply(200, "The sums", FleetTotals, examples.TOTALS),),
    ),
    Operation(
        id="listBoxes",
        method="GET",
        path=BOXES,
        tag="Fleet",
        summary="List the boxes",
        description="By site and name. A box is listed from the first word on that it ever said.",
        run=list_boxes,
        needs=_READ,
        query=BoxesQuery,
        replies=(Reply(200, "A page of boxes", BoxesPage, {"items": [examples.BOX], "next": None}),),
    ),
    Operation(
        id="getBox",
        method="GET",
        path=_BOX,
        tag="Fleet",
        summary="Look up one box",
        description="With its birth, its latest telemetry, its modems, and what is missing of its streams for ever.",
        run=get_box,
        needs=_READ,
        parameters=_WHICH,
        replies=(Reply(200, "The box", BoxDetail, examples.DETAIL),),
    ),
    Operation(
        id="listBoxEvents",
        method="GET",
        path=f"{_BOX}/events",
        tag="Fleet",
        summary="List what happened at a box",
        description="Newest first, each exactly once.",
        run=list_events,
        needs=_READ,
        query=RowsQuery,
        parameters=_WHICH,
        replies=(Reply(200, "A page of events", BoxEventsPage, {"items": [examples.EVENT], "next": None}),),
    ),
    Operation(
        id="getBoxTelemetry",
        method="GET",
        path=f"{_BOX}/telemetry",
        tag="Fleet",
        summary="A box's telemetry over time",
        description="A day in stretches of five minutes, a week in hours, a quarter of a year in days.",
        run=get_series,
        needs=_READ,
        query=SeriesQuery,
        parameters=_WHICH,
        replies=(Reply(200, "The stretches", Series, {"step_s": 300, "items": [examples.STRETCH]}),),
    ),
    Operation(
        id="giveCommand",
        method="POST",
        path=f"{_BOX}/commands",
        tag="Commands",
        summary="Order something of a box",
        description=(
            "It is kept, and sent until the box has answered or its time is up. Look it up to follow it: `waiting`, "
            "`sent`, `accepted`, `running`, then `done`, `rejected`, `failed`, `expired`, `cancelled` or `unknown`."
        ),
        run=give_command,
        needs=_CHANGE,
        parameters=_WHICH,
        body=Body(NewOrder, {"ping": {"verb": "ping"}, "for an hour": {"verb": "rebirth", "args": {}, "ttl_s": 3600}}),
        replies=(
            Reply(202, "It is kept", CommandView, examples.WAITING, headers={"Location": "Where it is followed"}),
        ),
        raises=("conflict",),
    ),
    Operation(
        id="listBoxCommands",
        method="GET",
        path=f"{_BOX}/commands",
        tag="Commands",
        summary="List a box's commands",
        description="Newest first.",
        run=list_box_commands,
        needs=_READ,
        query=RowsQuery,
        parameters=_WHICH,
        replies=(Reply(200, "A page of commands", CommandsPage, {"items": [examples.COMMAND], "next": None}),),
    ),
    Operation(
        id="listCommands",
        method="GET",
        path=COMMANDS,
        tag="Commands",
        summary="List all commands",
        description="Newest first.",
        run=list_commands,
        needs=_READ,
        query=RowsQuery,
        replies=(Reply(200, "A page of commands", CommandsPage, {"items": [examples.COMMAND], "next": None}),),
    ),
    Operation(
        id="getCommand",
        method="GET",
        path=f"{COMMANDS}/{{id}}",
        tag="Commands",
        summary="Follow a command",
        description="How far it is.",
        run=get_command,
        needs=_READ,
        parameters=_COMMAND,
        replies=(Reply(200, "The command", CommandView, examples.COMMAND),),
    ),
    Operation(
        id="cancelCommand",
        method="POST",
        path=f"{COMMANDS}/{{id}}/cancel",
        tag="Commands",
        summary="Take a command back",
        description="Only while it waits: what was sent is the box's. 409 afterwards.",
        run=cancel_command,
        needs=_CHANGE,
        parameters=_COMMAND,
        replies=(Reply(200, "Cancelled", CommandView, examples.CANCELLED),),
        raises=("conflict",),
    ),
    Operation(
        id="getCommandLog",
        method="GET",
        path=f"{COMMANDS}/{{id}}/log",
        tag="Commands",
        summary="The log that a command brought",
        description="Of `logs.collect`: the lines that have come so far.",
        run=get_log,
        needs=_CHANGE,
        parameters=_COMMAND,
        replies=(Reply(200, "The lines", LogView, {"lines": ["2026-11-20T14:04:58Z modem_registered modem=slot-03"]}),),
    ),
    Operation(
        id="listVerbs",
        method="GET",
        path="/api/v1/verbs",
        tag="Commands",
        summary="List what can be ordered",
        description="Of each: how long it may wait, whether it is signed, and the JSON Schema of its arguments.",
        run=list_verbs,
        needs=_READ,
        replies=(Reply(200, "The verbs", VerbsList, {"items": [examples.VERB]}),),
    ),
    Operation(
        id="listQuarantine",
        method="GET",
        path=QUARANTINE,
        tag="Quarantine",
        summary="List what could not be read",
        description="Newest first, with topic, reason and the beginning of the payload.",
        run=list_quarantine,
        needs=_CHANGE,
        query=RowsQuery,
        replies=(Reply(200, "A page", QuarantinePage, {"items": [examples.QUARANTINED], "next": None}),),
    ),
    Operation(
        id="clearQuarantine",
        method="POST",
        path=f"{QUARANTINE}/clear",
        tag="Quarantine",
        summary="Delete what was looked at",
        description="Up to and with an id, so that what came meanwhile stays.",
        run=clear_quarantine,
        needs=_CHANGE,
        body=Body(Until, {"until 17": {"until": "17"}}),
        replies=(Reply(200, "Deleted", Cleared, {"gone": 3}),),
    ),
)
