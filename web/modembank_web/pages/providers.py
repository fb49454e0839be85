"""Providers: who takes messages beside the modems, how each does, and what is set of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from modembank.accounts import QuotaExceeded, Scope
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.messages import AllProvidersDisabled, ProviderDisabled
from modembank.providers import Change, Draft, KindView, ProviderView, Sharing, kind_view, kind_views
from modembank_web.answer import Answer
from modembank_web.api.v1.providers import TEST_TEXT, submit_test
from modembank_web.forms import FORM_LIMIT, FormBody, check_form_media, form_pairs
from modembank_web.operation import Call
from modembank_web.pages.bank import Meter
from modembank_web.pages.page import ROOT, Page, errors_by_field, goes_to
from modembank_web.pages.provider_fields import (
    SettingField,
    errors_of,
    read_fields,
    setting_fields,
    sharing_fields,
    values_of,
)
from modembank_web.pages.rendering import render
from modembank_web.reading import read_body

PATH = f"{ROOT}/providers"
_NEEDS = (Scope.ADMIN,)
TABS = ((PATH, "Providers"), (f"{ROOT}/routing", "Routing"))
TONES = {"ready": ("ready", "ok"), "not_ready": ("not ready", "bad"), "disabled": ("disabled", "")}
_WINDOWS = {
    "per_minute": "This minute",
    "per_hour": "This hour",
    "per_day": "In 24 hours",
    "per_month": "In 31 days",
}


class DisableForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is given nothing more."""

    why: Annotated[str, msgspec.Meta(max_length=200)] = ""


class TestForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test message."""

    __test__ = False
    to: Annotated[str, msgspec.Meta(max_length=300)] = ""
    text: Annotated[str, msgspec.Meta(max_length=20_000)] = TEST_TEXT


_DISABLE, _TEST = FormBody(DisableForm), FormBody(TestForm)


async def providers(call: Call) -> Answer:
    """Show all, the bank first."""
    return render(call, "providers/page.html", **_all(call))


async def providers_now(call: Call) -> Answer:
    """Answer the list alone."""
    return render(call, "providers/_list.html", **_all(call))


async def choose(call: Call) -> Answer:
    """Show the kinds."""
    return render(call, "providers/new.html", kinds=await asyncio.to_thread(kind_views))


async def new(call: Call) -> Answer:
    """Show the form of one kind."""
    kind = await _kind(call.path("kind"))
    return render(call, "providers/add.html", **_form(kind, {}, Sharing()), name="", errors={}, saved=False)


async def add(call: Call) -> Answer:
    """Make one."""
    kind, given = await _kind(call.path("kind")), await _given(call)
    name = given.get("name", "").strip()
    fields = _fields(kind)
    try:
        settings, sharing = read_fields(fields, given)
        await call.app.providers.add(call.caller, Draft(name, kind.name, settings, sharing))
    except (InvalidRequest, Conflict) as error:
        errors = {"name": str(error)} if isinstance(error, Conflict) else errors_of(error, fields)
        shown = _form(kind, {}, Sharing()) | {"values": given, "errors": errors, "name": name, "saved": False}
        return render(call, "providers/_new.html", status=422, **shown)
    return goes_to(call, f"{PATH}/{name}")


async def provider(call: Call) -> Answer:
    """Show one."""
    view = call.app.providers.show(call.caller, call.path("name"))
    return render(call, "providers/provider.html", **await _one(view))


async def provider_now(call: Call) -> Answer:
    """Answer how it does."""
    view = call.app.providers.show(call.caller, call.path("name"))
    return render(call, "providers/_state.html", **_state(view))


async def change(call: Call) -> Answer:
    """Change what is set of it."""
    name, given = call.path("name"), await _given(call)
    shown = await _one(call.app.providers.show(call.caller, name))
    try:
        settings, sharing = read_fields(shown["fields"], given)
        await call.app.providers.change(call.caller, name, Change(settings, sharing))
    except InvalidRequest as error:
        shown |= {"values": given, "errors": errors_of(error, shown["fields"])}
        return render(call, "providers/_form.html", status=422, **shown)
    shown = await _one(call.app.providers.show(call.caller, name))
    return render(call, "providers/_form.html", **(shown | {"saved": True}))


async def enable(call: Call) -> Answer:
    """Let it be used again."""
    await call.app.providers.enable(call.caller, call.path("name"))
    return await provider_now(call)


async def disable(call: Call) -> Answer:
    """Give it nothing more."""
    form = await call.form(_DISABLE)
    await call.app.providers.disable(call.caller, call.path("name"), form.why.strip())
    return await provider_now(call)


async def test(call: Call) -> Answer:
    """Send a message through it alone, and lead to where it can be followed."""
    form, name = await call.form(_TEST), call.path("name")
    sent, errors, problem = None, {}, ""
    if not form.to.strip():
        errors = {"to": "is needed: whom is it for?"}
    else:
        try:
            sent = await submit_test(call, name, form.to.strip(), form.text)
        except InvalidRequest as error:
            errors = errors_by_field(error)
        except (ProviderDisabled, AllProvidersDisabled, QuotaExceeded) as error:
            problem = str(error)
    shown: dict[str, Any] = {"form": form, "errors": errors, "problem": problem, "sent": sent}
    shown["view"] = call.app.providers.show(call.caller, name)
    return render(call, "providers/_test.html", status=200 if sent else 422, **shown)


async def remove(call: Call) -> Answer:
    """Remove it."""
    await call.app.providers.remove(call.caller, call.path("name"))
    return goes_to(call, PATH)


def _all(call: Call) -> dict[str, Any]:
    able = len(call.app.foresight.able_sims())
    return {
        "providers": call.app.providers.shown(call.caller),
        "able": able,
        "sims": len(call.app.sims.all()),
        "tones": TONES,
        "tabs_of": TABS,
        "used": _used,
    }


async def _one(view: ProviderView) -> dict[str, Any]:
    shown: dict[str, Any] = {"values": {}, "fields": (), "kind": KindView(view.kind, "", {})}
    try:
        shown = _form(await _kind(view.kind), view.settings, view.sharing)
    except NotFound:  # its kind is no more: what is set of it is shown, and cannot be changed
        shown["errors"] = {"": f"this release knows no kind {view.kind}"}
    return {"errors": {}, "saved": False, "problem": "", "sent": None, "form": TestForm()} | shown | _state(view)


def _state(view: ProviderView) -> dict[str, Any]:
    return {"view": view, "tones": TONES, "meters": _used(view)}


def _used(view: ProviderView) -> Sequence[Meter]:
    """Return the limits that it has, the short windows first."""
    limits = view.sharing.limits
    caps = {name: getattr(limits, name) for name in _WINDOWS}
    return [Meter(_WINDOWS[name], view.used.get(name, 0), cap) for name, cap in caps.items() if cap]


def _form(kind: KindView, settings: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    fields = _fields(kind)
    return {"kind": kind, "fields": fields, "values": values_of(fields, settings, sharing)}


def _fields(kind: KindView) -> tuple[SettingField, ...]:
    return (*setting_fields(kind.settings), *sharing_fields())


async def _kind(name: str) -> KindView:
    """Return a kind, whose module is imported when it is the first of it; raises NotFound."""
    try:
        return await asyncio.to_thread(kind_view, name)
    except InvalidRequest as error:
        raise NotFound(what="kind of provider", which=ascii(name[:40])) from error


async def _given(call: Call) -> dict[str, str]:
    """Return a form whose fields depend on the kind; of a name that comes twice the last counts."""
    check_form_media(call.headers)
    return dict(form_pairs(await read_body(call.receive, call.headers, FORM_LIMIT)))


PAGES = (
    Page("providers", "GET", PATH, providers, _NEEDS),
    Page("providersNow", "GET", f"{PATH}/_now", providers_now, _NEEDS),
    Page("providerChoose", "GET", f"{PATH}/_new", choose, _NEEDS),
    Page("providerNew", "GET", f"{PATH}/_new/{{kind}}", new, _NEEDS),
    Page("providerAdd", "POST", f"{PATH}/_new/{{kind}}", add, _NEEDS),
    Page("provider", "GET", f"{PATH}/{{name}}", provider, _NEEDS),
    Page("providerNow", "GET", f"{PATH}/{{name}}/now", provider_now, _NEEDS),
    Page("providerChange", "POST", f"{PATH}/{{name}}", change, _NEEDS),
    Page("providerEnable", "POST", f"{PATH}/{{name}}/enable", enable, _NEEDS),
    Page("providerDisable", "POST", f"{PATH}/{{name}}/disable", disable, _NEEDS),
    Page("providerTest", "POST", f"{PATH}/{{name}}/test", test, _NEEDS),
    Page("providerRemove", "POST", f"{PATH}/{{name}}/remove", remove, _NEEDS),
)
