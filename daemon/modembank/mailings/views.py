"""What a caller sees of mailings: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from modembank.clock import rfc3339
from modembank.mailings.forecast import Forecast
from modembank.mailings.model import Found, ImportPhase, Layout, Looked, Row
from modembank.mailings.rows import Mailing
from modembank.messages import MessageState


class ImportView(msgspec.Struct, frozen=True):
    """How far the file is. Rows count without the header; those refused are told by the list of rows."""

    phase: Literal["checking", "loading", "done", "failed"]
    rows: int
    """0 until all were looked at."""
    read: int
    accepted: int
    refused: int
    duplicates: int


class MailingView(msgspec.Struct, frozen=True):
    """A mailing; ``messages`` has how many of its messages are in each state."""

    id: str
    name: str
    status: Literal["importing", "ready", "scheduled", "sending", "paused", "finished", "cancelled", "failed"]
    file: str
    columns: Sequence[str]
    to_column: str
    charset: str
    delimiter: str
    progress: ImportView
    messages: Mapping[str, int]
    segments: int
    cause: str | None
    created_at: str
    send_at: str | None
    expires_at: str
    window: str | None
    started_at: str | None
    finished_at: str | None
    rate_per_minute: float
    """Messages that left in a minute, lately."""
    eta_s: int | None
    """Seconds until the last one has left, as far as the SIMs' limits and the rate of late tell."""
    finishes_at: str | None


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that gave no message."""

    line: int
    number: str
    """As it is written in the file."""
    kind: Literal["refused", "duplicate"]
    reason: str


class SampleRow(msgspec.Struct, frozen=True):
    """What one row would become."""

    line: int
    number: str
    to: str
    text: str
    encoding: str
    segments: int
    forced_by: Sequence[str]
    """Characters that force UCS-2."""
    reason: str
    """Why it would be refused; empty when it would not."""


class LayoutView(msgspec.Struct, frozen=True):
    """How the file is read."""

    kind: Literal["csv", "xlsx"]
    columns: Sequence[str]
    to_column: str
    header: bool
    charset: str
    delimiter: str


class MailingPreview(msgspec.Struct, frozen=True):
    """What the first rows of a file would become."""

    layout: LayoutView
    sample: Sequence[SampleRow]


class Preflight(msgspec.Struct, frozen=True):
    """What a whole file would become: a dry run."""

    layout: LayoutView
    sample: Sequence[SampleRow]
    rows: int
    accepted: int
    refused: int
    duplicates: int
    segments: int
    ucs2: int
    """Messages that take UCS-2, with 70 instead of 160 characters a segment."""
    first_refused: Sequence[RefusedRow]
    quota_left: int | None
    """Segments that the user may still have accepted; rows that do not fit are refused. Null: there is no quota."""


def mailing_view(mailing: Mailing, counts: Mapping[MessageState, int], forecast: Forecast, now: int) -> MailingView:
    """Return a mailing as it is shown."""
    layout = mailing.layout
    phase: Literal["checking", "loading", "done", "failed"] = _PHASES[mailing.phase]
    eta_s = forecast.eta_s
    return MailingView(
        id=mailing.public_id,
        name=mailing.name,
        status=mailing.state(now).word,  # type: ignore[arg-type]  # the words of all states
        file=mailing.file,
        columns=layout.columns,
        to_column=layout.columns[layout.to_column],
        charset=layout.charset,
        delimiter=layout.delimiter,
        progress=ImportView(phase, mailing.total, mailing.rows, mailing.accepted, mailing.refused, mailing.duplicates),
        messages={state.word: counts.get(state, 0) for state in MessageState},
        segments=mailing.segments,
        cause=mailing.cause,
        created_at=rfc3339(mailing.created_at),
        send_at=_moment(mailing.terms.not_before),
        expires_at=rfc3339(mailing.expires_at),
        window=mailing.terms.window,
        started_at=_moment(mailing.started_at),
        finished_at=_moment(mailing.finished_at),
        rate_per_minute=round(forecast.per_minute, 1),
        eta_s=eta_s,
        finishes_at=None if eta_s is None else rfc3339(now + eta_s * 1000),
    )


def preview_view(looked: Looked) -> MailingPreview:
    """Return a first look as it is shown."""
    return MailingPreview(_layout_view(looked.layout), _sample(looked))


def preflight(looked: Looked, found: Found, quota_left: int | None) -> Preflight:
    """Return a dry run as it is shown."""
    return Preflight(
        layout=_layout_view(looked.layout),
        sample=_sample(looked),
        rows=found.rows,
        accepted=found.accepted,
        refused=found.refused,
        duplicates=found.duplicates,
        segments=found.segments,
        ucs2=found.ucs2,
        first_refused=tuple(RefusedRow(line, number, "refused", why) for line, number, why in found.first_refused),
        quota_left=quota_left,
    )


_PHASES: dict[ImportPhase, Literal["checking", "loading", "done", "failed"]] = {
    ImportPhase.CHECKING: "checking",
    ImportPhase.LOADING: "loading",
    ImportPhase.DONE: "done",
    ImportPhase.FAILED: "failed",
}


def _layout_view(layout: Layout) -> LayoutView:
    return LayoutView(
        kind=layout.kind,
        columns=layout.columns,
        to_column=layout.columns[layout.to_column],
        header=layout.header_rows > 0,
        charset=layout.charset,
        delimiter=layout.delimiter,
    )


def _sample(looked: Looked) -> tuple[SampleRow, ...]:
    return tuple(_sample_row(row, forced) for row, forced in zip(looked.sample, looked.forced_by, strict=True))


def _sample_row(row: Row, forced_by: Sequence[str]) -> SampleRow:
    return SampleRow(
        row.line, row.written, row.number, row.text, row.encoding, row.segments, tuple(forced_by), row.reason
    )


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
