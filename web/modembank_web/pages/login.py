"""Logging in and out."""

from __future__ import annotations

import contextlib
from typing import Annotated

import msgspec

from modembank.accounts import NotLoggedIn
from modembank.accounts.errors import TooManyLogins
from modembank.errors import NotFound
from modembank_web.answer import Answer
from modembank_web.cookies import begin_session, is_private, require_own_page, require_private, taking
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import LOGIN, ROOT, Page, goes_to, own_path
from modembank_web.pages.rendering import render
from modembank_web.routing import is_local


class Next(msgspec.Struct, frozen=True):
    """Where to go after the login."""

    next: str = ROOT


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The form."""

    name: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    password: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    next: Annotated[str, msgspec.Meta(max_length=2_000)] = ROOT


_LOGIN = FormBody(Login)


async def show(call: Call) -> Answer:
    """Show the form."""
    wanted = own_path(call.query(Next).next)
    secure = is_private(call, local=is_local(call))
    return render(call, "login/page.html", wanted=wanted, name="", problem="", secure=secure)


async def log_in(call: Call) -> Answer:
    """Begin a session; whatever is wrong is said in the form, and the name stays."""
    require_private(call, local=is_local(call))
    require_own_page(call)
    form = await call.form(_LOGIN)
    wanted = own_path(form.next)
    try:
        given, _ = await begin_session(call, form.name.strip(), form.password)
    except (NotLoggedIn, TooManyLogins) as error:
        status = 429 if isinstance(error, TooManyLogins) else 422
        wait_s = getattr(error, "retry_after_s", None)
        extra = ((b"retry-after", b"%d" % wait_s),) if wait_s is not None else ()
        shown = {"wanted": wanted, "name": form.name, "problem": str(error), "secure": True}
        return render(call, "login/page.html", status=status, extra=extra, **shown)
    return goes_to(call, wanted, (given,))


async def log_out(call: Call) -> Answer:
    """End this session."""
    actor = call.caller
    with contextlib.suppress(NotFound):  # it has ended already, which is what was asked for
        await call.app.accounts.sessions.end(actor, actor.session)
    return goes_to(call, LOGIN, (taking(),))


PAGES = (
    Page("login", "GET", LOGIN, show, open=True),
    Page("logIn", "POST", LOGIN, log_in, open=True),
    Page("logOut", "POST", f"{ROOT}/logout", log_out),
)
