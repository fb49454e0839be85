"""A new mailing, step by step: the file, columns and text, check and send."""

from __future__ import annotations

from typing import Any

import msgspec

from modembank.accounts import Scope
from modembank.errors import InvalidRequest
from modembank.mailings.checking import Check
from modembank.mailings.drafting import spoken
from modembank.mailings.drafts import Draft
from modembank.mailings.requests import MailingRequest
from modembank.mailings.uploads import MAX_OCTETS, FileTooLarge
from modembank.messages import UnknownProvider
from modembank_web.answer import Answer
from modembank_web.api.v1.mailings import FORM_OCTETS
from modembank_web.multipart_body import read_form
from modembank_web.operation import Call
from modembank_web.pages.mailing_forms import (
    CHARSETS,
    DELIMITERS,
    OPTIONS,
    TEXT,
    OptionsForm,
    TextForm,
    complete,
    field_of,
    options_form,
    problems_of,
    read_as,
    text_form,
    ways,
    with_options,
)
from modembank_web.pages.page import ROOT, Page, goes_to, to
from modembank_web.pages.regions_table import REGIONS
from modembank_web.pages.rendering import render
from modembank_web.reading import BodyTooLarge

LIST = f"{ROOT}/mailings"
NEW = f"{LIST}/new"
DRAFT = f"{LIST}/drafts/{{id}}"
_NEEDS = (Scope.MAILINGS,)
_FILE_FIELDS = frozenset({"header", "delimiter", "charset", "sheet", "region"})


async def new(call: Call) -> Answer:
    """Show where the file goes, and files that were uploaded and not sent."""
    drafts = await call.app.mailings.drafts.list(call.caller)
    return render(call, "mailings/new.html", drafts=drafts, problem="", most=MAX_OCTETS)


async def upload(call: Call) -> Answer:
    """Take the file and go on to its text; what is wrong with it is said where it was chosen."""
    mailings = call.app.mailings
    try:
        _, file = await read_form(
            call.receive, call.headers, lambda name: mailings.upload(call.caller, name), FORM_OCTETS
        )
        draft = await mailings.drafts.keep(call.caller, file)
    except (FileTooLarge, BodyTooLarge) as error:
        problem = f"is too large: {error}. Divide it, and send each part as a mailing of its own."
    except InvalidRequest as error:
        problem = error.problems[0].detail
    else:
        return goes_to(call, _at(draft))
    return render(call, "mailings/_upload.html", status=422, problem=problem, most=MAX_OCTETS)


async def columns(call: Call) -> Answer:
    """Show the file's first rows, and where its numbers and texts come from."""
    draft = await _draft(call)
    if draft.mailing is not None:
        return to(f"{LIST}/{draft.mailing}")
    return render(call, "mailings/columns.html", **_columns(call, draft, text_form(draft)))


async def read_again(call: Call) -> Answer:
    """Read the file as it is said to be, and show it anew."""
    drafts, form = call.app.mailings.drafts, await call.form(TEXT)
    draft = await _draft(call)
    problems: dict[str, str] = {}
    try:
        changed = await drafts.change(call.caller, draft.id, read_as(form, draft))
        form = _after(form, draft, changed)
        draft = changed
    except InvalidRequest as error:
        problems = _of_file(error)
    return render(
        call, "mailings/_columns.html", status=422 if problems else 200, **_columns(call, draft, form, problems)
    )


async def preview(call: Call) -> Answer:
    """Show what the first rows would become."""
    draft, form = await _draft(call), await call.form(TEXT)
    return render(call, "mailings/_preview.html", **_preview(call, draft, form))


async def simplify(call: Call) -> Answer:
    """Write the text with characters that take less room."""
    draft, form = await _draft(call), await call.form(TEXT)
    shorter = call.app.messages.preview(form.template).text_after if form.template else None
    form = msgspec.structs.replace(form, template=shorter or form.template)
    return render(call, "mailings/_simplified.html", form=form, **_preview(call, draft, form))


async def note_text(call: Call) -> Answer:
    """Keep what was said, and go on to the check."""
    drafts, form = call.app.mailings.drafts, await call.form(TEXT)
    draft = await _draft(call)
    try:
        request = complete(read_as(form, draft))
        drafts.preview(draft, request)
        draft = await drafts.change(call.caller, draft.id, request)
    except InvalidRequest as error:
        shown = _columns(call, draft, form, dict(problems_of(error)))
        return render(call, "mailings/_columns.html", status=422, **shown)
    return goes_to(call, f"{_at(draft)}/check")


async def check(call: Call) -> Answer:
    """Show what all rows would become, and how the mailing is to go."""
    draft = await _draft(call)
    if draft.mailing is not None:
        return to(f"{LIST}/{draft.mailing}")
    try:
        complete(draft.request)
        found = await call.app.mailings.drafts.check(draft)
    except InvalidRequest:
        return to(_at(draft))
    form = options_form(draft)
    return render(call, "mailings/check.html", **_checked(draft, found), **await _plan(call, draft, found, form))


async def progress(call: Call) -> Answer:
    """Show how far the check is; when it is over, the plan looks again."""
    draft = await _draft(call)
    found = await call.app.mailings.drafts.check(draft)
    extra = ((b"hx-trigger", b"checked"),) if found.over else ()
    return render(call, "mailings/_progress.html", extra=extra, **_checked(draft, found))


async def plan(call: Call) -> Answer:
    """Show what would happen with these options."""
    draft, form = await _draft(call), await call.form(OPTIONS)
    found = await call.app.mailings.drafts.check(draft)
    return render(call, "mailings/_plan.html", **_checked(draft, found), **await _plan(call, draft, found, form))


async def shorten(call: Call) -> Answer:
    """Have special characters replaced in every message, and check again."""
    draft = await _draft(call)
    request = msgspec.structs.replace(draft.request, replace=True)
    await call.app.mailings.drafts.change(call.caller, draft.id, request)
    return goes_to(call, f"{_at(draft)}/check")


async def refused(call: Call) -> Answer:
    """Answer the rows that would give no message, as a file."""
    draft = await _draft(call)
    extra = ((b"content-disposition", b'attachment; filename="refused-rows.csv"'),)
    return Answer(await call.app.mailings.drafts.refused(draft), 200, b"text/csv; charset=utf-8", extra)


async def send(call: Call) -> Answer:
    """Make the mailing and go to its page."""
    draft, form = await _draft(call), await call.form(OPTIONS)
    try:
        request = with_options(complete(draft.request), form)
        mailing = await call.app.mailings.drafts.send(call.caller, draft.id, request)
    except (InvalidRequest, UnknownProvider):
        found = await call.app.mailings.drafts.check(draft)
        shown = {**_checked(draft, found), **await _plan(call, draft, found, form)}
        return render(call, "mailings/_options_again.html", status=422, **shown)
    return goes_to(call, f"{LIST}/{mailing}")


async def discard(call: Call) -> Answer:
    """Throw a file away."""
    await call.app.mailings.drafts.delete(call.caller, call.path("id"))
    return goes_to(call, NEW)


async def _draft(call: Call) -> Draft:
    return await call.app.mailings.drafts.get(call.caller, call.path("id"))


def _at(draft: Draft) -> str:
    return f"{LIST}/drafts/{draft.id}"


def _of_file(error: InvalidRequest) -> dict[str, str]:
    """Return what is wrong with how the file is read; what is about no field of that stands above them."""
    found = problems_of(error)
    return {name if name in _FILE_FIELDS else "file": detail for name, detail in found.items()}


def _after(form: TextForm, before: Draft, draft: Draft) -> TextForm:
    """Return the form for a file that is read anew: columns that are there no more are chosen no more."""
    if before.table.columns == draft.table.columns:
        return msgspec.structs.replace(form, header="yes" if draft.table.header else "no")
    fresh = text_form(msgspec.structs.replace(draft, request=MailingRequest()))
    return msgspec.structs.replace(
        form, header=fresh.header, to_column=fresh.to_column, text_column=fresh.text_column, delimiter=fresh.delimiter
    )


def _columns(call: Call, draft: Draft, form: TextForm, problems: dict[str, str] | None = None) -> dict[str, Any]:
    table = draft.table
    charsets = [*CHARSETS]
    if table.charset and table.charset not in dict(charsets):
        charsets.append((table.charset, table.charset))
    delimiters = [*DELIMITERS]
    if table.delimiter and table.delimiter not in dict(delimiters):
        delimiters.append((table.delimiter, table.delimiter))
    names = [name if name.strip() and not name.isdigit() else f"Column {at}" for at, name in _counted(table.columns)]
    return {
        "draft": draft,
        "table": table,
        "path": _at(draft),
        "form": form,
        "problems": problems or {},
        "charsets": charsets,
        "delimiters": delimiters,
        "regions": REGIONS,
        "box_region": dict(REGIONS).get(call.app.config.box.region, ""),
        "fields": [(field_of(table.columns, at), name) for at, name in enumerate(table.columns)],
        "names": names,
        "column_choices": [("", "Choose a column"), *((str(at), name) for at, name in enumerate(names, 1))],
        "sheet_choices": [(name if at else "", name) for at, name in enumerate(table.sheets)],
        **_preview(call, draft, form),
    }


def _counted(names: tuple[str, ...]) -> list[tuple[int, str]]:
    return list(enumerate(names, 1))


def _preview(call: Call, draft: Draft, form: TextForm) -> dict[str, Any]:
    """Return what the first rows would become, or what is missing for that."""
    shown: dict[str, Any] = {"path": _at(draft), "sample": (), "missing": "", "offer": None, "special": ()}
    try:
        found = call.app.mailings.drafts.preview(draft, complete(read_as(form, draft)))
    except InvalidRequest as error:
        problem = error.problems[0]
        return shown | {"missing": problem.detail, "about": problem.pointer.strip("/")}
    offer = None
    if form.source == "template":
        try:
            offer = call.app.messages.preview(form.template)
        except InvalidRequest:
            offer = None  # what is wrong with the text shows in every row
    special = list(dict.fromkeys(char for row in found.sample for char in row.forced_by))
    return shown | {"sample": found.sample, "offer": offer, "special": special, "about": ""}


def _checked(draft: Draft, found: Check) -> dict[str, Any]:
    table = draft.table
    to_column = draft.request.to_column or ("" if table.to_column is None else spoken(table.columns, table.to_column))
    return {"draft": draft, "path": _at(draft), "check": found, "found": found.found, "to_column": to_column}


async def _plan(call: Call, draft: Draft, found: Check, form: OptionsForm) -> dict[str, Any]:
    """Return what would happen, or what is wrong with the options."""
    shown: dict[str, Any] = {"form": form, "problems": {}, "plan": None, "ways": ways(call.app.sims.all())}
    segments = 0 if found.found is None else found.found.segments
    try:
        plan = await call.app.mailings.plan(call.caller, with_options(draft.request, form), segments)
    except (InvalidRequest, UnknownProvider) as error:
        if isinstance(error, InvalidRequest):
            problems = dict(problems_of(error))
        else:
            problems = {"sim": "is not there any more: choose another"}
        return shown | {"problems": problems}
    return shown | {"plan": plan}


PAGES = (
    Page("newMailing", "GET", NEW, new, _NEEDS),
    Page("uploadForMailing", "POST", NEW, upload, _NEEDS),
    Page("mailingColumns", "GET", DRAFT, columns, _NEEDS),
    Page("noteMailingText", "POST", DRAFT, note_text, _NEEDS),
    Page("discardDraft", "DELETE", DRAFT, discard, _NEEDS),
    Page("readAgain", "POST", f"{DRAFT}/look", read_again, _NEEDS),
    Page("previewText", "POST", f"{DRAFT}/preview", preview, _NEEDS),
    Page("simplifyText", "POST", f"{DRAFT}/simplify", simplify, _NEEDS),
    Page("checkDraft", "GET", f"{DRAFT}/check", check, _NEEDS),
    Page("checkProgress", "GET", f"{DRAFT}/check/progress", progress, _NEEDS),
    Page("shortenMessages", "POST", f"{DRAFT}/shorten", shorten, _NEEDS),
    Page("planDraft", "POST", f"{DRAFT}/plan", plan, _NEEDS),
    Page("draftRefusedRows", "GET", f"{DRAFT}/refused-rows", refused, _NEEDS),
    Page("sendDraft", "POST", f"{DRAFT}/send", send, _NEEDS),
)
