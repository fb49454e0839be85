"""A box that accepts and receives, for what is said in both directions; whoever sends is the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fakes.inbounds import SENDER, deliver
from fakes.outboxes import TurnableClock
from fakes.senders import ADMIN, ANNE, NUMBER, SIMS, NamedSim, Post
from modembank.accounts.model import Actor
from modembank.audit import Readings
from modembank.conversations import Conversations
from modembank.decency import OptOutConfig
from modembank.messages import Consent, HandedIn, IdempotencyKey, Inbox, OwnNumbers, Receiving, TakenIn, Taking
from modembank.messages.accepting import Accepting
from modembank.modem.inbound import RawInbound, Via

assert SENDER == NUMBER  # who writes to the box is whom it writes to


@dataclass
class SeenSim:
    """A SIM with a number, and when it was seen."""

    id: int
    iccid: str
    msisdn: str | None
    slot: str | None
    last_seen_at: int = 0
    label: str = ""

    @classmethod
    def of(cls, sim: NamedSim) -> SeenSim:
        return cls(sim.id, sim.iccid, f"+44790090000{sim.id}", sim.slot, 0, sim.label)


@dataclass
class Shelf:
    """All SIMs, to be moved about."""

    sims: list[SeenSim] = field(default_factory=lambda: [SeenSim.of(sim) for sim in SIMS])

    def all(self) -> list[SeenSim]:
        return self.sims


class Correspondence(Post):
    """The two halves of the messages slice on one file, and the conversations over them."""

    async def open(self) -> Correspondence:
        await super().open()
        box, party = self.box, self.admission.party
        self.shelf = Shelf()
        self.own = OwnNumbers(self.shelf, party)
        accepting = Accepting(box.store, box.bus, box.metrics)
        consent = Consent(OptOutConfig(), self.admission, accepting, box.bus)
        self.receiving = Receiving(
            box.store, box.bus, box.clock, box.metrics, box.outbox, consent, number_of=self.admission.sender
        )
        self.inbox = Inbox(box.store, self.admission, box.clock)
        self.taking = Taking(box.store, box.clock, self.receiving, self.own, party)
        readings = Readings(box.store, box.clock)
        self.conversations = Conversations(box.store, self.messages, self.inbox, self.admission, self.own, readings)
        await box.store.write(
            lambda conn: conn.executemany(
                "INSERT OR IGNORE INTO users (id, name, role, created_at) VALUES (?, ?, 'sender', 0)",
                [(1, "anne"), (2, "bert")],
            )
        )
        self.slots = 0
        return self

    @property
    def clock(self) -> TurnableClock:
        return self.box.clock

    async def hear(self, text: str = "hello", sender: str = NUMBER, *, sim: int = 1) -> None:
        """Receive a text from the air."""
        for pdu in (deliver(text, sender=sender),):
            await self.hear_pdu(pdu, sim=sim)

    async def hear_pdu(self, pdu: str, *, sim: int = 1) -> None:
        self.slots += 1
        raw = RawInbound(sim, f"slot-{sim}", pdu, Via.STORED, "SM", self.slots, self.clock.now_ms)
        await self.receiving.deleted(await self.receiving.store(raw))

    async def say(self, actor: Actor = ANNE, to: str = NUMBER, text: str = "hello") -> str:
        """Accept a message to somebody and return its public id."""
        return await self.one(actor, to=to, text=text)

    async def hand_in(self, actor: Actor, key: str = "1", **fields: object) -> TakenIn:
        handed = HandedIn(**({"sender": NUMBER, "receiver": "+447900900002", "text": "handed in"} | fields))
        return await self.taking.take(actor, handed, IdempotencyKey.of(key, repr(handed).encode()))

    async def thread(self, actor: Actor, number: str = NUMBER, limit: int = 50) -> list[tuple[str, str]]:
        """Walk a whole thread: (direction, text), newest first."""
        said, cursor = [], None
        while True:
            part = await self.conversations.thread(actor, number, cursor=cursor, limit=limit)
            said += [(type(item).__struct_config__.tag, item.text) for item in part.items]
            cursor = part.cursor
            if cursor is None:
                return said

    async def listed(self, actor: Actor, limit: int = 50) -> list[tuple[str, str | None, str, int]]:
        """Walk the whole list: (number, user, last text, unread)."""
        found, cursor = [], None
        while True:
            page = await self.conversations.list(actor, cursor=cursor, limit=limit)
            found += [(item.number, item.user, item.last_text, item.unread) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    async def delete_inbound(self, text: str) -> None:
        """Delete an inbound message as an admin does."""
        (found,) = [view for view in (await self.inbox.list(ADMIN)).items if view.text == text]
        await self.inbox.delete(ADMIN, found.id)


async def correspondence(path: Path) -> Correspondence:
    return await Correspondence(path).open()
