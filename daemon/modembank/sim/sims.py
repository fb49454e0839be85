"""The registry of SIMs: who they are, what they may send, and their ledgers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import LimitsConfig, SimConfig, SimLimitsConfig
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.events import SimChanged
from modembank.sim import rows, usage
from modembank.sim.ledger import Ledger
from modembank.sim.limits import MONTH_MS, RateLimits
from modembank.sim.model import (
    Sim,
    SimChange,
    SimIdentity,
    UnidentifiedSim,
    iccid_spellings,
    normal_iccid,
    normal_imsi,
    plain_msisdn,
    plain_text,
)
from modembank.sim.rows import SimRow, Told
from modembank.sim.window import Bucket
from modembank.store import Store, Urgency

_log = structlog.get_logger()

Also: TypeAlias = Callable[[sqlite3.Connection], object]
"""What else a write does."""
Guard: TypeAlias = Callable[[Sim, SimChange], Awaitable[None]]
"""Looks at a change before it is made, and raises what forbids it."""


class Sims:
    """All SIMs the box has ever seen, in memory, each change durable before it counts.

    What holds for a SIM is laid over in this order, later wins: the file's ``[limits]``, the SIM's own ``[[sim]]``
    entry (by ICCID), and what was set at run time (table sims). So a value set on the page stays when the file changes;
    set it to None to follow the file again.
    """

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, defaults: LimitsConfig, configured: Iterable[SimConfig] = ()
    ) -> None:
        """Know nothing until load()."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._defaults = defaults
        self._configured = {spelling: entry for entry in configured for spelling in iccid_spellings(entry.iccid)}
        self._sims: dict[int, Sim] = {}
        self._ledgers: dict[int, Ledger] = {}
        self._merged: dict[int, int] = {}
        self._changing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._guard: Guard | None = None

    async def load(self) -> None:
        """Read all SIMs and what they sent; call it once, after the journal's rest was folded, before any sending."""

        def read(
            connection: sqlite3.Connection,
        ) -> tuple[list[SimRow], dict[int, list[Bucket]], dict[int, dict[str, int]]]:
            return rows.all_rows(connection), usage.load_usage(connection), usage.load_recipients(connection)

        found, buckets, recipients = await self._store.read(read)
        now = self._now()
        for row in found:
            if row.merged_into is not None:
                self._merged[row.id] = row.merged_into
                continue
            ledger = self._ledgers[row.id] = Ledger(RateLimits())
            ledger.load(now, buckets.get(row.id, ()), recipients.get(row.id))
            await self._adopt(row)

    def get(self, sim_id: int) -> Sim:
        """Return a SIM; raises NotFound."""
        try:
            return self._sims[self._merged.get(sim_id, sim_id)]
        except KeyError:
            raise NotFound(what="SIM", which=sim_id) from None

    def ledger(self, sim_id: int) -> Ledger:
        """Return a SIM's ledger, the same object as long as the daemon runs; raises NotFound."""
        return self._ledgers[self.get(sim_id).id]

    def by_iccid(self, iccid: str) -> Sim | None:
        """Return the SIM with that ICCID, in whichever way it is written, or ``imsi:...``."""
        wanted = iccid_spellings(normal) if (normal := normal_iccid(iccid)) else (iccid,)
        return next((sim for sim in self._sims.values() if sim.iccid in wanted), None)

    def all(self) -> tuple[Sim, ...]:
        """Return every SIM ever seen, by id."""
        return tuple(self._sims[sim_id] for sim_id in sorted(self._sims))

    def configured(self, iccid: str | None) -> SimConfig | None:
        """Return the file's entry for an ICCID as a modem tells it: for the PIN, before the SIM is open."""
        normal = normal_iccid(iccid)
        entries = (self._configured.get(spelling) for spelling in iccid_spellings(normal)) if normal else ()
        return next((entry for entry in entries if entry is not None), None)

    async def identify(self, identity: SimIdentity, slot: str) -> Sim:
        """Return the SIM a modem tells of, with its row made at first sight; raises UnidentifiedSim, StoreError."""
        told = Told(
            iccid=normal_iccid(identity.iccid),
            imsi=normal_imsi(identity.imsi),
            msisdn=plain_msisdn(identity.msisdn),
            operator=plain_text(identity.operator),
            slot=slot,
        )
        if told.iccid is None and told.imsi is None:
            raise UnidentifiedSim(slot=slot)
        return await self._serially(self._identify(told))

    def guard(self, guard: Guard | None) -> None:
        """Let somebody who owns settings look at each change that is not its own."""
        self._guard = guard

    async def change(
        self, sim_id: int, wanted: SimChange, also: Also | None = None, *, by_the_owner: bool = False
    ) -> Sim:
        """Change what is named, all of it in one write or nothing; live as this returns.

        ``also`` runs in that write: what is to be recorded of it. ``by_the_owner``: no guard is asked. Raises NotFound,
        InvalidRequest, and Conflict for what is somebody else's to set.
        """
        _check(wanted)
        if self._guard is not None and not by_the_owner:
            await self._guard(self.get(sim_id), wanted)
        now = self._now()

        def apply(connection: sqlite3.Connection) -> SimRow | None:
            target = self._id(sim_id)
            if wanted.label is not None:
                rows.set_label(connection, target, wanted.label)
            if wanted.limits is not None:
                rows.set_limits(connection, target, wanted.limits)
            if wanted.pause is not None:
                rows.pause(connection, target, wanted.pause, now)
            elif wanted.resume:
                rows.resume(connection, target)
            if also is not None:
                also(connection)
            return rows.one_row(connection, target)

        return await self._change(sim_id, apply)

    async def set_label(self, sim_id: int, label: str) -> Sim:
        """Name a SIM; an empty label returns to the file's. Raises NotFound, InvalidRequest."""
        return await self.change(sim_id, SimChange(label=label))

    async def set_limits(self, sim_id: int, changes: Mapping[str, float | None]) -> Sim:
        """Set some limits of a SIM at once; None returns a limit to what the file says. Live as this returns.

        Raises NotFound, InvalidRequest.
        """
        return await self.change(sim_id, SimChange(limits=changes))

    async def pause(self, sim_id: int, reason: str) -> Sim:
        """Stop sending through a SIM until resume(); the reason is for people. Raises NotFound."""
        return await self.change(sim_id, SimChange(pause=reason))

    async def resume(self, sim_id: int) -> Sim:
        """Let a SIM send again; raises NotFound."""
        return await self.change(sim_id, SimChange(resume=True))

    async def compact(self) -> None:
        """Fold and drop old usage rows; call it about once an hour."""
        now = self._now()
        await self._store.write(lambda connection: usage.compact_usage(connection, now), Urgency.LAZY)

    async def _identify(self, told: Told) -> Sim:
        now = self._now()
        found = await self._store.write(lambda connection: rows.find_or_add(connection, told, now))
        ledger = self._ledgers.setdefault(found.row.id, Ledger(RateLimits()))
        if found.absorbed is not None:
            self._merged[found.absorbed] = found.row.id
            del self._sims[found.absorbed]
            ledger.absorb(self._ledgers.pop(found.absorbed), now)
        sim = await self._adopt(found.row, new=found.new)
        _log.info("sim_identified", sim=sim.id, slot=told.slot, new=found.new)
        self._bus.publish(SimChanged(now, sim.id))
        return sim

    async def _change(self, sim_id: int, fn: Callable[[sqlite3.Connection], SimRow | None]) -> Sim:
        async def apply() -> Sim:
            row = await self._store.write(fn)
            if row is None:
                raise NotFound(what="SIM", which=sim_id)
            sim = await self._adopt(row)
            self._bus.publish(SimChanged(self._now(), sim.id))
            return sim

        self.get(sim_id)
        return await self._serially(apply())

    async def _serially(self, coroutine: Coroutine[Any, Any, Sim]) -> Sim:
        """One change at a time, and to its end even when its caller goes away: memory must not lag behind the rows."""

        async def run() -> Sim:
            async with self._changing:
                return await coroutine

        task = asyncio.create_task(run(), name="sims.change")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _adopt(self, row: SimRow, *, new: bool = False) -> Sim:
        """Make a stored row the truth in memory, its limits last."""
        sim = self._merge(row)
        ledger = self._ledgers[sim.id]
        limited = sim.limits.recipients_per_month > 0
        if limited and not ledger.recipients.kept:
            await self._start_keeping(sim.id, ledger, new=new)
        elif not limited and ledger.recipients.kept:
            await self._store.write(lambda connection: usage.drop_recipients(connection, sim.id))
        self._sims[sim.id] = sim
        ledger.limits = sim.limits
        return sim

    async def _start_keeping(self, sim_id: int, ledger: Ledger, *, new: bool) -> None:
        """Keep recipients from now on, and take the month before from the attempts, so that none is missed between."""
        await self._store.write(lambda connection: usage.keep_recipients(connection, sim_id))
        ledger.recipients.keep()
        if new:
            return
        since = self._now() - MONTH_MS
        history = await self._store.read(lambda connection: usage.recipients_from_history(connection, sim_id, since))
        stored = await self._store.write(lambda connection: usage.store_recipients(connection, sim_id, history))
        ledger.load(self._now(), (), stored)

    def _merge(self, row: SimRow) -> Sim:
        entry = self.configured(row.iccid)
        overrides: dict[str, float] = json.loads(row.limits)
        return Sim(
            id=row.id,
            iccid=row.iccid,
            imsi=row.imsi,
            msisdn=(entry.msisdn if entry else "") or row.msisdn,
            operator=row.operator,
            label=row.label or (entry.label if entry else ""),
            limits=RateLimits.of(self._defaults, entry.limits if entry else None, overrides),
            overrides=overrides,
            paused_reason=row.paused_reason,
            paused_at=row.paused_at,
            slot=row.slot,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )

    def _id(self, sim_id: int) -> int:
        return self._merged.get(sim_id, sim_id)

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _check(wanted: SimChange) -> None:
    """Raise InvalidRequest unless all of it can be done."""
    if wanted.label is not None and plain_text(wanted.label) != (wanted.label or None):
        raise InvalidRequest(FieldProblem("/label", "at most 64 printable characters, no spaces around"))
    if wanted.limits is None:
        return
    unknown = sorted(set(wanted.limits) - set(SimLimitsConfig.__struct_fields__))
    if unknown:
        raise InvalidRequest(*(FieldProblem(f"/limits/{name}", "no such limit") for name in unknown))
    try:
        msgspec.convert(dict(wanted.limits), SimLimitsConfig)
    except msgspec.ValidationError as error:
        raise InvalidRequest(FieldProblem("/limits", str(error))) from error
