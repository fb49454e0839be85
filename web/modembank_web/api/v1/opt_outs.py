"""Opt-outs: who wants no messages, what may have meant it, and files of both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.optouts import ImportDone, ImportRow, OptOutView, ReviewView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import opt_out_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody, UnsupportedMediaType, read_body
from modembank_web.streaming import Stream

PATH = "/api/v1/opt-outs"
CSV = "text/csv; charset=utf-8"
_NUMBER = {"number": ("The number, in any usual form", "+447900900123")}
_REVIEW = {"id": ("The review's id: that of the inbound message", "inb_0000008000002")}
_SCOPES = (Scope.OPT_OUTS,)


class OptOutsQuery(msgspec.Struct, frozen=True):
    """Which opt-outs to list."""

    number: str | None = None
    state: Literal["out", "in"] | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class OptOutsPage(msgspec.Struct, frozen=True):
    """A page of opt-outs, what changed last first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[OptOutView]
    next: str | None


class OptOutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that wants no messages."""

    number: str
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class OptInQuery(msgspec.Struct, frozen=True):
    """Why a number may have messages again."""

    reason: str = ""


class ReviewsQuery(msgspec.Struct, frozen=True):
    """Which reviews to list."""

    state: Literal["open", "all"] = "open"
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class ReviewsPage(msgspec.Struct, frozen=True):
    """A page of reviews, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[ReviewView]
    next: str | None


class ReviewDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an inbound message meant."""

    decision: Literal["opt_out", "dismiss"]


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers to put out, all or none."""

    items: tuple[ImportRow, ...]


class ExportQuery(msgspec.Struct, frozen=True):
    """For whom to write."""

    format: Literal["machine", "spreadsheet"] = "machine"


_ADD, _DECISION, _IMPORT = JsonBody(OptOutRequest), JsonBody(ReviewDecision), JsonBody(ImportRequest)


async def list_opt_outs(call: Call) -> Answer:
    """Return a page of opt-outs."""
    query = call.query(OptOutsQuery)
    page = await call.app.optouts.list(
        call.caller, number=query.number, state=query.state, cursor=query.cursor, limit=query.limit
    )
    return json_answer(OptOutsPage(page.items, next_address(PATH, query, page.cursor)))


async def add_opt_out(call: Call) -> Answer:
    """Put a number out."""
    request = await call.json(_ADD)
    return json_answer(await call.app.optouts.add(call.caller, request.number, request.note))


async def remove_opt_out(call: Call) -> Answer:
    """Let a number have messages again."""
    query = call.query(OptInQuery)
    return json_answer(await call.app.optouts.remove(call.caller, call.path("number"), query.reason))


async def list_reviews(call: Call) -> Answer:
    """Return a page of reviews."""
    query = call.query(ReviewsQuery)
    page = await call.app.optouts.reviews(
        call.caller, cursor=query.cursor, limit=query.limit, still_open=query.state == "open"
    )
    return json_answer(ReviewsPage(page.items, next_address(f"{PATH}/reviews", query, page.cursor)))


async def decide_review(call: Call) -> Answer:
    """Decide a review."""
    decision = (await call.json(_DECISION)).decision
    return json_answer(await call.app.optouts.decide(call.caller, call.path("id"), decision))


async def import_opt_outs(call: Call) -> Answer:
    """Put many numbers out, from CSV or JSON."""
    media = call.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media != b"text/csv":
        return json_answer(await call.app.optouts.take_in(call.caller, (await call.json(_IMPORT)).items))
    if b"content-encoding" in call.headers:
        raise UnsupportedMediaType(why="the body must not be compressed")
    body = await read_body(call.receive, call.headers)
    return json_answer(await call.app.optouts.take_in_csv(call.caller, body))


async def export_opt_outs(call: Call) -> Answer:
    """Return all opt-outs as CSV."""
    form = call.query(ExportQuery).format
    parts = await call.app.optouts.export(call.caller, form)
    name = "opt-outs.csv" if form == "machine" else "opt-outs-for-spreadsheets.csv"
    extra = ((b"content-disposition", f'attachment; filename="{name}"'.encode()),)
    return Stream(parts, CSV.encode(), extra)


OPERATIONS = (
    Operation(
        id="listOptOuts",
        method="GET",
        path=PATH,
        tag="Opt-outs",
        summary="List the opt-outs",
        description=(
            "What changed last first; numbers that want messages again stay in the list, with the state `in`. A "
            "sender's key lists what it did itself and what came of its own conversations; with `number` it is told of "
            "any whether it is out."
        ),
        run=list_opt_outs,
        needs=_SCOPES,
        query=OptOutsQuery,
        replies=(Reply(200, "A page of opt-outs", OptOutsPage, {"items": [examples.OPT_OUT], "next": None}),),
    ),
    Operation(
        id="addOptOut",
        method="POST",
        path=PATH,
        tag="Opt-outs",
        summary="Put a number out",
        description=(
            "From now on the box sends nothing to it, whoever asks; what waits for it fails with the cause `opted_out`."
            " The same number again changes nothing. The number is not told."
        ),
        run=add_opt_out,
        needs=_SCOPES,
        body=Body(OptOutRequest, {"by telephone": {"number": "+447900900123", "note": "asked by telephone"}}),
        replies=(Reply(200, "It is out", OptOutView, examples.OPT_OUT),),
    ),
    Operation(
        id="removeOptOut",
        method="DELETE",
        path=f"{PATH}/{{number}}",
        tag="Opt-outs",
        summary="Let a number have messages again",
        description="For administrators, with a reason, which stands in the audit log. The number is not told.",
        run=remove_opt_out,
        needs=(Scope.ADMIN,),
        query=OptInQuery,
        parameters=_NUMBER,
        replies=(Reply(200, "It may be written to", OptOutView, examples.IN_AGAIN),),
    ),
    Operation(
        id="listOptOutReviews",
        method="GET",
        path=f"{PATH}/reviews",
        tag="Opt-outs",
        summary="List what may have meant it",
        description=(
            "Inbound messages that look like an opt-out and are none to the letter: a slip in a keyword, `please stop`,"
            " a word of another language. Nothing follows from one until somebody decides. A sender's key sees those of"
            " its own conversations."
        ),
        run=list_reviews,
        needs=_SCOPES,
        query=ReviewsQuery,
        replies=(Reply(200, "A page of reviews", ReviewsPage, {"items": [examples.REVIEW], "next": None}),),
    ),
    Operation(
        id="decideOptOutReview",
        method="POST",
        path=f"{PATH}/reviews/{{id}}/decide",
        tag="Opt-outs",
        summary="Decide what was meant",
        description=(
            "`opt_out` puts the number out, `dismiss` does nothing. The same decision twice is as good as once; 409 for"
            " another one, and for a number without country code."
        ),
        run=decide_review,
        needs=_SCOPES,
        body=Body(ReviewDecision, {"it was meant": {"decision": "opt_out"}, "it was not": {"decision": "dismiss"}}),
        parameters=_REVIEW,
        replies=(Reply(200, "Decided", ReviewView, examples.DECIDED),),
        raises=("conflict",),
    ),
    Operation(
        id="importOptOuts",
        method="POST",
        path=f"{PATH}/import",
        tag="Opt-outs",
        summary="Put many numbers out",
        description=(
            "Up to 100,000, all or none: every wrong row is named by its line. CSV (`text/csv`, UTF-8) with the columns"
            " `number` and `note`, as the export writes them for machines or for spreadsheets; rows whose `state` is"
            " `in` are skipped. Or JSON."
        ),
        run=import_opt_outs,
        needs=_SCOPES,
        body=Body(ImportRequest, {"two": {"items": examples.ROWS}}, also={"text/csv": examples.CSV}),
        replies=(Reply(200, "All are out", ImportDone, examples.IMPORTED),),
    ),
    Operation(
        id="exportOptOuts",
        method="GET",
        path=f"{PATH}/export",
        tag="Opt-outs",
        summary="Download the opt-outs",
        description=(
            "CSV in UTF-8, the oldest change first: all, or with a sender's key what the list shows. `machine` has the "
            "values as they are; in `spreadsheet` a cell that a spreadsheet would take for a formula, as every number "
            "with its `+`, begins with an apostrophe. What changes while it is read comes again, at the end."
        ),
        run=export_opt_outs,
        needs=_SCOPES,
        query=ExportQuery,
        replies=(
            Reply(
                200,
                "The file",
                example=examples.EXPORT,
                media=CSV,
                headers={"Content-Disposition": "A name for the file"},
            ),
        ),
    ),
)
