"""The words of health: what a check finds, and the issue that is made of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from modembank.health.views import RemedyRun


class Severity(enum.StrEnum):
    """How bad it is."""

    INFO = "info"
    """Worth knowing; nothing is lost by leaving it."""
    WARNING = "warning"
    """Something does not work, or soon will not."""
    CRITICAL = "critical"
    """The box cannot keep its promise until somebody acts."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that a check sees now. No figure in it may change by mere waiting: each change is written to the card.

    ``subject`` is a slot, an ICCID, or empty for the box; ``summary`` one plain sentence that says what to do where no
    remedy does it; ``evidence`` is JSON-able.
    """

    subject: str
    severity: Severity
    summary: str
    evidence: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Issue(msgspec.Struct, frozen=True):
    """A finding that lasts, or has lasted; times are unix milliseconds."""

    id: int
    kind: str
    subject: str
    severity: Severity
    summary: str
    evidence: Mapping[str, Any]
    raised_at: int
    changed_at: int
    cleared_at: int | None = None
    remedied: tuple[RemedyRun, ...] = ()
    """Who ran which remedy, oldest first."""

    def as_found(self) -> Finding:
        """Return it as a finding, for a check that cannot tell yet whether it is over."""
        return Finding(self.subject, self.severity, self.summary, self.evidence)

    def shows(self, finding: Finding) -> bool:
        """Return whether it says just what a finding says."""
        return self.as_found() == finding
