"""What faces show of the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class AuditEntry(msgspec.Struct, frozen=True):
    """One thing that somebody did: who, from where, to what; ``clock_ok`` is false where the time cannot be right."""

    id: str
    at: str
    clock_ok: bool
    actor: str
    source: str
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class AuditPage(msgspec.Struct, frozen=True):
    """Entries, newest first, and the cursor that goes on after them (None: these are the last)."""

    items: Sequence[AuditEntry]
    cursor: str | None


class AuditVerdict(msgspec.Struct, frozen=True):
    """Whether every entry is as it was written, and the first that is not; ``head`` is the last one's hash."""

    ok: bool
    checked: int
    head: str
    first_bad: str | None
    why: str
