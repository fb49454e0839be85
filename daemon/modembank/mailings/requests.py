"""What a caller asks of the mailings slice."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.mailings.canaries import MOST, Canary
from modembank.mailings.model import Ask
from modembank.messages import SubmitRequest

MAX_NAME = 200
MAX_SHARE = 50
"""Percent."""
MAX_CANARY_MINUTES = 10_080
"""A week."""


class MailingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailing, but for its file: how that is read, and what its messages have in common."""

    name: str | None = None
    template: str | None = None
    """The text, with the names of columns in braces; or else a column holds the texts."""
    text_column: str | None = None
    to_column: str | None = None
    """A name, or a number from 1; found out when left out."""
    reference_column: str | None = None
    header: Literal["auto", "yes", "no"] = "auto"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] | None = None
    charset: str | None = None
    sheet: str | None = None
    region: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z", description="a country in two capitals")] | None = None
    """ISO 3166 country of national numbers; the box's when left out."""
    allow_duplicates: bool = False
    replace: bool = False
    """Replace what forces UCS-2 in texts, where that makes them 7-bit."""
    hold: bool = False
    """Import it, and wait for the start."""
    dry_run: bool = False
    canary_share: float | None = None
    """Percent of the messages that go first; the rest waits."""
    canary_count: int | None = None
    """Or how many."""
    canary_minutes: int | None = None
    """The rest goes on by itself so long after the canary has left; None: by hand."""
    canary_max_failed: float | None = None
    """Percent of the canary that may have failed for that."""
    sim: str | None = None
    pool: str | None = None
    providers: str | None = None
    """Several, with commas between."""
    priority: int = 5
    valid_for_s: int | None = None
    send_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    window: str | None = None
    delivery_report: bool = True
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    flash: bool = False
    max_segments: int | None = None
    on_unknown: Literal["hold", "resend"] | None = None


class Received(msgspec.Struct, frozen=True):
    """A client's file, complete and durable; ``digest`` is the SHA-256 of its octets."""

    token: str
    """Its name in the folder of uploads."""
    name: str
    """As the client calls it."""
    octets: int
    digest: bytes


def as_message(request: MailingRequest) -> SubmitRequest:
    """Return what of a mailing is the same for a single message."""
    return SubmitRequest(
        to=(),
        text="",
        sim=request.sim,
        pool=request.pool,
        providers=None if request.providers is None else [one.strip() for one in request.providers.split(",")],
        priority=request.priority,
        valid_for_s=request.valid_for_s,
        send_at=request.send_at,
        window=request.window,
        delivery_report=request.delivery_report,
        encoding=request.encoding,
        flash=request.flash,
        max_segments=request.max_segments,
        on_unknown=request.on_unknown,
    )


def as_canary(request: MailingRequest) -> Canary | None:
    """Return the canary that is asked for; raises InvalidRequest."""
    share, count = request.canary_share, request.canary_count
    if share is None and count is None:
        for name in ("canary_minutes", "canary_max_failed"):
            if getattr(request, name) is not None:
                raise InvalidRequest(FieldProblem(f"/{name}", "needs canary_share or canary_count beside it"))
        return None
    minutes, most = request.canary_minutes, request.canary_max_failed
    wrong = (
        ("count", share is not None and count is not None, "cannot be given together with canary_share"),
        ("share", share is not None and not 0 < share <= MAX_SHARE, f"must be more than 0 and at most {MAX_SHARE}"),
        ("count", count is not None and not 1 <= count <= MOST, f"must be 1 to {MOST}"),
        (
            "minutes", minutes is not None and not 1 <= minutes <= MAX_CANARY_MINUTES,
            f"must be 1 to {MAX_CANARY_MINUTES}",
        ),
        ("max_failed", most is not None and not 0 <= most <= 100, "must be 0 to 100 percent"),
        ("max_failed", most is not None and minutes is None, "needs canary_minutes beside it, or a person decides"),
    )  # fmt: skip
    problems = [FieldProblem(f"/canary_{name}", why) for name, bad, why in wrong if bad]
    if problems:
        raise InvalidRequest(*problems)
    return Canary(share=share, count=count, minutes=minutes, max_failed=5.0 if most is None else most)


def as_ask(request: MailingRequest, max_segments: int, region: str) -> Ask:
    """Return how the file is to be read; raises InvalidRequest unless it is clear where the texts come from."""
    if (request.template is None) == (request.text_column is None):
        both = (
            "cannot be given together with text_column" if request.template is not None else "or text_column is needed"
        )
        raise InvalidRequest(FieldProblem("/template", both))
    if request.name is not None and (not 1 <= len(request.name) <= MAX_NAME or not request.name.isprintable()):
        raise InvalidRequest(FieldProblem("/name", f"must have 1 to {MAX_NAME} characters that can be printed"))
    if request.delimiter is not None and (request.delimiter in "\"'\r\n" or request.delimiter.isalnum()):
        raise InvalidRequest(FieldProblem("/delimiter", "must be one character such as , ; | or a tab"))
    return Ask(
        template=request.template,
        text_column=request.text_column,
        to_column=request.to_column,
        reference_column=request.reference_column,
        header=request.header,
        delimiter=request.delimiter,
        charset=request.charset,
        sheet=request.sheet,
        encoding=request.encoding,
        max_segments=max_segments,
        region=request.region or region,
        allow_duplicates=request.allow_duplicates,
        replace=request.replace,
    )
