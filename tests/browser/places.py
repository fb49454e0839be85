"""Where the pages are: every GET page, its parameters filled with what is really in the box."""

from __future__ import annotations

from fakes.lived_in import Things
from modembank_web.pages import PAGES
from modembank_web.pages.page import Page

NO_PAGES = {
    "/ui/live", "/ui", "/ui/mailings/drafts/{id}/check/progress", "/ui/mailings/drafts/{id}/refused-rows",
}  # fmt: skip
"""A stream, which answers without an end; what leads to another page; what is there once a check was asked for."""
PERSONAL = "/ui/mailings/drafts/"
"""Whose things nobody else sees, not even an admin."""
NAMED = {
    "/ui/mailings/": "mailing",
    "/ui/mailings/drafts/": "draft",
    "/ui/messages/": "message",
    "/ui/conversations/": "number",
    "/ui/opt-outs/": "number",
    "/ui/bank/": "slot",
    "/ui/bank/slots/": "slot",
    "/ui/bank/sims/": "iccid",
    "/ui/sims/": "iccid",
    "/ui/users/": "user",
    "/ui/webhooks/": "webhook",
    "/ui/keys/": "key",
    "/ui/providers/": "provider",
    "/ui/providers/_new/": "kind",
    "/ui/routing/": "place",
}
"""What a parameter names, by all that stands before it."""
OWNED = {"/ui/mailings/", "/ui/mailings/drafts/", "/ui/messages/"}
"""Whose things have an owner, and are not there for other senders."""
OWNERS_ALONE = {"/ui/mailings/drafts/"}
"""What not even an admin sees of others."""
GET_PAGES = [page for page in PAGES if page.method == "GET" and page.path not in NO_PAGES]


def nouns(pages: list[Page]) -> dict[str, list[Page]]:
    """Return pages by what they are about: a window is opened once for each noun, not for each page."""
    found: dict[str, list[Page]] = {}
    for page in pages:
        found.setdefault(page.path.split("/")[2], []).append(page)
    return found


def unnamed() -> list[str]:
    """Return the parameters of pages that nobody said the meaning of."""
    return [page.path for page in GET_PAGES if "{" in page.path and page.path.split("{")[0] not in NAMED]


def named(page: Page, things: Things) -> str:
    """Return what the address of a page names, which an answer may repeat to whoever asked."""
    return getattr(things, NAMED[page.path.split("{")[0]])


def place(page: Page, things: Things) -> str:
    """Return where a page is."""
    path = page.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + getattr(things, NAMED[before]) + rest.partition("}")[2]
    return path
