"""The appliance image that the box was started from: how it is, its update, restart and factory reset."""

from __future__ import annotations

from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank.appliance import MOST_DAYS, BoxView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import box_examples as examples
from modembank_web.bundles import OCTETS, take_bundle
from modembank_web.multipart_body import MEDIA
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/box"
_NEEDS = (Scope.ADMIN,)


class UpdateForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update bundle."""

    file: str


class ResetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A factory reset, which takes everything that is stored on the box with it."""

    box: Annotated[str, msgspec.Meta(max_length=200)]


class PostponeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the box does not restart by itself."""

    days: Annotated[int, msgspec.Meta(ge=0, le=MOST_DAYS)]


_RESET, _POSTPONE = JsonBody(ResetRequest), JsonBody(PostponeRequest)


async def get_box(call: Call) -> Answer:
    """Return how the image is."""
    return json_answer(await call.app.appliance.view(call.caller))


async def update_box(call: Call) -> Answer:
    """Take a bundle and have it installed."""
    await take_bundle(call)
    return await _asked(call)


async def restart_box(call: Call) -> Answer:
    """Have the whole box restarted."""
    await call.app.appliance.restart(call.caller)
    return await _asked(call)


async def postpone_box(call: Call) -> Answer:
    """Have the box not restart by itself for a while."""
    request = await call.json(_POSTPONE)
    await call.app.appliance.postpone(call.caller, request.days)
    return await _asked(call)


async def reset_box(call: Call) -> Answer:
    """Have everything that is stored on the box deleted."""
    request = await call.json(_RESET)
    await call.app.appliance.reset(call.caller, request.box)
    return await _asked(call)


async def _asked(call: Call) -> Answer:
    return json_answer(await call.app.appliance.view(call.caller), 202)


_REPLY = (Reply(202, "It is asked for", BoxView, examples.ASKED),)

OPERATIONS = (
    Operation(
        id="getBox",
        method="GET",
        path=PATH,
        tag="Box",
        summary="See how the appliance is",
        description=(
            "Version and slot of the image, the data partition, mistakes in `box.toml` with their lines, the "
            "certificate, and how the latest update goes or went. `update.state` is `checking`, `installing`, "
            "`installed` (a restart completes it), `trial`, `good`, `refused`, `failed` or `rolled_back`, with the "
            "`reason`. On a box that was not started from the image, `appliance` is false and the rest is empty."
        ),
        run=get_box,
        needs=_NEEDS,
        replies=(Reply(200, "The box", BoxView, examples.BOX),),
    ),
    Operation(
        id="updateBox",
        method="POST",
        path=f"{PATH}/update",
        tag="Box",
        summary="Install an update bundle",
        description=(
            "Takes a bundle (`.raucb`) of at most 1.5 GB as it is (`application/octet-stream`), or in a form. 202 is "
            "answered when it is on the disk; its signature and version are checked then, and it is written into the "
            "other slot while the box goes on: `GET /api/v1/box` tells how far that is, and why a bundle is refused. "
            "One at a time: 409 says who is at it since when. 507: there is no room for it, which is looked at first."
        ),
        run=update_box,
        needs=_NEEDS,
        body=Body(UpdateForm, examples.FORMS, MEDIA, also={OCTETS: "the octets of the bundle"}),
        replies=_REPLY,
        raises=("conflict",),
    ),
    Operation(
        id="restartBox",
        method="POST",
        path=f"{PATH}/restart",
        tag="Box",
        summary="Restart the box",
        description=(
            "The whole computer, in order: what is being sent is finished first, or unknown. It completes an update "
            "that is `installed`. 409 while a bundle is uploaded or written, and where the box was not started from "
            "the image."
        ),
        run=restart_box,
        needs=_NEEDS,
        replies=_REPLY,
        raises=("conflict",),
    ),
    Operation(
        id="postponeBox",
        method="POST",
        path=f"{PATH}/postpone",
        tag="Box",
        summary="Put off the restart into an update",
        description=(
            "Where the owner lets the box update itself, it restarts into an update that is `installed` in the hours "
            "named for that. Not for so many days: 0 lets it at any time. 409 where no update waits for a restart."
        ),
        run=postpone_box,
        needs=_NEEDS,
        body=Body(PostponeRequest, {"a week": {"days": 7}, "no longer": {"days": 0}}),
        replies=_REPLY,
        raises=("conflict",),
    ),
    Operation(
        id="resetBox",
        method="POST",
        path=f"{PATH}/factory-reset",
        tag="Box",
        summary="Reset the box to how it was delivered",
        description=(
            "Deletes every message, user, key, setting and backup on the box, and restarts it as on its first day. It"
            " cannot be undone. `box` must be the box's own name, as `GET /api/v1/box` has it."
        ),
        run=reset_box,
        needs=_NEEDS,
        body=Body(ResetRequest, {"this box": {"box": "modembank"}}),
        replies=_REPLY,
        raises=("conflict",),
    ),
)
