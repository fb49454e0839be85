"""The SIMs: what each sent, what it may send, and changing that."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import InvalidRequest
from modembank.sim import LimitName, Sim, SimChange
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.orders import change_sim, sim_named
from modembank_web.pages.bank import meters
from modembank_web.pages.page import Page
from modembank_web.pages.rendering import render

PATH = "/ui/sims"
_NEEDS = (Scope.MODEMS,)
FIELDS = (
    (LimitName.MIN_INTERVAL, "Seconds between two messages"),
    (LimitName.PER_MINUTE, "Segments a minute"),
    (LimitName.PER_HOUR, "Segments an hour"),
    (LimitName.PER_DAY, "Segments in 24 hours"),
    (LimitName.PER_MONTH, "Segments in 31 days"),
    (LimitName.RECIPIENTS_PER_MONTH, "Different numbers in 31 days"),
)
_MOST = 10_000_000
_LONGEST_S = 86_400.0


class SimForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Label and limits as they were typed; an empty limit is that of the box."""

    label: Annotated[str, msgspec.Meta(max_length=200)] = ""
    min_interval_s: str = ""
    per_minute: str = ""
    per_hour: str = ""
    per_day: str = ""
    per_month: str = ""
    recipients_per_month: str = ""


class PauseForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a SIM is to rest."""

    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


_FORM, _PAUSE = FormBody(SimForm), FormBody(PauseForm)


async def sims(call: Call) -> Answer:
    """Show all SIMs that were ever seen."""
    return render(call, "sims/page.html", **_all(call))


async def sims_now(call: Call) -> Answer:
    """Answer the table alone."""
    return render(call, "sims/_table.html", **_all(call))


async def sim(call: Call) -> Answer:
    """Show one SIM, and what of it is a hub's to set."""
    one = sim_named(call)
    return render(call, "sims/sim.html", owned=await call.app.fleet.owned(one.id), **_one(call, one))


async def sim_now(call: Call) -> Answer:
    """Answer what changes on its page."""
    return render(call, "sims/_sim.html", **_one(call, sim_named(call)))


async def change(call: Call) -> Answer:
    """Change label and limits; it holds at once."""
    one, form = sim_named(call), await call.form(_FORM)
    limits, errors = _limits(form)
    typed = {name.value: getattr(form, name.value) for name, _ in FIELDS}
    if not errors:
        label = form.label.strip()
        named = {name: limit for name, limit in limits.items() if limit is not None or name in one.overrides}
        try:
            await change_sim(call, one, SimChange(label=label, limits=limits), {"label": label, "limits": named})
        except InvalidRequest as error:
            errors = {problem.pointer.rpartition("/")[2]: problem.detail for problem in error.problems}
    if errors:
        shown = _one(call, one) | {"typed": typed, "label": form.label, "errors": errors}
        return render(call, "sims/_form.html", status=422, **shown)
    return render(call, "sims/_form.html", **(_one(call, sim_named(call)) | {"saved": True}))


async def pause(call: Call) -> Answer:
    """Let a SIM rest until somebody resumes it."""
    one, form = sim_named(call), await call.form(_PAUSE)
    reason = form.reason.strip() or f"paused by {call.caller.name}"
    await change_sim(call, one, SimChange(pause=reason), {"paused": True, "paused_reason": reason})
    return await sim_now(call)


async def resume(call: Call) -> Answer:
    """Let it send again."""
    await change_sim(call, sim_named(call), SimChange(resume=True), {"paused": False})
    return await sim_now(call)


def _all(call: Call) -> dict[str, Any]:
    now_ms = to_ms(call.app.clock.now())
    slots = {view.sim_id: view.slot for view in call.app.bank.modems() if view.sim_id is not None}
    return {"sims": [(one, slots.get(one.id), meters(call.app, one, now_ms)) for one in call.app.sims.all()]}


def _one(call: Call, one: Sim) -> dict[str, Any]:
    now_ms = to_ms(call.app.clock.now())
    slot = next((view.slot for view in call.app.bank.modems() if view.sim_id == one.id), None)
    return {
        "sim": one,
        "slot": slot,
        "meters": meters(call.app, one, now_ms),
        "minutes": call.app.sims.ledger(one.id).last_hour(now_ms),
        "fields": FIELDS,
        "typed": {name.value: _typed(one.overrides.get(name.value)) for name, _ in FIELDS},
        "in_force": {name.value: one.limits.cap(name) for name, _ in FIELDS},
        "label": one.label,
        "errors": {},
        "saved": False,
    }


def _typed(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _limits(form: SimForm) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the limits that were typed, None for those of the box, and what is wrong with which."""
    limits: dict[str, float | None] = {}
    errors: dict[str, str] = {}
    for name, _ in FIELDS:
        text = getattr(form, name.value).strip().replace(",", ".")
        seconds = name is LimitName.MIN_INTERVAL
        most = _LONGEST_S if seconds else _MOST
        try:
            value = None if not text else float(text)
        except ValueError:
            errors[name.value] = "is no number"
            continue
        if value is not None and not (0 <= value <= most and (seconds or value == int(value))):
            errors[name.value] = f"is a {'number' if seconds else 'whole number'} from 0 (no limit) to {most:,.0f}"
            continue
        limits[name.value] = value if seconds or value is None else int(value)
    return limits, errors


PAGES = (
    Page("sims", "GET", PATH, sims, _NEEDS),
    Page("simsNow", "GET", f"{PATH}/now", sims_now, _NEEDS),
    Page("sim", "GET", f"{PATH}/{{iccid}}", sim, _NEEDS),
    Page("simNow", "GET", f"{PATH}/{{iccid}}/now", sim_now, _NEEDS),
    Page("simChange", "POST", f"{PATH}/{{iccid}}", change, _NEEDS),
    Page("simPause", "POST", f"{PATH}/{{iccid}}/pause", pause, _NEEDS),
    Page("simResume", "POST", f"{PATH}/{{iccid}}/resume", resume, _NEEDS),
)
