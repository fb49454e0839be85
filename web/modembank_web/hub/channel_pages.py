"""The hub's pages of channels: who is told of alerts, how that goes, and trying it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET

from modembank.accounts import Scope
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank_hub.alerting.channels import ChannelPatch, NewChannel
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.alerting.places import EVERYWHERE
from modembank_hub.alerting.rows_of_channels import MAIL, Channel
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub.alert_api import id_of
from modembank_web.hub.alert_pages import CHANNELS, TONES
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import Page, errors_by_field, goes_to
from modembank_web.pages.rendering import render

_ONE = f"{CHANNELS}/{{channel}}"
_NEEDS = (Scope.ADMIN,)
LEAST = (("critical", "critical alone"), ("warning", "warnings too"), ("info", "everything"))
Text = Annotated[str, msgspec.Meta(max_length=8_000)]
Flag = Literal["true", ""]


class ChannelForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel as it was filled in."""

    name: Text = ""
    means: Literal["webhook", "mail"] = "webhook"
    url: Text = ""
    recipients: Text = ""
    least: Text = "warning"
    place: Text = EVERYWHERE
    ends: Flag = ""
    allow_private: Flag = ""


class ActiveForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it is to be told."""

    active: Literal["true", "false"]


_FORM, _ACTIVE = FormBody(ChannelForm), FormBody(ActiveForm)


async def channels(call: Call) -> Answer:
    """Show all channels, and the form for another."""
    listed = await hub(call).channels.listed(call.caller)
    return render(call, "hub/alert_channels.html", channels=listed, **_blank(call))


async def channels_now(call: Call) -> Answer:
    """Answer how they do."""
    listed = await hub(call).channels.listed(call.caller)
    return render(call, "hub/_channels.html", channels=listed, tones=TONES)


async def add(call: Call) -> Answer:
    """Make one; a webhook's secret is shown this once."""
    form = await call.form(_FORM)
    webhook = form.means != MAIL
    try:
        wanted = NewChannel(
            name=form.name.strip(),
            url=form.url.strip() if webhook else "",
            allow_private=webhook and bool(form.allow_private),
            recipients=() if webhook else _addresses(form.recipients),
            least=_least(form.least),
            place=form.place.strip() or EVERYWHERE,
            ends=bool(form.ends),
        )
        if webhook and not wanted.url:
            raise InvalidRequest(FieldProblem("/url", "must be an address such as https://example.com/hook"))
        made = await hub(call).channels.create(call.caller, wanted)
    except (InvalidRequest, Conflict) as refused:
        shown = _blank(call) | {"form": form, "errors": _errors(refused)}
        return render(call, "hub/_channel_new.html", status=422, **shown)
    if made.means == MAIL:
        return goes_to(call, f"{CHANNELS}/{made.id}")
    return render(call, "hub/_channel_made.html", made=made)


async def channel(call: Call) -> Answer:
    """Show one."""
    return render(call, "hub/alert_channel.html", **await _one(call))


async def channel_now(call: Call) -> Answer:
    """Answer how it does."""
    return render(call, "hub/_channel.html", **await _one(call))


async def change(call: Call) -> Answer:
    """Change whom it leads to and what it tells."""
    form = await call.form(_FORM)
    shown = await _one(call)
    webhook = shown["channel"].means != MAIL
    try:
        patch = ChannelPatch(
            name=form.name.strip(),
            url=form.url.strip() if webhook else UNSET,
            allow_private=bool(form.allow_private) if webhook else UNSET,
            recipients=UNSET if webhook else _addresses(form.recipients),
            least=_least(form.least),
            place=form.place.strip() or EVERYWHERE,
            ends=bool(form.ends),
        )
        await hub(call).channels.change(call.caller, _id(call), patch)
    except (InvalidRequest, Conflict) as refused:
        return render(
            call, "hub/_channel_form.html", status=422, **(shown | {"form": form, "errors": _errors(refused)})
        )  # fmt: skip
    return render(call, "hub/_channel_form.html", **(await _one(call) | {"saved": True}))


async def set_active(call: Call) -> Answer:
    """Stop it or let it go on."""
    form = await call.form(_ACTIVE)
    await hub(call).channels.change(call.caller, _id(call), ChannelPatch(active=form.active == "true"))
    return await channel_now(call)


async def test(call: Call) -> Answer:
    """Try it, and say what came of that."""
    tried = await hub(call).channels.test(call.caller, _id(call))
    return render(call, "hub/_channel_tried.html", tried=tried)


async def rotate(call: Call) -> Answer:
    """Give it another secret and show that."""
    return render(call, "hub/_channel_made.html", made=await hub(call).channels.rotate(call.caller, _id(call)))


async def delete(call: Call) -> Answer:
    """Delete it."""
    await hub(call).channels.delete(call.caller, _id(call))
    return goes_to(call, CHANNELS)


def _id(call: Call) -> int:
    return id_of(call.path("channel"), "channel")


def _blank(call: Call) -> dict[str, Any]:
    form = ChannelForm(ends="true")
    return {
        "form": form, "errors": {}, "mails": hub(call).channels.mails, "least": LEAST, "tones": TONES, "saved": False,
        "fixed": False,
    }  # fmt: skip


async def _one(call: Call) -> dict[str, Any]:
    found, letters = await hub(call).channels.get(call.caller, _id(call))
    shown = {"channel": found, "letters": letters, "form": _filled(found), "fixed": True}
    return _blank(call) | shown


def _filled(found: Channel) -> ChannelForm:
    return ChannelForm(
        name=found.name,
        means="mail" if found.means == MAIL else "webhook",
        url=found.url,
        recipients="\n".join(found.recipients),
        least=found.least,
        place=found.place,
        ends="true" if found.ends else "",
        allow_private="true" if found.allow_private else "",
    )


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


def _least(text: str) -> Severity:
    try:
        return Severity(text)
    except ValueError as error:
        raise InvalidRequest(FieldProblem("/least", "must be one of the list")) from error


def _errors(refused: InvalidRequest | Conflict) -> dict[str, str]:
    return {"name": str(refused)} if isinstance(refused, Conflict) else errors_by_field(refused)


PAGES = (
    Page("channels", "GET", CHANNELS, channels, _NEEDS),
    Page("channelsNow", "GET", f"{CHANNELS}/now", channels_now, _NEEDS),
    Page("addChannel", "POST", CHANNELS, add, _NEEDS),
    Page("channel", "GET", _ONE, channel, _NEEDS),
    Page("channelNow", "GET", f"{_ONE}/now", channel_now, _NEEDS),
    Page("changeChannel", "POST", _ONE, change, _NEEDS),
    Page("channelActive", "POST", f"{_ONE}/active", set_active, _NEEDS),
    Page("testChannel", "POST", f"{_ONE}/test", test, _NEEDS),
    Page("rotateChannel", "POST", f"{_ONE}/rotate", rotate, _NEEDS),
    Page("deleteChannel", "POST", f"{_ONE}/delete", delete, _NEEDS),
)
