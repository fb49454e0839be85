"""The hub's API of boxes' software: install a version, stop that, go back."""

from __future__ import annotations

from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank_fleet.wire.commands import DAY
from modembank_hub.rows_of_commands import CommandRow
from modembank_hub.software import Wanted
from modembank_web.answer import Answer, json_answer
from modembank_web.hub import examples
from modembank_web.hub.api import BOXES, COMMANDS
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
_BACK = examples.WAITING | {"verb": "sw.rollback", "args": {}}
_STOP = examples.WAITING | {"verb": "sw.cancel", "args": {"job": "job-5b1f7c0d2e3a4961"}}


class NewSoftware(Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version to install, with its SHA-256; an empty ``url`` is the box's own source.

    ``window``: in which hours of the box's day it may restart (empty: those of its owner); ``force``: at once.
    """

    ttl_s: Annotated[int, msgspec.Meta(ge=1, le=30 * DAY)] = DAY


_NEW = JsonBody(NewSoftware)


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
)
