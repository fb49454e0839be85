"""The appliance image: how it is, its updates as they go, a restart, and the reset to how it was delivered."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.appliance import MAX_OCTETS, BundleTooLarge
from modembank.errors import InvalidRequest
from modembank_web.answer import Answer
from modembank_web.bundles import take_bundle
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at
from modembank_web.pages.rendering import render
from modembank_web.reading import BodyTooLarge

PATH = f"{ROOT}/box"
_NEEDS = (Scope.ADMIN,)
WEEK = 7


class ResetForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The box's name, as it was typed."""

    box: Annotated[str, msgspec.Meta(max_length=200)] = ""


_RESET = FormBody(ResetForm)


async def box(call: Call) -> Answer:
    """Show all of it."""
    return render(call, "box/page.html", errors={}, typed="", asked=False, **await _now(call))


async def now(call: Call) -> Answer:
    """Answer what changes on it."""
    return render(call, "box/_now.html", **await _now(call))


async def update(call: Call) -> Answer:
    """Take a bundle; what is wrong with it is said where it was chosen."""
    try:
        await take_bundle(call)
    except (BundleTooLarge, BodyTooLarge) as error:
        problem = f"is too large: {error}"
    except InvalidRequest as error:
        problem = error.problems[0].detail
    else:
        return await now(call)
    return render(call, "box/_now.html", status=422, **await _now(call) | {"problem": problem})


async def restart(call: Call) -> Answer:
    """Ask for a restart."""
    await call.app.appliance.restart(call.caller)
    return await now(call)


async def postpone(call: Call) -> Answer:
    """Have the box not restart by itself for a week."""
    await call.app.appliance.postpone(call.caller, WEEK)
    return await now(call)


async def reset(call: Call) -> Answer:
    """Ask for the reset, if the name that was typed is the box's."""
    form = await call.form(_RESET)
    errors: dict[str, str] = {}
    try:
        await call.app.appliance.reset(call.caller, form.box)
    except InvalidRequest as error:
        errors = errors_at(error)
    status = 422 if errors else 200
    return render(call, "box/_reset.html", status=status, errors=errors, typed=form.box, asked=not errors)


async def _now(call: Call) -> dict[str, Any]:
    return {"view": await call.app.appliance.view(call.caller), "problem": "", "most": MAX_OCTETS}


PAGES = (
    Page("box", "GET", PATH, box, _NEEDS),
    Page("boxNow", "GET", f"{PATH}/now", now, _NEEDS),
    Page("boxUpdate", "POST", f"{PATH}/update", update, _NEEDS),
    Page("boxRestart", "POST", f"{PATH}/restart", restart, _NEEDS),
    Page("boxPostpone", "POST", f"{PATH}/postpone", postpone, _NEEDS),
    Page("boxReset", "POST", f"{PATH}/factory-reset", reset, _NEEDS),
)
