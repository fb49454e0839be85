"""What the hub's API shows of configurations and roll-outs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modembank.clock import rfc3339
from modembank_hub.configs import OfBox
from modembank_hub.rollouts import Progress
from modembank_hub.rows_of_config import GroupRow, StandsRow, VersionRow
from modembank_hub.software import Release


class KeyErrorView(msgspec.Struct, frozen=True):
    """What is wrong with a key of a document, by the box's word."""

    path: str
    code: str
    detail: str


class ConfigView(msgspec.Struct, frozen=True):
    """How a box stands to what it is to have.

    ``state``: none (nothing of this hub), waiting (it has not said that it has it), pending, applied, rejected,
    rolled_back.
    """

    box: str
    state: str
    version: int
    """Which it is to have; 0: none."""
    reported_version: int
    in_force: int
    reported_at: str | None
    sent_at: str | None
    errors: Sequence[KeyErrorView]
    local: Sequence[str]
    """Keys of the hub that the site wants otherwise."""


class ConfigDetail(ConfigView, frozen=True):
    """The same with the documents: what it is to have is its own over its group's."""

    document: Mapping[str, Any]
    own: Mapping[str, Any]
    of_group: Mapping[str, Any]
    wishes: Mapping[str, Any]
    """What the site wants of the keys in ``local``; null: what its file says, or words that its privacy keeps there."""
    by: str
    at: str | None


class ConfigVersionView(msgspec.Struct, frozen=True):
    """What a box was to have from a moment on; ``ended`` is what became of it, empty while nobody knows."""

    version: int
    document: Mapping[str, Any]
    hash: str
    by: str
    at: str
    why: str
    ended: str
    ended_at: str | None


class GroupView(msgspec.Struct, frozen=True):
    """A group: its pattern, and its newest document with who wrote it and when."""

    name: str
    pattern: str
    revision: int
    document: Mapping[str, Any]
    by: str
    at: str


class GroupDetail(GroupView, frozen=True):
    """A group with its boxes of now."""

    boxes: Sequence[str]


class RolloutView(msgspec.Struct, frozen=True):
    """A roll-out: running, paused, stopped (by itself, and why), done or aborted; and how many boxes are how."""

    id: str
    group: str
    revision: int
    by: str
    at: str
    state: str
    why: str
    steps: Sequence[int]
    step: int
    """The one that it is at, from 1."""
    limit_percent: int
    wait_s: int
    boxes: int
    given: int
    applied: int
    failed: int
    silent: int
    ended_at: str | None
    software: Release | None
    """Which version it is of; null: it is of a document."""


class RolloutBoxView(msgspec.Struct, frozen=True):
    """A box of a roll-out; ``version``, or of software ``command``, is null before it was given."""

    box: str
    step: int
    version: int | None
    outcome: str
    errors: Sequence[KeyErrorView]
    command: str | None


class RolloutDetail(RolloutView, frozen=True):
    """A roll-out with its boxes."""

    items: Sequence[RolloutBoxView]


def config_view(row: StandsRow) -> ConfigView:
    """Return how a box stands."""
    return ConfigView(**_stands(row))


def config_detail(found: OfBox) -> ConfigDetail:
    """Return the same with its documents."""
    row = found.stands
    document = json.loads(row.doc) if row.doc else {}
    return ConfigDetail(
        **_stands(row),
        document=document,
        own=found.own,
        of_group=found.of_group,
        wishes=found.wishes,
        by=row.actor or "",
        at=_when(row.at),
    )


def config_version_view(row: VersionRow) -> ConfigVersionView:
    """Return what a box was to have."""
    return ConfigVersionView(
        *(row.ver, json.loads(row.doc), row.hash, row.actor, rfc3339(row.at), row.why, row.ended, _when(row.ended_at))
    )


def group_view(row: GroupRow) -> GroupView:
    """Return a group."""
    return GroupView(**_group(row))


def group_detail(row: GroupRow, boxes: Sequence[str]) -> GroupDetail:
    """Return a group with its boxes."""
    return GroupDetail(**_group(row), boxes=boxes)


def rollout_view(found: Progress) -> RolloutView:
    """Return a roll-out."""
    return RolloutView(**_rollout(found))


def rollout_detail(found: Progress) -> RolloutDetail:
    """Return a roll-out with its boxes."""
    items = [
        RolloutBoxView(box.name, box.step + 1, box.ver, box.outcome, errors_of(box.errors), box.command)
        for box in found.boxes
    ]
    return RolloutDetail(**_rollout(found), items=items)


def errors_of(text: str | None) -> list[KeyErrorView]:
    """Return what a box said is wrong."""
    return [KeyErrorView(one["path"], one["code"], one["detail"]) for one in json.loads(text or "[]")]


def _stands(row: StandsRow) -> dict[str, Any]:
    return {
        "box": row.name,
        "state": row.state,
        "version": row.ver or 0,
        "reported_version": row.told_ver or 0,
        "in_force": row.told_eff or 0,
        "reported_at": _when(row.told_at),
        "sent_at": _when(row.sent_at),
        "errors": errors_of(row.errors) if row.has_it else [],
        "local": json.loads(row.local or "[]"),
    }


def _group(row: GroupRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "pattern": row.pattern,
        "revision": row.revision,
        "document": json.loads(row.doc),
        "by": row.actor,
        "at": rfc3339(row.at),
    }


def _rollout(found: Progress) -> dict[str, Any]:
    row = found.row
    return {
        "id": str(row.id),
        "group": row.group,
        "revision": row.revision,
        "by": row.actor,
        "at": rfc3339(row.at),
        "state": row.state,
        "why": row.why,
        "steps": row.shares,
        "step": row.step + 1,
        "limit_percent": row.limit_percent,
        "wait_s": row.wait_s,
        "ended_at": _when(row.ended_at),
        "software": msgspec.json.decode(row.software, type=Release) if row.software else None,
        **found.counts._asdict(),
    }


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
