"""One's own account: what is left of the quota, the password, and where one is logged in."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import TooManyLogins, session_view
from modembank.errors import Forbidden, InvalidRequest
from modembank_web.answer import Answer
from modembank_web.cookies import taking
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import LOGIN, ROOT, Page, errors_at, goes_to
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/account"
Field = Annotated[str, msgspec.Meta(max_length=1_000)]


class PasswordForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The old password and the new one."""

    current_password: Field = ""
    password: Field = ""
    again: Field = ""


_FORM = FormBody(PasswordForm)


async def account(call: Call) -> Answer:
    """Show it."""
    return render(call, "account/page.html", **await _shown(call))


async def set_password(call: Call) -> Answer:
    """Set another password; all sessions end, this one too, so the login comes next."""
    form, actor = await call.form(_FORM), call.caller
    errors: dict[str, str] = {}
    if form.password != form.again:
        errors["again"] = "is not the same as above"
    else:
        try:
            await call.app.accounts.set_password(actor, actor.name, form.password, form.current_password)
        except InvalidRequest as error:
            errors = errors_at(error)
        except TooManyLogins as error:
            errors["current_password"] = str(error)
        except Forbidden as error:
            errors["password"] = str(error)
    if errors:
        return render(call, "account/_password.html", status=422, errors=errors)
    return goes_to(call, LOGIN, (taking(),))


async def end_session(call: Call) -> Answer:
    """End one of one's sessions."""
    ended = await call.app.accounts.sessions.end(call.caller, call.path("id"))
    if ended.public_id == call.caller.session:
        return goes_to(call, LOGIN, (taking(),))
    return render(call, "account/_sessions.html", **await _shown(call))


async def _shown(call: Call) -> dict[str, Any]:
    actor, accounts = call.caller, call.app.accounts
    sessions = [one for one in await accounts.sessions.list(actor) if one.user == actor.name]
    return {
        "usage": await accounts.quotas.own(actor),
        "sessions": [session_view(one, actor.session) for one in sessions],
        "errors": {},
    }


PAGES = (
    Page("account", "GET", PATH, account),
    Page("accountPassword", "POST", f"{PATH}/password", set_password),
    Page("accountEndSession", "POST", f"{PATH}/sessions/{{id}}/end", end_session),
)
