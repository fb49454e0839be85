"""The health service: what every face calls to see issues, run their remedies, and ask whether the law holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal

import msgspec
import structlog

from modembank import audit
from modembank.accounts.model import Actor, Scope
from modembank.bus import Bus
from modembank.clock import rfc3339
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest, NotFound
from modembank.health import law, rows
from modembank.health.book import Book
from modembank.health.checks import CHECKS
from modembank.health.looking import Looker
from modembank.health.model import Issue
from modembank.health.parts import Check
from modembank.health.remedies import REMEDIES
from modembank.health.surroundings import Surroundings
from modembank.health.views import ISSUE_ID, BooksView, ConservationView, IssueView, RemedyOffer, RemedyRun
from modembank.ids import public_id, row_id
from modembank.messages import Page
from modembank.messages.cursors import cursor_after, position_of
from modembank.metrics import Metrics
from modembank.store import Urgency
from modembank.supervision import Supervisor

State = Literal["open", "cleared", "all"]
FIRST_RECOUNT_S = 30.0
"""After the start, when the box has better things to do."""
MOST_A_PAGE = 500
STOP_S = 1.0
"""A look under way is broken off within this time."""
_FROM_THE_TOP = (1 << 63) - 1
_log = structlog.get_logger()


class Health:
    """Checks run in the background; issues and remedies on behalf of an actor."""

    def __init__(self, around: Surroundings, bus: Bus, checks: Iterable[Check] = CHECKS) -> None:
        """Use these; nothing is looked at before start()."""
        self._around = around
        self._checks = {check.kind: check for check in checks}
        self._book = Book(around.store, bus, around.clock)
        self._looker = Looker(self._checks.values(), around, self._book, bus)
        self._supervisor = Supervisor()

    async def load(self) -> None:
        """Take over the open issues: before anybody asks for them, and before start()."""
        await self._book.load(self._checks)

    def start(self) -> None:
        """Begin to look."""
        self._looker.start(self._supervisor)
        self._supervisor.start("health.recounts", self._recounts)

    async def stop(self) -> None:
        """Look no more: what stops from here on is no trouble."""
        self._looker.stop()
        await self._supervisor.stop_all(STOP_S)

    # -- what faces see

    def open(self) -> list[Issue]:
        """Return the open issues, newest first."""
        return self._book.open()

    async def list(
        self, actor: Actor, *, state: State = "open", cursor: str | None = None, limit: int = 50
    ) -> Page[IssueView]:
        """Return a page of issues, newest first. Raises Forbidden, InvalidRequest for a wrong limit or cursor."""
        _require(actor)
        if not 1 <= limit <= MOST_A_PAGE:
            raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))
        about = msgspec.json.encode(("issues", state))
        before = _FROM_THE_TOP if cursor is None else position_of(cursor, about)
        found = [] if state == "cleared" else [issue for issue in self._book.open() if issue.id < before]
        if state != "open":
            found += await self._around.store.read(lambda conn: rows.cleared_before(conn, before, limit + 1))
        page = sorted(found, key=lambda issue: -issue.id)
        goes_on = cursor_after(page[limit - 1].id, about) if len(page) > limit else None
        return Page(tuple(self._view(issue) for issue in page[:limit]), goes_on)

    async def get(self, actor: Actor, issue: str) -> IssueView:
        """Return one issue by its public id. Raises Forbidden, NotFound."""
        _require(actor)
        return self._view(await self._one(issue))

    async def remedy(self, actor: Actor, issue: str, name: str) -> tuple[str, IssueView]:
        """Run a remedy and look again; return what it did, and the issue as it is then.

        Raises Forbidden, NotFound for the issue or the remedy, and Conflict when the issue is cleared or the remedy
        does not apply now.
        """
        actor.require(Scope.MODEMS)
        found = await self._one(issue)
        remedy = REMEDIES.get(name)
        if remedy is None:
            raise NotFound(what="remedy", which=f"{name[:40]!a}")
        if found.cleared_at is not None:
            raise Conflict(why=f"the issue was cleared at {rfc3339(found.cleared_at)}")
        check = self._checks.get(found.kind)
        if check is None or name not in check.remedies:
            raise Conflict(why=f"{name} is no remedy for {found.kind}")
        await self._record(actor, found, name)
        did = await remedy.run(self._around, found, actor)
        _log.info(
            "remedy_run",
            issue=public_id(ISSUE_ID, found.id),
            kind=found.kind,
            subject=found.subject,
            remedy=name,
            by=actor.name,
        )
        run = RemedyRun(rfc3339(self._around.now_ms), actor.name, name, did)
        await self._book.note_remedy(found, run)
        await self._looker.look(found.kind, at_once=True)
        return did, self._view(await self._one(issue))

    async def conservation(self, actor: Actor) -> ConservationView:
        """Return whether accepted = terminal + open, by a recount as fresh as its cost allows. Raises Forbidden."""
        if not actor.is_admin:
            raise Forbidden(why="this is for administrators")
        return law.view_of(await self._around.law.fresh())

    async def books(self, actor: Actor) -> BooksView:
        """Return the same without counting the table now, which takes seconds on a large one. Raises Forbidden."""
        if not actor.is_admin:
            raise Forbidden(why="this is for administrators")
        found, last = await self._around.law.counters(), self._around.law.last
        return BooksView(
            accepted=found.accepted,
            terminal=found.terminal,
            open=found.open,
            breaches=await self._around.law.breaches(),
            counted_at=None if last is None else rfc3339(last.at),
        )

    async def observe(self, metrics: Metrics) -> None:
        """Bring health's gauges up to date; called when metrics are read."""
        now = await self._around.law.counters()
        metrics.accepted_ever.set(now.accepted)
        metrics.open.set(now.open)
        metrics.terminal.set(now.terminal)
        metrics.breach.set(bool(await self._around.law.breaches()))
        metrics.issues.clear()
        for issue in self._book.open():
            metrics.issues.labels(issue.kind, issue.severity.value).inc()

    # -- what the process calls

    async def look(self, *kinds: str) -> None:
        """Look at these, or at everything, now."""
        for kind in kinds or self._checks:
            await self._looker.look(kind)

    async def forget_old(self) -> int:
        """Delete issues that were cleared long ago, a bounded number in each write; return how many."""
        now, forgotten, last = self._around.now_ms, 0, rows.FORGET_STEP
        while last == rows.FORGET_STEP:
            last = await self._around.store.write(lambda conn: rows.forget(conn, now), Urgency.LAZY)
            forgotten += last
        return forgotten

    async def _recounts(self) -> None:
        await asyncio.sleep(FIRST_RECOUNT_S)
        while True:
            await self._around.law.recount()
            self._looker.wake("conservation")
            await asyncio.sleep(self._around.law.rest_s())

    async def _record(self, actor: Actor, issue: Issue, remedy: str) -> None:
        """Record the order before it is carried out."""
        now, subject = self._around.now_ms, public_id(ISSUE_ID, issue.id)
        detail = {"remedy": remedy, "kind": issue.kind, "of": issue.subject}
        await self._around.store.write(
            lambda conn: audit.record(conn, actor, "issue.remedy", subject, now, detail), Urgency.NOW
        )

    async def _one(self, issue: str) -> Issue:
        wanted = row_id(ISSUE_ID, issue)
        if wanted is None:
            raise NotFound(what="issue", which=f"{issue[:40]!a}")
        found = next((one for one in self._book.open() if one.id == wanted), None)
        found = found or await self._around.store.read(lambda conn: rows.one(conn, wanted))
        if found is None:
            raise NotFound(what="issue", which=issue)
        return found

    def _view(self, issue: Issue) -> IssueView:
        check = self._checks.get(issue.kind)
        names = () if check is None else check.remedies
        return IssueView(
            id=public_id(ISSUE_ID, issue.id),
            kind=issue.kind,
            subject=issue.subject,
            severity=issue.severity.value,
            summary=issue.summary,
            evidence=issue.evidence,
            raised_at=rfc3339(issue.raised_at),
            changed_at=rfc3339(issue.changed_at),
            cleared_at=None if issue.cleared_at is None else rfc3339(issue.cleared_at),
            remedies=tuple(RemedyOffer(name, REMEDIES[name].does) for name in names),
            remedied=issue.remedied,
        )


def _require(actor: Actor) -> None:
    if actor.scopes.isdisjoint({Scope.MODEMS, Scope.ADMIN}):
        raise Forbidden(why="this needs the scope modems or admin")
