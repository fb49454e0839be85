"""Debian's Chromium over the pages of a running box; it notes everything that a page of ours never does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

EXECUTABLE = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WITHIN_MS = 15_000
DESK, PHONE = (1440, 900), (390, 844)
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
    console.error("policy violated", event.effectiveDirective, event.blockedURI, event.sample));
"""
_LEAVING = re.compile(r"[A-Z]+ \S+ net::ERR_ABORTED")
"""A page that is left closes its stream, and what it still loaded, or the answer that led away from it."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watch:
    """What pages did that they must not do: a violated policy, an error, a failed request, one that leaves the box."""

    origin: str
    faults: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Method and path of each, in order."""

    def expects(self, *patterns: str) -> None:
        """Take what matches for no fault: this test brings it about."""
        self.expected += [re.compile(pattern) for pattern in patterns]

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of a browser's session."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"page error: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", lambda request: self._note(f"{_line(request)} {request.failure}"))
        context.on("page", self._page)

    def unexpected(self) -> list[str]:
        """Return every fault that no test brought about."""
        return [fault for fault in self.faults if not any(known.search(fault) for known in self.expected)]

    def streams(self) -> int:
        """Return how many streams were opened."""
        return self.requests.count("GET /ui/live")

    def _page(self, page: Page) -> None:
        page.on("dialog", lambda dialog: self._note(f"dialog: {dialog.type} {dialog.message}"))
        page.on("popup", lambda popup: self._note(f"popup: {popup.url}"))
        page.on("websocket", lambda socket: self._note(f"websocket: {socket.url}"))
        page.on("crash", lambda _: self._note("the page crashed"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self._note(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.requests.append(f"{request.method} {parts.path}")
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self._note(f"left the box: {request.method} {request.url[:200]}")

    def _note(self, fault: str) -> None:
        if not _LEAVING.fullmatch(fault):
            self.faults.append(fault)


@asynccontextmanager
async def session(
    browser: Browser, watch: Watch, *, token: str = "", size: tuple[int, int] = DESK, scheme: str = "light", **more
) -> AsyncIterator[BrowserContext]:
    """Open a browser's session that holds a token of the box, or none, and is watched."""
    width, height = size
    context = await browser.new_context(
        base_url=watch.origin,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale="en-GB",
        timezone_id="Europe/Zurich",
        **more,
    )
    context.set_default_timeout(WITHIN_MS)
    try:
        await context.add_init_script(_TELL_VIOLATIONS)
        watch.follow(context)
        if token:
            secure = watch.origin.replace("http:", "https:")
            await context.add_cookies(
                [{"name": "__Host-mb", "value": token, "url": secure, "secure": True, "httpOnly": True,
                  "sameSite": "Strict"}]
            )  # fmt: skip
        yield context
    finally:
        await context.close()


def _line(request: Request) -> str:
    return f"{request.method} {request.url}"
