"""What boxes say, as the wire has it, for tests of the hub."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modembank.store import Store
from modembank_fleet import wire
from modembank_hub.schema import DATABASE, HUB
from modembank_hub.taking import Outcome, read, take

NOW = 1_800_000_000_000
COLUMNS = ["slot", "st", "rssi", "reg", "sent", "fail", "recv", "paused", "d24"]


async def open_hub_store(folder: Path) -> Store:
    return await Store.open(folder / DATABASE, schema=HUB, lazy_s=0.02, soon_s=0.01)


@dataclass
class SaidBox:
    """One box's voice: it counts what a real one counts."""

    site: str = "leeds"
    box: str = "b1"
    ep: str = "k3f9"
    bs: int = 1
    conn: int = 1
    base: int = 1
    next_ev: int = 1
    next_res: int = 1
    tele: int = 0
    reports: int = 0
    totals: dict[str, int] = field(default_factory=lambda: {"sent": 0, "dlr": 0, "fail": 0, "recv": 0})

    @property
    def address(self) -> wire.Address:
        return wire.Address(self.site, self.box)

    def _up(self, now: int) -> dict[str, object]:
        return {"v": 1, "ep": self.ep, "bs": self.bs, "ts": now / 1000, "up": 5.0, "clk": "ntp"}

    def topic(self, *parts: str) -> str:
        return self.address.up(*parts)

    def avail(self, s: str = "online", why: str = "birth", now: int = NOW) -> tuple[str, msgspec.Struct]:
        said = wire.Avail(v=1, s=s, ep=self.ep, bs=self.bs, conn=self.conn, ts=now / 1000, why=why)
        return self.topic("avail"), said

    def birth(self, now: int = NOW, **more: object) -> tuple[str, msgspec.Struct]:
        rows = [[f"slot-{n:02d}", "Quectel", "EC25", f"86{n:013d}", f"h{n}", "Example"] for n in range(1, 5)]
        fields: dict[str, object] = {
            "conn": self.conn,
            "base": {"ev": self.base, "res": self.base},
            "label": f"Cellar of {self.site}",
            "sw": wire.Software(version="1.2.0", schema=11, python="3.11.7", arch="aarch64", os="Debian 12"),
            "verbs": ["ping", "rebirth", "diag.run", "tele.profile", "sim.pause", "sim.resume", "modem.reset"],
            "profile": "standard",
            "privacy": "meta",
            "kids": ["h1"],
            "modems": wire.Table(cols=["slot", "vendor", "model", "imei", "iccid", "op"], rows=rows),
        }
        return self.topic("birth"), wire.Birth(**self._up(now), **(fields | more))

    def box_tele(self, now: int = NOW, err: int = 0, issues: int = 0, **grown: int) -> tuple[str, msgspec.Struct]:
        self.tele += 1
        for name, count in grown.items():
            self.totals[name] += count
        said = wire.TeleBox(
            **self._up(now), seq=self.tele, cpu=0.21, mem=0.4, disk=28.4, temp=51.0,
            q=wire.Queue(ready=12, delayed=3, inflight=2, unknown=0),
            thr=wire.Totals(**self.totals),
            modems=wire.ModemCounts(ready=4 - err, cool=0, err=err),
            outbox=wire.Outbox(n=0, oldest=0.0),
            issues=issues,
        )  # fmt: skip
        return self.topic("tele", "box"), said

    def modems_tele(self, now: int = NOW, states: tuple[str, ...] = ("registered",) * 4) -> tuple[str, msgspec.Struct]:
        rows = [
            [f"slot-{n:02d}", state, -71 - n, "home", 40 * n, 1, 3, 0, 120 * n] for n, state in enumerate(states, 1)
        ]
        return self.topic("tele", "modems"), wire.TeleModems(**self._up(now), seq=self.tele, cols=COLUMNS, rows=rows)

    def events(
        self, count: int = 1, now: int = NOW, first: int | None = None, **more: object
    ) -> tuple[str, wire.EvBatch]:
        start = self.next_ev if first is None else first
        said = [
            wire.Event(seq=seq, type="modem.state", sev="info", at=now / 1000, subj=f"slot-{seq % 4 + 1:02d}",
                       data={"to": "ready"})
            for seq in range(start, start + count)
        ]  # fmt: skip
        self.next_ev = max(self.next_ev, start + count)
        fields: dict[str, object] = {"base": self.base, "first": start, "last": start + count - 1, "ev": said}
        return self.topic("ev"), wire.EvBatch(**self._up(now), **(fields | more))

    def reported(
        self, ver: int = 0, st: str = "applied", hash_: str = "", now: int = NOW, **more: object
    ) -> tuple[str, wire.CfgReported]:
        self.reports += 1
        said = self._up(now) | {"up": 5.0 + self.reports, "ver": ver, "st": st, "hash": hash_}
        return self.topic("cfg", "reported"), wire.CfgReported(**(said | more))

    def result(self, command: str, st: str, now: int = NOW, **more: object) -> tuple[str, wire.ResBatch]:
        seq = self.next_res
        self.next_res += 1
        said = wire.Result(seq=seq, id=command, verb="ping", st=st, at=now / 1000, **more)
        fields = {"base": self.base, "first": seq, "last": seq, "res": [said]}
        return self.topic("res"), wire.ResBatch(**self._up(now), **fields)


async def hears(store: Store, *said: tuple[str, msgspec.Struct], now: int = NOW) -> Outcome:
    """Let the hub's database take what was said, in one write."""
    uplinks = [read(topic, wire.encode(message), "", now) for topic, message in said]
    outcome = Outcome()

    def put_down(conn):
        for uplink in uplinks:
            take(conn, uplink, outcome)

    await store.write(put_down)
    return outcome
