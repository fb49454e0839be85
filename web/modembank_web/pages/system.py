"""The box itself: what it is, its room and clock, its backups, the settings in force and its latest log."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.errors import InvalidRequest
from modembank.system import KEPT, LEVELS, Level
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/system"
_NEEDS = (Scope.ADMIN,)
_CLOCK_ISSUE = "clock_not_set"


class TokenForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hub's token, as it was pasted."""

    token: Annotated[str, msgspec.Meta(max_length=2_000)] = ""


_TOKEN = FormBody(TokenForm)


class LogQuery(msgspec.Struct, frozen=True):
    """From which level on."""

    level: Level = "info"


async def system(call: Call) -> Answer:
    """Show what the box is and how it stands."""
    app, actor = call.app, call.caller
    about = await app.system.about(actor)
    clock = next((issue for issue in app.health.open() if issue.kind == _CLOCK_ISSUE), None)
    shown = await _backups(call)
    return render(
        call,
        "system/page.html",
        about=about,
        site=app.config.box.site,
        clock=clock,
        home=app.home_assistant.view(actor),
        **shown,
        **await _hub(call),
    )


async def hub_now(call: Call) -> Answer:
    """Answer how the link to the hub stands now."""
    return render(call, "system/_hub.html", **await _hub(call))


async def enrol(call: Call) -> Answer:
    """Take a hub's token; what is wrong with it is shown with the form."""
    form, errors = await call.form(_TOKEN), {}
    try:
        await call.app.fleet.enrolment.ask(call.caller, form.token)
    except InvalidRequest as error:
        errors = errors_at(error)
    return render(call, "system/_hub.html", status=422 if errors else 200, **await _hub(call, errors))


async def leave_hub(call: Call) -> Answer:
    """Leave the hub, or take a token back. Raises Conflict."""
    await call.app.fleet.enrolment.forget(call.caller)
    return render(call, "system/_hub.html", **await _hub(call))


async def _hub(call: Call, errors: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "hub": await call.app.fleet.view(call.caller),
        "hub_in_file": bool(call.app.config.mqtt.url),
        "errors": errors or {},
    }


async def backup_now(call: Call) -> Answer:
    """Make a backup, and say what came of it once it is made. Raises Conflict."""
    backups = call.app.backups
    if backups.facts.folder is not None:
        await call.app.audit.note(call.caller, "backup.make", str(backups.facts.folder))
    made = await backups.run_now()
    return render(call, "system/_backups.html", **(await _backups(call) | {"made": made}))


async def _backups(call: Call) -> dict[str, Any]:
    backups = call.app.backups
    return {
        "backup": backups.facts,
        "keep": call.app.config.backup.keep,
        "newest": backups.newest(),
        "files": await backups.files(),
        "made": False,
    }


async def settings(call: Call) -> Answer:
    """Show the configuration in force."""
    service, actor = call.app.system, call.caller
    return render(call, "system/settings.html", sections=service.settings(actor), file=service.config_file(actor))


async def log(call: Call) -> Answer:
    """Show the latest log lines."""
    return render(call, "system/log.html", **_log(call))


async def log_now(call: Call) -> Answer:
    """Answer the lines alone."""
    return render(call, "system/_log.html", **_log(call))


def _log(call: Call) -> dict[str, Any]:
    query = call.query(LogQuery)
    return {
        "level": query.level,
        "levels": LEVELS,
        "kept": KEPT,
        "lines": call.app.system.log(call.caller, query.level),
    }


PAGES = (
    Page("system", "GET", PATH, system, _NEEDS),
    Page("systemHub", "GET", f"{PATH}/hub", hub_now, _NEEDS),
    Page("enrol", "POST", f"{PATH}/hub", enrol, _NEEDS),
    Page("leaveHub", "POST", f"{PATH}/hub/leave", leave_hub, _NEEDS),
    Page("systemBackup", "POST", f"{PATH}/backup", backup_now, _NEEDS),
    Page("systemSettings", "GET", f"{PATH}/settings", settings, _NEEDS),
    Page("systemLog", "GET", f"{PATH}/log", log, _NEEDS),
    Page("systemLogNow", "GET", f"{PATH}/log/now", log_now, _NEEDS),
)
