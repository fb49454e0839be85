"""One page, or a part of one, declared once: its path, who may see it, and what makes it.

A page is reached with the session's cookie alone. Who is not logged in is led to the login, and from there back.
What changes something must come from a page of the box (``cookies.require_own_page``) and carry that session's page
token in a header, which no form of a foreign site can set (S7). What is refused is told as a page, or, to htmx, as a
notice on the page that asked.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

import msgspec
from litestar.types import HTTPReceiveMessage, HTTPScope

from modembank.accounts import NotLoggedIn, Scope
from modembank.errors import Forbidden, InvalidRequest
from modembank_web.answer import Answer, Header
from modembank_web.cookies import holder_of_session, page_token, session_token
from modembank_web.operation import Access, Call, Failures, Operation
from modembank_web.pages.navigation import Group
from modembank_web.pages.rendering import notice, refusal
from modembank_web.problems import Failure
from modembank_web.routing import is_local

if TYPE_CHECKING:
    from modembank.app import App

ROOT = "/ui"
LOGIN = f"{ROOT}/login"
SETUP = f"{ROOT}/setup"
LIVE = f"{ROOT}/live"
TOKEN_HEADER = b"x-page-token"
_READS = frozenset({"GET", "HEAD"})
_PARAMETER = re.compile(r"\{(\w+)\}")
_STALE = "this page is older than your session: load it again"
Show: TypeAlias = Callable[[Call], Awaitable[Answer]]


class Page(msgspec.Struct, frozen=True):
    """A method on a path under ``/ui``."""

    id: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    show: Show
    needs: tuple[Scope, ...] = ()
    """One of these scopes is needed; an admin has them all."""
    open: bool = False
    """Whether it is shown to those who are not logged in."""
    stream: bool = False
    """Whether it answers without an end; HEAD is not for it."""


def operations_of(pages: Iterable[Page], groups: Sequence[Group] | None = None) -> tuple[Operation, ...]:
    """Return what serves pages, with a menu of those groups; they are no part of the documented API."""
    return tuple(_operation(page, groups) for page in pages)


def by_htmx(call: Call) -> bool:
    """Whether a part of a page is asked for, by htmx."""
    return call.headers.get(b"hx-request") == b"true"


def by_itself(call: Call) -> bool:
    """Whether a page asks without anybody's doing, to show what has changed: that keeps no session."""
    return call.headers.get(b"x-live") == b"true" or call.scope["path"] == LIVE


def to(path: str, extra: tuple[Header, ...] = ()) -> Answer:
    """Lead the browser to another page of the box, whether it or htmx asked."""
    location = path.encode("ascii")
    return Answer(b"", 303, extra=((b"location", location), *extra))


def led_by_htmx(path: str, extra: tuple[Header, ...] = ()) -> Answer:
    """Have htmx load another page of the box."""
    return Answer(b"", 204, extra=((b"hx-redirect", path.encode("ascii")), *extra))


def goes_to(call: Call, path: str, extra: tuple[Header, ...] = ()) -> Answer:
    """Lead to another page, in the way that the asker follows."""
    return led_by_htmx(path, extra) if by_htmx(call) else to(path, extra)


def _operation(page: Page, groups: Sequence[Group] | None) -> Operation:
    parameters = dict.fromkeys(_PARAMETER.findall(page.path), ("", ""))
    return Operation(
        id=page.id,
        method=page.method,
        path=page.path,
        tag="Pages",
        summary="",
        description="",
        run=partial(_run, page, groups),
        replies=(),
        access=Access.OPEN,
        parameters=parameters,
        head=not page.stream,
    )


async def _run(page: Page, groups: Sequence[Group] | None, call: Call) -> Answer:
    call.groups = groups
    call.failures = Failures(partial(_refused, call), shape=None, example=str, media="text/html; charset=utf-8")
    if page.path != SETUP and await call.app.first_start.is_open():
        return goes_to(call, SETUP)
    call.pulse = call.app.events.pulse
    if not page.open:
        await admit(page.needs, call)
        call.admit_again = partial(admit, page.needs)
    return await page.show(call)


async def admit(needs: tuple[Scope, ...], call: Call) -> None:
    """Let in who is logged in and may; raises NotLoggedIn and Forbidden."""
    token = session_token(call.headers)
    if not token:
        raise NotLoggedIn(why="log in to see this page")
    actor = await holder_of_session(call, token, local=is_local(call), used=not by_itself(call))
    call.actor = actor.at(call.source)
    if call.scope["method"] not in _READS:
        given = call.headers.get(TOKEN_HEADER, b"").decode("latin-1")
        if not hmac.compare_digest(given.encode("latin-1"), page_token(token).encode()):
            raise Forbidden(why=_STALE)
    if needs and not actor.is_admin and actor.scopes.isdisjoint(needs):
        raise Forbidden(why="this page is for admins" if needs == (Scope.ADMIN,) else "your account may not do this")


def _refused(call: Call, failure: Failure, tracking_id: str) -> Answer:
    """Tell what was refused where it can be seen."""
    htmx = by_htmx(call)
    if failure.kind.key == "not_logged_in" and call.scope["path"] != LOGIN:
        asked = "?".join(part.decode("latin-1") for part in (raw_path(call), call.scope["query_string"]) if part)
        if htmx:
            asked = _path_of(call.headers.get(b"hx-current-url", b"").decode("latin-1"))
        elif call.scope["method"] not in _READS:
            asked = ROOT
        login = f"{LOGIN}?next={quote(asked, safe='')}"
        return Answer(b"", 401, extra=((b"hx-redirect", login.encode("ascii")),)) if htmx else to(login)
    return notice(call, failure, tracking_id) if htmx else refusal(call, failure, tracking_id)


def raw_path(call: Call) -> bytes:
    """Return the path as it was asked for: decoded, it may lead elsewhere (``%3F``) or nowhere (``%C3%A9``)."""
    return call.scope["raw_path"].partition(b"?")[0]


def _path_of(address: str) -> str:
    """Return the path and query of a page's address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ROOT
    return parts.path + (f"?{parts.query}" if parts.query else "") or ROOT


def errors_at(refused: InvalidRequest) -> dict[str, str]:
    """Return what is wrong by the name of the field, as templates show it: ``/scopes/2`` stands at ``scopes/2``."""
    return {problem.pointer.lstrip("/"): problem.detail for problem in refused.problems}


def errors_by_field(refused: InvalidRequest) -> dict[str, str]:
    """Return the same for who chose several of a list in one field: ``/scopes/2`` stands at ``scopes``."""
    return {name.partition("/")[0]: words for name, words in errors_at(refused).items()}


def own_path(wanted: str) -> str:
    """Return a path of these pages to lead to; the first page for whatever else was asked (S7: no open redirect)."""
    if not wanted.isascii() or not wanted.isprintable() or "\\" in wanted:
        return ROOT
    path = wanted.partition("?")[0].partition("#")[0]
    if path in {LOGIN, LIVE} or any(unquote(part) in {".", ".."} for part in path.split("/")):
        return ROOT
    return wanted if wanted == ROOT or wanted.startswith((f"{ROOT}/", f"{ROOT}?")) else ROOT


def unrouted(app: App) -> Callable[[HTTPScope, Failure, str], Answer | None]:
    """Return what answers as a page where there is none; whoever asks is not known then, so it has no menu."""

    def answer(scope: HTTPScope, failure: Failure, tracking_id: str) -> Answer | None:
        if scope["path"] != ROOT and not scope["path"].startswith(ROOT + "/"):
            return None
        call = Call(app, scope, _nothing, dict(scope["headers"]))
        return notice(call, failure, tracking_id) if by_htmx(call) else refusal(call, failure, tracking_id)

    return answer


async def _nothing() -> HTTPReceiveMessage:
    return {"type": "http.disconnect"}
