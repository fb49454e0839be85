"""The cookie of a session: reading it, setting it, and when a request that carries it is the box's own page's.

A browser sends the cookie with every request to the box, whoever makes it do so. So what changes something is only
done for a request that the browser says comes from a page of the box itself (Fetch Metadata, or the header Origin),
before anything of its body is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modembank.accounts import Actor
from modembank.errors import Forbidden
from modembank_web.answer import Header

if TYPE_CHECKING:
    from modembank_web.operation import Call

COOKIE = "__Host-mb"
_NAME = COOKIE.encode()
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN = "a request with a session's cookie must come from a page of this box (Sec-Fetch-Site: same-origin)"


def session_token(headers: Mapping[bytes, bytes]) -> str:
    """Return the token in the session's cookie; empty when there is none, or more than one."""
    found = [
        value.strip()
        for pair in headers.get(b"cookie", b"").split(b";")
        for name, equals, value in [pair.partition(b"=")]
        if equals and name.strip() == _NAME
    ]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def page_token(session: str) -> str:
    """Return the token that requests of this session's pages carry; empty without a session."""
    return hashlib.sha256(b"page of " + session.encode("utf-8", "surrogatepass")).hexdigest()[:32] if session else ""


def giving(token: str) -> Header:
    """Return the header that gives a browser its session; it forgets it when it is closed."""
    return b"set-cookie", f"{COOKIE}={token}; {_ATTRIBUTES}".encode("ascii")


def taking() -> Header:
    """Return the header that takes it away."""
    return b"set-cookie", f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0".encode("ascii")


def is_private(call: Call, *, local: bool) -> bool:
    """Whether nobody can read along: it is https, or comes from the box itself."""
    return local or call.scope.get("scheme") == "https"


def require_private(call: Call, *, local: bool) -> None:
    """Raise Forbidden where others could read along."""
    if not is_private(call, local=local):
        raise Forbidden(why="logging in needs https ([web] tls_cert, tls_key), or a browser on the box itself")


def require_own_page(call: Call, *, asked_by_browser: bool = True) -> None:
    """Raise Forbidden unless the request only reads, or comes from a page of the box.

    Without ``asked_by_browser`` it may also come without a word of where from, as programs send it.
    """
    if call.scope["method"] in _READS:
        return
    site, origin = call.headers.get(b"sec-fetch-site"), call.headers.get(b"origin")
    if site is None and origin is None:
        if asked_by_browser:
            raise Forbidden(why=_FOREIGN)
        return
    if site == b"same-origin" and origin == b"null":  # a form on a page without a referrer; its site is what it is
        return
    own = b"%b://%b" % (call.scope["scheme"].encode("ascii"), call.headers.get(b"host", b""))
    if origin is not None and origin.lower() != own.lower():
        raise Forbidden(why=_FOREIGN)
    if site not in {None, b"same-origin"} and not (site == b"none" and origin is not None):
        raise Forbidden(why=_FOREIGN)


async def begin_session(call: Call, name: str, password: str) -> tuple[Header, Actor]:
    """Log in; return the header that gives the browser its session, and who it is. Its former session ends.

    Raises TooManyLogins and NotLoggedIn.
    """
    agent = call.headers.get(b"user-agent", b"").decode("latin-1")
    _, token, actor = await call.app.accounts.sessions.begin(
        name, password, source=call.source, agent=agent, former=session_token(call.headers)
    )
    return giving(token), actor


async def holder_of_session(call: Call, token: str, *, local: bool, used: bool = True) -> Actor:
    """Return who a session's cookie stands for; raises NotLoggedIn and Forbidden. ``used``: whether a person asks."""
    require_private(call, local=local)
    require_own_page(call)
    return await call.app.accounts.sessions.authenticate(token, used=used)
