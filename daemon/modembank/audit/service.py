"""The audit service: noting, listing, and verifying that nothing of it was changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from modembank.audit import rows
from modembank.audit.log import FIRST, Who, record
from modembank.audit.rows import AUDIT_ID, BEFORE_ALL, Stepped, Wanted
from modembank.audit.views import AuditPage, AuditVerdict
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, Forbidden, InvalidRequest
from modembank.ids import public_id, row_id
from modembank.store import Store

_FROM_THE_TOP = (1 << 63) - 1
_log = structlog.get_logger()


class Reader(Who, Protocol):
    """Who asks; an Actor is one."""

    @property
    def is_admin(self) -> bool:
        """Whether it may read what everybody did."""


class Audit:
    """The record of what was changed, on behalf of an actor."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Use these; nothing is read until asked."""
        self._store = store
        self._clock = clock

    async def note(self, who: Who, action: str, subject: str, detail: Mapping[str, object] | None = None) -> None:
        """Record something that has no write of its own, such as an order to a modem, durably before it is done."""
        await self._store.write(self.entry(who, action, subject, detail))

    def entry(
        self, who: Who, action: str, subject: str, detail: Mapping[str, object] | None = None
    ) -> Callable[[sqlite3.Connection], None]:
        """Return what a write of a lower layer is to do as well, so that the change and its record are one."""
        now = to_ms(self._clock.now())
        return lambda conn: record(conn, who, action, subject, now, detail)

    async def list(
        self, reader: Reader, wanted: Wanted | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> AuditPage:
        """Return a page of entries, newest first; one of rare entries can be short or empty and still have a next.

        Raises Forbidden for all but admins, and InvalidRequest.
        """
        _require_admin(reader)
        chosen, before = wanted or Wanted(), _FROM_THE_TOP
        if cursor is not None:
            position = row_id(AUDIT_ID, cursor)
            if position is None:
                raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
            before = position
        found, floor = await self._store.read(lambda conn: rows.page(conn, chosen, before, limit))
        goes_on = None if floor is None else public_id(AUDIT_ID, floor)
        return AuditPage(tuple(entry for _, entry in found), goes_on)

    async def verify(self, reader: Reader) -> AuditVerdict:
        """Walk the chain from its beginning in bounded steps, and record that this was done and how it ended."""
        _require_admin(reader)
        at = Stepped(BEFORE_ALL, FIRST, 0)
        checked = 0
        while not at.ended and at.bad is None:
            before = at
            at = await self._store.read(lambda conn, b=before: rows.step(conn, b.last_id, b.last_hash))  # type: ignore[misc]
            checked += at.looked_at
        verdict = _verdict(at, checked)
        detail = {"ok": verdict.ok, "checked": checked, "first_bad": verdict.first_bad}
        await self.note(reader, "audit.verify", "", detail)
        if not verdict.ok:
            _log.error("audit_log_broken", checked=checked, first_bad=verdict.first_bad, why=verdict.why)
        return verdict


def _verdict(at: Stepped, checked: int) -> AuditVerdict:
    shown = at.last_hash.hex()
    if at.bad is not None:
        why = "it was changed, or one before it was changed or deleted"
        return AuditVerdict(ok=False, checked=checked, head=shown, first_bad=public_id(AUDIT_ID, at.bad), why=why)
    if at.head != at.last_hash:
        why = "entries after this one were deleted, or the note of the last one's hash was changed"
        return AuditVerdict(
            ok=False, checked=checked, head=shown, first_bad=public_id(AUDIT_ID, max(at.last_id, 0)), why=why
        )
    return AuditVerdict(ok=True, checked=checked, head=shown, first_bad=None, why="")


def _require_admin(reader: Reader) -> None:
    if not reader.is_admin:
        raise Forbidden(why="only an admin reads the audit log")
