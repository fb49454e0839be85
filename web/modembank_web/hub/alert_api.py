"""The hub's API of alerts: the list, an acknowledgement, rules, and silences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.places import EVERYWHERE
from modembank_hub.alerting.rows import Wanted
from modembank_hub.alerting.rules import Rule
from modembank_hub.alerting.service import Summary
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.hub import alert_examples as examples
from modembank_web.hub.alert_views import (
    AlertDetail,
    AlertView,
    RuleView,
    SilenceView,
    alert_detail,
    alert_view,
    rule_view,
    silence_view,
)
from modembank_web.hub.surface import hub
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

ALERTS, RULES, SILENCES = "/api/v1/alerts", "/api/v1/alert-rules", "/api/v1/alert-silences"
_READ, _CHANGE = (Scope.MODEMS, Scope.ADMIN), (Scope.ADMIN,)
_WHICH = {"id": ("The alert's id", examples.ALERT["id"])}
Word = Annotated[str, msgspec.Meta(max_length=80)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400)]


class AlertsQuery(msgspec.Struct, frozen=True):
    """Which alerts to list."""

    state: Literal["active", "open", "acknowledged", "ended"] | None = None
    kind: Word = ""
    site: Word = ""
    severity: Severity | None = None
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class AlertsPage(msgspec.Struct, frozen=True):
    """A page of alerts, that first which opened last."""

    items: Sequence[AlertView]
    next: str | None


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever looks after it wants others to know."""

    note: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class RulesList(msgspec.Struct, frozen=True):
    """The program's rules by kind, each followed by those that somebody has set for a place."""

    items: Sequence[RuleView]


class NewRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule for a place; what is left out is as the program has it."""

    kind: Word
    place: Word = EVERYWHERE
    active: bool = True
    severity: Severity | None = None
    hold_s: Seconds | None = None
    clear_s: Seconds | None = None
    threshold: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class WhichRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that somebody has set."""

    kind: Word
    place: Word = EVERYWHERE


class SilencesList(msgspec.Struct, frozen=True):
    """Silences that last or are to come, by their end."""

    items: Sequence[SilenceView]


class NewSilence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A silence for ``for_s`` seconds, or ``until`` a time; from now on, or from ``begin`` on."""

    place: Word
    kind: Word = ""
    for_s: Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)] | None = None
    until: datetime | None = None
    begin: datetime | None = None
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


_ACKNOWLEDGEMENT, _RULE, _WHICH_RULE = JsonBody(Acknowledgement), JsonBody(NewRule), JsonBody(WhichRule)
_SILENCE = JsonBody(NewSilence)


def id_of(text: str, what: str) -> int:
    """Return an id of an address; raises NotFound for what can be none."""
    if not (text.isdecimal() and text.isascii() and len(text) <= 18):
        raise NotFound(what=what, which=repr(text[:40]))
    return int(text)


def wanted_of(state: str | None, kind: str = "", site: str = "", severity: str = "") -> Wanted:
    """Return which alerts a query asks for."""
    active = state == "active"
    return Wanted("" if active else state or "", active, kind, site, severity)


async def list_alerts(call: Call) -> Answer:
    """Return a page of alerts."""
    query = call.query(AlertsQuery)
    wanted = wanted_of(query.state, query.kind, query.site, query.severity or "")
    page = await hub(call).alerts.listed(call.caller, wanted, cursor=query.cursor, limit=query.limit)
    items = [alert_view(one) for one in page.items]
    return json_answer(AlertsPage(items, next_address(ALERTS, query, page.cursor)))


async def get_alert(call: Call) -> Answer:
    """Return one with its way."""
    return json_answer(alert_detail(*await hub(call).alerts.get(call.caller, id_of(call.path("id"), "alert"))))


async def acknowledge(call: Call) -> Answer:
    """Say that somebody looks after it."""
    note = (await call.json(_ACKNOWLEDGEMENT)).note
    done = await hub(call).alerts.acknowledge(call.caller, id_of(call.path("id"), "alert"), note)
    return json_answer(alert_view(done))


async def get_summary(call: Call) -> Answer:
    """Return how many stand."""
    return json_answer(await hub(call).alerts.summary(call.caller))


async def list_rules(call: Call) -> Answer:
    """Return every rule."""
    return json_answer(RulesList([rule_view(rule) for rule in await hub(call).alerts.rules(call.caller)]))


async def set_rule(call: Call) -> Answer:
    """Set a rule for a place."""
    return json_answer(rule_view(await hub(call).alerts.set_rule(call.caller, rule_of(await call.json(_RULE)))))


def rule_of(given: NewRule) -> Rule:
    """Return a whole rule; raises InvalidRequest for a kind that there is none of."""
    kind = KINDS.get(given.kind)
    if kind is None:
        raise InvalidRequest(FieldProblem("/kind", f"{given.kind[:40]!a} is no kind of alert: {', '.join(KINDS)}"))
    return Rule(
        kind.name,
        given.place,
        given.active,
        given.severity or kind.severity,
        kind.hold_s if given.hold_s is None else given.hold_s,
        kind.clear_s if given.clear_s is None else given.clear_s,
        kind.threshold if given.threshold is None else given.threshold,
    )


async def reset_rule(call: Call) -> Answer:
    """Forget a rule that somebody has set."""
    which = await call.json(_WHICH_RULE)
    await hub(call).alerts.reset_rule(call.caller, which.kind, which.place)
    return await list_rules(call)


async def list_silences(call: Call) -> Answer:
    """Return the silences that last or are to come."""
    return json_answer(SilencesList([silence_view(row) for row in await hub(call).alerts.silences(call.caller)]))


async def add_silence(call: Call) -> Answer:
    """Tell nobody for a while."""
    given = await call.json(_SILENCE)
    if (given.for_s is None) == (given.until is None):
        raise InvalidRequest(FieldProblem("/for_s", "must be given, or until: one of the two"))
    begin = None if given.begin is None else _ms(given.begin, "/begin")
    start = max(to_ms(hub(call).clock.now()), begin or 0)
    until = start + (given.for_s or 0) * 1000 if given.until is None else _ms(given.until, "/until")
    made = await hub(call).alerts.silence(
        call.caller, given.place, until=until, begin=begin, kind=given.kind, reason=given.reason
    )
    return json_answer(silence_view(made), 201)


async def end_silence(call: Call) -> Answer:
    """End one now."""
    found = await hub(call).alerts.end_silence(call.caller, id_of(call.path("id"), "silence"))
    return json_answer(silence_view(found))


def _ms(moment: datetime, pointer: str) -> int:
    if moment.tzinfo is None:
        raise InvalidRequest(FieldProblem(pointer, "must say its zone, such as 2026-11-20T16:00:00Z"))
    return to_ms(moment.astimezone(UTC).timestamp())


OPERATIONS = (
    Operation(
        id="listAlerts",
        method="GET",
        path=ALERTS,
        tag="Alerts",
        summary="List alerts",
        description=(
            "That first which opened last. `active` are those that have not ended. A box that is not heard while the "
            "hub itself is away is no alert."
        ),
        run=list_alerts,
        needs=_READ,
        query=AlertsQuery,
        replies=(Reply(200, "A page of alerts", AlertsPage, {"items": [examples.ALERT], "next": None}),),
    ),
    Operation(
        id="getAlert",
        method="GET",
        path=f"{ALERTS}/{{id}}",
        tag="Alerts",
        summary="One alert with its way",
        description="When it opened, who acknowledged it with which note, when it ended, and whether it came again.",
        run=get_alert,
        needs=_READ,
        parameters=_WHICH,
        replies=(Reply(200, "The alert", AlertDetail, examples.DETAIL),),
    ),
    Operation(
        id="acknowledgeAlert",
        method="POST",
        path=f"{ALERTS}/{{id}}/acknowledge",
        tag="Alerts",
        summary="Say that somebody looks after it",
        description="With a note for others; again, with another note. It ends by itself, and opens anew without it.",
        run=acknowledge,
        needs=_CHANGE,
        parameters=_WHICH,
        body=Body(Acknowledgement, {"a note": {"note": "a van is on its way"}}),
        replies=(Reply(200, "As it stands", AlertView, examples.ACKNOWLEDGED),),
        raises=("conflict",),
    ),
    Operation(
        id="getAlertSummary",
        method="GET",
        path="/api/v1/alert-summary",
        tag="Alerts",
        summary="Alerts at a glance",
        description="How many are open, acknowledged, and may become alerts (pending); open ones by kind.",
        run=get_summary,
        needs=_READ,
        replies=(Reply(200, "The sums", Summary, examples.SUMMARY),),
    ),
    Operation(
        id="listAlertRules",
        method="GET",
        path=RULES,
        tag="Alerts",
        summary="List the rules",
        description=(
            "The program's by kind, each followed by those that somebody has set. Of several the closest holds: for a "
            "box, for its group, for its site, for all (`*`)."
        ),
        run=list_rules,
        needs=_READ,
        replies=(Reply(200, "All rules", RulesList, {"items": [examples.RULE]}),),
    ),
    Operation(
        id="setAlertRule",
        method="PUT",
        path=RULES,
        tag="Alerts",
        summary="Set a rule for a place",
        description=(
            "`place` is `*`, `hub`, `site:NAME`, `group:NAME` or `box:SITE/NAME`. `hold_s`: how long the condition "
            "must hold; `clear_s`: how long it must be gone. What is left out is as the program has it. It holds from "
            "the next look on, within ten seconds."
        ),
        run=set_rule,
        needs=_CHANGE,
        body=Body(
            NewRule,
            {"a threshold": examples.NEW_RULE, "off": {"kind": "box.clock", "place": "box:leeds/b1", "active": False}},
        ),
        replies=(Reply(200, "The rule", RuleView, examples.RULE),),
        raises=("conflict",),
    ),
    Operation(
        id="resetAlertRule",
        method="POST",
        path=f"{RULES}/reset",
        tag="Alerts",
        summary="Forget a rule that somebody has set",
        description="What holds there then is the next closest rule.",
        run=reset_rule,
        needs=_CHANGE,
        body=Body(WhichRule, {"one": {"kind": "box.queue", "place": "site:leeds"}}),
        replies=(Reply(200, "All rules", RulesList, {"items": []}),),
        raises=("not_found",),
    ),
    Operation(
        id="listAlertSilences",
        method="GET",
        path=SILENCES,
        tag="Alerts",
        summary="List the silences",
        description="Those that last or are to come, by their end.",
        run=list_silences,
        needs=_READ,
        replies=(Reply(200, "The silences", SilencesList, {"items": [examples.SILENCE]}),),
    ),
    Operation(
        id="addAlertSilence",
        method="POST",
        path=SILENCES,
        tag="Alerts",
        summary="Tell nobody for a while",
        description=(
            "For a maintenance window: alerts open and end as ever, and no channel is told. What is still open when "
            "the silence ends is told then; what opened and ended meanwhile never is."
        ),
        run=add_silence,
        needs=_CHANGE,
        body=Body(NewSilence, {"two hours": examples.NEW_SILENCE}),
        replies=(Reply(201, "The silence", SilenceView, examples.SILENCE),),
        raises=("conflict",),
    ),
    Operation(
        id="endAlertSilence",
        method="POST",
        path=f"{SILENCES}/{{id}}/end",
        tag="Alerts",
        summary="End a silence now",
        description="What is open there is told.",
        run=end_silence,
        needs=_CHANGE,
        parameters={"id": ("The silence's id", examples.SILENCE["id"])},
        replies=(Reply(200, "The silence, ended", SilenceView, examples.SILENCE),),
    ),
)
