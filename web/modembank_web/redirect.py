"""Port 80: browsers are sent to https, and everything else is refused, since it has been said in the clear already."""

from __future__ import annotations

import re
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from modembank_web.answer import TEXT, Answer
from modembank_web.problems import BY_KEY, Failure, new_tracking_id, problem_answer

_HOST = re.compile(rb"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TARGET = re.compile(rb"/[!-~]*")
_SECRETS = {b"authorization", b"api-key", b"cookie"}


def redirecting(port: int) -> ASGIApp:
    """Return an application that answers GET and HEAD with the same address on the https of ``port``."""
    suffix = b"" if port == 443 else b":%d" % port

    async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
        await _answer(scope, suffix)(scope, receive, send)

    return redirect


def _answer(scope: Any, suffix: bytes) -> Answer:
    headers = [(name.lower(), value) for name, value in scope["headers"]]
    hosts = [value for name, value in headers if name == b"host"]
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    path, query = scope["raw_path"], scope["query_string"]
    if host is None or not _TARGET.fullmatch(path + b"?" + query):
        return _refusal("bad_request", "a request on this port needs one Host and a path")
    if scope["method"] not in {"GET", "HEAD"} or any(name in _SECRETS for name, _ in headers):
        why = "only https is answered; a key or password sent to this port went in the clear and should be replaced"
        return _refusal("forbidden", why)
    location = b"https://" + host["name"] + suffix + path + (b"?" + query if query else b"")
    return Answer(b"", 308, TEXT, ((b"location", location),))


def _refusal(key: str, why: str) -> Answer:
    return problem_answer(Failure(BY_KEY[key], why, {}, (), ((b"connection", b"close"),)), "", new_tracking_id())
