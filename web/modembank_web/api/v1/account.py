"""Logging in and out, and who one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from modembank.accounts import AccountView, SessionView, account_view, session_view
from modembank.errors import Conflict
from modembank_web import cookies
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import account_examples as examples
from modembank_web.cookies import require_own_page, require_private, taking
from modembank_web.operation import Access, Body, Call, Operation, Reply
from modembank_web.reading import JsonBody
from modembank_web.routing import is_local

PATH = "/api/v1/session"
SESSIONS = "/api/v1/sessions"


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and its password."""

    name: Annotated[str, msgspec.Meta(max_length=1_000)]
    password: Annotated[str, msgspec.Meta(max_length=1_000)]


class SessionsPage(msgspec.Struct, frozen=True):
    """The sessions that last, newest first."""

    items: Sequence[SessionView]
    next: None = None


_LOGIN = JsonBody(LoginRequest)


async def begin_session(call: Call) -> Answer:
    """Log in."""
    require_private(call, local=is_local(call))
    require_own_page(call, asked_by_browser=False)
    request = await call.json(_LOGIN)
    given, actor = await cookies.begin_session(call, request.name, request.password)
    return json_answer(account_view(actor, await call.app.accounts.quotas.own(actor)), extra=(given,))


async def end_session(call: Call) -> Answer:
    """Log out."""
    actor = call.caller
    if not actor.session:
        raise Conflict(why="this request came with a key, not with a session")
    ended = await call.app.accounts.sessions.end(actor, actor.session)
    return json_answer(session_view(ended, actor.session), extra=(taking(),))


async def list_sessions(call: Call) -> Answer:
    """Return the sessions that the caller may see."""
    listed = await call.app.accounts.sessions.list(call.caller)
    return json_answer(SessionsPage([session_view(one, call.caller.session) for one in listed]))


async def revoke_session(call: Call) -> Answer:
    """End a session."""
    ended = await call.app.accounts.sessions.end(call.caller, call.path("id"))
    extra = (taking(),) if ended.public_id == call.caller.session else ()
    return json_answer(session_view(ended, call.caller.session), extra=extra)


async def get_account(call: Call) -> Answer:
    """Return who the caller is."""
    return json_answer(account_view(call.caller, await call.app.accounts.quotas.own(call.caller)))


OPERATIONS = (
    Operation(
        id="getAccount",
        method="GET",
        path="/api/v1/account",
        tag="Account",
        summary="Who am I?",
        description="The user behind the key or the session, what it may do, and its quota.",
        run=get_account,
        replies=(Reply(200, "The caller", AccountView, examples.ACCOUNT),),
    ),
    Operation(
        id="beginSession",
        method="POST",
        path=PATH,
        tag="Account",
        summary="Log in",
        description=(
            "For pages: answers who it is and sets the cookie `__Host-mb`, which is good for what a key of that user "
            "is good for, until half an hour after its last use and for twelve hours in all. Only over https, or from "
            "the box itself. The answer to a wrong name is that to a wrong password, and who tries many meets a 429. "
            "Programs use API keys."
        ),
        run=begin_session,
        access=Access.OPEN,
        body=Body(LoginRequest, {"login": {"name": "ann", "password": "quilt harbour nine ladders"}}),
        replies=(
            Reply(
                200,
                "Logged in",
                AccountView,
                examples.LOGGED_IN,
                headers={"Set-Cookie": "`__Host-mb`, for this browser alone"},
            ),
        ),
        raises=("not_logged_in", "forbidden", "too_many_requests", "unavailable"),
    ),
    Operation(
        id="endSession",
        method="DELETE",
        path=PATH,
        tag="Account",
        summary="Log out",
        description="Ends the session that the request comes with; 409 when it came with a key.",
        run=end_session,
        replies=(
            Reply(
                200,
                "The session that was",
                SessionView,
                examples.SESSION,
                headers={"Set-Cookie": "takes `__Host-mb` away"},
            ),
        ),
        raises=("conflict",),
    ),
    Operation(
        id="listSessions",
        method="GET",
        path=SESSIONS,
        tag="Account",
        summary="List the sessions",
        description="Those that last, newest first: one's own, for an admin everybody's.",
        run=list_sessions,
        replies=(Reply(200, "The sessions", SessionsPage, {"items": [examples.SESSION], "next": None}),),
    ),
    Operation(
        id="revokeSession",
        method="DELETE",
        path=f"{SESSIONS}/{{id}}",
        tag="Account",
        summary="End a session",
        description="One's own, or any for an admin; its next request is refused.",
        run=revoke_session,
        parameters={"id": ("The session's id", "ses_8c1f0a92d7e64b35")},
        replies=(Reply(200, "The session that was", SessionView, examples.SESSION),),
    ),
)
