"""Issues: what needs a person, with evidence, and remedies to run; and the law that nothing accepted is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from modembank.accounts import Scope
from modembank.health import ConservationView, IssueView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import issue_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/issues"
_ID = {"id": ("The issue's id", "iss_0000008000001")}


class IssuesQuery(msgspec.Struct, frozen=True):
    """Which issues to list."""

    state: Literal["open", "cleared", "all"] = "open"
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class IssuesPage(msgspec.Struct, frozen=True):
    """A page of issues, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[IssueView]
    next: str | None


class RemedyDone(msgspec.Struct, frozen=True):
    """What a remedy did, and the issue as it is then."""

    did: str
    issue: IssueView


async def list_issues(call: Call) -> Answer:
    """Return a page of issues."""
    query = call.query(IssuesQuery)
    page = await call.app.health.list(call.caller, state=query.state, cursor=query.cursor, limit=query.limit)
    return json_answer(IssuesPage(page.items, next_address(PATH, query, page.cursor)))


async def get_issue(call: Call) -> Answer:
    """Return one issue."""
    return json_answer(await call.app.health.get(call.caller, call.path("id")))


async def run_remedy(call: Call) -> Answer:
    """Run a remedy on an issue."""
    did, issue = await call.app.health.remedy(call.caller, call.path("id"), call.path("name"))
    return json_answer(RemedyDone(did, issue))


async def get_conservation(call: Call) -> Answer:
    """Return whether accepted = terminal + open."""
    return json_answer(await call.app.health.conservation(call.caller))


OPERATIONS = (
    Operation(
        id="listIssues",
        method="GET",
        path=PATH,
        tag="Health",
        summary="List the issues",
        description=(
            "Newest first; those that are open unless `state` says otherwise. An issue is open as long as what it tells"
            " of lasts; cleared ones are kept for 90 days."
        ),
        run=list_issues,
        needs=(Scope.MODEMS, Scope.ADMIN),
        query=IssuesQuery,
        replies=(Reply(200, "A page of issues", IssuesPage, {"items": [examples.ISSUE], "next": None}),),
    ),
    Operation(
        id="getIssue",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag="Health",
        summary="Look up one issue",
        description="Open or cleared, with its evidence and the remedies that were run.",
        run=get_issue,
        needs=(Scope.MODEMS, Scope.ADMIN),
        parameters=_ID,
        replies=(Reply(200, "The issue", IssueView, examples.ISSUE),),
    ),
    Operation(
        id="runRemedy",
        method="POST",
        path=f"{PATH}/{{id}}/remedies/{{name}}",
        tag="Health",
        summary="Run a remedy",
        description=(
            "One of those that the issue names. Answers what was done and the issue as it is after another look, often"
            " cleared; a modem takes its time. 409 when the issue is cleared or the remedy does not apply now."
        ),
        run=run_remedy,
        needs=(Scope.MODEMS,),
        parameters={**_ID, "name": ("The remedy's name", "resume_sim")},
        replies=(Reply(200, "Done", RemedyDone, {"did": "SIM reminders sends again", "issue": examples.CLEARED}),),
        raises=("conflict",),
    ),
    Operation(
        id="getConservation",
        method="GET",
        path="/api/v1/conservation",
        tag="Health",
        summary="Do the books add up?",
        description=(
            "Accepted = terminal + open, in the counters and in the table, and no open message is stranded: as of one"
            " moment, `checked_at`. The table is read anew each time, unless that takes longer than a second: then no"
            " more than one percent of the time is spent on it. For administrators."
        ),
        run=get_conservation,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The books", ConservationView, examples.CONSERVATION),),
    ),
)
