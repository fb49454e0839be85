"""The open issues: in memory for everybody to see, and in the store so that a restart forgets none.

An issue is raised and cleared durably before it is announced. When the store itself is broken that would hide just the
issue that matters: then it is announced at once, and its row follows when the store writes again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.events import IssueCleared, IssueRaised
from modembank.health import rows
from modembank.health.model import Finding, Issue
from modembank.health.parts import Standing
from modembank.health.views import RemedyRun
from modembank.ids import IdSequence
from modembank.store import Store, StoreClosed, StoreError, Urgency

MOST_FINDINGS = 200
"""Of one check."""
MOST_RUNS = 20
"""Remedies that are remembered with one issue."""
REWRITE_S = 300.0
"""Evidence that only goes on changing is written this often, for the card's sake; memory has it at once."""
RETRY_S = 5.0
"""Between two tries to write what the store could not take."""
_log = structlog.get_logger()


class Book:
    """Raises, updates and clears."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        """Start empty; ``load`` reads what the last run left."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._ids = IdSequence(0, store.epoch)
        self._open: dict[tuple[str, str], Issue] = {}
        self._written: dict[int, tuple[Issue, float]] = {}
        """By id: the row as it is, and since when (monotonic)."""
        self._owed: dict[int, Issue] = {}
        """What the store could not take yet."""
        self._try_again_at = 0.0
        self._gone_since: dict[tuple[str, str], float] = {}

    async def load(self, kinds: Iterable[str]) -> None:
        """Take over what is open; an issue of a kind that nobody looks for any more is cleared."""
        found, last = await self._store.read(lambda conn: (rows.open_issues(conn), rows.last_id(conn)))
        self._ids = IdSequence(last, self._store.epoch)
        known = frozenset(kinds)
        for issue in found:
            self._open[issue.kind, issue.subject] = issue
            self._written[issue.id] = issue, self._clock.monotonic()
        for issue in found:
            if issue.kind not in known:
                await self._clear(issue)

    def open(self) -> list[Issue]:
        """Return the open issues, newest first."""
        return sorted(self._open.values(), key=lambda issue: -issue.id)

    def standing(self, kind: str) -> Standing:
        """Return the open issues of a kind by subject."""
        return {subject: issue for (each, subject), issue in self._open.items() if each == kind}

    async def apply(self, kind: str, findings: Iterable[Finding], settle_s: float) -> float | None:
        """Bring the issues of a kind in line with what was found; return in how many seconds to look again, or None.

        What has been gone for ``settle_s`` is cleared.
        """
        seen = set()
        for finding in list(findings)[:MOST_FINDINGS]:
            seen.add(finding.subject)
            await self._found(kind, _plain(finding))
        waits = [
            await self._gone(issue, settle_s) for subject, issue in self.standing(kind).items() if subject not in seen
        ]
        await self._pay()
        return min((wait for wait in waits if wait is not None), default=None)

    async def note_remedy(self, issue: Issue, run: RemedyRun) -> None:
        """Keep who ran what with the issue, even when it has been cleared meanwhile."""
        key = issue.kind, issue.subject
        latest = self._open.get(key)
        is_open = latest is not None and latest.id == issue.id
        known = latest if latest is not None and is_open else issue
        remedied = (*known.remedied, run)[-MOST_RUNS:]
        if is_open:
            self._open[key] = noted = replace(known, remedied=remedied)
            await self._write(noted)
        else:
            await self._store.write(lambda conn: rows.set_remedied(conn, issue.id, remedied), Urgency.SOON)

    async def _found(self, kind: str, finding: Finding) -> None:
        key = kind, finding.subject
        self._gone_since.pop(key, None)
        issue = self._open.get(key)
        if issue is None:
            await self._raise(kind, finding)
            return
        if not issue.shows(finding):
            graver = finding.severity is not issue.severity
            issue = self._open[key] = replace(
                issue,
                severity=finding.severity,
                summary=finding.summary,
                evidence=finding.evidence,
                changed_at=self._now(),
            )
            if graver:
                await self._write(issue)
        written, since = self._written.get(issue.id, (issue, 0.0))
        if issue is not written and self._clock.monotonic() - since >= REWRITE_S:
            await self._write(issue)

    async def _raise(self, kind: str, finding: Finding) -> None:
        now = self._now()
        issue = Issue(
            id=self._ids.take(),
            kind=kind,
            subject=finding.subject,
            severity=finding.severity,
            summary=finding.summary,
            evidence=finding.evidence,
            raised_at=now,
            changed_at=now,
        )
        self._open[kind, finding.subject] = issue
        await self._write(issue)
        level = _log.info if finding.severity == "info" else _log.warning
        level("issue_raised", kind=kind, subject=issue.subject, severity=issue.severity.value, summary=issue.summary)
        self._bus.publish(IssueRaised(now, issue.id, kind, issue.subject, issue.severity.value, issue.summary))

    async def _gone(self, issue: Issue, settle_s: float) -> float | None:
        key = issue.kind, issue.subject
        since = self._gone_since.setdefault(key, self._clock.monotonic())
        left = settle_s - (self._clock.monotonic() - since)
        if left > 0:
            return left
        await self._clear(issue)
        return None

    async def _clear(self, issue: Issue) -> None:
        now = self._now()
        key = issue.kind, issue.subject
        issue = self._open.pop(key, issue)  # as a remedy may have left it meanwhile
        self._gone_since.pop(key, None)
        await self._write(replace(issue, cleared_at=now))
        self._written.pop(issue.id, None)
        _log.info("issue_cleared", kind=issue.kind, subject=issue.subject)
        self._bus.publish(IssueCleared(now, issue.id, issue.kind, issue.subject))

    async def _write(self, issue: Issue) -> None:
        """Make an issue durable, or owe it; one urgency for all, so that they become so in this order."""
        try:
            await self._store.write(lambda conn: rows.put(conn, issue), Urgency.SOON)
        except StoreError as error:
            self._owed[issue.id] = issue
            self._try_again_at = self._clock.monotonic() + RETRY_S
            if not isinstance(error, StoreClosed):
                _log.warning("issue_not_recorded", kind=issue.kind, subject=issue.subject, error=str(error))
            return
        self._owed.pop(issue.id, None)
        if issue.cleared_at is None:
            self._written[issue.id] = issue, self._clock.monotonic()

    async def _pay(self) -> None:
        """Write what is owed, oldest first (an issue that was cleared makes way for the next of its kind)."""
        if not self._owed or self._clock.monotonic() < self._try_again_at:
            return
        owed = [self._owed[issue_id] for issue_id in sorted(self._owed)]

        def put_all(conn: sqlite3.Connection) -> None:
            for issue in owed:
                rows.put(conn, issue)

        try:
            await self._store.write(put_all, Urgency.SOON)
        except StoreError:
            self._try_again_at = self._clock.monotonic() + RETRY_S
            return
        for issue in owed:
            if self._owed.get(issue.id) is issue:
                del self._owed[issue.id]

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _plain(finding: Finding) -> Finding:
    """Return a finding whose evidence is what JSON gives back, so that it compares with what was stored."""
    evidence: Mapping[str, Any] = msgspec.json.decode(msgspec.json.encode(finding.evidence))
    return replace(finding, evidence=evidence)
