"""What the forms of a new mailing hold, and what requests they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import PurePath
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.mailings.drafting import spoken
from modembank.mailings.drafts import Draft
from modembank.mailings.model import Table
from modembank.mailings.requests import MAX_NAME, MailingRequest
from modembank.sim import Sim
from modembank_web.forms import FormBody

DELIMITERS = ((",", "Comma  ,"), (";", "Semicolon  ;"), ("\t", "Tab"), ("|", "Bar  |"))
CHARSETS = (
    ("utf-8", "UTF-8 (most programs today)"),
    ("utf-8-sig", "UTF-8 with a mark at its beginning"),
    ("cp1252", "Windows, Western Europe"),
    ("cp1250", "Windows, Central Europe"),
    ("cp1251", "Windows, Cyrillic"),
    ("cp1253", "Windows, Greek"),
    ("cp1254", "Windows, Turkish"),
    ("cp1257", "Windows, Baltic"),
    ("koi8-r", "KOI8-R, Cyrillic"),
    ("cp850", "DOS, Western Europe"),
    ("cp852", "DOS, Central Europe"),
    ("mac-roman", "Mac, Western Europe"),
    ("utf-16", "UTF-16"),
)
_Line = Annotated[str, msgspec.Meta(max_length=1_000)]


class TextForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is read, and where the texts come from."""

    header: Literal["yes", "no"] = "yes"
    delimiter: _Line = ""
    charset: _Line = ""
    sheet: _Line = ""
    to_column: _Line = ""
    """Its number from 1; empty: not chosen."""
    region: _Line = ""
    source: Literal["template", "column"] = "template"
    template: Annotated[str, msgspec.Meta(max_length=40_000)] = ""
    text_column: _Line = ""
    replace: bool = False
    allow_duplicates: bool = False


class OptionsForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the mailing is called, and when and how it goes."""

    name: _Line = ""
    when: Literal["now", "later", "hold"] = "now"
    send_at: _Line = ""
    """Day and time in ``zone``."""
    zone: _Line = ""
    """The browser's; empty: the box's own."""
    windowed: bool = False
    window_from: _Line = ""
    window_to: _Line = ""
    through: _Line = ""
    """``sim:`` or ``pool:`` and its name; empty: any."""
    canary: bool = False
    canary_share: Annotated[float, msgspec.Meta(gt=0, le=50)] = 1
    canary_then: Literal["hand", "rule"] = "hand"
    canary_minutes: Annotated[int, msgspec.Meta(ge=1, le=10_080)] = 30
    canary_max_failed: Annotated[float, msgspec.Meta(ge=0, le=100)] = 5


TEXT = FormBody(TextForm)
OPTIONS = FormBody(OptionsForm)


def text_form(draft: Draft) -> TextForm:
    """Return the form as it is filled in for a draft."""
    table, request = draft.table, draft.request
    to_column = request.to_column and _place(table, request.to_column)
    guessed = "" if table.to_column is None else str(table.to_column + 1)
    text_column = request.text_column and _place(table, request.text_column)
    guessed_text = "" if table.text_column is None else str(table.text_column + 1)
    from_column = request.text_column is not None or (request.template is None and table.text_column is not None)
    return TextForm(
        header="yes" if table.header else "no",
        delimiter=table.delimiter,
        charset=table.charset,
        sheet=table.sheet,
        to_column=to_column or guessed,
        region=request.region or "",
        source="column" if from_column else "template",
        template=request.template or "",
        text_column=text_column or guessed_text,
        replace=request.replace,
        allow_duplicates=request.allow_duplicates,
    )


def read_as(form: TextForm, draft: Draft) -> MailingRequest:
    """Return a draft's request as its form has it now; what is not filled in is left out."""
    table = draft.table
    template = form.source == "template"
    return msgspec.structs.replace(
        draft.request,
        header=form.header,
        delimiter=form.delimiter[:1] or None,
        charset=form.charset or None,
        sheet=form.sheet or None,
        to_column=_column(table, form.to_column),
        region=form.region if len(form.region) == 2 and form.region.isupper() else None,
        template=form.template.replace("\r\n", "\n") if template else None,
        text_column=None if template else _column(table, form.text_column),
        replace=form.replace,
        allow_duplicates=form.allow_duplicates,
    )


def complete(request: MailingRequest) -> MailingRequest:
    """Return a request that says where its texts come from; raises InvalidRequest."""
    if request.template is None and request.text_column is None:
        raise InvalidRequest(FieldProblem("/text_column", "is needed: choose the column that holds the messages"))
    if request.template is not None and not request.template.strip():
        raise InvalidRequest(FieldProblem("/template", "is empty: write what your recipients should read"))
    return request


def options_form(draft: Draft) -> OptionsForm:
    """Return the form as it stands at first: the mailing is called as its file."""
    return OptionsForm(name=(PurePath(draft.file).stem or draft.file)[:MAX_NAME])


def with_options(request: MailingRequest, form: OptionsForm) -> MailingRequest:
    """Return the request of a mailing as it is to be sent; raises InvalidRequest."""
    kind, _, name = form.through.partition(":")
    by_rule = form.canary and form.canary_then == "rule"
    return msgspec.structs.replace(
        request,
        name=form.name.strip() or None,
        hold=form.when == "hold",
        send_at=_moment(form) if form.when == "later" else None,
        window=f"{form.window_from}-{form.window_to}" if form.windowed else None,
        sim=name if kind == "sim" else None,
        pool=name if kind == "pool" else None,
        canary_share=form.canary_share if form.canary else None,
        canary_minutes=form.canary_minutes if by_rule else None,
        canary_max_failed=form.canary_max_failed if by_rule else None,
    )


def ways(sims: Sequence[Sim]) -> list[tuple[str, str]]:
    """Return through what a mailing can go, as choices: any SIM, those with one label, one alone."""
    if len(sims) < 2:
        return []
    labels = sorted({sim.label for sim in sims if sim.label and not sim.label.isdigit()})
    pools = [(f"pool:{label}", f"SIMs called “{label}”") for label in labels]
    single = [(f"sim:{sim.iccid}", f"SIM {sim.msisdn or '…' + sim.iccid[-6:]}") for sim in sims]
    return [("", "Any SIM that is free"), *pools, *single]


def problems_of(error: InvalidRequest) -> Mapping[str, str]:
    """Return what is wrong by the field's name; the first of each."""
    found: dict[str, str] = {}
    for problem in error.problems:
        found.setdefault(problem.pointer.strip("/"), problem.detail)
    return found


def field_of(columns: Sequence[str], at: int) -> str:
    """Return how a column is written in a template."""
    name = spoken(columns, at)
    return f"{{{at + 1 if '{' in name or '}' in name else name}}}"


def _column(table: Table, number: str) -> str | None:
    if not number.isdigit() or len(number) > 3 or not 1 <= int(number) <= len(table.columns):
        return None
    return spoken(table.columns, int(number) - 1)


def _place(table: Table, name: str) -> str:
    at = next((at for at in range(len(table.columns)) if spoken(table.columns, at) == name), None)
    return "" if at is None else str(at + 1)


def _moment(form: OptionsForm) -> datetime:
    try:
        zone: tzinfo | None = ZoneInfo(form.zone) if form.zone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    try:
        told = datetime.fromisoformat(form.send_at)
        return (told.replace(tzinfo=zone) if zone is not None else told).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(FieldProblem("/send_at", "is needed: choose the day and the time")) from None
