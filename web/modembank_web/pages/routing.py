"""Routing: the ordered rules that say which providers take which messages, and trying them."""

from __future__ import annotations

import hashlib
from datetime import datetime, time
from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.providers import BANK, Channel, Rule
from modembank_web.answer import Answer
from modembank_web.api.v1.routing_rules import RoutePreviewRequest, foreseen, set_rules
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_by_field, goes_to
from modembank_web.pages.providers import TABS
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/routing"
_NEEDS = (Scope.ADMIN,)
Line = Annotated[str, msgspec.Meta(max_length=2_000)]
CHANNELS = (("sms", "sms"), ("email", "email"), ("whatsapp", "whatsapp"))
PRIORITIES = tuple((str(each), str(each)) for each in range(10))
_STALE = "somebody else changed the rules meanwhile: load the page again"


class RuleForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it was filled in; lists are separated by commas."""

    providers: Line = ""
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    prefixes: Line = ""
    domains: Line = ""
    operators: Line = ""
    users: Line = ""
    priority_from: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    priority_to: Annotated[int, msgspec.Meta(ge=0, le=9)] = 9
    hours: Annotated[str, msgspec.Meta(max_length=20)] = ""
    mark: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of the rules that were shown."""


class MarkForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules were shown."""

    mark: Annotated[str, msgspec.Meta(max_length=64)] = ""


class TryForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that rules are tried with."""

    to: Annotated[str, msgspec.Meta(max_length=300)] = ""
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    user: Annotated[str, msgspec.Meta(max_length=200)] = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5
    at: Annotated[str, msgspec.Meta(max_length=5)] = ""
    """``HH:MM`` in the box's time; empty: now."""


_RULE, _MARK, _TRY = FormBody(RuleForm), FormBody(MarkForm), FormBody(TryForm)


async def routing(call: Call) -> Answer:
    """Show the rules."""
    return render(call, "routing/page.html", **_all(call), **_untried())


async def add(call: Call) -> Answer:
    """Put a rule behind the others."""
    form = await call.form(_RULE)
    return await _save(call, form, None)


async def change(call: Call) -> Answer:
    """Change a rule where it stands."""
    form = await call.form(_RULE)
    return await _save(call, form, _place(call))


async def edit(call: Call) -> Answer:
    """Show the form of one rule."""
    place = _place(call)
    form = _form_of(call.app.providers.rules[place])
    return render(call, "routing/edit.html", **(_all(call) | {"form": form, "place": place}))


async def up(call: Call) -> Answer:
    """Put a rule before the one before it."""
    place = _place(call)
    rules = list(call.app.providers.rules)
    if place:
        rules[place - 1], rules[place] = rules[place], rules[place - 1]
    return await _put(call, rules)


async def down(call: Call) -> Answer:
    """Put a rule behind the one behind it."""
    place = _place(call)
    rules = list(call.app.providers.rules)
    if place + 1 < len(rules):
        rules[place + 1], rules[place] = rules[place], rules[place + 1]
    return await _put(call, rules)


async def remove(call: Call) -> Answer:
    """Take a rule away."""
    place = _place(call)
    return await _put(call, [each for at, each in enumerate(call.app.providers.rules) if at != place])


async def preview(call: Call) -> Answer:
    """Tell who would take a message."""
    form = await call.form(_TRY)
    found, errors = None, {}
    try:
        at = _moment(form.at)
        asked = RoutePreviewRequest(form.to.strip(), form.channel, form.user.strip(), form.priority, at)
        found = foreseen(call, asked)
    except InvalidRequest as error:
        errors = errors_by_field(error)
    except ValueError:
        errors = {"at": "is a time of day such as 08:15"}
    shown = {"trial": form, "trial_errors": errors, "found": found, **_choices()}
    return render(call, "routing/_try.html", status=200 if found else 422, **shown)


async def _save(call: Call, form: RuleForm, place: int | None) -> Answer:
    _check_mark(call, form.mark)
    rules = list(call.app.providers.rules)
    at = len(rules) if place is None else place
    rules[at : at + 1] = [_rule_of(form)]
    try:
        await set_rules(call, rules)
    except InvalidRequest as error:
        shown = _all(call) | {"form": form, "errors": _errors_at(error, at), "place": place}
        return render(call, "routing/_form.html", status=422, **shown)
    return goes_to(call, PATH)


async def _put(call: Call, rules: list[Rule]) -> Answer:
    _check_mark(call, (await call.form(_MARK)).mark)
    await set_rules(call, rules)
    return render(call, "routing/_rules.html", **_all(call))


def _check_mark(call: Call, mark: str) -> None:
    if mark != _mark(call):
        raise Conflict(why=_STALE)


def _mark(call: Call) -> str:
    return hashlib.sha256(msgspec.json.encode(call.app.providers.rules)).hexdigest()[:16]


def _place(call: Call) -> int:
    """Return which rule the path names; raises NotFound."""
    text = call.path("place")
    if not text.isdecimal() or len(text) > 4 or int(text) >= len(call.app.providers.rules):
        raise NotFound(what="routing rule", which=ascii(text[:40]))
    return int(text)


def _rule_of(form: RuleForm) -> Rule:
    return Rule(
        providers=_listed(form.providers),
        channel=Channel(form.channel),
        prefixes=tuple(each.replace(" ", "") for each in _listed(form.prefixes)),
        domains=tuple(each.lower().lstrip("@") for each in _listed(form.domains)),
        operators=_listed(form.operators),
        users=_listed(form.users),
        priority_from=form.priority_from,
        priority_to=form.priority_to,
        hours=form.hours.replace(" ", "").replace("–", "-"),
    )


def _form_of(rule: Rule) -> RuleForm:
    lists = {
        name: ", ".join(getattr(rule, name)) for name in ("providers", "prefixes", "domains", "operators", "users")
    }
    return RuleForm(
        channel=rule.channel.value,
        priority_from=rule.priority_from,
        priority_to=rule.priority_to,
        hours=rule.hours,
        **lists,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(piece.strip() for piece in text.replace("\n", ",").replace(";", ",").split(",") if piece.strip())


def _errors_at(refused: InvalidRequest, place: int) -> dict[str, str]:
    """Return what is wrong with the rule that is being written by field; what is wrong with others is said on top."""
    found: dict[str, list[str]] = {}
    for problem in refused.problems:
        parts = problem.pointer.split("/")[2:]
        mine = len(parts) > 1 and parts[0] == str(place)
        other = f"rule {int(parts[0]) + 1}: " if parts and parts[0].isdecimal() and not mine else ""
        found.setdefault(parts[1] if mine else "", []).append(other + problem.detail)
    return {name: "; ".join(words) for name, words in found.items()}


def _moment(text: str) -> datetime | None:
    """Return that time today, by the box's clock; raises ValueError."""
    if not text.strip():
        return None
    written, today = time.fromisoformat(text.strip()), datetime.now().astimezone()
    return today.replace(hour=written.hour, minute=written.minute, second=0, microsecond=0)


def _untried() -> dict[str, Any]:
    return {"trial": TryForm(), "trial_errors": {}, "found": None}


def _choices() -> dict[str, Any]:
    return {"channels": CHANNELS, "priorities": PRIORITIES}


def _all(call: Call) -> dict[str, Any]:
    known = [BANK, *(each.name for each in call.app.providers.all())]
    known += sorted({sim.label for sim in call.app.sims.all() if sim.label} - set(known))
    return {
        "rules": call.app.providers.rules,
        "mark": _mark(call),
        "known": known,
        "tabs_of": TABS,
        "form": RuleForm(),
        "errors": {},
        "place": None,
        **_choices(),
    }


PAGES = (
    Page("routing", "GET", PATH, routing, _NEEDS),
    Page("routingAdd", "POST", PATH, add, _NEEDS),
    Page("routingPreview", "POST", f"{PATH}/_try", preview, _NEEDS),
    Page("routingEdit", "GET", f"{PATH}/{{place}}", edit, _NEEDS),
    Page("routingChange", "POST", f"{PATH}/{{place}}", change, _NEEDS),
    Page("routingUp", "POST", f"{PATH}/{{place}}/up", up, _NEEDS),
    Page("routingDown", "POST", f"{PATH}/{{place}}/down", down, _NEEDS),
    Page("routingRemove", "POST", f"{PATH}/{{place}}/remove", remove, _NEEDS),
)
