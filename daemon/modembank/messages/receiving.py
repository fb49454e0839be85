"""Receiving: what the modems hand over becomes durable, then readable: inbox, parts, delivery reports or quarantine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from modembank import optouts
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.events import MessageReceived
from modembank.ids import mask_number, public_id
from modembank.messages import inbound_ledger, reassembly
from modembank.messages.consent import Consent, Heard
from modembank.messages.inbound_content import Received, Unreadable, content_of, moment_ms, read_pdu, report_facts
from modembank.messages.inbound_rows import Shown, quarantine, show
from modembank.messages.model import ReportFacts, ReportMatch
from modembank.messages.reassembly import Part
from modembank.messages.views import INBOX_ID
from modembank.metrics import Metrics
from modembank.modem.inbound import RawInbound, Via
from modembank.store import Store, StoreClosed, Urgency
from modembank.tpdu import DeliverTpdu, StatusReportTpdu, SubmitTpdu

QUARANTINE = "quarantine"
"""The metrics' kind of what could not be read."""
_log = structlog.get_logger()


class ReportTaker(Protocol):
    """Who knows what was sent; the outbox is one."""

    async def report(self, sim_id: int, report: ReportFacts, ledger_id: int) -> ReportMatch:
        """Take a delivery report, maybe for the second time; durable when it returns."""


class _Kept(msgspec.Struct, frozen=True):
    """What a commit made of a PDU."""

    ledger_id: int
    shown: Shown | None = None
    quarantined: bool = False
    heard: Heard | None = None


class Receiving:
    """The InboundSink: one urgent transaction per PDU holds its ledger row and all that follows from it."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        outbox: ReportTaker,
        consent: Consent | None = None,
        *,
        number_of: reassembly.NumberOf = str,
    ) -> None:
        """Use these; all state is in the store.

        ``consent`` hears who wants no messages, ``number_of`` (``Admission.sender``) is how senders are written.
        """
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._outbox = outbox
        self._consent = consent
        self._number_of = number_of
        self._freed: set[int] = set()
        """Ledger ids whose slots are free but for which that is not yet in the store: each write takes them along."""
        self._stale_after = 0

    async def store(self, pdu: RawInbound) -> int:
        """Make a PDU durable and return its ledger id; the same physical one again returns the same id.

        Never raises for what the PDU contains. Raises StoreError when it (or a delivery report in it) could not be made
        durable: then it must be handed in again.
        """
        raw = pdu if pdu.received_at else replace(pdu, received_at=self._now())
        received = _admitted(read_pdu(raw.pdu), raw.via)
        new_id = self._store.ids.take()
        if not isinstance(received, StatusReportTpdu):
            return await self._keep(raw, received, new_id)
        # Submitted first, the report is durable no later than the ledger's row. A row that is known already does not
        # prove that the report was: it is handed in again, and the outbox knows a duplicate.
        facts = report_facts(received, raw.pdu, raw.received_at)
        report = self._outbox.report(raw.sim_id, facts, new_id)
        _, ledger_id = await asyncio.gather(report, self._keep(raw, received, new_id))
        return ledger_id

    async def deleted(self, ledger_id: int) -> None:
        """Note that the modem's slot is free: an equal PDU there is a new message from now on.

        Returns before that is durable: after a crash, an equal PDU in that very slot would be taken for the old one.
        """
        self._freed.add(ledger_id)
        try:
            noted = self._store.submit(self._note_freed((ledger_id,)), Urgency.LAZY)
        except StoreClosed:
            return
        noted.add_done_callback(lambda done: self._noted(ledger_id, done))

    async def sweep(self) -> int:
        """Show messages that stay incomplete, forget what is old, both in bounded steps; return how many were shown.

        To be called now and then; reads only, unless there is something to do.
        """
        now = self._now()
        shown: list[tuple[Shown, Heard | None]] = []
        if await self._store.read(lambda conn: reassembly.has_overdue(conn, now)):
            shown = await self._store.write(lambda conn: self._show_overdue(conn, now))
        for message, heard in shown:
            self._tell(message, now, heard)
        await self._forget(now)
        return len(shown)

    def _show_overdue(self, conn: sqlite3.Connection, now: int) -> list[tuple[Shown, Heard | None]]:
        overdue = reassembly.show_overdue(conn, self._store.ids.take, now, number_of=self._number_of)
        return [(message, self._hear(conn, message, now)) for message in overdue]

    async def take_in(
        self,
        write: Callable[[sqlite3.Connection], Shown | None],
        at: int,
        *,
        may_opt_in: bool,
        payer: int | None = None,
    ) -> Shown | None:
        """Make durable what did not come from a modem, and tell of it as of all that comes; ``at`` is unix ms.

        ``write`` runs inside the transaction and returns what it has shown, None for nothing. Who wants no messages is
        heard; that a number wants them again only with ``may_opt_in``. The answer counts against ``payer``'s quota.
        Raises what it raises, StoreFull, StoreError.
        """

        def heard(conn: sqlite3.Connection) -> tuple[Shown | None, Heard | None]:
            shown = write(conn)
            deaf = shown is not None and not may_opt_in and optouts.is_out(conn, shown.sender)
            return shown, None if deaf else self._hear(conn, shown, at, payer)

        def told(done: asyncio.Future[tuple[Shown | None, Heard | None]]) -> None:
            if not done.cancelled() and done.exception() is None and (shown := done.result()[0]) is not None:
                self._tell(shown, at, done.result()[1])

        future = self._store.submit(heard, reserve=False)
        future.add_done_callback(told)
        return (await asyncio.shield(future))[0]

    async def _forget(self, now: int) -> None:
        groups = await self._store.read(lambda conn: reassembly.stale_groups(conn, now))
        direct = await self._store.read(lambda conn: inbound_ledger.settled_direct(conn, now))
        stale, after = await self._store.read(lambda conn: inbound_ledger.stale(conn, now, self._stale_after))

        def forget(conn: sqlite3.Connection) -> None:
            reassembly.forget_groups(conn, groups, now)
            inbound_ledger.mark_deleted(conn, direct, now)
            inbound_ledger.forget(conn, stale)

        if groups or direct or stale:
            await self._store.write(forget, Urgency.LAZY)
        self._stale_after = after

    async def _keep(self, raw: RawInbound, received: Received, new_id: int) -> int:
        note_freed = self._note_freed(tuple(self._freed))

        def write(conn: sqlite3.Connection) -> _Kept:
            note_freed(conn)
            return self._write(conn, raw, received, new_id)

        future = self._store.submit(write)
        # Told by the commit, not by its caller, who may be gone by then: the slot read again would tell nobody.
        future.add_done_callback(lambda done: self._told(raw, done))
        return (await asyncio.shield(future)).ledger_id

    def _write(self, conn: sqlite3.Connection, raw: RawInbound, received: Received, new_id: int) -> _Kept:
        """Do all that a PDU asks for; on the writer's thread."""
        dated = isinstance(received, DeliverTpdu | StatusReportTpdu) and moment_ms(received.timestamp) is not None
        entry = inbound_ledger.enter(conn, raw, new_id=new_id, dated=dated)
        if entry.known:
            return _Kept(entry.id)
        if isinstance(received, DeliverTpdu):
            shown = self._deliver(conn, raw, received)
            return _Kept(entry.id, shown, heard=self._hear(conn, shown, raw.received_at))
        if isinstance(received, Unreadable):
            quarantine(conn, raw, received.reason)
            return _Kept(entry.id, quarantined=True)
        return _Kept(entry.id)

    def _hear(self, conn: sqlite3.Connection, shown: Shown | None, now: int, payer: int | None = None) -> Heard | None:
        return None if shown is None or self._consent is None else self._consent.hear(conn, shown.id, now, payer)

    def _deliver(self, conn: sqlite3.Connection, raw: RawInbound, tpdu: DeliverTpdu) -> Shown | None:
        concat = tpdu.user_data.concat
        if concat is not None and concat.total > 1:
            part = Part(raw.sim_id, tpdu, concat, raw.pdu, raw.received_at, self._number_of)
            return reassembly.add_part(conn, self._store.ids.take, part)
        return show(
            conn,
            self._store.ids.take(),
            content_of([tpdu]),
            sim_id=raw.sim_id,
            sender=self._number_of(tpdu.originator.number),
            received_at=raw.received_at,
        )

    def _note_freed(self, ids: tuple[int, ...]) -> Callable[[sqlite3.Connection], None]:
        now = self._now()
        return lambda conn: inbound_ledger.mark_deleted(conn, ids, now)

    def _noted(self, ledger_id: int, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is None:
            self._freed.discard(ledger_id)
        else:  # it stays for the next write
            _log.warning("freed_slot_not_noted", ledger=ledger_id, error=repr(error))

    def _told(self, raw: RawInbound, done: asyncio.Future[_Kept]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        kept = done.result()
        if kept.quarantined:
            _log.warning("inbound_quarantined", sim=raw.sim_id, modem=raw.slot, ledger=kept.ledger_id)
            self._metrics.received.labels(QUARANTINE).inc()
        if kept.shown is not None:
            self._tell(kept.shown, raw.received_at, kept.heard)

    def _tell(self, shown: Shown, at: int, heard: Heard | None) -> None:
        _log.info(
            "message_received",
            message=public_id(INBOX_ID, shown.id),
            sim=shown.sim_id,
            kind=shown.kind,
            sender=mask_number(shown.sender),
            missing=shown.missing,
        )
        if not shown.again:
            self._metrics.received.labels(shown.kind).inc()
        self._bus.publish(MessageReceived(at, shown.id, shown.sim_id, shown.sender, shown.likeness))
        if heard is not None and self._consent is not None:
            self._consent.told(heard)

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _admitted(received: Received, via: Via) -> Received:
    """Nothing but a memory can hold what was sent: a SUBMIT that comes directly is noise."""
    if isinstance(received, SubmitTpdu) and via is Via.DIRECT:
        return Unreadable("inbound TPDU that is no DELIVER or STATUS-REPORT")
    return received
