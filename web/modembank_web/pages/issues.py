"""What needs somebody: each issue with its evidence and the remedies to click; and what is held after an outage."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import Page
from modembank_web.pages.rendering import render

PATH = "/ui/issues"
_NEEDS = (Scope.MODEMS, Scope.ADMIN)
_A_PAGE = 50


class IssuesQuery(msgspec.Struct, frozen=True):
    """Which issues."""

    state: Literal["open", "cleared"] = "open"
    cursor: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of held messages."""

    decision: Literal["send", "expire"]
    older_than_s: int | None = None
    newer_than_s: int | None = None


_DECIDE = FormBody(Decision)


async def issues(call: Call) -> Answer:
    """Show what is open, or what was cleared."""
    query = call.query(IssuesQuery)
    part = "issues/_rows.html" if query.cursor is not None else "issues/page.html"
    return render(call, part, **await _listed(call, query))


async def issues_now(call: Call) -> Answer:
    """Answer the list of open ones."""
    return render(call, "issues/_list.html", **await _listed(call, IssuesQuery()))


async def remedy(call: Call) -> Answer:
    """Run a remedy and say what it did."""
    did, issue = await call.app.health.remedy(call.caller, call.path("id"), call.path("name"))
    return render(call, "issues/_issue.html", issue=issue, did=did)


async def decide(call: Call) -> Answer:
    """Send or give up what is held."""
    form = await call.form(_DECIDE)
    await call.app.held.decide(
        call.caller, form.decision, older_than_s=form.older_than_s, newer_than_s=form.newer_than_s
    )
    return await issues_now(call)


async def _listed(call: Call, query: IssuesQuery) -> dict[str, Any]:
    page = await call.app.health.list(call.caller, state=query.state, cursor=query.cursor, limit=_A_PAGE)
    outage = await call.app.held.overview(call.caller) if call.caller.is_admin and query.state == "open" else None
    books = await call.app.health.books(call.caller) if outage is not None else None
    return {"page": page, "state": query.state, "outage": outage, "books": books, "did": ""}


PAGES = (
    Page("issues", "GET", PATH, issues, _NEEDS),
    Page("issuesNow", "GET", f"{PATH}/now", issues_now, _NEEDS),
    Page("issueRemedy", "POST", f"{PATH}/{{id}}/remedies/{{name}}", remedy, (Scope.MODEMS,)),
    Page("outageDecide", "POST", f"{PATH}/outage", decide, (Scope.ADMIN,)),
)
