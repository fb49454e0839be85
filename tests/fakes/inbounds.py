"""The receiving half on a real database file, and PDUs as a network would make them."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fakes.outboxes import START, TurnableClock
from fakes.senders import Directory
from modembank.bus import Bus
from modembank.config import SendingConfig
from modembank.decency import OptOutConfig
from modembank.events import Event, MessageReceived
from modembank.messages import Admission, Consent
from modembank.messages.accepting import Accepting
from modembank.messages.inbox import Inbox
from modembank.messages.numbers import normalise_recipient, normalise_sender
from modembank.messages.outbox import Outbox
from modembank.messages.receiving import Receiving
from modembank.metrics import Metrics
from modembank.modem.inbound import RawInbound, Via
from modembank.store import Store
from modembank.tpdu import (
    Address,
    Concat,
    Dcs,
    DeliverTpdu,
    ReportStatus,
    StatusReportTpdu,
    SubmitTpdu,
    Timestamp,
    Udh,
    UserData,
    encode_pdu,
    split_text,
)

SENDER = "+447911123456"
CENTRE = Address.from_number("+447700900000")


class British:
    """Numbers as a box in Britain reads them."""

    def recipient(self, written: str) -> str:
        return normalise_recipient(written, "GB")

    def sender(self, address: str) -> str:
        return normalise_sender(address, "GB")


class Breakable:
    """A store whose next writes can be made to fail: ``fails`` decides for each, by its count."""

    def __init__(self, store: Store) -> None:
        self._inner = store
        self.fails: Callable[[int], BaseException | None] = lambda _: None
        self.after = False
        self.writes = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def submit(self, fn, *args, **options):
        self.writes += 1
        error = self.fails(self.writes)

        def broken(conn: sqlite3.Connection):
            if self.after:
                fn(conn)
            raise error

        return self._inner.submit(fn if error is None else broken, *args, **options)

    async def write(self, fn, *args, **options):
        return await self.submit(fn, *args, **options)


@dataclass
class InboundBox:
    """One life of a box that receives; reopen() is what a restart or a crash leaves."""

    path: Path
    clock: TurnableClock = field(default_factory=TurnableClock)
    events: list[Event] = field(default_factory=list)
    slots: int = 0
    opt_out: OptOutConfig | None = None
    """How opt-outs are heard; None: nobody hears."""
    muted: set[str] = field(default_factory=set)

    async def open(self) -> "InboundBox":
        self.real_store = await Store.open(self.path, lazy_s=0.02, soon_s=0.002)
        self.store = Breakable(self.real_store)
        self.bus, self.metrics = Bus(), Metrics()
        self.bus.subscribe(Event, self.events.append)
        self.outbox = Outbox(self.store, self.bus, self.clock, self.metrics)
        await self.outbox.recover()
        self.receiving = Receiving(
            self.store, self.bus, self.clock, self.metrics, self.outbox, self._consent(), number_of=British().sender
        )
        self.inbox = Inbox(self.store, British(), self.clock)
        return self

    def _consent(self) -> Consent | None:
        if self.opt_out is None:
            return None
        admission = Admission(Directory(), SendingConfig(), "GB")
        accepting = Accepting(self.store, self.bus, self.metrics)
        return Consent(self.opt_out, admission, accepting, self.bus, lambda number, _now: number in self.muted)

    async def close(self) -> None:
        await self.real_store.close()

    async def reopen(self) -> "InboundBox":
        await self.close()
        return await self.open()

    def raw(self, pdu: str, *, memory: str = "SM", index: int | None = None, sim: int = 1) -> RawInbound:
        if index is None:
            self.slots += 1
            index = self.slots
        return RawInbound(sim, f"slot-{sim}", pdu, Via.STORED, memory, index, self.clock.now_ms)

    def direct(self, pdu: str, *, sim: int = 1) -> RawInbound:
        return RawInbound(sim, f"slot-{sim}", pdu, Via.DIRECT, None, None, self.clock.now_ms)

    async def receive(self, pdu: str, *, sim: int = 1) -> int:
        """Read a PDU from a fresh slot and delete it there, as a modem that works does."""
        ledger_id = await self.receiving.store(self.raw(pdu, sim=sim))
        await self.receiving.deleted(ledger_id)
        return ledger_id

    async def count(self, table: str) -> int:
        return (await self.real_store.fetch_one(f"SELECT count(*) FROM {table}"))[0]

    async def texts(self) -> list[str]:
        return [row[0] for row in await self.real_store.fetch_all("SELECT text FROM inbox ORDER BY id")]

    async def rows(self, columns: str = "kind, text, octets") -> list[tuple]:
        return await self.real_store.fetch_all(f"SELECT {columns} FROM inbox ORDER BY id")

    def received(self) -> list[int]:
        """The inbox ids that were told of, in order."""
        return [event.message for event in self.events if isinstance(event, MessageReceived)]

    def counted(self, kind: str) -> float:
        return self.metrics.registry.get_sample_value("modembank_messages_received_total", {"kind": kind}) or 0.0


def stamp(ms: int = START) -> Timestamp:
    return Timestamp.of(datetime.fromtimestamp(ms / 1000, UTC))


def deliver(
    text: str | bytes | UserData = "hello",
    *,
    sender: str = SENDER,
    concat: Concat | None = None,
    at: int | Timestamp = START,
    pid: int = 0,
    dcs: Dcs | None = None,
    udh: Udh | None = None,
) -> str:
    """A DELIVER in hex; octets instead of a text make it binary."""
    header = udh if udh is not None else Udh.build(concat=concat)
    if isinstance(text, UserData):
        user_data = text
    else:
        user_data = UserData.of_octets(text, header) if isinstance(text, bytes) else UserData.of_text(text, header)
    tpdu = DeliverTpdu(
        originator=Address.from_number(sender),
        timestamp=at if isinstance(at, Timestamp) else stamp(at),
        user_data=user_data,
        dcs=Dcs.of(user_data.alphabet) if dcs is None else dcs,
        pid=pid,
    )
    return encode_pdu(tpdu, CENTRE)[0]


def long_message(
    text: str, reference: int = 1, *, sender: str = SENDER, at: int = START, size: int = 10, wide: bool = False
) -> list[str]:
    """A long message in parts of ``size`` characters, in order."""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [
        deliver(piece, sender=sender, at=at, concat=Concat(reference, len(pieces), number, wide))
        for number, piece in enumerate(pieces, 1)
    ]


def report(reference: int = 7, *, recipient: str = SENDER, status: int = 0, at: int = START) -> str:
    tpdu = StatusReportTpdu(reference, Address.from_number(recipient), stamp(at), stamp(at), ReportStatus(status))
    return encode_pdu(tpdu, CENTRE)[0]


def sent(text: str = "sent by a telephone") -> str:
    """A SUBMIT as a SIM's memory holds it."""
    return encode_pdu(SubmitTpdu(Address.from_number(SENDER), UserData.of_text(text)), CENTRE)[0]


def split(text: str, reference: int) -> list[str]:
    """A long message cut as a telephone cuts it."""
    cut = split_text(text, reference=reference)
    return [
        encode_pdu(
            DeliverTpdu(Address.from_number(SENDER), stamp(), data, Dcs.of(data.alphabet)),
            CENTRE,
        )[0]
        for data in cut.parts
    ]
