"""The hub's API of boxes' software: install a version, stop that, go back."""

from __future__ import annotations

from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank_fleet.wire.commands import DAY
from modembank_hub.rollouts import LIMIT_PERCENT, STEPS
from modembank_hub.rows_of_commands import CommandRow
from modembank_hub.software import TTL_S, Release, Wanted
from modembank_web.answer import Answer, json_answer
from modembank_web.hub import config_examples, examples
from modembank_web.hub.api import BOXES, COMMANDS
from modembank_web.hub.config_api import GROUPS, ROLLOUTS
from modembank_web.hub.config_views import RolloutDetail, rollout_detail
from modembank_web.hub.surface import hub
from modembank_web.hub.views import CommandView, command_view
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

_SOFTWARE = f"{BOXES}/{{site}}/{{box}}/software"
_WHICH = {"site": ("The box's site", "leeds"), "box": ("Its name there", "b1")}
_COMMAND = {"id": ("The update's command", examples.COMMAND["id"])}
_CHANGE = (Scope.ADMIN,)
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ASKED = {"version": "1.3.0", "sha256": DIGEST, "url": "https://updates.example.com/modembank-1.3.0-amd64.raucb"}
AT_NIGHT = {"version": "1.3.0", "sha256": DIGEST, "window": "01:00-04:00"}
_GIVEN = examples.WAITING | {"verb": "sw.update", "ttl_s": DAY, "args": {"job": "job-5b1f7c0d2e3a4961", **ASKED}}
RELEASE = {"version": "1.3.0", "files": {"amd64": {"sha256": DIGEST, "url": ASKED["url"]}}}
_ROLLED_OUT = config_examples.ROLLOUT_ROW | {
    "revision": 0,
    "wait_s": TTL_S,
    "software": RELEASE | {"window": "", "force": False},
    "items": [
        {"box": "leeds/b2", "step": 1, "version": None, "outcome": "", "errors": [], "command": _GIVEN["id"]},
        {"box": "leeds/b1", "step": 2, "version": None, "outcome": "", "errors": [], "command": None},
    ],
}
_BACK = examples.WAITING | {"verb": "sw.rollback", "args": {}}
_STOP = examples.WAITING | {"verb": "sw.cancel", "args": {"job": "job-5b1f7c0d2e3a4961"}}


class NewSoftware(Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version to install, with its SHA-256; an empty ``url`` is the box's own source.

    ``window``: in which hours of the box's day it may restart (empty: those of its owner); ``force``: at once.
    """

    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=30 * DAY)] = DAY


class NewSoftwareRollout(Release, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version for the boxes of a group, with a file for each kind of machine; and how to go about it."""

    steps: Annotated[list[int], msgspec.Meta(max_length=10)] = msgspec.field(default_factory=lambda: list(STEPS))
    limit_percent: int = LIMIT_PERCENT
    wait_s: int = TTL_S
    """How long boxes of a step that have not ended with it hold up the next."""


_NEW, _ROLL_OUT = JsonBody(NewSoftware), JsonBody(NewSoftwareRollout)


async def install_software(call: Call) -> Answer:
    """Have a box install a version."""
    wanted = await call.json(_NEW)
    return _given(
        await hub(call).software.install(call.caller, call.path("site"), call.path("box"), wanted, wanted.ttl_s)
    )


async def roll_back_software(call: Call) -> Answer:
    """Have a box go back."""
    return _given(await hub(call).software.roll_back(call.caller, call.path("site"), call.path("box")))


async def stop_software(call: Call) -> Answer:
    """Have a box end an update."""
    return _given(await hub(call).software.stop(call.caller, call.path("id")))


async def roll_out_software(call: Call) -> Answer:
    """Begin a roll-out of a version."""
    given = await call.json(_ROLL_OUT)
    release = Release(given.version, given.files, given.window, given.force)
    begun = await hub(call).rollouts.begin_software(
        call.caller,
        call.path("name"),
        release,
        steps=given.steps,
        limit_percent=given.limit_percent,
        wait_s=given.wait_s,
    )
    return json_answer(rollout_detail(begun), 202, ((b"location", f"{ROLLOUTS}/{begun.row.id}".encode()),))


def _given(row: CommandRow) -> Answer:
    return json_answer(command_view(row), 202, ((b"location", f"{COMMANDS}/{row.id}".encode()),))


def _reply(example: dict[str, object]) -> tuple[Reply, ...]:
    return (Reply(202, "It is kept", CommandView, example, headers={"Location": "Where it is followed"}),)


OPERATIONS = (
    Operation(
        id="installSoftware",
        method="POST",
        path=_SOFTWARE,
        tag="Software",
        summary="Have a box install another version",
        description=(
            "Where the box is an appliance image. It fetches the bundle from a host that its owner named, judges it by"
            " its own signature, and restarts into it when it may. Follow the command: `running` with the phase in"
            " `data.ph`, `done` once the version was found good, `failed` with the reason, such as `rolled_back`."
        ),
        run=install_software,
        needs=_CHANGE,
        parameters=_WHICH,
        body=Body(
            NewSoftware,
            {
                "a file": ASKED,
                "the box's source, at night": AT_NIGHT,
            },
        ),
        replies=_reply(_GIVEN),
        raises=("conflict",),
    ),
    Operation(
        id="rollBackSoftware",
        method="POST",
        path=f"{_SOFTWARE}/rollback",
        tag="Software",
        summary="Have a box go back to the version before",
        description=(
            "To what its other slot holds, on trial, if that was well and reads the database; else it is `failed` with"
            " the reason."
        ),
        run=roll_back_software,
        needs=_CHANGE,
        parameters=_WHICH,
        replies=_reply(_BACK),
        raises=("conflict",),
    ),
    Operation(
        id="stopSoftware",
        method="POST",
        path=f"{COMMANDS}/{{id}}/stop",
        tag="Software",
        summary="Have a box end an update",
        description=(
            "While it is fetched: the update ends as `cancelled`. Later it is too late, which the answer of the"
            " command that this gives says. 409 where the command is no update, or has ended."
        ),
        run=stop_software,
        needs=_CHANGE,
        parameters=_COMMAND,
        replies=_reply(_STOP),
        raises=("conflict",),
    ),
    Operation(
        id="rollOutSoftware",
        method="POST",
        path=f"{GROUPS}/{{name}}/software",
        tag="Software",
        summary="Roll a version out to a group",
        description=(
            "To those boxes of the group that install updates and have a file for their machine, in steps as with a"
            " document; which go first is drawn. A step is over when all its boxes have ended with it, or when `wait_s`"
            " is over and one at least runs it. It stops when `limit_percent` of those that were given it have not."
        ),
        run=roll_out_software,
        needs=_CHANGE,
        parameters={"name": ("The group's name", "cellars")},
        body=Body(
            NewSoftwareRollout,
            {"a tenth first": RELEASE, "carefully": RELEASE | {"steps": [1, 10, 50, 100], "limit_percent": 5}},
        ),
        replies=(Reply(202, "It has begun", RolloutDetail, _ROLLED_OUT, headers={"Location": "Where it is followed"}),),
        raises=("conflict",),
    ),
)
