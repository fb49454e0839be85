"""What a caller sees of mailings: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from modembank.clock import rfc3339
from modembank.mailings.canaries import Canary
from modembank.mailings.forecast import Forecast
from modembank.mailings.model import Found, ImportPhase, Layout, Looked, Row
from modembank.mailings.rows import Mailing
from modembank.messages import MessageState
from modembank.messages.views import Replacement
from modembank.tpdu import replaceable, with_replacements


class ImportView(msgspec.Struct, frozen=True):
    """How far the file is. Rows count without the header; those refused are told by the list of rows."""

    phase: Literal["checking", "loading", "done", "failed"]
    rows: int
    """0 until all were looked at."""
    read: int
    accepted: int
    refused: int
    duplicates: int
    waits_for: int
    """Imports of other files that come before it."""


class CanaryView(msgspec.Struct, frozen=True, rename={"continue_": "continue"}):
    """The messages that go first, and what is to become of the rest."""

    share: float | None
    """Percent; null: a count was given."""
    size: int
    """Messages of it; 0 until the file is checked."""
    continue_: Literal["by_hand", "after_minutes"]
    minutes: int | None
    max_failed: float | None
    """Percent of it that may have failed for the rest to go on by itself."""
    state: Literal["waiting", "sending", "settling", "left", "stopped", "continued"]
    messages: Mapping[str, int]
    """How many of its messages are in each state; empty once the rest goes on."""
    left_at: str | None
    continues_at: str | None
    stopped: str | None
    """Why the rest did not go on by itself."""


class MomentView(msgspec.Struct, frozen=True):
    """How many messages of a mailing were in each state."""

    at: str
    messages: Mapping[str, int]


class MailingView(msgspec.Struct, frozen=True):
    """A mailing; ``messages`` has how many of its messages are in each state."""

    id: str
    name: str
    status: Literal["importing", "ready", "scheduled", "sending", "canary", "paused", "finished", "cancelled", "failed"]
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
    canary: CanaryView | None


class Counted(msgspec.Struct, frozen=True):
    """A mailing, and how many of its messages, and of those of its canary, are in each state."""

    mailing: Mailing
    by_state: Mapping[MessageState, int]
    of_canary: Mapping[MessageState, int]


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
    replacements: Sequence[Replacement]
    """Those of them that could be written otherwise."""
    text_after: str | None
    """The text with all of them replaced, if that made it 7-bit."""
    segments_after: int | None
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


class ForcedBy(msgspec.Struct, frozen=True):
    """A character that forces UCS-2, and in how many messages it does."""

    character: str
    messages: int
    replacement: str | None
    """What could stand in its place; null: nothing."""


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
    opted_out: int
    """Of those refused."""
    landlines: int
    """Numbers that are known as fixed lines, which seldom take a message; they are not refused."""
    forced_by: Sequence[ForcedBy]
    """Those in most messages, first."""
    messages_replaceable: int
    """Messages that `replace` would make 7-bit."""
    segments_saved: int
    """By that."""
    needed_s: int | None
    """Seconds from its time on until the last one has left, as far as limits, windows and quiet hours tell."""
    finishes_at: str | None
    first_refused: Sequence[RefusedRow]
    quota_left: int | None
    """Segments that the user may still have accepted; rows that do not fit are refused. Null: there is no quota."""


def mailing_view(counted: Counted, forecast: Forecast, now: int, waits_for: int) -> MailingView:
    """Return a mailing as it is shown."""
    mailing = counted.mailing
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
        progress=ImportView(
            phase, mailing.total, mailing.rows, mailing.accepted, mailing.refused, mailing.duplicates, waits_for
        ),
        messages=_by_word(counted.by_state),
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
        canary=None if mailing.canary is None else _canary_view(mailing.canary, counted.of_canary),
    )


def moment_view(at: int, counts: Mapping[MessageState, int]) -> MomentView:
    """Return the counters of a moment as they are shown."""
    return MomentView(rfc3339(at), _by_word(counts))


def preview_view(looked: Looked) -> MailingPreview:
    """Return a first look as it is shown."""
    return MailingPreview(layout_view(looked.layout), _sample(looked))


def preflight(
    looked: Looked, found: Found, quota_left: int | None, *, begins_at: int, needed_s: int | None
) -> Preflight:
    """Return a dry run as it is shown; it would begin at that moment and need so long."""
    return Preflight(
        layout=layout_view(looked.layout),
        sample=_sample(looked),
        rows=found.rows,
        accepted=found.accepted,
        refused=found.refused,
        duplicates=found.duplicates,
        segments=found.segments,
        ucs2=found.ucs2,
        opted_out=found.opted_out,
        landlines=found.landlines,
        forced_by=tuple(ForcedBy(char, n, replaceable(char).get(char)) for char, n in found.forced_by),
        messages_replaceable=found.plain,
        segments_saved=found.segments_saved,
        needed_s=needed_s,
        finishes_at=None if needed_s is None else rfc3339(begins_at + needed_s * 1000),
        first_refused=tuple(RefusedRow(line, number, "refused", why) for line, number, why in found.first_refused),
        quota_left=quota_left,
    )


_PHASES: dict[ImportPhase, Literal["checking", "loading", "done", "failed"]] = {
    ImportPhase.CHECKING: "checking",
    ImportPhase.LOADING: "loading",
    ImportPhase.DONE: "done",
    ImportPhase.FAILED: "failed",
}


def _canary_view(canary: Canary, counts: Mapping[MessageState, int]) -> CanaryView:
    return CanaryView(
        share=canary.share,
        size=canary.size,
        continue_="by_hand" if canary.minutes is None else "after_minutes",
        minutes=canary.minutes,
        max_failed=None if canary.minutes is None else canary.max_failed,
        state=canary.state,
        messages=_by_word(counts) if counts else {},
        left_at=_moment(canary.left_at),
        continues_at=_moment(canary.continues_at()),
        stopped=canary.stopped,
    )


def _by_word(counts: Mapping[MessageState, int]) -> dict[str, int]:
    return {state.word: counts.get(state, 0) for state in MessageState}


def layout_view(layout: Layout) -> LayoutView:
    """Return how a file is read as it is shown."""
    return LayoutView(
        kind=layout.kind,
        columns=layout.columns,
        to_column=layout.columns[layout.to_column],
        header=layout.header_rows > 0,
        charset=layout.charset,
        delimiter=layout.delimiter,
    )


def _sample(looked: Looked) -> tuple[SampleRow, ...]:
    return tuple(sample_row(row) for row in looked.sample)


def sample_row(row: Row) -> SampleRow:
    """Return one row as it is shown."""
    offers = replaceable(row.text) if row.forced_by else {}
    return SampleRow(
        line=row.line,
        number=row.written,
        to=row.number,
        text=row.text,
        encoding=row.encoding,
        segments=row.segments,
        forced_by=row.forced_by,
        replacements=tuple(Replacement(char, instead) for char, instead in offers.items()),
        text_after=with_replacements(row.text, offers) if row.plain_segments else None,
        segments_after=row.plain_segments or None,
        reason=row.reason,
    )


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
