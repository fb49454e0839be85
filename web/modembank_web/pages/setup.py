"""The first start: the code that the box shows makes the first admin (S1)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import TooManyLogins
from modembank.errors import Conflict, InvalidRequest
from modembank_web.answer import Answer
from modembank_web.cookies import begin_session, is_private, require_own_page, require_private
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import LOGIN, ROOT, SETUP, Page, errors_at, goes_to, to
from modembank_web.pages.rendering import render
from modembank_web.routing import is_local

Field = Annotated[str, msgspec.Meta(max_length=1_000)]


class SetupForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the first admin fills in."""

    code: Field = ""
    name: Field = ""
    password: Field = ""
    again: Field = ""


_FORM = FormBody(SetupForm)


async def show(call: Call) -> Answer:
    """Show the form, or the login once there is an admin."""
    if not await call.app.first_start.is_open():
        return to(LOGIN)
    await call.app.first_start.offer()
    return _page(call, name="admin", code="")


async def set_up(call: Call) -> Answer:
    """Make the first admin and log in."""
    require_private(call, local=is_local(call))
    require_own_page(call)
    form = await call.form(_FORM)
    typed: dict[str, Any] = {"name": form.name, "code": form.code}
    if form.password != form.again:
        return _page(call, status=422, errors={"again": "is not the same as above"}, **typed)
    try:
        user = await call.app.first_start.begin(form.code, form.name.strip(), form.password, source=call.source)
    except InvalidRequest as error:
        errors = errors_at(error)
        return _page(call, status=422, errors=errors, **typed)
    except Conflict as error:
        return _page(call, status=409, problem=str(error), **typed)
    except TooManyLogins as error:
        return _page(call, status=429, problem=f"too many codes were tried: try again in {error.retry_after_s} seconds")
    given, _ = await begin_session(call, user.name, form.password)
    return goes_to(call, ROOT, (given,))


def _page(
    call: Call,
    *,
    status: int = 200,
    name: str = "",
    code: str = "",
    problem: str = "",
    errors: dict[str, str] | None = None,
) -> Answer:
    shown: dict[str, Any] = {"name": name, "code": code, "problem": problem, "errors": errors or {}}
    secure = is_private(call, local=is_local(call))
    return render(call, "setup/page.html", status=status, secure=secure, **shown)


PAGES = (Page("setup", "GET", SETUP, show, open=True), Page("setUp", "POST", SETUP, set_up, open=True))
