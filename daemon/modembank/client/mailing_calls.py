"""Mailings, each call as steps: one source for both clients."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from modembank.client import mailing_shapes as shapes
from modembank.client.calls import ask, pages, path_of, plain, with_query
from modembank.client.errors import Unreachable, error_of
from modembank.client.exchange import (
    IDEMPOTENCY_KEY,
    Give,
    Items,
    Lost,
    Open,
    Read,
    Request,
    Response,
    Retry,
    Steps,
    Wait,
    new_idempotency_key,
    retry_after_s,
)
from modembank.client.mailing_shapes import Mailing

WHOLE_FILE_S = 900.0
"""How long the box may look at all rows of a file before it answers."""


class MailingFields(TypedDict, total=False):
    """How a file is read, and what its messages have in common; what is left out is found out, or the box's default."""

    name: str
    template: str
    text_column: str
    to_column: str
    reference_column: str
    region: str
    header: str
    delimiter: str
    charset: str
    sheet: str
    allow_duplicates: bool
    replace: bool
    hold: bool
    canary_share: float
    canary_count: int
    canary_minutes: int
    canary_max_failed: float
    sim: str
    pool: str
    providers: str
    priority: int
    valid_for_s: int
    send_at: datetime | str
    window: str
    delivery_report: bool
    encoding: str
    flash: bool
    max_segments: int
    on_unknown: str


def send_mailing(
    retry: Retry,
    /,
    file: Path | bytes,
    *,
    idempotency_key: str | None = None,
    **fields: Unpack[MailingFields],
) -> Steps[Mailing]:
    """Send a CSV or XLSX file of recipients; returns when the box has it on its disk, and goes on with it by itself.

    The text comes from ``template``, in which ``{column}`` is the row's cell, or from ``text_column``. Safe to be tried
    again, like ``send``.
    """
    key = idempotency_key or new_idempotency_key()
    return (yield from ask(retry, _form(path_of("mailings"), file, fields, {IDEMPOTENCY_KEY: key}), Mailing))


def check_mailing(retry: Retry, /, file: Path | bytes, **fields: Unpack[MailingFields]) -> Steps[shapes.MailingCheck]:
    """See what all rows of a file would become, and when the last one would have left; nothing is stored."""
    given: Mapping[str, Any] = {**fields, "dry_run": True}
    return (yield from ask(retry, _form(path_of("mailings"), file, given, {}), shapes.MailingCheck))


def preview_mailing(
    retry: Retry, /, file: Path | bytes, **fields: Unpack[MailingFields]
) -> Steps[shapes.MailingPreview]:
    """See what the first rows of a file would become; nothing is stored."""
    return (yield from ask(retry, _form(path_of("mailings", "preview"), file, fields, {}), shapes.MailingPreview))


def mailings(retry: Retry, /, *, page: int = 100) -> Items[Mailing]:
    """Go through mailings, newest first."""
    return pages(retry, with_query(path_of("mailings"), {"limit": page}), Mailing)


def mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002 - as the API calls it
    """Look up one mailing: how far it is, its messages by state, its rate and its end."""
    return (yield from ask(retry, Request("GET", path_of("mailings", id)), Mailing))


def start_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Let a mailing go that was made with ``hold``; Conflict when it is not held."""
    return (yield from _changed(retry, id, "start"))


def pause_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Have what was not attempted wait; Conflict when it is over, or held."""
    return (yield from _changed(retry, id, "pause", twice_is_once=True))


def resume_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Let a paused mailing go on; Conflict when it is over, or held."""
    return (yield from _changed(retry, id, "resume", twice_is_once=True))


def continue_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Let the rest go behind the canary; Conflict when there is none, or it is paused."""
    return (yield from _changed(retry, id, "continue"))


def cancel_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Cancel what was not attempted; Conflict when it is over."""
    return (yield from _changed(retry, id, "cancel", twice_is_once=True))


def retry_mailing(retry: Retry, /, id: str) -> Steps[Mailing]:  # noqa: A002
    """Send again what failed of a finished mailing, each once; Conflict when it is not finished."""
    return (yield from _changed(retry, id, "retry-failed"))


def mailing_rows(retry: Retry, /, id: str, *, page: int = 500) -> Items[shapes.RefusedRow]:  # noqa: A002
    """Go through the rows that gave no message, in the order of the file."""
    return pages(retry, with_query(path_of("mailings", id, "rows"), {"limit": page}), shapes.RefusedRow)


def mailing_history(retry: Retry, /, id: str) -> Items[shapes.Moment]:  # noqa: A002
    """Go through the moments at which its messages were counted by state, the oldest first; the last one is now."""
    return pages(retry, path_of("mailings", id, "history"), shapes.Moment)


def mailing_results(retry: Retry, /, id: str, *, format: str = "machine") -> Items[bytes]:  # noqa: A002
    """Go through what became of each message as pieces of one CSV file in UTF-8; ``spreadsheet`` guards its cells.

    Raises Unreachable when the connection breaks: then begin anew.
    """
    address = with_query(path_of("mailings", id, "results"), {"format": format})
    came: Response | Lost = yield Open(Request("GET", address))
    for tried in range(1, retry.tries):
        if isinstance(came, Response):
            break
        yield Wait(retry.pause_s(tried))
        came = yield Open(Request("GET", address))
    if isinstance(came, Response) and came.status != 200:
        raise error_of(came.status, came.body, retry_after_s(came.headers))
    while isinstance(came, Response):
        piece: bytes | Lost | None = yield Read()
        if piece is None:
            return
        if isinstance(piece, Lost):
            came = piece
        else:
            yield Give(piece)
    raise Unreachable(came.reason, maybe_done=False)


def _changed(retry: Retry, mailing_id: str, verb: str, *, twice_is_once: bool = False) -> Steps[Mailing]:
    request = Request("POST", path_of("mailings", mailing_id, verb), twice_is_once=twice_is_once)
    return (yield from ask(retry, request, Mailing))


def _form(path: str, file: Path | bytes, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    """Return a request with a form (RFC 7578); its octets are the same in every try."""
    content, name = (file, "file") if isinstance(file, bytes) else (file.read_bytes(), file.name)
    boundary = secrets.token_hex(16)
    shown = "".join(char if char.isprintable() and char not in '"\\' else "_" for char in name)
    parts = [_part(boundary, f'name="{field}"', _text(value).encode()) for field, value in fields.items()]
    parts.append(_part(boundary, f'name="file"; filename="{shown}"', content))
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    more = {**headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    looks_only = not headers
    return Request("POST", path, body, more, WHOLE_FILE_S, twice_is_once=looks_only)


def _part(boundary: str, what: str, content: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode() + content + b"\r\n"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))
