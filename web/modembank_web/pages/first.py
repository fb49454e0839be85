"""The first page: whoever comes is led to what is his."""

from __future__ import annotations

from modembank.accounts import Scope
from modembank_web.answer import Answer
from modembank_web.operation import Access, Call, Operation
from modembank_web.pages.page import ROOT, Page, to


async def first(call: Call) -> Answer:
    """Lead an admin to the bank, a sender to the mailings."""
    actor = call.caller
    if actor.is_admin:
        return to(f"{ROOT}/bank")
    return to(f"{ROOT}/mailings" if Scope.MAILINGS in actor.scopes else f"{ROOT}/account")


async def root(_: Call) -> Answer:
    """Lead from the bare address to the pages."""
    return to(ROOT)


PAGES = (Page("first", "GET", ROOT, first),)
BARE = Operation("root", "GET", "/", "Pages", "", "", root, (), Access.OPEN)
