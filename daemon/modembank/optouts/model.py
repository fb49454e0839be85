"""The words of opt-outs: who is out, since when, and how that came."""

from __future__ import annotations

import enum

import msgspec

ADDED = "optout.added"
REMOVED = "optout.removed"
IMPORTED = "optout.imported"
REVIEW = "optout.review"
"""Kinds of events."""


class Source(enum.StrEnum):
    """How a number came to be out, or in again."""

    KEYWORD = "keyword"
    REVIEW = "review"
    API = "api"
    IMPORT = "import"


class Change(msgspec.Struct, frozen=True):
    """A number that is out, or in again, from ``at`` (unix milliseconds) on."""

    number: str
    out: bool
    at: int
    source: Source
    keyword: str | None = None
    inbox_id: int | None = None
    """The message that said so."""
    note: str = ""
    by: str = ""
    """The user who did, when it was one."""
    owner: int | None = None
    """The user whose conversation it is; None: the box's."""
