"""PDUs from the air into a real store: nothing is lost, nothing raises, and what is shown is fit to be shown."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fakes.inbounds import InboundBox
from fakes.senders import ADMIN
from fuzz import seeds
from fuzz.dice import Dice, records, script
from modembank.messages.inbound_content import Unreadable, kept_raw, read_pdu
from modembank.modem.inbound import RawInbound, Via
from modembank.tpdu import DeliverTpdu, StatusReportTpdu

DAY_MS = 86_400_000
TABLES = ("inbox", "inbound_parts", "inbound_groups", "inbound_pdus", "quarantine", "orphan_reports")
MOST_A_SCRIPT = 12
LONGEST_TEXT = 255 * 160 * 2


class Air:
    """One box that receives. ``told`` knows what came in parts, so that a repeated part is told from a lost one."""

    def __init__(self, box: InboundBox) -> None:
        self.box = box
        self.told: set[tuple[object, ...]] = set()

    async def receive(self, raw: RawInbound) -> None:
        """Hand a PDU over and judge where it went; handed over again from the same slot, it goes nowhere."""
        before = await self._counts()
        ledger_id = await self.box.receiving.store(raw)
        row = await self.box.real_store.fetch_one("SELECT pdu FROM inbound_pdus WHERE id = ?", (ledger_id,))
        assert row is not None, "durable when store() returns"
        after = await self._counts()
        if after["inbound_pdus"] > before["inbound_pdus"]:
            await self._arrived(raw, before, after)
        else:
            assert after == before, "the same physical PDU is one message"
        if raw.via is Via.STORED:
            assert await self.box.receiving.store(raw) == ledger_id
            assert await self._counts() == after

    async def _arrived(self, raw: RawInbound, before: dict[str, int], after: dict[str, int]) -> None:
        more = {table: after[table] - before[table] for table in TABLES}
        received = read_pdu(raw.pdu)
        if isinstance(received, Unreadable):
            assert more["quarantine"] == 1
        elif isinstance(received, StatusReportTpdu):
            assert more["orphan_reports"] == 1 or await self._known_report(received, raw)
        elif isinstance(received, DeliverTpdu):
            concat = received.user_data.concat
            if concat is None or concat.total == 1:
                assert more["inbox"] == 1
            else:
                await self._part(raw, received, more)
        else:  # a SUBMIT: what a telephone left in the memory is no message, unless it claims to come from the air
            assert more["quarantine"] == (raw.via is Via.DIRECT)

    async def _part(self, raw: RawInbound, tpdu: DeliverTpdu, more: dict[str, int]) -> None:
        concat = tpdu.user_data.concat
        assert concat is not None
        place = (raw.sim_id, tpdu.originator.number, concat.reference, concat.wide, concat.total, concat.sequence)
        kept = await self.box.real_store.fetch_one(
            "SELECT count(*) FROM inbound_parts WHERE pdu = ?", (raw.pdu.strip().upper(),)
        )
        assert kept is not None
        assert kept[0] or more["inbox"] == 1 or more["inbound_parts"] < 0 or place in self.told, "a part was lost"
        self.told.add(place)

    async def _known_report(self, report: StatusReportTpdu, raw: RawInbound) -> bool:
        row = await self.box.real_store.fetch_one(
            "SELECT count(*) FROM orphan_reports WHERE tp_mr = ? AND sim_id = ? AND pdu = ?",
            (report.reference, raw.sim_id, kept_raw(raw.pdu)),
        )
        return row == (1,)

    async def _counts(self) -> dict[str, int]:
        await self.box.outbox.flush()
        columns = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
        row = await self.box.real_store.fetch_one(f"SELECT {columns}")
        assert row is not None
        return dict(zip(TABLES, row, strict=True))

    async def shown(self) -> None:
        """The inbox can be listed and looked up, holds no control character, and is bounded."""
        page = await self.box.inbox.list(ADMIN, limit=500)
        assert len(page.items) == min(500, (await self._counts())["inbox"])
        for view in page.items:
            assert msgspec.json.decode(msgspec.json.encode(view))["id"] == view.id
            for text in (view.text, view.from_):
                assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]", text)
            assert len(view.text) <= LONGEST_TEXT
            assert len(view.from_) <= 256
            assert all(1 <= number <= view.parts for number in view.missing)
            assert await self.box.inbox.get(ADMIN, view.id) == view

    async def emptied(self) -> None:
        """Forget all, so that every input starts from the same box."""
        self.told.clear()

        def forget(conn) -> None:  # type: ignore[no-untyped-def]
            for table in TABLES:
                conn.execute(f"DELETE FROM {table}")

        await self.box.real_store.write(forget)
        self.box.events.clear()


async def _play(air: Air, octets: bytes) -> None:
    await air.emptied()
    for dice in list(records(octets))[:MOST_A_SCRIPT]:
        how = dice.octet()
        await air.receive(_raw(air, dice, how))
        if how & 32:  # messages that stay incomplete are shown in the end
            air.box.clock.turn(4 * DAY_MS)
            await air.box.receiving.sweep()
            waiting = "SELECT count(*) FROM inbound_groups WHERE inbox_id IS NULL AND remembered IS NULL"
            assert await air.box.real_store.fetch_one(waiting) == (0,)
    await air.shown()


def _raw(air: Air, dice: Dice, how: int) -> RawInbound:
    """Bits of ``how``: 1 directly, 2 not hex at all, 4 another SIM, 8 from a slot used before."""
    octets = dice.rest()
    pdu = octets.decode("latin-1") if how & 2 else octets.hex().upper()
    sim = 2 if how & 4 else 1
    if how & 1:
        return air.box.direct(pdu, sim=sim)
    return air.box.raw(pdu, sim=sim, index=3 if how & 8 else None)


@contextmanager
def inbound() -> Iterator[Callable[[bytes], None]]:
    """Each record is a PDU and how it comes."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        box = runner.run(InboundBox(Path(folder) / "box.db").open())
        air = Air(box)
        try:
            yield lambda octets: runner.run(_play(air, octets))
        finally:
            runner.run(box.close())


def inbound_seeds() -> list[bytes]:
    """Published PDUs by each way, parts of long messages, and the lot together."""
    known = [octets for _, octets in seeds.pdus()]
    single = [bytes([how]) + octets for how, octets in zip((0, 1, 8, 33) * len(known), known, strict=False)]
    parts = [bytes([32 * (place % 2)]) + octets for place, octets in enumerate(known[-13:])]
    return [*single, script(*parts), script(*parts[:2], *parts[:2]), b"\x02not hex at all", b"\x02" + b"0" * 999]
