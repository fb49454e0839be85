"""The hub's pages of configurations: how boxes stand, one box's document, groups, and roll-outs as they go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank_hub.rollouts import LIMIT_PERCENT, STEPS, WAIT_S, Progress
from modembank_hub.rows_of_config import GroupRow
from modembank_hub.software import MACHINES, TTL_S, Architecture, File, Release
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub.config_views import errors_of
from modembank_web.hub.software_words import Line, wrong_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, goes_to
from modembank_web.pages.rendering import render

CONFIG, ROLLOUTS = f"{ROOT}/config", f"{ROOT}/rollouts"
_OF_BOX = f"{ROOT}/boxes/{{site}}/{{box}}/config"
_GROUP = f"{CONFIG}/groups/{{group}}"
_ROLLOUT = f"{ROLLOUTS}/{{rollout}}"
_READ, _CHANGE = (Scope.MODEMS,), (Scope.ADMIN,)
_A_PAGE, _FEW = 50, 10
TONES = {
    "none": "", "waiting": "info", "pending": "info", "applied": "ok", "rejected": "bad", "rolled_back": "bad",
    "superseded": "", "failed": "bad", "expired": "warn", "unknown": "warn", "cancelled": "",
    "running": "info", "paused": "warn", "stopped": "bad", "done": "ok", "aborted": "",
}  # fmt: skip
"""Of how a box stands to its configuration, and how far a roll-out is."""
Word = Annotated[str, msgspec.Meta(max_length=120)]
Document = Annotated[str, msgspec.Meta(max_length=200_000)]


class ConfigQuery(msgspec.Struct, frozen=True):
    """Which boxes, and where the list goes on."""

    behind: bool = False
    cursor: Word | None = None


class ListQuery(msgspec.Struct, frozen=True):
    """Where a list goes on."""

    cursor: Word | None = None


class DocumentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A box's own document as it was filled in; ``version`` is the one that was looked at."""

    doc: Document = ""
    version: Word = ""


class GroupForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group as it was filled in; ``revision`` is the one that was looked at."""

    name: Word = ""
    pattern: Word = ""
    doc: Document = ""
    revision: Word = ""


class SoftwareRolloutForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version for a group, and how it shall go, as it was filled in."""

    version: Line = ""
    amd64_sha256: Line = ""
    amd64_url: Line = ""
    arm64_sha256: Line = ""
    arm64_url: Line = ""
    window: Line = ""
    force: bool = False
    steps: Word = ", ".join(map(str, STEPS))
    limit_percent: Word = str(LIMIT_PERCENT)
    wait_s: Word = str(TTL_S)

    def release(self) -> Release:
        """Return the version; raises InvalidRequest with what is wrong of each field."""
        files: dict[Architecture, File] = {}
        problems: list[FieldProblem] = []
        for machine in MACHINES:
            digest, url = getattr(self, f"{machine}_sha256").strip().lower(), getattr(self, f"{machine}_url").strip()
            found = wrong_of({"sha256": digest, "url": url}) if digest or url else {}
            problems += [FieldProblem(f"/{machine}_{name}", told) for name, told in found.items()]
            if digest and not found:
                files[machine] = File(digest, url)
        given = {"version": self.version.strip(), "window": self.window.strip()}
        problems += [FieldProblem(f"/{name}", told) for name, told in wrong_of(given).items()]
        if not files and not problems:
            problems.append(FieldProblem("/amd64_sha256", "one file at least is needed"))
        if problems:
            raise InvalidRequest(problems[0], *problems[1:])
        return Release(given["version"], files, given["window"], self.force)


class RolloutForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a roll-out shall go, as it was filled in."""

    steps: Word = ", ".join(map(str, STEPS))
    limit_percent: Word = str(LIMIT_PERCENT)
    wait_s: Word = str(WAIT_S)


_DOCUMENT, _GROUP_FORM, _ROLLOUT_FORM = FormBody(DocumentForm), FormBody(GroupForm), FormBody(RolloutForm)
_SOFTWARE_FORM = FormBody(SoftwareRolloutForm)


async def overview(call: Call) -> Answer:
    """Show groups, the latest roll-outs, and how boxes stand; or the next page of boxes."""
    query = call.query(ConfigQuery)
    shown = await _boxes(call, query)
    if query.cursor is not None:
        return render(call, "hub/_config_rows.html", **shown)
    return render(call, "hub/config.html", form=GroupForm(doc="{}"), errors={}, **shown, **await _groups(call))


async def overview_now(call: Call) -> Answer:
    """Answer how it is now."""
    shown = await _boxes(call, call.query(ConfigQuery))
    return render(call, "hub/_config.html", **shown, **await _groups(call))


async def box_config(call: Call) -> Answer:
    """Show what a box is to have and has, with its own document to edit."""
    shown = await _box(call)
    form = DocumentForm(_pretty(shown["own"]), str(shown["row"].ver or 0))
    return render(call, "hub/box_config.html", form=form, errors={}, **shown)


async def box_config_now(call: Call) -> Answer:
    """Answer how it stands now."""
    return render(call, "hub/_box_config.html", **await _box(call))


async def set_box_config(call: Call) -> Answer:
    """Give a box a document of its own; what is wrong is shown with the form."""
    form = await call.form(_DOCUMENT)
    which = call.path("site"), call.path("box")
    try:
        await hub(call).configs.set_own(call.caller, *which, _read(form.doc), _number(form.version))
    except (InvalidRequest, Conflict) as refused:
        shown = await _box(call)
        return render(call, "hub/_config_form.html", status=422, form=form, errors=_errors(refused, "doc"), **shown)
    return goes_to(call, f"{ROOT}/boxes/{which[0]}/{which[1]}/config")


async def make_group(call: Call) -> Answer:
    """Make a group; what is wrong is shown with the form."""
    form = await call.form(_GROUP_FORM)
    try:
        made = await hub(call).configs.set_group(call.caller, form.name, form.pattern.strip(), _read(form.doc), 0)
    except (InvalidRequest, Conflict) as refused:
        errors = _errors(refused, "name")
        return render(
            call, "hub/_group_form.html", status=422, form=form, errors=errors, group=None, at=f"{CONFIG}/groups"
        )
    return goes_to(call, _at(made.name))


async def group(call: Call) -> Answer:
    """Show a group with its boxes, its document to edit, and its roll-outs."""
    found, boxes = await hub(call).configs.group(call.caller, call.path("group"))
    form = GroupForm(found.name, found.pattern, _pretty(json.loads(found.doc)), str(found.revision))
    begun = await hub(call).rollouts.list(call.caller, group=found.name, limit=_FEW)
    return render(
        call, "hub/group.html", boxes=boxes, form=form, errors={}, how=RolloutForm(), how_errors={},
        software=SoftwareRolloutForm(), software_errors={},
        rollouts=begun.items, **_of_group(found),
    )  # fmt: skip


async def set_group(call: Call) -> Answer:
    """Change a group; what is wrong is shown with the form."""
    form = await call.form(_GROUP_FORM)
    found, _ = await hub(call).configs.group(call.caller, call.path("group"))
    try:
        document = _read(form.doc)
        await hub(call).configs.set_group(
            call.caller, found.name, form.pattern.strip(), document, _number(form.revision)
        )
    except (InvalidRequest, Conflict) as refused:
        errors = _errors(refused, "doc")
        return render(call, "hub/_group_form.html", status=422, form=form, errors=errors, **_of_group(found))
    return goes_to(call, _at(found.name))


async def delete_group(call: Call) -> Answer:
    """Forget a group."""
    await hub(call).configs.delete_group(call.caller, call.path("group"))
    return goes_to(call, CONFIG)


async def begin_rollout(call: Call) -> Answer:
    """Roll a group's document out; what is wrong is shown with the form, else its own page follows it."""
    form = await call.form(_ROLLOUT_FORM)
    found, _ = await hub(call).configs.group(call.caller, call.path("group"))
    try:
        steps = [_whole(part, "/steps") for part in form.steps.replace(",", " ").split()]
        begun = await hub(call).rollouts.begin(
            call.caller,
            found.name,
            steps=steps,
            limit_percent=_whole(form.limit_percent, "/limit_percent"),
            wait_s=_whole(form.wait_s, "/wait_s"),
        )
    except (InvalidRequest, Conflict) as refused:
        errors = _errors(refused, "steps")
        return render(call, "hub/_rollout_form.html", status=422, how=form, how_errors=errors, **_of_group(found))
    return goes_to(call, f"{ROLLOUTS}/{begun.row.id}")


async def roll_out_software(call: Call) -> Answer:
    """Roll a version out to a group; what is wrong is shown with the form, else its own page follows it."""
    form = await call.form(_SOFTWARE_FORM)
    found, _ = await hub(call).configs.group(call.caller, call.path("group"))
    try:
        begun = await hub(call).rollouts.begin_software(
            call.caller,
            found.name,
            form.release(),
            steps=[_whole(part, "/steps") for part in form.steps.replace(",", " ").split()],
            limit_percent=_whole(form.limit_percent, "/limit_percent"),
            wait_s=_whole(form.wait_s, "/wait_s"),
        )
    except (InvalidRequest, Conflict) as refused:
        shown = {"software": form, "software_errors": _errors(refused, "version"), **_of_group(found)}
        return render(call, "hub/_software_rollout.html", status=422, **shown)
    return goes_to(call, f"{ROLLOUTS}/{begun.row.id}")


async def rollout(call: Call) -> Answer:
    """Follow a roll-out."""
    return render(call, "hub/rollout.html", **_of_rollout(await hub(call).rollouts.get(call.caller, _id(call))))


async def rollout_now(call: Call) -> Answer:
    """Answer how far it is."""
    return render(call, "hub/_rollout.html", **_of_rollout(await hub(call).rollouts.get(call.caller, _id(call))))


async def pause(call: Call) -> Answer:
    """Pause it."""
    return render(call, "hub/_rollout.html", **_of_rollout(await hub(call).rollouts.pause(call.caller, _id(call))))


async def go_on(call: Call) -> Answer:
    """Continue it."""
    return render(call, "hub/_rollout.html", **_of_rollout(await hub(call).rollouts.go_on(call.caller, _id(call))))


async def abort(call: Call) -> Answer:
    """End it."""
    return render(call, "hub/_rollout.html", **_of_rollout(await hub(call).rollouts.abort(call.caller, _id(call))))


async def _boxes(call: Call, query: ConfigQuery) -> dict[str, Any]:
    page = await hub(call).configs.listed(call.caller, behind=query.behind, cursor=query.cursor, limit=_A_PAGE)
    given = {"behind": "true"} if query.behind else {}
    more = f"{CONFIG}?{urlencode(given | {'cursor': page.cursor})}" if page.cursor else ""
    again = f"{CONFIG}/now?{urlencode(given)}"
    items = [(row, errors_of(row.errors) if row.has_it else [], json.loads(row.local or "[]")) for row in page.items]
    return {"query": query, "items": items, "more_at": more, "again": again, "tones": TONES}


async def _groups(call: Call) -> dict[str, Any]:
    found, begun = await hub(call).configs.groups(call.caller), await hub(call).rollouts.list(call.caller, limit=_FEW)
    return {
        "groups": found, "rollouts": begun.items, "group": None, "at": f"{CONFIG}/groups",
        "possible": hub(call).configs.possible,
    }  # fmt: skip


async def _box(call: Call) -> dict[str, Any]:
    which = call.path("site"), call.path("box")
    row, own, of_group, wishes = await hub(call).configs.get(call.caller, *which)
    versions = await hub(call).configs.versions(call.caller, *which, limit=_FEW)
    return {
        "row": row,
        "own": own,
        "of_group": _pretty(of_group) if of_group else "",
        "versions": versions.items,
        "document": _pretty(json.loads(row.doc)) if row.doc else "",
        "problems": errors_of(row.errors) if row.has_it else [],
        "wishes": [(key, None if value is None else json.dumps(value)) for key, value in wishes.items()],
        "path": f"{ROOT}/boxes/{row.site}/{row.box}",
        "tones": TONES,
        "possible": hub(call).configs.possible,
    }


def _of_group(found: GroupRow) -> dict[str, Any]:
    return {"group": found, "at": _at(found.name), "tones": TONES}


def _of_rollout(found: Progress) -> dict[str, Any]:
    items = [(box, errors_of(box.errors)) for box in found.boxes]
    release = json.loads(found.row.software) if found.row.software else None
    return {"row": found.row, "counts": found.counts, "items": items, "release": release, "tones": TONES}


def _at(name: str) -> str:
    return f"{CONFIG}/groups/{name}"


def _id(call: Call) -> int:
    text = call.path("rollout")
    if not (text.isdecimal() and text.isascii() and len(text) <= 18):
        raise NotFound(what="roll-out", which=repr(text[:40]))
    return int(text)


def _pretty(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _read(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(FieldProblem("/doc", f"is no JSON: {str(error)[:120]}")) from error
    if not isinstance(document, dict):
        raise InvalidRequest(FieldProblem("/doc", 'must be a JSON object, such as {"profile": "lean"}'))
    return document


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 16 else None


def _whole(text: str, pointer: str) -> int:
    number = _number(text.strip())
    if number is None:
        raise InvalidRequest(FieldProblem(pointer, f"{text.strip()[:20]!a} is no whole number"))
    return number


def _errors(refused: InvalidRequest | Conflict, otherwise: str) -> dict[str, str]:
    """Return what was wrong by the form's field, all of one field together."""
    if isinstance(refused, Conflict):
        return {otherwise: str(refused)}
    found: dict[str, list[str]] = {}
    for one in refused.problems:
        name, _, below = one.pointer.lstrip("/").partition("/")
        found.setdefault(name, []).append(f"{below.replace('/', '.')}: {one.detail}" if below else one.detail)
    return {name: "; ".join(told) for name, told in found.items()}


PAGES = (
    Page("configs", "GET", CONFIG, overview, _READ),
    Page("configsNow", "GET", f"{CONFIG}/now", overview_now, _READ),
    Page("boxConfig", "GET", _OF_BOX, box_config, _READ),
    Page("boxConfigNow", "GET", f"{_OF_BOX}/now", box_config_now, _READ),
    Page("setBoxConfig", "POST", _OF_BOX, set_box_config, _CHANGE),
    Page("makeGroup", "POST", f"{CONFIG}/groups", make_group, _CHANGE),
    Page("group", "GET", _GROUP, group, _READ),
    Page("setGroup", "POST", _GROUP, set_group, _CHANGE),
    Page("deleteGroup", "POST", f"{_GROUP}/delete", delete_group, _CHANGE),
    Page("beginRollout", "POST", f"{_GROUP}/rollouts", begin_rollout, _CHANGE),
    Page("rollOutSoftware", "POST", f"{_GROUP}/software", roll_out_software, _CHANGE),
    Page("rollout", "GET", _ROLLOUT, rollout, _READ),
    Page("rolloutNow", "GET", f"{_ROLLOUT}/now", rollout_now, _READ),
    Page("pauseRollout", "POST", f"{_ROLLOUT}/pause", pause, _CHANGE),
    Page("continueRollout", "POST", f"{_ROLLOUT}/continue", go_on, _CHANGE),
    Page("abortRollout", "POST", f"{_ROLLOUT}/abort", abort, _CHANGE),
)
