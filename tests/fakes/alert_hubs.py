"""A hub whose time is turned by hand, for tests of alerts: it looks when it is told to, and sees boxes or not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fakes.hubs import Hub
from fakes.voices import NOW, SaidBox, hears
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import to_ms
from modembank.store import Store
from modembank_hub.alerting import rows
from modembank_hub.alerting import rows_of_channels as channels
from modembank_hub.alerting.deciding import End, Open
from modembank_hub.alerting.facts import Held, Key
from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.places import Subject
from modembank_hub.alerting.rows import Wanted
from modembank_hub.alerting.service import Shown
from modembank_hub.alerting.telling import gather
from modembank_hub.app import assemble_hub
from modembank_hub.config import HubConfig, IdentityConfig, MailConfig, StoreConfig

WINDOW_S, LOOK_S = 10.0, 10.0


class TurnedClock:
    """Both clocks, turned together unless the wall clock is set."""

    def __init__(self) -> None:
        self.steady = 1000.0
        self.wall = NOW / 1000

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def turn(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += seconds


class AlertHub(Hub):
    """A hub that is looked through by hand."""

    clock: TurnedClock

    @property
    def now(self) -> int:
        return to_ms(self.clock.now())

    def connected(self, up: bool = True) -> None:
        """Let its connections stand, or not."""
        self.app.lines._up.clear()
        if up:
            self.app.lines._up.update({"in-1", "in-2", "control"})

    async def pass_time(self, seconds: float, *talking: SaidBox, step: float = LOOK_S, **said: Any) -> None:
        """Let time pass, looking as the hub does; those ``talking`` report each minute."""
        end = self.clock.steady + seconds
        while self.clock.steady < end:
            self.clock.turn(min(step, end - self.clock.steady))
            for box in talking:
                await hears(self.store, box.box_tele(self.now, **said), now=self.now)
            await self.app.watch.look()

    async def settled(self, *boxes: SaidBox) -> None:
        """Let boxes be online, and the hub be sure of what it sees."""
        for box in boxes:
            await hears(self.store, box.avail(), box.birth(self.now), box.box_tele(self.now), now=self.now)
        self.connected()
        await self.pass_time(60, *boxes)

    async def goes(self, *boxes: SaidBox, why: str = "will") -> None:
        """Let boxes be offline."""
        for box in boxes:
            await hears(self.store, box.avail("offline", why), now=self.now)

    async def comes(self, *boxes: SaidBox) -> None:
        """Let boxes be back."""
        for box in boxes:
            box.conn += 1
            await hears(self.store, box.avail(), box.box_tele(self.now), now=self.now)

    async def alerts(self, **wanted: Any) -> list[Shown]:
        return (await self.app.alerts.listed(LOCAL_ADMIN, Wanted(**wanted), limit=1000)).items

    async def told(self, **wanted: Any) -> list[tuple[str, str, str]]:
        """Return kind, subject and state of each alert."""
        return [(one.row.kind, one.row.subject, one.row.state) for one in await self.alerts(**wanted)]

    async def letter(self, channel: int) -> dict[str, Any] | None:
        """Return what a channel would be told now."""
        made = await self.store.write(lambda conn: gather(conn, channel, self.now))
        return None if made is None else json.loads(made.body)

    async def take(self, channel: int) -> None:
        """Let a channel take the letter that lies there."""

        def take(conn):
            channels.note_taken(conn, channels.next_letter(conn, channel), self.now)

        await self.store.write(take)


async def open_alert(
    store: Store, kind: str, subject: Subject, figures: dict[str, Any] | None = None, *, at: int, topic: str = ""
) -> int:
    """Let an alert open, as a look does; return its id."""
    held = Held(Key(kind, subject.name, topic), subject, KINDS[kind].severity, 0, figures or {})

    def put(conn):
        rows.apply(conn, [Open(held, at)], rows.silenced_now(conn, at), at)
        return conn.execute("SELECT max(id) FROM alerts").fetchone()[0]

    return await store.write(put)


async def box_subject(store: Store, name: str) -> Subject:
    """Return a box that the hub knows, as alerts name it."""
    site, _, box = name.partition("/")
    row = await store.fetch_one("SELECT id, label FROM boxes WHERE site = ? AND box = ?", (site, box))
    return Subject(name, site, row[1], row[0])


async def end_alert(store: Store, alert: int, at: int) -> None:
    """Let an alert end, as a look does."""

    def put(conn):
        end = End(alert, rows.get(conn, alert).key)
        rows.apply(conn, [end], rows.silenced_now(conn, at), at)

    await store.write(put)


@contextlib.asynccontextmanager
async def alert_hub(
    folder: Path,
    clock: TurnedClock | None = None,
    mail: MailConfig | None = None,
    store: StoreConfig | None = None,
) -> AsyncIterator[AlertHub]:
    """Yield a hub over the database in a folder, made when it is not there."""
    hub = IdentityConfig(data_dir=str(folder), window_s=WINDOW_S, url="https://hub.example.com")
    clock = clock or TurnedClock()
    app = await assemble_hub(HubConfig(hub=hub, mail=mail or MailConfig(), store=store or StoreConfig()), clock)
    made = AlertHub(app)
    made.clock = clock
    try:
        yield made
    finally:
        await app.tellers.stop()
        await asyncio.sleep(0)
        await app.store.close()
