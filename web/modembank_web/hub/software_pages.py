"""What the hub's pages do with boxes' software: the form of an update, the way back, and stopping one."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank_hub.rows_of_boxes import BoxRow
from modembank_hub.software import ROLLBACK, UPDATE, Wanted
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub.software_words import SAYS, Line, wrong_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, goes_to
from modembank_web.pages.rendering import render

COMMANDS = f"{ROOT}/commands"
_SOFTWARE = f"{ROOT}/boxes/{{site}}/{{box}}/software"
_CHANGE = (Scope.ADMIN,)


class SoftwareForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update as it was filled in."""

    version: Line = ""
    sha256: Line = ""
    url: Line = ""
    window: Line = ""
    force: bool = False


_FORM = FormBody(SoftwareForm)


async def install(call: Call) -> Answer:
    """Have the box install a version; what is wrong is shown with the form, else the command's page follows it."""
    form = await call.form(_FORM)
    which = call.path("site"), call.path("box")
    row = await hub(call).fleet.get(call.caller, *which)
    try:
        given = await hub(call).software.install(call.caller, *which, wanted_of(form))
    except InvalidRequest as refused:
        errors = {one.pointer.lstrip("/"): one.detail for one in refused.problems}
    except Conflict as refused:
        errors = {"version": str(refused)}
    else:
        return goes_to(call, f"{COMMANDS}/{given.id}")
    return render(call, "hub/_software_form.html", status=422, **software_form(row, form, errors))


async def roll_back(call: Call) -> Answer:
    """Have the box go back."""
    given = await hub(call).software.roll_back(call.caller, call.path("site"), call.path("box"))
    return goes_to(call, f"{COMMANDS}/{given.id}")


async def stop(call: Call) -> Answer:
    """Have a box end an update; the page of the command for that follows it."""
    given = await hub(call).software.stop(call.caller, call.path("id"))
    return goes_to(call, f"{COMMANDS}/{given.id}")


def wanted_of(form: SoftwareForm) -> Wanted:
    """Return what was filled in; raises InvalidRequest with what is wrong of each field."""
    given: dict[str, Any] = {name: getattr(form, name).strip() for name in SAYS}
    given["sha256"] = given["sha256"].lower()
    problems = [FieldProblem(f"/{name}", told) for name, told in wrong_of(given).items()]
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])
    return Wanted(**given, force=form.force)


def software_form(
    row: BoxRow, form: SoftwareForm | None = None, errors: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return what the form and the way back need to be shown; nothing is, where the box carries out neither."""
    carried = set(json.loads(row.birth)["verbs"]) if row.birth else set()
    return {
        "updates": UPDATE in carried,
        "goes_back": ROLLBACK in carried,
        "software": form or SoftwareForm(),
        "software_errors": errors or {},
        "path": f"{ROOT}/boxes/{row.site}/{row.box}",
    }


PAGES = (
    Page("installSoftware", "POST", _SOFTWARE, install, _CHANGE),
    Page("rollBackSoftware", "POST", f"{_SOFTWARE}/rollback", roll_back, _CHANGE),
    Page("stopSoftware", "POST", f"{COMMANDS}/{{id}}/stop", stop, _CHANGE),
)
