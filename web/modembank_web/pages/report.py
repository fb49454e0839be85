"""The report: what was accepted of whom, what each SIM sent and what came to a bad end, day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest
from modembank.figures import MOST_DAYS, Line, Report, Subject, write_csv
from modembank.messages import MessageState
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at
from modembank_web.pages.rendering import ALONE, render

PATH = f"{ROOT}/report"
_NEEDS = (Scope.ADMIN,)
_USUAL_DAYS = 14
_SPANS = (7, 14, 31, MOST_DAYS)
"""Days that one click shows, up to today."""
_ENDS = {
    MessageState.UNDELIVERED: "Undelivered",
    MessageState.FAILED: "Failed",
    MessageState.EXPIRED: "Expired",
    MessageState.UNKNOWN: "Not known if sent",
}
Day = Annotated[str, msgspec.Meta(max_length=40)]


class ReportQuery(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """Which days, both in, and whose; empty: the last fortnight, everybody."""

    first: Day = ""
    last: Day = ""
    user: Annotated[str, msgspec.Meta(max_length=64)] = ""
    sim: Annotated[str, msgspec.Meta(max_length=64)] = ""


class FileQuery(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """Which table of which days."""

    of: Subject = "days"
    first: Day = ""
    last: Day = ""


async def report(call: Call) -> Answer:
    """Show the report of some days; a span that is none is said at its field."""
    query = call.query(ReportQuery)
    try:
        first, last = _span(call, query)
        found = await call.app.figures.report(call.caller, first, last)
    except InvalidRequest as error:
        typed = {"from": query.first, "to": query.last}
        shown: dict[str, Any] = {
            "report": None,
            "typed": typed,
            "errors": errors_at(error),
            "spans": _spans(call),
            "here_days": 0,
        }
        return render(call, "report/page.html", status=422, query=query, **shown)
    return render(call, "report/page.html", query=query, **_shown(call, query, found))


async def as_file(call: Call) -> Answer:
    """Answer one table of the report as a file for spreadsheets."""
    query = call.query(FileQuery)
    first, last = _span(call, query)
    body = write_csv(await call.app.figures.report(call.caller, first, last), query.of)
    name = f'attachment; filename="{query.of}-{first}-to-{last}.csv"'.encode("ascii")
    return Answer(body, 200, b"text/csv; charset=utf-8", ((b"content-disposition", name), *ALONE))


def _shown(call: Call, query: ReportQuery, found: Report) -> dict[str, Any]:
    one = _one(query, found)
    by_day = one.by_day if one is not None else found.accepted
    sent = found.sent
    today = call.app.figures.today()
    return {
        "report": found,
        "typed": {"from": found.days[0].isoformat(), "to": found.days[-1].isoformat()},
        "errors": {},
        "spans": _spans(call),
        "here_days": len(found.days) if found.days[-1] == today else 0,
        "one": one,
        "by_day": by_day,
        "sent": sent,
        "accepted": found.accepted,
        "sims_known": [day >= found.sims_since for day in found.days],
        "ends": [(_ENDS[state], counts) for state, counts in found.ends.items()],
    }


def _one(query: ReportQuery, found: Report) -> Line | None:
    """Return the line that was asked for; one without any segments when it has none in these days."""
    lines, key = (found.senders, query.user) if query.user else (found.sims, query.sim)
    if not key:
        return None
    return next((line for line in lines if line.key == key), Line(key, key, "", (0,) * len(found.days)))


def _spans(call: Call) -> list[tuple[int, date, date]]:
    today = call.app.figures.today()
    return [(days, today - timedelta(days=days - 1), today) for days in _SPANS]


def _span(call: Call, query: ReportQuery | FileQuery) -> tuple[date, date]:
    """Return the days that were asked for; raises InvalidRequest."""
    last = _day("/to", query.last) or call.app.figures.today()
    return _day("/from", query.first) or last - timedelta(days=_USUAL_DAYS - 1), last


def _day(pointer: Literal["/from", "/to"], typed: str) -> date | None:
    text = typed.strip()
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidRequest(FieldProblem(pointer, "is no day: write it as 2026-11-30")) from None
    if day is not None and not 2000 <= day.year < 9000:
        raise InvalidRequest(FieldProblem(pointer, "lies too far away"))
    return day


PAGES = (
    Page("report", "GET", PATH, report, _NEEDS),
    Page("reportFile", "GET", f"{PATH}/file", as_file, _NEEDS),
)
