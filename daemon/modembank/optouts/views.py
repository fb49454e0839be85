"""What faces show of opt-outs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

T = TypeVar("T")
INBOX_ID = "inb"
"""Kind of the public ids of inbound messages, by which reviews go too."""
Note = Annotated[str, msgspec.Meta(max_length=200)]


class OptOutView(msgspec.Struct, frozen=True):
    """A number that is out, or was."""

    number: str
    state: str
    """``out`` or ``in`` (again)."""
    changed_at: str
    source: str
    keyword: str | None
    message: str | None
    """Public id of the inbound message that said so."""
    note: str
    by: str | None


class ReviewView(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """An inbound message that may have meant to opt out."""

    id: str
    from_: str
    text: str | None
    """None: the message is not there any more."""
    keyword: str
    created_at: str
    decision: str | None
    decided_at: str | None
    by: str | None


class ImportRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number to put out."""

    number: str
    note: Note = ""


class ImportDone(msgspec.Struct, frozen=True):
    """What an import did."""

    added: int
    already_out: int
    skipped: int
    """Rows that say ``in``: an import only adds opt-outs."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list; ``cursor`` leads to the next, None: it ends here."""

    items: Sequence[T]
    cursor: str | None
