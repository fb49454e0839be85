"""The hub's API of channels: who is told of alerts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Scope
from modembank_hub.alerting.channels import ChannelPatch, NewChannel
from modembank_web.answer import Answer, json_answer
from modembank_web.hub import alert_examples as examples
from modembank_web.hub.alert_api import id_of
from modembank_web.hub.alert_views import (
    ChannelDetail,
    ChannelView,
    NewChannelView,
    channel_detail,
    channel_view,
    new_channel_view,
)
from modembank_web.hub.surface import hub
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

CHANNELS = "/api/v1/alert-channels"
_ONE = f"{CHANNELS}/{{id}}"
_NEEDS = (Scope.ADMIN,)
_WHICH = {"id": ("The channel's id", examples.CHANNEL["id"])}


class ChannelsList(msgspec.Struct, frozen=True):
    """All channels by name."""

    items: Sequence[ChannelView]


class ChannelTried(msgspec.Struct, frozen=True):
    """What came of a test; ``status`` is what a webhook answered."""

    ok: bool
    status: int | None
    error: str | None


_NEW, _PATCH = JsonBody(NewChannel), JsonBody(ChannelPatch)


def _id(call: Call) -> int:
    return id_of(call.path("id"), "channel")


async def list_channels(call: Call) -> Answer:
    """Return all channels."""
    return json_answer(ChannelsList([channel_view(one) for one in await hub(call).channels.listed(call.caller)]))


async def create_channel(call: Call) -> Answer:
    """Make one; its secret is shown this once."""
    made = await hub(call).channels.create(call.caller, await call.json(_NEW))
    location = (b"location", f"{CHANNELS}/{made.id}".encode())
    return json_answer(new_channel_view(made), 201, (location,))


async def get_channel(call: Call) -> Answer:
    """Return one with its latest letters."""
    return json_answer(channel_detail(*await hub(call).channels.get(call.caller, _id(call))))


async def change_channel(call: Call) -> Answer:
    """Change one."""
    patch = await call.json(_PATCH)
    return json_answer(channel_view(await hub(call).channels.change(call.caller, _id(call), patch)))


async def delete_channel(call: Call) -> Answer:
    """End one."""
    await hub(call).channels.delete(call.caller, _id(call))
    return Answer(b"", 204)


async def test_channel(call: Call) -> Answer:
    """Try one."""
    tried = await hub(call).channels.test(call.caller, _id(call))
    return json_answer(ChannelTried(tried.error is None, tried.status, tried.error))


async def rotate_channel(call: Call) -> Answer:
    """Give one another secret."""
    return json_answer(new_channel_view(await hub(call).channels.rotate(call.caller, _id(call))))


OPERATIONS = (
    Operation(
        id="listAlertChannels",
        method="GET",
        path=CHANNELS,
        tag="Alert channels",
        summary="List the channels",
        description="Who is told of alerts, by name.",
        run=list_channels,
        needs=_NEEDS,
        replies=(Reply(200, "All channels", ChannelsList, {"items": [examples.CHANNEL]}),),
    ),
    Operation(
        id="createAlertChannel",
        method="POST",
        path=CHANNELS,
        tag="Alert channels",
        summary="Make a channel",
        description=(
            "With `url` a webhook, signed as Standard Webhooks say (its secret is in this answer only); with "
            "`recipients` e-mail, by the server that the hub's configuration names. It is told what is open, and then "
            "what changes, gathered: an outage of a site is one letter."
        ),
        run=create_channel,
        needs=_NEEDS,
        body=Body(
            NewChannel,
            {
                "a webhook": {"name": "on call", "url": "https://pager.example.com/hook"},
                "e-mail": {"name": "duty", "recipients": ["duty@example.com"], "least": "critical"},
            },
        ),
        replies=(
            Reply(
                201,
                "The channel with its secret",
                NewChannelView,
                examples.NEW_CHANNEL,
                headers={"Location": "The channel's address"},
            ),
        ),
        raises=("conflict",),
    ),
    Operation(
        id="getAlertChannel",
        method="GET",
        path=_ONE,
        tag="Alert channels",
        summary="One channel and its latest letters",
        description="How it does, what it was told, and what waits to be tried again.",
        run=get_channel,
        needs=_NEEDS,
        parameters=_WHICH,
        replies=(Reply(200, "The channel", ChannelDetail, examples.CHANNEL_DETAIL),),
    ),
    Operation(
        id="changeAlertChannel",
        method="PATCH",
        path=_ONE,
        tag="Alert channels",
        summary="Change a channel",
        description=(
            "What is left out stays. `active: false` stops it and gives up what lies there; one that is active again "
            "is told what is open then."
        ),
        run=change_channel,
        needs=_NEEDS,
        parameters=_WHICH,
        body=Body(ChannelPatch, {"the worst alone": {"least": "critical"}, "stop": {"active": False}}),
        replies=(Reply(200, "The channel", ChannelView, examples.CHANNEL),),
    ),
    Operation(
        id="deleteAlertChannel",
        method="DELETE",
        path=_ONE,
        tag="Alert channels",
        summary="Delete a channel",
        description="What it has not been told, it will not be.",
        run=delete_channel,
        needs=_NEEDS,
        parameters=_WHICH,
        replies=(Reply(204, "It is gone", None, "", media="text/plain"),),
    ),
    Operation(
        id="testAlertChannel",
        method="POST",
        path=f"{_ONE}/test",
        tag="Alert channels",
        summary="Tell a channel that this is a test",
        description="Answers what came of it; nothing is tried again.",
        run=test_channel,
        needs=_NEEDS,
        parameters=_WHICH,
        replies=(Reply(200, "What came of it", ChannelTried, examples.TRIED),),
    ),
    Operation(
        id="rotateAlertChannelSecret",
        method="POST",
        path=f"{_ONE}/rotate",
        tag="Alert channels",
        summary="Give a webhook another secret",
        description="The one before signs too for a day.",
        run=rotate_channel,
        needs=_NEEDS,
        parameters=_WHICH,
        replies=(Reply(200, "The channel with its new secret", NewChannelView, examples.NEW_CHANNEL),),
        raises=("conflict",),
    ),
)
