"""The hub's API of configurations: what boxes are to have, groups, and roll-outs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.errors import NotFound
from modembank_hub.rollouts import LIMIT_PERCENT, STEPS, WAIT_S
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.hub import config_examples as examples
from modembank_web.hub.api import BOXES, RowsQuery, Word, number_of
from modembank_web.hub.config_views import (
    ConfigDetail,
    ConfigVersionView,
    ConfigView,
    GroupDetail,
    GroupView,
    RolloutDetail,
    RolloutView,
    config_detail,
    config_version_view,
    config_view,
    group_detail,
    group_view,
    rollout_detail,
    rollout_view,
)
from modembank_web.hub.surface import hub
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

CONFIGS, GROUPS, ROLLOUTS = "/api/v1/configs", "/api/v1/config-groups", "/api/v1/rollouts"
_CONFIG = f"{BOXES}/{{site}}/{{box}}/config"
_WHICH = {"site": ("The box's site", "leeds"), "box": ("Its name there", "b1")}
_GROUP = {"name": ("The group's name", "cellars")}
_ROLLOUT = {"id": ("The roll-out's id", "7")}
_READ, _CHANGE = (Scope.MODEMS, Scope.ADMIN), (Scope.ADMIN,)
_TAG = "Configuration"


class ConfigsQuery(msgspec.Struct, frozen=True):
    """Which boxes to list."""

    behind: bool = False
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class ConfigsPage(msgspec.Struct, frozen=True):
    """A page of boxes by site and name."""

    items: Sequence[ConfigView]
    next: str | None


class ConfigVersionsPage(msgspec.Struct, frozen=True):
    """A page of what a box was to have, newest first."""

    items: Sequence[ConfigVersionView]
    next: str | None


class OwnDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A box's own document, over its group's; ``version`` is the one that was looked at: another by now is a 409."""

    doc: dict[str, Any]
    version: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class GroupDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group's pattern and document; ``revision`` is the one that was looked at: another by now is a 409."""

    pattern: Annotated[str, msgspec.Meta(max_length=120)]
    doc: dict[str, Any]
    revision: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class GroupsList(msgspec.Struct, frozen=True):
    """All groups, by name."""

    items: Sequence[GroupView]


class NewRollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to go about it: up to which share of the boxes each step goes, and from which share of failures it stops."""

    steps: Annotated[list[int], msgspec.Meta(max_length=10)] = msgspec.field(default_factory=lambda: list(STEPS))
    limit_percent: int = LIMIT_PERCENT
    wait_s: int = WAIT_S
    """How long boxes of a step that say nothing hold up the next."""


class RolloutsQuery(msgspec.Struct, frozen=True):
    """Which roll-outs to list."""

    group: Word | None = None
    cursor: Word | None = None
    limit: Limit = DEFAULT_LIMIT


class RolloutsPage(msgspec.Struct, frozen=True):
    """A page of roll-outs, newest first."""

    items: Sequence[RolloutView]
    next: str | None


_OWN, _GROUPS, _BEGIN = JsonBody(OwnDocument), JsonBody(GroupDocument), JsonBody(NewRollout)


def rollout_id(call: Call) -> int:
    """Return the roll-out that the path names; raises NotFound."""
    text = call.path("id")
    if not (text.isdecimal() and text.isascii() and len(text) <= 18):
        raise NotFound(what="roll-out", which=repr(text[:40]))
    return int(text)


async def list_configs(call: Call) -> Answer:
    """Return a page of boxes."""
    query = call.query(ConfigsQuery)
    page = await hub(call).configs.listed(call.caller, behind=query.behind, cursor=query.cursor, limit=query.limit)
    items = [config_view(row) for row in page.items]
    return json_answer(ConfigsPage(items, next_address(CONFIGS, query, page.cursor)))


async def get_config(call: Call) -> Answer:
    """Return what one box is to have, and has."""
    return json_answer(config_detail(await hub(call).configs.get(call.caller, call.path("site"), call.path("box"))))


async def set_config(call: Call) -> Answer:
    """Give a box a document of its own."""
    which = call.path("site"), call.path("box")
    given = await call.json(_OWN)
    await hub(call).configs.set_own(call.caller, *which, given.doc, given.version)
    return json_answer(config_detail(await hub(call).configs.get(call.caller, *which)), 202)


async def list_versions(call: Call) -> Answer:
    """Return a page of what a box was to have."""
    query = call.query(RowsQuery)
    which = call.path("site"), call.path("box")
    page = await hub(call).configs.versions(call.caller, *which, cursor=number_of(query.cursor), limit=query.limit)
    address = next_address(f"{BOXES}/{which[0]}/{which[1]}/config/versions", query, page.cursor)
    return json_answer(ConfigVersionsPage([config_version_view(row) for row in page.items], address))


async def list_groups(call: Call) -> Answer:
    """Return all groups."""
    return json_answer(GroupsList([group_view(row) for row in await hub(call).configs.groups(call.caller)]))


async def get_group(call: Call) -> Answer:
    """Return one group."""
    return json_answer(group_detail(*await hub(call).configs.group(call.caller, call.path("name"))))


async def set_group(call: Call) -> Answer:
    """Make or change a group."""
    name, given = call.path("name"), await call.json(_GROUPS)
    await hub(call).configs.set_group(call.caller, name, given.pattern, given.doc, given.revision)
    return json_answer(group_detail(*await hub(call).configs.group(call.caller, name)))


async def delete_group(call: Call) -> Answer:
    """Forget a group."""
    await hub(call).configs.delete_group(call.caller, call.path("name"))
    return Answer(b"", 204)


async def begin_rollout(call: Call) -> Answer:
    """Begin a roll-out."""
    given = await call.json(_BEGIN)
    begun = await hub(call).rollouts.begin(
        call.caller, call.path("name"), steps=given.steps, limit_percent=given.limit_percent, wait_s=given.wait_s
    )
    location = (b"location", f"{ROLLOUTS}/{begun.row.id}".encode())
    return json_answer(rollout_detail(begun), 202, (location,))


async def list_rollouts(call: Call) -> Answer:
    """Return a page of roll-outs."""
    query = call.query(RolloutsQuery)
    page = await hub(call).rollouts.list(
        call.caller, group=query.group, cursor=number_of(query.cursor), limit=query.limit
    )
    items = [rollout_view(found) for found in page.items]
    return json_answer(RolloutsPage(items, next_address(ROLLOUTS, query, page.cursor)))


async def get_rollout(call: Call) -> Answer:
    """Return one roll-out."""
    return json_answer(rollout_detail(await hub(call).rollouts.get(call.caller, rollout_id(call))))


async def pause_rollout(call: Call) -> Answer:
    """Give it to no further box."""
    return json_answer(rollout_detail(await hub(call).rollouts.pause(call.caller, rollout_id(call))))


async def continue_rollout(call: Call) -> Answer:
    """Go on."""
    return json_answer(rollout_detail(await hub(call).rollouts.go_on(call.caller, rollout_id(call))))


async def abort_rollout(call: Call) -> Answer:
    """End it."""
    return json_answer(rollout_detail(await hub(call).rollouts.abort(call.caller, rollout_id(call))))


OPERATIONS = (
    Operation(
        id="listConfigs",
        method="GET",
        path=CONFIGS,
        tag=_TAG,
        summary="List how boxes stand to their configuration",
        description=(
            "By site and name. With `behind` those alone that are not as they are to be: they have said nothing of it, "
            "rejected it or rolled it back, or their site wants something otherwise."
        ),
        run=list_configs,
        needs=_READ,
        query=ConfigsQuery,
        replies=(Reply(200, "A page of boxes", ConfigsPage, {"items": [examples.CONFIG], "next": None}),),
    ),
    Operation(
        id="getConfig",
        method="GET",
        path=_CONFIG,
        tag=_TAG,
        summary="Look up what a box is to have, and has",
        description="What it is to have is its own document over that of the group that was rolled out to it last.",
        run=get_config,
        needs=_READ,
        parameters=_WHICH,
        replies=(Reply(200, "How it stands", ConfigDetail, examples.DETAIL),),
    ),
    Operation(
        id="setConfig",
        method="PUT",
        path=_CONFIG,
        tag=_TAG,
        summary="Give a box a document of its own",
        description=(
            "The whole document; it is checked, kept as a new version, and published until the box says that it has "
            "it. What is in it is the hub's, everything else is the site's. An empty one gives everything back."
        ),
        run=set_config,
        needs=_CHANGE,
        parameters=_WHICH,
        body=Body(OwnDocument, {"a limit of all SIMs": {"doc": examples.OWN}, "nothing": {"doc": {}, "version": 0}}),
        replies=(Reply(202, "It is kept", ConfigDetail, examples.DETAIL),),
        raises=("conflict",),
    ),
    Operation(
        id="listConfigVersions",
        method="GET",
        path=f"{_CONFIG}/versions",
        tag=_TAG,
        summary="List what a box was to have",
        description="Newest first, each with who, when and what became of it.",
        run=list_versions,
        needs=_READ,
        query=RowsQuery,
        parameters=_WHICH,
        replies=(Reply(200, "A page of versions", ConfigVersionsPage, {"items": [examples.VERSION], "next": None}),),
    ),
    Operation(
        id="listConfigGroups",
        method="GET",
        path=GROUPS,
        tag=_TAG,
        summary="List the groups",
        description="By name.",
        run=list_groups,
        needs=_READ,
        replies=(Reply(200, "The groups", GroupsList, {"items": [examples.GROUP]}),),
    ),
    Operation(
        id="getConfigGroup",
        method="GET",
        path=f"{GROUPS}/{{name}}",
        tag=_TAG,
        summary="Look up a group",
        description="With the boxes that belong to it now.",
        run=get_group,
        needs=_READ,
        parameters=_GROUP,
        replies=(Reply(200, "The group", GroupDetail, examples.GROUP_DETAIL),),
    ),
    Operation(
        id="setConfigGroup",
        method="PUT",
        path=f"{GROUPS}/{{name}}",
        tag=_TAG,
        summary="Make or change a group",
        description=(
            "The pattern is of `site/name`, such as `leeds/*`, or of the label, such as `label:*cellar*`. No box has "
            "the document before a roll-out brings it there."
        ),
        run=set_group,
        needs=_CHANGE,
        parameters=_GROUP,
        body=Body(GroupDocument, {"all of a site": {"pattern": "leeds/*", "doc": examples.OF_GROUP}}),
        replies=(Reply(200, "The group", GroupDetail, examples.GROUP_DETAIL),),
        raises=("conflict",),
    ),
    Operation(
        id="deleteConfigGroup",
        method="DELETE",
        path=f"{GROUPS}/{{name}}",
        tag=_TAG,
        summary="Forget a group",
        description="With its documents and roll-outs. What boxes are to have stays as it is until it is set anew.",
        run=delete_group,
        needs=_CHANGE,
        parameters=_GROUP,
        replies=(Reply(204, "It is gone", None, "", media="text/plain"),),
        raises=("conflict",),
    ),
    Operation(
        id="beginRollout",
        method="POST",
        path=f"{GROUPS}/{{name}}/rollouts",
        tag=_TAG,
        summary="Roll a group's document out",
        description=(
            "To the boxes that belong to it now, in steps; which go first is drawn. A step is over when all its boxes "
            "have answered, or when `wait_s` is over and one at least has taken it. It stops when `limit_percent` of "
            "those that were given it have rejected it or rolled it back."
        ),
        run=begin_rollout,
        needs=_CHANGE,
        parameters=_GROUP,
        body=Body(
            NewRollout,
            {"a tenth first": {}, "carefully": {"steps": [1, 10, 50, 100], "limit_percent": 5, "wait_s": 3600}},
        ),
        replies=(
            Reply(202, "It has begun", RolloutDetail, examples.ROLLOUT, headers={"Location": "Where it is followed"}),
        ),
        raises=("conflict",),
    ),
    Operation(
        id="listRollouts",
        method="GET",
        path=ROLLOUTS,
        tag=_TAG,
        summary="List the roll-outs",
        description="Newest first: of one group, or of all.",
        run=list_rollouts,
        needs=_READ,
        query=RolloutsQuery,
        replies=(Reply(200, "A page of roll-outs", RolloutsPage, {"items": [examples.ROLLOUT_ROW], "next": None}),),
    ),
    Operation(
        id="getRollout",
        method="GET",
        path=f"{ROLLOUTS}/{{id}}",
        tag=_TAG,
        summary="Follow a roll-out",
        description="With each of its boxes, and what is wrong where it failed.",
        run=get_rollout,
        needs=_READ,
        parameters=_ROLLOUT,
        replies=(Reply(200, "The roll-out", RolloutDetail, examples.ROLLOUT),),
    ),
    Operation(
        id="pauseRollout",
        method="POST",
        path=f"{ROLLOUTS}/{{id}}/pause",
        tag=_TAG,
        summary="Pause a roll-out",
        description="It is given to no further box until it is continued.",
        run=pause_rollout,
        needs=_CHANGE,
        parameters=_ROLLOUT,
        replies=(Reply(200, "Paused", RolloutDetail, examples.PAUSED),),
        raises=("conflict",),
    ),
    Operation(
        id="continueRollout",
        method="POST",
        path=f"{ROLLOUTS}/{{id}}/continue",
        tag=_TAG,
        summary="Continue a roll-out",
        description="One that was paused, or has stopped by itself: boxes that had failed count no more against it.",
        run=continue_rollout,
        needs=_CHANGE,
        parameters=_ROLLOUT,
        replies=(Reply(200, "It goes on", RolloutDetail, examples.ROLLOUT),),
        raises=("conflict",),
    ),
    Operation(
        id="abortRollout",
        method="POST",
        path=f"{ROLLOUTS}/{{id}}/abort",
        tag=_TAG,
        summary="End a roll-out",
        description="Boxes that have it keep it; roll out an older document to have that again.",
        run=abort_rollout,
        needs=_CHANGE,
        parameters=_ROLLOUT,
        replies=(Reply(200, "Ended", RolloutDetail, examples.ABORTED),),
        raises=("conflict",),
    ),
)
