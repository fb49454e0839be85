"""What a caller asks of the mailings slice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.mailings.model import Ask
from modembank.messages import SubmitRequest

MAX_NAME = 200


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
    allow_duplicates: bool = False
    hold: bool = False
    """Import it, and wait for the start."""
    dry_run: bool = False
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


@dataclass(frozen=True, slots=True)
class Received:
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
        region=region,
        allow_duplicates=request.allow_duplicates,
    )
