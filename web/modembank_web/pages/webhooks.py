"""Webhooks: where events are told, how that goes, and trying it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import Forbidden, InvalidRequest
from modembank.eventlog import KINDS
from modembank.webhooks import NewWebhook, WebhookPatch
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_by_field, goes_to
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/webhooks"
_NEEDS = (Scope.WEBHOOKS,)
Text = Annotated[str, msgspec.Meta(max_length=4_000)]
WORDS = {"message": "messages", "optout": "opt-outs", "mailing": "mailings", "modem": "modems", "sim": "SIMs"}
WORDS |= {"box": "the box", "issue": "issues"}
AGAIN = ((3_600, "the last hour"), (86_400, "the last 24 hours"), (7 * 86_400, "the last seven days"))


class WebhookForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook as it was filled in."""

    url: Text = ""
    label: Text = ""
    events: list[str] = []
    all_users: Literal["true", ""] = ""
    allow_private: Literal["true", ""] = ""


class ActiveForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it is to tell."""

    active: Literal["true", "false"]


class ReplayForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far back."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400)]


_FORM, _ACTIVE, _REPLAY = FormBody(WebhookForm), FormBody(ActiveForm), FormBody(ReplayForm)


async def webhooks(call: Call) -> Answer:
    """Show the caller's webhooks, an admin all."""
    listed = await call.app.webhooks.list(call.caller)
    return render(call, "webhooks/page.html", webhooks=listed, **_blank(call))


async def add(call: Call) -> Answer:
    """Make one; its secret is shown this once."""
    form = await call.form(_FORM)
    wanted = NewWebhook(
        url=form.url.strip(),
        events=tuple(form.events),
        label=form.label.strip(),
        all_users=bool(form.all_users),
        allow_private=bool(form.allow_private),
    )
    try:
        made = await call.app.webhooks.create(call.caller, wanted)
    except (InvalidRequest, Forbidden) as error:
        shown = _blank(call) | {"form": form, "errors": _errors(error)}
        return render(call, "webhooks/_new.html", status=422, **shown)
    return render(call, "webhooks/_made.html", made=made)


async def webhook(call: Call) -> Answer:
    """Show one."""
    return render(call, "webhooks/webhook.html", **await _one(call))


async def webhook_now(call: Call) -> Answer:
    """Answer how it does."""
    return render(call, "webhooks/_state.html", **await _one(call))


async def change(call: Call) -> Answer:
    """Change where it leads and what it tells."""
    form = await call.form(_FORM)
    patch = WebhookPatch(url=form.url.strip(), events=tuple(form.events), label=form.label.strip())
    if call.caller.is_admin:
        patch = msgspec.structs.replace(patch, all_users=bool(form.all_users), allow_private=bool(form.allow_private))
    try:
        await call.app.webhooks.change(call.caller, call.path("id"), patch)
    except (InvalidRequest, Forbidden) as error:
        shown = await _one(call) | {"form": form, "errors": _errors(error)}
        return render(call, "webhooks/_form.html", status=422, **shown)
    return render(call, "webhooks/_form.html", **(await _one(call) | {"saved": True}))


async def set_active(call: Call) -> Answer:
    """Stop it or let it go on."""
    form = await call.form(_ACTIVE)
    await call.app.webhooks.change(call.caller, call.path("id"), WebhookPatch(active=form.active == "true"))
    return await webhook_now(call)


async def test(call: Call) -> Answer:
    """Post a test event and say what came back."""
    tried = await call.app.webhooks.test(call.caller, call.path("id"))
    return render(call, "webhooks/_tried.html", tried=tried)


async def rotate(call: Call) -> Answer:
    """Give it another secret and show that."""
    made = await call.app.webhooks.rotate(call.caller, call.path("id"))
    return render(call, "webhooks/_made.html", made=made)


async def replay(call: Call) -> Answer:
    """Tell again what was told before."""
    form = await call.form(_REPLAY)
    since = max(0, to_ms(call.app.clock.now()) - form.seconds * 1000)
    await call.app.webhooks.replay(call.caller, call.path("id"), since=since)
    return await webhook_now(call)


async def delete(call: Call) -> Answer:
    """Delete it."""
    await call.app.webhooks.delete(call.caller, call.path("id"))
    return goes_to(call, PATH)


def _blank(call: Call, events: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a form shows; patterns that were set elsewhere can be chosen, too, so that saving keeps them."""
    kinds = [kind for kind in KINDS if call.caller.is_admin or not kind.of_the_box]
    offered = {f"{kind.noun}.*": f"all about {WORDS.get(kind.noun, kind.noun)}" for kind in kinds}
    offered |= {kind.name: kind.when for kind in kinds}
    offered |= {pattern: "" for pattern in events if pattern not in offered and pattern != "*"}
    return {"form": WebhookForm(), "errors": {}, "offered": offered, "saved": False}


async def _one(call: Call) -> dict[str, Any]:
    found = await call.app.webhooks.get(call.caller, call.path("id"))
    form = WebhookForm(
        url=found.url,
        label=found.label,
        events=list(found.events),
        all_users="true" if found.all_users else "",
        allow_private="true" if found.allow_private else "",
    )
    return _blank(call, found.events) | {"webhook": found, "form": form, "again": AGAIN}


def _errors(refused: InvalidRequest | Forbidden) -> dict[str, str]:
    """Return what is wrong by field; an event's own number is of no use to who chose from a list."""
    if isinstance(refused, Forbidden):
        return {"events": str(refused)}
    return errors_by_field(refused)


PAGES = (
    Page("webhooks", "GET", PATH, webhooks, _NEEDS),
    Page("webhookAdd", "POST", PATH, add, _NEEDS),
    Page("webhook", "GET", f"{PATH}/{{id}}", webhook, _NEEDS),
    Page("webhookNow", "GET", f"{PATH}/{{id}}/now", webhook_now, _NEEDS),
    Page("webhookChange", "POST", f"{PATH}/{{id}}", change, _NEEDS),
    Page("webhookActive", "POST", f"{PATH}/{{id}}/active", set_active, _NEEDS),
    Page("webhookTest", "POST", f"{PATH}/{{id}}/test", test, _NEEDS),
    Page("webhookRotate", "POST", f"{PATH}/{{id}}/rotate", rotate, _NEEDS),
    Page("webhookReplay", "POST", f"{PATH}/{{id}}/replay", replay, _NEEDS),
    Page("webhookDelete", "POST", f"{PATH}/{{id}}/delete", delete, _NEEDS),
)
