"""A person's browser at an in-process box: it holds a session, and a page token as pages do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import httpx

from fakes.browsers import PASSWORD, browser
from fakes.guards import make_cheap
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank_web.cookies import page_token

ADMIN, SENDER, OTHER = "ada", "ann", "olga"
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
"""What a browser sends along from a page of somebody else's."""


async def people(box: Box) -> None:
    """Add an admin and two senders, with passwords."""
    make_cheap(box.accounts)
    for name, role in ((ADMIN, Role.ADMIN), (SENDER, Role.SENDER), (OTHER, Role.SENDER)):
        await box.accounts.add_user(LOCAL_ADMIN, name, role, PASSWORD)


async def token_of(box: Box, name: str) -> str:
    """Log somebody in, beside all browsers."""
    return (await box.accounts.sessions.begin(name, PASSWORD, source="192.0.2.7"))[1]


@asynccontextmanager
async def at_a_page(box: Box, name: str, **kept: object) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that sends what a page of somebody's sends: its cookie and its page token."""
    token = await token_of(box, name)
    async with browser(box, **kept) as client:  # type: ignore[arg-type]
        client.headers["Cookie"] = f"__Host-mb={token}"
        client.headers["X-Page-Token"] = page_token(token)
        yield client


class Outline(HTMLParser):
    """What a page consists of, as far as tests look at it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)
