"""The hub's pages of alerts: the list, one alert's way, rules, and silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.places import EVERYWHERE
from modembank_hub.alerting.rows import Wanted
from modembank_hub.alerting.rules import Rule, default_rule
from modembank_hub.alerting.service import Shown
from modembank_hub.alerting.wording import particulars_of, title_of
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub.alert_api import id_of, wanted_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_by_field, goes_to
from modembank_web.pages.rendering import render

ALERTS, ALERTING = f"{ROOT}/alerts", f"{ROOT}/alerting"
RULES, SILENCES, CHANNELS = f"{ALERTING}/rules", f"{ALERTING}/silences", f"{ALERTING}/channels"
_ONE = f"{ALERTS}/{{alert}}"
_READ, _CHANGE = (Scope.MODEMS,), (Scope.ADMIN,)
_A_PAGE = 50
STATES = (("active", "Not over"), ("open", "Open"), ("acknowledged", "Acknowledged"), ("ended", "Over"))
TONES = {
    "open": "bad", "acknowledged": "warn", "ended": "ok", "critical": "bad", "warning": "warn", "info": "info",
    "working": "ok", "failing": "bad", "stopped": "", "delivered": "ok", "queued": "info", "given_up": "warn",
    "opened": "bad", "reopened": "bad",
}  # fmt: skip
"""Of states, severities, steps on the way, channels and letters."""
LENGTHS = (
    (3_600, "1 hour"), (4 * 3_600, "4 hours"), (86_400, "a day"), (7 * 86_400, "a week"), (30 * 86_400, "30 days"),
)  # fmt: skip
"""For which a silence can last, by the page's form."""
Word = Annotated[str, msgspec.Meta(max_length=80)]
Note = Annotated[str, msgspec.Meta(max_length=4_000)]


class AlertsQuery(msgspec.Struct, frozen=True):
    """Which alerts, and where the list goes on."""

    state: Word = "active"
    kind: Word = ""
    site: Word = ""
    cursor: Word | None = None

    @property
    def known_state(self) -> str:
        """One of STATES."""
        return self.state if self.state in dict(STATES) else "active"

    def given(self, **more: str) -> str:
        """Return the query with some of it changed."""
        asked = {"state": self.known_state, "kind": self.kind, "site": self.site} | more
        return urlencode({name: value for name, value in asked.items() if value})


class NoteForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever looks after it wants others to know."""

    note: Note = ""


class RuleForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it was filled in."""

    kind: Word = ""
    place: Word = EVERYWHERE
    active: Literal["true", "false"] = "true"
    severity: Word = "warning"
    hold_s: Word = ""
    clear_s: Word = ""
    threshold: Word = ""


class WhichForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that somebody has set."""

    kind: Word = ""
    place: Word = ""


class SilenceForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A silence as it was filled in."""

    place: Word = ""
    kind: Word = ""
    seconds: Word = "3600"
    reason: Note = ""


class SilencesQuery(msgspec.Struct, frozen=True):
    """What the form is to be filled in with."""

    place: Word = ""


class Line(msgspec.Struct, frozen=True):
    """An alert as lists show it."""

    shown: Shown
    title: str
    more: str


_NOTE, _RULE, _WHICH, _SILENCE = FormBody(NoteForm), FormBody(RuleForm), FormBody(WhichForm), FormBody(SilenceForm)


def lines_of(found: list[Shown]) -> list[Line]:
    """Return alerts in words."""
    return [Line(one, title_of(one.row), particulars_of(one.row)) for one in found]


async def alerts(call: Call) -> Answer:
    """Show alerts; or the next page of them."""
    query = call.query(AlertsQuery)
    shown = await _list(call, query)
    if query.cursor is not None:
        return render(call, "hub/_alert_rows.html", **shown)
    sites = [("", "any"), *((site, site) for site in await hub(call).alerts.sites(call.caller))]
    if query.site and query.site not in dict(sites):
        sites.append((query.site, query.site))
    return render(call, "hub/alerts.html", sites=sites, kinds=_kinds("any"), **shown)


async def alerts_now(call: Call) -> Answer:
    """Answer the list as it is now."""
    return render(call, "hub/_alerts.html", **await _list(call, call.query(AlertsQuery)))


async def alert(call: Call) -> Answer:
    """Show one alert and its way."""
    return render(call, "hub/alert.html", **await _alert(call))


async def alert_now(call: Call) -> Answer:
    """Answer how it stands now."""
    return render(call, "hub/_alert.html", **await _alert(call))


async def acknowledge(call: Call) -> Answer:
    """Say that somebody looks after it; one that has ended meanwhile is shown as it ended."""
    form = await call.form(_NOTE)
    errors: Mapping[str, str] = {}
    try:
        await hub(call).alerts.acknowledge(call.caller, id_of(call.path("alert"), "alert"), form.note)
    except InvalidRequest as refused:
        errors = errors_by_field(refused)
    except Conflict:
        pass
    shown = await _alert(call) | ({"form": form, "errors": errors} if errors else {})
    return render(call, "hub/_alert.html", status=422 if errors else 200, **shown)


async def box_alerts(call: Call) -> Answer:
    """Answer the alerts of one box: those that stand, and the latest that are over."""
    which = call.path("site"), call.path("box")
    row = await hub(call).fleet.get(call.caller, *which)
    stand = await hub(call).alerts.listed(call.caller, Wanted(active=True, box_id=row.id), limit=20)
    over = await hub(call).alerts.listed(call.caller, Wanted(state="ended", box_id=row.id), limit=5)
    found = lines_of([*stand.items, *over.items])
    return render(call, "hub/_box_alerts.html", row=row, alerts=found, more_at="", tones=TONES)


async def rules(call: Call) -> Answer:
    """Show the rules, and the form for another."""
    form = _RULE_FORM
    return render(call, "hub/alert_rules.html", form=form, errors={}, **await _rules(call))


async def set_rule(call: Call) -> Answer:
    """Set a rule; what is wrong is shown with the form."""
    form = await call.form(_RULE)
    try:
        await hub(call).alerts.set_rule(call.caller, _rule(form))
    except (InvalidRequest, Conflict) as refused:
        errors = _errors(refused, "place", {})
        return render(call, "hub/_rule_form.html", status=422, form=form, errors=errors, kinds=_kinds())
    return goes_to(call, RULES)


async def reset_rule(call: Call) -> Answer:
    """Forget a rule that somebody has set."""
    form = await call.form(_WHICH)
    await hub(call).alerts.reset_rule(call.caller, form.kind, form.place)
    return goes_to(call, RULES)


async def silences(call: Call) -> Answer:
    """Show the silences, and the form for another."""
    form = SilenceForm(place=call.query(SilencesQuery).place)
    return render(call, "hub/alert_silences.html", form=form, errors={}, **await _silences(call))


async def silences_now(call: Call) -> Answer:
    """Answer the silences as they are now."""
    return render(call, "hub/_silences.html", **await _silences(call))


async def add_silence(call: Call) -> Answer:
    """Tell nobody for a while; what is wrong is shown with the form."""
    form = await call.form(_SILENCE)
    try:
        until = to_ms(hub(call).clock.now()) + 1000 * _whole(form.seconds, "/seconds")
        await hub(call).alerts.silence(
            call.caller, form.place.strip(), until=until, kind=form.kind, reason=form.reason
        )  # fmt: skip
    except (InvalidRequest, Conflict) as refused:
        errors = _errors(refused, "place", {"until": "seconds"})
        shown: dict[str, Any] = {"form": form, "errors": errors, "kinds": _kinds("every kind"), "lengths": LENGTHS}
        return render(call, "hub/_silence_form.html", status=422, **shown)
    return goes_to(call, SILENCES)


async def end_silence(call: Call) -> Answer:
    """End one now."""
    await hub(call).alerts.end_silence(call.caller, id_of(call.path("silence"), "silence"))
    return goes_to(call, SILENCES)


async def _list(call: Call, query: AlertsQuery) -> dict[str, Any]:
    wanted = wanted_of(query.known_state, query.kind, query.site)
    page = await hub(call).alerts.listed(call.caller, wanted, cursor=query.cursor, limit=_A_PAGE)
    return {
        "query": query,
        "alerts": lines_of(page.items),
        "summary": await hub(call).alerts.summary(call.caller),
        "sees": hub(call).watch.sees,
        "more_at": f"{ALERTS}?{query.given(cursor=page.cursor)}" if page.cursor else "",
        "again": f"{ALERTS}/now?{query.given()}",
        "states": STATES,
        "filtered": bool(query.kind or query.site),
        "tones": TONES,
    }


async def _alert(call: Call) -> dict[str, Any]:
    shown, steps = await hub(call).alerts.get(call.caller, id_of(call.path("alert"), "alert"))
    return {
        "alert": lines_of([shown])[0],
        "kind": KINDS.get(shown.row.kind),
        "way": steps,
        "form": NoteForm(shown.row.note if shown.row.state == "acknowledged" else ""),
        "errors": {},
        "tones": TONES,
    }


async def _rules(call: Call) -> dict[str, Any]:
    found = await hub(call).alerts.rules(call.caller)
    return {"rules": found, "about": KINDS, "kinds": _kinds(), "tones": TONES}


async def _silences(call: Call) -> dict[str, Any]:
    found = await hub(call).alerts.silences(call.caller)
    return {"silences": found, "about": KINDS, "kinds": _kinds("every kind"), "lengths": LENGTHS}


def _kinds(nothing: str | None = None) -> list[tuple[str, str]]:
    named = [(kind.name, f"{'hub' if kind.of_hub else 'box'} {kind.title}") for kind in KINDS.values()]
    return named if nothing is None else [("", nothing), *named]


def _filled(rule: Rule) -> RuleForm:
    return RuleForm(
        rule.kind,
        rule.place,
        "true" if rule.active else "false",
        rule.severity,
        str(rule.hold_s),
        str(rule.clear_s),
        str(rule.threshold) if rule.threshold else "",
    )


_RULE_FORM = _filled(default_rule(KINDS["box.offline"]))


def _rule(form: RuleForm) -> Rule:
    kind = KINDS.get(form.kind)
    if kind is None:
        raise InvalidRequest(FieldProblem("/kind", "must be one of the list"))
    try:
        severity = Severity(form.severity)
    except ValueError as error:
        raise InvalidRequest(FieldProblem("/severity", "must be one of the list")) from error
    return Rule(
        kind.name,
        form.place.strip() or EVERYWHERE,
        form.active == "true",
        severity,
        _whole(form.hold_s, "/hold_s") if form.hold_s.strip() else kind.hold_s,
        _whole(form.clear_s, "/clear_s") if form.clear_s.strip() else kind.clear_s,
        _whole(form.threshold, "/threshold") if form.threshold.strip() else kind.threshold,
    )


def _whole(text: str, pointer: str) -> int:
    text = text.strip()
    if not (text.isdecimal() and text.isascii() and len(text) <= 12):
        raise InvalidRequest(FieldProblem(pointer, f"{text[:20]!a} is no whole number"))
    return int(text)


def _errors(refused: InvalidRequest | Conflict, otherwise: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong by the form's field."""
    if isinstance(refused, Conflict):
        return {otherwise: str(refused)}
    return {names.get(name, name): words for name, words in errors_by_field(refused).items()}


PAGES = (
    Page("alerts", "GET", ALERTS, alerts, _READ),
    Page("alertsNow", "GET", f"{ALERTS}/now", alerts_now, _READ),
    Page("alert", "GET", _ONE, alert, _READ),
    Page("alertNow", "GET", f"{_ONE}/now", alert_now, _READ),
    Page("acknowledgeAlert", "POST", f"{_ONE}/acknowledge", acknowledge, _CHANGE),
    Page("boxAlerts", "GET", f"{ROOT}/boxes/{{site}}/{{box}}/alerts", box_alerts, _READ),
    Page("alertRules", "GET", RULES, rules, _READ),
    Page("setAlertRule", "POST", RULES, set_rule, _CHANGE),
    Page("resetAlertRule", "POST", f"{RULES}/reset", reset_rule, _CHANGE),
    Page("silences", "GET", SILENCES, silences, _READ),
    Page("silencesNow", "GET", f"{SILENCES}/now", silences_now, _READ),
    Page("addSilence", "POST", SILENCES, add_silence, _CHANGE),
    Page("endSilence", "POST", f"{SILENCES}/{{silence}}/end", end_silence, _CHANGE),
)
