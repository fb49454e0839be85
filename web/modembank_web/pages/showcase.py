"""The page that shows every component: what pages are made of, in all its states, and how it is written."""

from __future__ import annotations

from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import Page
from modembank_web.pages.rendering import render

COMPONENTS = (
    "badge", "button", "card", "chart", "dialog", "empty", "field", "icon", "meter", "notice", "signal", "stat",
    "steps", "table", "tabs",
)  # fmt: skip
"""Each is one file in ``templates/components`` (a card is a style alone) with its style in ``static/ui/css``."""


async def show(call: Call) -> Answer:
    """Show them."""
    return render(call, "components/showcase.html", names=COMPONENTS)


PAGES = (Page("components", "GET", "/ui/components", show),)
