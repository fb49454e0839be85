"""The audit log: who changed what, and whether it is as it was written."""

from __future__ import annotations

from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank.audit import Wanted
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/audit"
_NEEDS = (Scope.ADMIN,)
_A_PAGE = 50


class AuditQuery(msgspec.Struct, frozen=True):
    """Which entries; empty: all."""

    actor: Annotated[str, msgspec.Meta(max_length=64)] = ""
    action: Annotated[str, msgspec.Meta(max_length=64)] = ""
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


async def audit(call: Call) -> Answer:
    """Show the newest entries, or the next page of them."""
    query = call.query(AuditQuery)
    wanted = Wanted(query.actor.strip() or None, query.action.strip() or None, None)
    page = await call.app.audit.list(call.caller, wanted, cursor=query.cursor, limit=_A_PAGE)
    part = "audit/_rows.html" if query.cursor is not None else "audit/page.html"
    return render(call, part, page=page, query=query)


async def verify(call: Call) -> Answer:
    """Walk along the whole chain and say what was found."""
    return render(call, "audit/_verdict.html", verdict=await call.app.audit.verify(call.caller))


PAGES = (Page("audit", "GET", PATH, audit, _NEEDS), Page("auditVerify", "POST", f"{PATH}/verify", verify, _NEEDS))
