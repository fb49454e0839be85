"""Mailings: a file of recipients with its texts, sent as one thing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal

import msgspec

from modembank.accounts import Scope
from modembank.errors import InvalidRequest
from modembank.mailings.requests import MailingRequest, Received
from modembank.mailings.service import Mailings
from modembank.mailings.uploads import MAX_OCTETS
from modembank.mailings.views import MailingPreview, MailingView, MomentView, Preflight, RefusedRow
from modembank.messages import IdempotencyKey
from modembank_web.answer import Answer, Header, json_answer
from modembank_web.api.v1 import mailing_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.multipart_body import MEDIA, read_form
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import field_problems
from modembank_web.streaming import Stream

PATH = "/api/v1/mailings"
FORM_OCTETS = MAX_OCTETS + 1_000_000
"""A file of the largest size, and what stands around it."""
_REPLAY: Header = (b"idempotent-replay", b"true")
_ID = {"id": ("The mailing's id", "mlg_0000008000001")}


class MailingForm(MailingRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailing: its file, how that is read, and what its messages have in common."""

    file: str


class MailingsQuery(msgspec.Struct, frozen=True):
    """Which mailings to list."""

    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class MailingsPage(msgspec.Struct, frozen=True):
    """A page of mailings, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[MailingView]
    next: str | None


class MailingRowsQuery(msgspec.Struct, frozen=True):
    """Which rows to list."""

    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class MailingRowsPage(msgspec.Struct, frozen=True):
    """A page of rows that gave no message, in the order of the file; ``next`` is null at the end."""

    items: Sequence[RefusedRow]
    next: str | None


class MailingHistory(msgspec.Struct, frozen=True):
    """How a mailing went on; the moments lie the further apart the longer it takes, and the last one is now."""

    items: Sequence[MomentView]


class MailingResultsQuery(msgspec.Struct, frozen=True):
    """For whom the results are."""

    format: Literal["spreadsheet", "machine"] = "spreadsheet"


async def create_mailing(call: Call) -> Answer:
    """Take a file, durably, and import it in the background; a dry run only looks at it."""
    mailings = call.app.mailings
    request, file = await _form(call)
    if request.dry_run:
        return json_answer(await mailings.dry_run(call.caller, file, request))
    key = await _key(call, mailings, file)
    view, replayed = await mailings.create(call.caller, file, request, key)
    location: Header = (b"location", f"{PATH}/{view.id}".encode())
    return json_answer(view, 202, (location, _REPLAY) if replayed else (location,))


async def preview_mailing(call: Call) -> Answer:
    """Tell what the first rows of a file would become."""
    request, file = await _form(call)
    return json_answer(await call.app.mailings.preview(call.caller, file, request))


async def list_mailings(call: Call) -> Answer:
    """Return a page of mailings."""
    query = call.query(MailingsQuery)
    page = await call.app.mailings.list(call.caller, cursor=query.cursor, limit=query.limit)
    return json_answer(MailingsPage(page.items, next_address(PATH, query, page.cursor)))


async def get_mailing(call: Call) -> Answer:
    """Return one mailing."""
    return json_answer(await call.app.mailings.get(call.caller, call.path("id")))


async def list_mailing_rows(call: Call) -> Answer:
    """Return a page of the rows that gave no message."""
    query, mailing = call.query(MailingRowsQuery), call.path("id")
    page = await call.app.mailings.refused(call.caller, mailing, cursor=query.cursor, limit=query.limit)
    return json_answer(MailingRowsPage(page.items, next_address(f"{PATH}/{mailing}/rows", query, page.cursor)))


async def mailing_results(call: Call) -> Answer:
    """Return what became of each message, as CSV."""
    query, mailing = call.query(MailingResultsQuery), call.path("id")
    results = await call.app.mailings.results(call.caller, mailing, query.format)
    return _csv(results, f"{mailing}-{query.format}")


async def mailing_refusals(call: Call) -> Answer:
    """Return the rows that gave no message, as CSV."""
    query, mailing = call.query(MailingResultsQuery), call.path("id")
    refusals = await call.app.mailings.refusals(call.caller, mailing, query.format)
    return _csv(refusals, f"{mailing}-refused-{query.format}")


async def mailing_history(call: Call) -> Answer:
    """Return the counters of one mailing at some moments."""
    return json_answer(MailingHistory(await call.app.mailings.history(call.caller, call.path("id"))))


async def continue_mailing(call: Call) -> Answer:
    """Let the rest go behind a canary."""
    return json_answer(await call.app.mailings.proceed(call.caller, call.path("id")))


async def start_mailing(call: Call) -> Answer:
    """Let a held mailing go."""
    return json_answer(await call.app.mailings.start_sending(call.caller, call.path("id")))


async def pause_mailing(call: Call) -> Answer:
    """Have a mailing wait."""
    return json_answer(await call.app.mailings.pause(call.caller, call.path("id")))


async def resume_mailing(call: Call) -> Answer:
    """Let a paused mailing go on."""
    return json_answer(await call.app.mailings.resume(call.caller, call.path("id")))


async def cancel_mailing(call: Call) -> Answer:
    """Cancel what of a mailing was not attempted."""
    return json_answer(await call.app.mailings.cancel(call.caller, call.path("id")))


async def retry_mailing(call: Call) -> Answer:
    """Send again what failed."""
    return json_answer(await call.app.mailings.retry_failed(call.caller, call.path("id")))


def _csv(lines: AsyncGenerator[bytes, None], name: str) -> Stream:
    disposition = f'attachment; filename="{name}.csv"'.encode("ascii", "replace")
    return Stream(lines, b"text/csv; charset=utf-8", ((b"content-disposition", disposition),))


async def _form(call: Call) -> tuple[MailingRequest, Received]:
    mailings = call.app.mailings
    fields, file = await read_form(
        call.receive, call.headers, lambda name: mailings.upload(call.caller, name), FORM_OCTETS
    )
    try:
        return _request(fields), file
    except InvalidRequest:
        await mailings.discard(file)
        raise


def _request(fields: Mapping[str, str]) -> MailingRequest:
    problems = field_problems(MailingRequest, fields, strict=False)
    if problems:
        raise InvalidRequest(*problems)
    return msgspec.convert(fields, MailingRequest, strict=False)


async def _key(call: Call, mailings: Mailings, file: Received) -> IdempotencyKey | None:
    given = call.headers.get(b"idempotency-key")
    try:
        return None if given is None else IdempotencyKey.of(given.decode("latin-1"), file.digest)
    except InvalidRequest:
        await mailings.discard(file)
        raise


_NEEDS = (Scope.MAILINGS,)
_KEY = {"Idempotency-Key": ("1 to 255 printable ASCII characters, remembered for 48 hours", "mailing-2026-11")}


def _change(name: str, run: object, summary: str, description: str) -> Operation:
    return Operation(
        id=f"{name}Mailing",
        method="POST",
        path=f"{PATH}/{{id}}/{name}",
        tag="Mailings",
        summary=summary,
        description=description,
        run=run,  # type: ignore[arg-type]
        needs=_NEEDS,
        parameters=_ID,
        replies=(Reply(200, "The mailing", MailingView, examples.MAILING),),
        raises=("conflict",),
    )


OPERATIONS = (
    Operation(
        id="createMailing",
        method="POST",
        path=PATH,
        tag="Mailings",
        summary="Send a file of recipients",
        description=(
            "Takes a CSV or XLSX file. 202 is answered when the file is on the disk; then every row is checked, and if "
            "any is good, the good ones become messages, each with its own text. A crash or a power cut in between "
            "loses none and repeats none. Rows that are refused are listed with their line and the reason.\n\n"
            "The text comes from `template`, in which `{name}` stands for the row's cell in the column of that name "
            "(`{{` and `}}` are braces), or from the column `text_column`. What is not said about the file is found "
            "out: its character set, what parts its columns, whether it has a header, which column holds the numbers. "
            "What cannot be found out is refused with 422 naming the columns.\n\n"
            "`dry_run` answers 200 with what would become of all rows. `hold` imports and waits for `start`. With "
            "`canary_share` or `canary_count` the first messages go, and the rest waits for `continue`, or goes on by "
            "itself `canary_minutes` after they left, unless more than `canary_max_failed` percent of them failed. "
            "With `Idempotency-Key`, the same file with the same fields gives the first mailing again."
        ),
        run=create_mailing,
        needs=_NEEDS,
        body=Body(MailingForm, examples.FORMS, MEDIA),
        headers=_KEY,
        replies=(
            Reply(
                202,
                "The file is durable, the import begins",
                MailingView,
                examples.NEW,
                headers={
                    "Location": "The mailing's address",
                    "Idempotent-Replay": "`true` when this is the mailing of an earlier request with the same key",
                },
            ),
            Reply(200, "A dry run: what would become of all rows", Preflight, examples.PREFLIGHT),
        ),
        raises=("unknown_provider", "idempotency_mismatch", "too_many_requests"),
    ),
    Operation(
        id="previewMailing",
        method="POST",
        path=f"{PATH}/preview",
        tag="Mailings",
        summary="See how the first rows would go out",
        description="Takes the same form and shows what its first rows would become. Keeps nothing.",
        run=preview_mailing,
        needs=_NEEDS,
        body=Body(MailingForm, {"named": examples.FORMS["named"]}, MEDIA),
        replies=(Reply(200, "The first rows", MailingPreview, examples.PREVIEW),),
    ),
    Operation(
        id="listMailings",
        method="GET",
        path=PATH,
        tag="Mailings",
        summary="List mailings",
        description="Newest first. A sender's key sees its own, an admin's all.",
        run=list_mailings,
        needs=_NEEDS,
        query=MailingsQuery,
        replies=(Reply(200, "A page of mailings", MailingsPage, examples.PAGE),),
    ),
    Operation(
        id="getMailing",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag="Mailings",
        summary="Look up one mailing",
        description=(
            "How far its import is, how many of its messages are in which state, how fast it goes, and when the last "
            "will have left as far as the limits of its SIMs tell. Its messages are those of the list of messages "
            "with `batch` set to the mailing's id, `bat_` in the place of `mlg_`."
        ),
        run=get_mailing,
        needs=_NEEDS,
        parameters=_ID,
        replies=(Reply(200, "The mailing", MailingView, examples.MAILING),),
    ),
    Operation(
        id="listMailingRows",
        method="GET",
        path=f"{PATH}/{{id}}/rows",
        tag="Mailings",
        summary="List rows that gave no message",
        description="With line, number as written, and reason, in the order of the file; the first 10,000 are kept.",
        run=list_mailing_rows,
        needs=_NEEDS,
        parameters=_ID,
        query=MailingRowsQuery,
        replies=(Reply(200, "A page of rows", MailingRowsPage, examples.ROWS),),
    ),
    Operation(
        id="getMailingResults",
        method="GET",
        path=f"{PATH}/{{id}}/results",
        tag="Mailings",
        summary="Download what became of each message",
        description=(
            "CSV in UTF-8, one line for each message. In the format `spreadsheet` an apostrophe goes before cells that "
            "a spreadsheet would take for formulas, and numbers begin with `+`; `machine` has the cells as they are."
        ),
        run=mailing_results,
        needs=_NEEDS,
        parameters=_ID,
        query=MailingResultsQuery,
        replies=(Reply(200, "The results", None, examples.RESULTS, media="text/csv; charset=utf-8"),),
    ),
    Operation(
        id="getMailingRefusals",
        method="GET",
        path=f"{PATH}/{{id}}/refused",
        tag="Mailings",
        summary="Download the rows that gave no message",
        description="The same as the list of rows, as CSV in UTF-8: line, number as written, kind, reason.",
        run=mailing_refusals,
        needs=_NEEDS,
        parameters=_ID,
        query=MailingResultsQuery,
        replies=(Reply(200, "The rows", None, examples.REFUSALS, media="text/csv; charset=utf-8"),),
    ),
    Operation(
        id="getMailingHistory",
        method="GET",
        path=f"{PATH}/{{id}}/history",
        tag="Mailings",
        summary="See how a mailing went on",
        description=(
            "How many of its messages were in which state at some moments, for a chart. They lie ten seconds apart at "
            "first and the further the longer it takes; the last one is now."
        ),
        run=mailing_history,
        needs=_NEEDS,
        parameters=_ID,
        replies=(Reply(200, "The moments", MailingHistory, examples.HISTORY),),
    ),
    _change(
        "continue",
        continue_mailing,
        "Let the rest go behind the canary",
        "For one whose canary goes or has gone, whatever its rule says; the validity of the rest counts from now.",
    ),
    _change(
        "start",
        start_mailing,
        "Start a mailing that is held",
        "For one that was made with `hold`; its validity counts from now.",
    ),
    _change(
        "pause",
        pause_mailing,
        "Pause a mailing",
        "What was not attempted waits; a message of which a part is out goes on. Messages still expire meanwhile.",
    ),
    Operation(
        id="retryFailedOfMailing",
        method="POST",
        path=f"{PATH}/{{id}}/retry-failed",
        tag="Mailings",
        summary="Send again what failed of a mailing",
        description=(
            "For one that is finished: what failed, expired or was reported undelivered is sent again as new messages "
            "of the mailing, each once. What may have been sent (`unknown`) is not, nor what was cancelled."
        ),
        run=retry_mailing,
        needs=_NEEDS,
        parameters=_ID,
        replies=(Reply(200, "The mailing", MailingView, examples.MAILING),),
        raises=("conflict",),
    ),
    _change("resume", resume_mailing, "Resume a paused mailing", "What waits goes on at once."),
    _change(
        "cancel",
        cancel_mailing,
        "Cancel a mailing",
        "What was not attempted is cancelled, what of the file is not imported stays out; what was attempted goes on.",
    ),
)
