"""Opt-outs: who wants no messages, what looks like it, and lists of such numbers in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.multipart_body import read_form
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at
from modembank_web.pages.rendering import ALONE, render
from modembank_web.streaming import Stream

PATH = f"{ROOT}/opt-outs"
_NEEDS = (Scope.OPT_OUTS,)
_A_PAGE = 50
_NO_NUMBER = "is no number that could be written to"
LARGEST_FILE = 8 * 1024 * 1024
Word = Annotated[str, msgspec.Meta(max_length=200)]


class OptOutsQuery(msgspec.Struct, frozen=True):
    """Which; empty: all."""

    number: Word = ""
    state: Literal["out", "in", ""] = ""
    cursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None

    @property
    def newest(self) -> str:
        """Where what changes is, from the beginning of the list."""
        return f"{PATH}/now?{urlencode({'number': self.number, 'state': self.state})}"

    def address(self, cursor: str) -> str:
        """Return where the page after this one is."""
        return f"{PATH}?{urlencode({'number': self.number, 'state': self.state, 'cursor': cursor})}"


class NewOptOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number to put out."""

    number: Word = ""
    note: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class BackIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a number may have messages again."""

    number: Word
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a message meant."""

    decision: Literal["opt_out", "dismiss"]


_NEW, _BACK, _VERDICT = FormBody(NewOptOut), FormBody(BackIn), FormBody(Verdict)


async def opt_outs(call: Call) -> Answer:
    """Show the numbers, and what waits for a look."""
    query = call.query(OptOutsQuery)
    shown = await _shown(call, query)
    part = "optouts/_rows.html" if query.cursor is not None else "optouts/page.html"
    return render(call, part, status=200 if shown["page"] is not None else 422, **shown)


async def opt_outs_now(call: Call) -> Answer:
    """Answer what changes."""
    return render(call, "optouts/_now.html", **await _shown(call, call.query(OptOutsQuery)))


async def add(call: Call) -> Answer:
    """Put a number out."""
    form = await call.form(_NEW)
    try:
        await call.app.optouts.add(call.caller, form.number, form.note.strip())
    except InvalidRequest as error:
        return render(call, "optouts/_new.html", status=422, form=form, errors=errors_at(error), done="")
    except NotFound:
        errors = {"number": _NO_NUMBER}
        return render(call, "optouts/_new.html", status=422, form=form, errors=errors, done="")
    done = f"{form.number} gets no messages any more"
    return render(call, "optouts/_new.html", form=NewOptOut(), errors={}, done=done, extra=_CHANGED)


async def back_in(call: Call) -> Answer:
    """Let a number have messages again."""
    form = await call.form(_BACK)
    try:
        await call.app.optouts.remove(call.caller, form.number, form.reason)
    except InvalidRequest as error:
        return render(call, "optouts/_back.html", status=422, number=form.number, errors=errors_at(error), done="")
    return render(
        call, "optouts/_back.html", number=form.number, errors={}, done="It may have messages again.", extra=_CHANGED
    )


async def decide(call: Call) -> Answer:
    """Decide what a message meant."""
    form = await call.form(_VERDICT)
    await call.app.optouts.decide(call.caller, call.path("id"), form.decision)
    return await opt_outs_now(call)


async def take_in(call: Call) -> Answer:
    """Put the numbers of a file out, all or none."""
    wrong: list[FieldProblem] = []
    done = None
    try:
        _, octets = await read_form(call.receive, call.headers, lambda _: _InMemory(), LARGEST_FILE)
        done = await call.app.optouts.take_in_csv(call.caller, octets)
    except InvalidRequest as error:
        wrong = list(error.problems)
    extra = () if wrong else _CHANGED
    return render(call, "optouts/_import.html", status=422 if wrong else 200, wrong=wrong, imported=done, extra=extra)


async def export(call: Call) -> Answer:
    """Answer all as a file for spreadsheets."""
    parts = await call.app.optouts.export(call.caller, "spreadsheet")
    extra = ((b"content-disposition", b'attachment; filename="opt-outs.csv"'), *ALONE)
    return Stream(parts, b"text/csv; charset=utf-8", extra)


_CHANGED = ((b"hx-trigger", b"optouts-changed"),)


class _InMemory:
    """Where a small file goes."""

    def __init__(self) -> None:
        self._octets = bytearray()

    async def write(self, octets: bytes) -> None:
        self._octets += octets

    async def received(self) -> bytes:
        return bytes(self._octets)

    def discard(self) -> None:
        self._octets.clear()


async def _shown(call: Call, query: OptOutsQuery) -> dict[str, Any]:
    actor, service = call.caller, call.app.optouts
    wrong: dict[str, str] = {}
    page = None
    try:
        page = await service.list(
            actor, number=query.number.strip() or None, state=query.state or None, cursor=query.cursor, limit=_A_PAGE
        )
    except InvalidRequest as error:
        if query.cursor is not None:
            raise  # only rows were asked for: there is no field to say it at
        wrong = errors_at(error)
    except NotFound:
        wrong = {"number": _NO_NUMBER}
    reviews = await service.reviews(actor, limit=20)
    return {
        "page": page, "query": query, "wrong": wrong, "reviews": reviews.items, "form": NewOptOut(), "errors": {},
        "done": "", "imported": None, "number": "",
    }  # fmt: skip


PAGES = (
    Page("optOuts", "GET", PATH, opt_outs, _NEEDS),
    Page("optOutsNow", "GET", f"{PATH}/now", opt_outs_now, _NEEDS),
    Page("optOutAdd", "POST", PATH, add, _NEEDS),
    Page("optOutBack", "POST", f"{PATH}/back", back_in, (Scope.ADMIN,)),
    Page("optOutReview", "POST", f"{PATH}/reviews/{{id}}", decide, _NEEDS),
    Page("optOutImport", "POST", f"{PATH}/import", take_in, _NEEDS),
    Page("optOutExport", "GET", f"{PATH}/export", export, _NEEDS),
)
