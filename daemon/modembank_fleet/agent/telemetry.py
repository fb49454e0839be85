"""What the box says of itself: its birth, and how it and its modems are, as often as the profile wants."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib import metadata
from typing import Any

import msgspec

from modembank.app import App
from modembank.bank import ModemView
from modembank.fleet import Life, rows
from modembank.store.schema import known_migrations
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.commands import Trust
from modembank_fleet.agent.pool import Pool
from modembank_fleet.agent.streams import stamp
from modembank_fleet.agent.telling import Privacy, Pseudonyms
from modembank_fleet.agent.verbs import LENDING, ON_IMAGES, VERBS
from modembank_fleet.wire import Birth, ModemCounts, Outbox, Queue, Software, Table, TeleBox, TeleModems, Totals

LIVE_S = 900.0
"""After so long ``live`` ends by itself."""
_BIRTH = ("slot", "path", "imei", "model", "fw", "iccid", "op", "vendor")
_COLUMNS = ("slot", "st", "rssi", "reg", "sent", "fail", "recv", "paused", "d24")
_READY, _TROUBLED = frozenset({"registered"}), frozenset({"failed", "recovering", "gone", "locked"})


class Period(msgspec.Struct, frozen=True):
    """Seconds between two of each.

    A ping costs a third of a report. The broker misses a box after one and a half times ``keepalive_s``, and says so
    after the delay of its will: that is before its telemetry is missed (two and a half times ``box_s``).
    """

    box_s: float
    modems_s: float
    keepalive_s: int = 75


PERIODS = {
    "live": Period(10, 10, 30),
    "standard": Period(60, 300, 75),
    "lean": Period(300, 900, 240),
    "metered": Period(900, 3600, 600),
}


class Telemetry(msgspec.Struct):
    """Makes the payloads."""

    app: App
    time: Timekeeper
    life: Life
    trust: Trust
    names: Pseudonyms
    pool: Pool
    _seq: int = 0

    @property
    def _privacy(self) -> Privacy:
        return self.app.config.mqtt.privacy

    def birth(self, conn_number: int) -> Birth:
        """Return all that stays as it is while the box is connected."""
        app = self.app
        return Birth(
            **stamp(self.time, self.life),
            conn=conn_number,
            base={"ev": self.life.ev_base, "res": self.life.res_base},
            label=app.config.box.site if self._privacy == "full" else "",
            sw=Software(
                version=metadata.version("modembank"),
                schema=len(known_migrations()),
                python=platform.python_version(),
                arch=platform.machine(),
                os=f"{platform.system()} {platform.release()}",
            ),
            verbs=[verb for verb in (*VERBS, *sorted(LENDING)) if self._carries_out(verb)],
            profile=app.fleet.profile,
            privacy=self._privacy,
            kids=[key.kid for key in self.trust.keys],
            modems=Table(cols=list(_BIRTH), rows=self.identities()),
        )

    def _carries_out(self, verb: str) -> bool:
        return self.trust.carries_out(verb) and (verb not in ON_IMAGES or self.app.appliance.present)

    def identities(self) -> list[list[Any]]:
        """Return who the modems are, as a birth tells it."""
        return [self._identity(view) for view in self.app.bank.modems()]

    async def box(self) -> TeleBox:
        """Return how the box is."""
        app = self.app
        counts = await app.messages.counts()
        events, results, oldest, _ = await app.store.read(rows.waiting)
        received = await app.store.read(_received)
        states = [view.state.value for view in app.bank.modems()]
        paused = sum(1 for sim in app.sims.all() if sim.paused)
        health = app.store.health
        self._seq += 1
        arrived, refused = counts.get("delivered", 0), counts.get("undelivered", 0)
        return TeleBox(
            **stamp(self.time, self.life),
            seq=self._seq,
            cpu=round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
            disk=round(health.free_octets / 1e9, 2),
            q=Queue(
                ready=counts.get("queued", 0) + counts.get("accepted", 0),
                delayed=counts.get("scheduled", 0),
                inflight=counts.get("sending", 0),
                unknown=counts.get("unknown", 0),
            ),
            thr=Totals(
                sent=counts.get("sent", 0) + arrived + refused,
                dlr=arrived,
                fail=refused + counts.get("failed", 0) + counts.get("expired", 0),
                recv=received,
            ),
            modems=ModemCounts(
                ready=sum(state in _READY for state in states),
                cool=paused,
                err=sum(state in _TROUBLED for state in states),
            ),
            outbox=Outbox(n=events + results, oldest=self._age_s(oldest)),
            issues=len(app.health.open()),
            pool=await self.pool.credit(),
        )

    def modems(self) -> TeleModems:
        """Return how each modem is."""
        self._seq += 1
        table = [self._row(view) for view in self.app.bank.modems()]
        return TeleModems(**stamp(self.time, self.life), seq=self._seq, cols=list(_COLUMNS), rows=table)

    def _identity(self, view: ModemView) -> list[Any]:
        sim = None if view.sim_id is None else self.app.sims.get(view.sim_id)
        iccid = None if sim is None else sim.iccid
        full = self._privacy == "full"
        return [
            view.slot, view.path, view.imei if full else self.names.of(view.imei or None), view.model, view.firmware,
            iccid if full else self.names.of(iccid), view.operator, view.vendor,
        ]  # fmt: skip

    def _row(self, view: ModemView) -> list[Any]:
        counters = view.counters
        sim = None if view.sim_id is None else self.app.sims.get(view.sim_id)
        used = None
        if sim is not None:
            usage = self.app.sims.ledger(sim.id).usage(round(self.app.clock.now() * 1000))
            used = next((count for window, count in usage.items() if window.value == "per_day"), None)
        return [
            view.slot, view.state.value, view.signal_dbm, _short(view.registration), counters.accepted,
            counters.rejected + counters.unknown, counters.received, int(sim is not None and sim.paused), used,
        ]  # fmt: skip

    def _age_s(self, oldest: int | None) -> float:
        return 0.0 if oldest is None else round(max(0.0, self.app.clock.now() - oldest / 1000), 1)


def _short(registration: str) -> str:
    """Return in one word where a modem is registered."""
    return next((word for word in ("home", "roaming", "searching", "denied") if word in registration), "")


def _received(conn: sqlite3.Connection) -> int:
    return int(conn.execute("SELECT count(*) FROM inbox").fetchone()[0])
