"""What a caller sees of health: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

ISSUE_ID = "iss"


class RemedyOffer(msgspec.Struct, frozen=True):
    """A remedy that can be run on an issue of this kind."""

    name: str
    does: str


class RemedyRun(msgspec.Struct, frozen=True):
    """A remedy that was run."""

    at: str
    by: str
    """The name of the user."""
    remedy: str
    did: str


class IssueView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs, or needed, a person."""

    id: str
    kind: str
    """The check that found it; docs/health.md has all of them."""
    subject: str
    """A slot, an ICCID, or empty for the whole box."""
    severity: Literal["info", "warning", "critical"]
    summary: str
    evidence: Mapping[str, Any]
    raised_at: str
    changed_at: str
    cleared_at: str | None
    remedies: tuple[RemedyOffer, ...]
    """What can be run while it is open."""
    remedied: tuple[RemedyRun, ...]


class BooksView(msgspec.Struct, frozen=True, kw_only=True):
    """The same by the counters alone, with what was wrong when the table was counted last."""

    accepted: int
    terminal: int
    open: int
    breaches: tuple[str, ...]
    counted_at: str | None
    """When that was; None: not since the start."""


class ConservationView(msgspec.Struct, frozen=True, kw_only=True):
    """Accepted = terminal + open, as of one moment: the counters, and a count of the table."""

    holds: bool
    accepted: int
    terminal: int
    open: int
    recorded: Mapping[str, int]
    """The counters by status."""
    counted: Mapping[str, int]
    """The messages in the table by status."""
    breaches: tuple[str, ...]
    """What is wrong, in sentences."""
    stranded: tuple[str, ...]
    """Open messages that nothing would ever hand out, by their ids."""
    checked_at: str
    duration_s: float
