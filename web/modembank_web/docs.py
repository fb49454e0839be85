"""The documentation pages: served from the box itself, since its network may have no way out."""

from __future__ import annotations

import asyncio
import gzip
import html
from functools import partial
from importlib import resources

from modembank_web.answer import HTML, Answer, encode
from modembank_web.openapi import document
from modembank_web.operation import Access, Call, Operation, Reply, Run
from modembank_web.problems import KINDS, PROBLEMS_PAGE
from modembank_web.wording import BOX, About

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    b"img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_A_DAY = b"public, max-age=86400"
_VARY = (b"vary", b"accept-encoding")
_FILES = resources.files("modembank_web") / "static" / "docs"


class OpenApiDocument:
    """Serves the document, made when it is first asked for: it would cost every start of a Pi a second."""

    def __init__(self, about: About = BOX) -> None:
        """Start without operations; ``describe`` names them when all are known."""
        self.about = about
        self._operations: tuple[Operation, ...] = ()
        self._octets = b""

    def describe(self, operations: tuple[Operation, ...]) -> None:
        """Let it be the document of these."""
        self._operations = operations

    async def __call__(self, _: Call) -> Answer:
        """Answer it."""
        if not self._octets:  # in a thread, so that modems are served meanwhile; made twice it is the same
            self._octets = await asyncio.to_thread(lambda: encode(document(self._operations, self.about)))
        return Answer(self._octets, cache=b"no-cache")


async def page(about: About, _: Call) -> Answer:
    """Answer the page that shows the document; its own list of sections is for screens too narrow for the viewer's."""
    sections = " · ".join(
        f'<a href="#tag--{html.escape(name.replace(" ", "-"))}">{html.escape(name)}</a>' for name in about.tags
    )
    text = (_FILES / "index.html").read_text("utf-8").replace("<!-- sections -->", sections)
    return Answer(text.encode(), 200, HTML, policy=PAGE_POLICY)


async def style(_: Call) -> Answer:
    """Answer the pages' style sheet."""
    return Answer((_FILES / "docs.css").read_bytes(), 200, b"text/css; charset=utf-8", cache=_A_DAY)


async def script(call: Call) -> Answer:
    """Answer the viewer's script, packed as it is stored whenever the client can unpack it."""
    packed = (_FILES / "rapidoc-min.js.gz").read_bytes()
    media = b"text/javascript; charset=utf-8"
    if b"gzip" in call.headers.get(b"accept-encoding", b""):
        return Answer(packed, 200, media, ((b"content-encoding", b"gzip"), _VARY), cache=_A_DAY)
    return Answer(gzip.decompress(packed), 200, media, (_VARY,), cache=_A_DAY)


async def problems(_: Call) -> Answer:
    """Answer the page that describes every kind of error; the ``type`` of a problem leads here."""
    rows = "".join(
        f'<tr id="{kind.key}"><td><code>{kind.code}</code></td><td>{kind.status}</td>'
        f"<td>{html.escape(kind.title)}</td><td>{html.escape(kind.when)}</td></tr>"
        for kind in KINDS
    )
    text = (_FILES / "problems.html").read_text("utf-8").replace("<!-- rows -->", rows)
    return Answer(text.encode(), 200, HTML, policy=PAGE_POLICY)


def operations(openapi: OpenApiDocument) -> tuple[Operation, ...]:
    """Return the documented ones: the document, the page that shows it, and the table of errors."""
    return (
        Operation(
            id="openapi",
            method="GET",
            path="/openapi.json",
            tag="Documentation",
            summary="This document",
            description="OpenAPI 3.1, made from the declarations that the box itself runs from.",
            run=openapi,
            access=Access.OPEN,
            replies=(Reply(200, "The document", example={"openapi": "3.1.0"}),),
        ),
        _page(
            "docs",
            "/docs",
            "This document, for people",
            "Works without a network beyond the box.",
            partial(page, openapi.about),
        ),
        _page("problems", PROBLEMS_PAGE, "Every kind of error", "The `type` of a problem leads here.", problems),
    )


ASSETS: tuple[Operation, ...] = (
    Operation("docsStyle", "GET", "/docs/docs.css", "Documentation", "", "", style, (), Access.OPEN),
    Operation("docsScript", "GET", "/docs/rapidoc-min.js", "Documentation", "", "", script, (), Access.OPEN),
)
"""Files of the pages: routes like the others, but no part of the API."""


def _page(name: str, path: str, summary: str, description: str, run: Run) -> Operation:
    reply = Reply(200, "A page", example="<!doctype html>…", media="text/html; charset=utf-8")
    return Operation(name, "GET", path, "Documentation", summary, description, run, (reply,), Access.OPEN)
