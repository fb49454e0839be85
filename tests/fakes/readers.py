"""Somebody who reads the pages without a browser: keeps the cookie, sends the page token, and looks at the HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any

import httpx

from fakes.browsers import OWN_PAGE, PASSWORD, browser, log_in
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank_web.cookies import page_token

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "path", "rect", "line", "polyline"}


class Element:
    """One element: its name, attributes, and what is in it."""

    def __init__(self, name: str, attributes: Mapping[str, str | None]) -> None:
        self.name = name
        self.attributes = dict(attributes)
        self.children: list[Element | str] = []

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute] or ""

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return re.sub(r"\s+", " ", " ".join(parts)).strip()

    def all(self, name: str = "", /, **attributes: str) -> Iterator[Element]:
        """Every element below with this name and these attributes (``class_`` and ``data_live_on`` for the like)."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        for child in self.children:
            if isinstance(child, Element):
                has = all(
                    value in (child.attributes.get(key) or "").split() or child.attributes.get(key) == value
                    for key, value in wanted.items()
                )
                if has and name in {"", child.name}:
                    yield child
                yield from child.all(name, **attributes)

    def one(self, name: str = "", /, **attributes: str) -> Element:
        """The first of all()."""
        found = next(self.all(name, **attributes), None)
        assert found is not None, f"no {name} {attributes} in: {self.text[:500]}"
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        names = [element.name for element in self._open]
        if tag in names[1:]:
            del self._open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parsed(html: str) -> Element:
    """Return a page, or a part of one, as a tree."""
    builder = _Builder()
    builder.feed(html)
    return builder.root


class Reader:
    """A person with a session."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self.token = token
        self.last: httpx.Response | None = None

    async def opens(self, path: str, status: int = 200) -> Element:
        """Load a page."""
        return self._seen(await self.client.get(path), status)

    async def asks(self, path: str, status: int = 200) -> Element:
        """Load a part of a page as htmx does."""
        return self._seen(await self.client.get(path, headers=self.htmx), status)

    async def sends(self, path: str, status: int = 200, method: str = "POST", **fields: Any) -> Element:
        """Send a form as htmx does."""
        answer = await self.client.request(method, path, data=fields, headers=self.htmx)
        return self._seen(answer, status)

    async def posts(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """Send a form as htmx does, and return the answer whatever it is."""
        return await self.client.post(path, data=dict(fields), headers=self.htmx)

    @property
    def htmx(self) -> dict[str, str]:
        """The headers that htmx sends."""
        return OWN_PAGE | {"HX-Request": "true", "X-Page-Token": page_token(self.token)}

    def _seen(self, answer: httpx.Response, status: int) -> Element:
        self.last = answer
        assert answer.status_code == status, f"{answer.status_code}: {parsed(answer.text).text[:800]}"
        return parsed(answer.text)


@asynccontextmanager
async def reader(box: Box, role: Role = Role.ADMIN, name: str | None = None):
    """Log somebody in, made at first sight."""
    name, known = name or role.value, [user.name for user in await box.accounts.users(LOCAL_ADMIN)]
    for each, its_role in (("admin", Role.ADMIN), (name, role)):  # without an admin there is only the set-up
        if each not in known:
            await box.accounts.add_user(LOCAL_ADMIN, each, its_role, PASSWORD)
            known.append(each)
    async with browser(box) as client:
        yield Reader(client, await log_in(client, name))
