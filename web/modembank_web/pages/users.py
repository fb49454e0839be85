"""Users: who may log in and as what, what they may have accepted, and their sessions."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Role, Scope, session_view
from modembank.errors import Conflict, InvalidRequest
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at, goes_to
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/users"
_A_PAGE = 50
_NEEDS = (Scope.ADMIN,)
Field = Annotated[str, msgspec.Meta(max_length=1_000)]
ROLES = ((Role.SENDER.value, "Sender: sends, and reads what is theirs"), (Role.ADMIN.value, "Admin: may everything"))


class UsersQuery(msgspec.Struct, frozen=True):
    """Where the list goes on."""

    cursor: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to add."""

    name: Field = ""
    role: Role = Role.SENDER
    password: Field = ""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a user."""

    role: Role | None = None
    active: Literal["true", "false"] | None = None
    password: Field = ""


class QuotaForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quotas as they were typed; empty is none."""

    per_day: Field = ""
    per_month: Field = ""


_NEW, _CHANGE, _QUOTA = FormBody(NewUser), FormBody(Change), FormBody(QuotaForm)


async def users(call: Call) -> Answer:
    """Show the users with what they used today; or the next page of them."""
    cursor = call.query(UsersQuery).cursor
    found = await call.app.accounts.quotas.users(call.caller, after=cursor, limit=_A_PAGE + 1)
    listed = found[:_A_PAGE]
    more = f"{PATH}?{urlencode({'cursor': listed[-1][0].name})}" if len(found) > _A_PAGE else ""
    if cursor is not None:
        return render(call, "users/_rows.html", users=listed, more_at=more)
    return render(call, "users/page.html", users=listed, more_at=more, roles=ROLES, new=NewUser(), errors={})


async def add(call: Call) -> Answer:
    """Add a user and show it."""
    form = await call.form(_NEW)
    try:
        user = await call.app.accounts.add_user(call.caller, form.name.strip(), form.role, form.password or None)
    except InvalidRequest as error:
        errors = errors_at(error)
    except Conflict as error:
        errors = {"name": str(error)}
    else:
        return goes_to(call, f"{PATH}/{user.name}")
    return render(call, "users/_new.html", status=422, new=form, errors=errors, roles=ROLES)


async def user(call: Call) -> Answer:
    """Show one user."""
    return render(call, "users/user.html", **await _one(call))


async def change(call: Call) -> Answer:
    """Give a user another role or password, or put it out or in."""
    form, errors = await call.form(_CHANGE), {}
    try:
        await call.app.accounts.change_user(
            call.caller,
            call.path("name"),
            role=form.role,
            active=None if form.active is None else form.active == "true",
            password=form.password or None,
        )
    except InvalidRequest as error:
        errors = errors_at(error)
    shown = await _one(call)
    return render(
        call, "users/_user.html", status=422 if errors else 200, **(shown | {"errors": errors, "saved": not errors})
    )


async def set_quota(call: Call) -> Answer:
    """Set what a user may have accepted."""
    form, errors = await call.form(_QUOTA), {}
    limits: dict[str, int] = {}
    for name in ("per_day", "per_month"):
        text = getattr(form, name).strip()
        if text and not (text.isascii() and text.isdecimal()):
            errors[name] = "is a whole number of segments; empty is no quota"
        else:
            limits[name] = int(text[:12] or 0)
    if not errors:
        try:
            await call.app.accounts.quotas.change(call.caller, call.path("name"), **limits)
        except InvalidRequest as error:
            errors = errors_at(error)
    shown = (await _one(call)) | {"errors": errors, "saved": not errors}
    if errors:
        shown["typed"] = {"per_day": form.per_day, "per_month": form.per_month}
    return render(call, "users/_quota.html", status=422 if errors else 200, **shown)


async def end_session(call: Call) -> Answer:
    """End a session of a user."""
    await call.app.accounts.sessions.end(call.caller, call.path("id"))
    return render(call, "users/_sessions.html", **await _one(call))


async def _one(call: Call) -> dict[str, Any]:
    accounts, actor = call.app.accounts, call.caller
    found = await accounts.user(actor, call.path("name"))
    usage = await accounts.quotas.of(actor, found.name)
    sessions = [
        session_view(one, actor.session) for one in await accounts.sessions.list(actor) if one.user == found.name
    ]
    typed = {"per_day": usage.quota_per_day or "", "per_month": usage.quota_per_month or ""}
    return {
        "user": found, "usage": usage, "sessions": sessions, "roles": ROLES, "typed": typed,
        "errors": {}, "saved": False,
    }  # fmt: skip


PAGES = (
    Page("users", "GET", PATH, users, _NEEDS),
    Page("userAdd", "POST", PATH, add, _NEEDS),
    Page("user", "GET", f"{PATH}/{{name}}", user, _NEEDS),
    Page("userChange", "POST", f"{PATH}/{{name}}", change, _NEEDS),
    Page("userQuota", "POST", f"{PATH}/{{name}}/quota", set_quota, _NEEDS),
    Page("userEndSession", "POST", f"{PATH}/{{name}}/sessions/{{id}}/end", end_session, _NEEDS),
)
