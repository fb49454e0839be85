"""The sending half of the messages slice on a real database file, with users, SIMs and a clock to turn."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from fakes.outboxes import OutboxBox
from modembank.accounts.model import ROLE_SCOPES, Actor, Role, Scope
from modembank.config import SendingConfig
from modembank.events import Event
from modembank.messages import Admission, Messages, SubmitReceipt, SubmitRequest, WaitingMessage
from modembank.messages.model import BeginVerdict, MessageState
from modembank.modem.outcome import AttemptOutcome

ANNE = Actor(1, "anne", Role.SENDER, ROLE_SCOPES[Role.SENDER])
BERT = Actor(2, "bert", Role.SENDER, ROLE_SCOPES[Role.SENDER])
ADMIN = Actor(3, "ada", Role.ADMIN, frozenset(Scope))
READER = Actor(1, "anne", Role.SENDER, frozenset({Scope.MESSAGES_READ}))
WRITER = Actor(1, "anne", Role.SENDER, frozenset({Scope.MESSAGES_SEND}))
NUMBER = "+447911123456"


@dataclass(frozen=True)
class NamedSim:
    """A SIM as requests name it."""

    id: int
    iccid: str
    label: str = ""
    slot: str | None = None


SIMS = (
    NamedSim(1, "8944110000000000001", "sales", "slot-1"),
    NamedSim(2, "8944110000000000002", "sales", "slot-2"),
    NamedSim(3, "8944110000000000003", "alarm", "slot-3"),
    NamedSim(4, "8944110000000000004", "", None),
)


@dataclass
class Directory:
    """All SIMs that the box knows."""

    sims: tuple[NamedSim, ...] = SIMS

    def all(self) -> tuple[NamedSim, ...]:
        return self.sims


@dataclass
class Explaining:
    """A WaitExplainer that remembers what it was asked."""

    sentence: str | None = "no modem is registered"
    asked: list[WaitingMessage] = field(default_factory=list)

    def explain(self, message: WaitingMessage) -> str | None:
        self.asked.append(message)
        return self.sentence


@dataclass
class Post:
    """A box that accepts; whoever sends is the test."""

    path: Path
    box: OutboxBox = field(init=False)
    directory: Directory = field(default_factory=Directory)
    waiting: Explaining = field(default_factory=Explaining)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    async def open(self) -> "Post":
        self.box = await OutboxBox(self.path).open()
        self.admission = Admission(self.directory, SendingConfig(), "GB")
        box = self.box
        self.messages = Messages(box.store, box.bus, box.clock, box.metrics, self.admission, self.waiting)
        self.messages.lend_to(box.outbox.offer, box.outbox.deadlines)
        await box.store.write(self._sims)
        return self

    async def close(self) -> None:
        await self.box.close()

    def _sims(self, conn) -> None:
        conn.executemany(
            "INSERT OR IGNORE INTO sims (id, iccid, msisdn, first_seen_at, last_seen_at) VALUES (?, ?, ?, 0, 0)",
            [(sim.id, sim.iccid, f"+44790090000{sim.id}") for sim in SIMS],
        )

    async def submit(self, actor: Actor = ANNE, key=None, **fields) -> SubmitReceipt:
        fields = {"to": f"+4479{next(self.numbers):08d}", "text": "hello"} | fields
        return await self.messages.submit(actor, SubmitRequest(**fields), key)

    async def one(self, actor: Actor = ANNE, **fields) -> str:
        """Accept one message and return its public id."""
        return (await self.submit(actor, **fields)).messages[0].id

    def row_id(self, public: str) -> int:
        from modembank.ids import row_id

        found = row_id("msg", public)
        assert found is not None
        return found

    async def attempt(
        self,
        public: str,
        outcome: AttemptOutcome | None = AttemptOutcome.ACCEPTED,
        *,
        segment: int = 1,
        n: int = 1,
        sim: int = 1,
        tp_mr: int | None = None,
        cause: str | None = None,
        fold: bool = True,
    ) -> None:
        """Try a segment as a modem does; None leaves it in flight."""
        intent = self.box.intent(self.row_id(public), segment=segment, n=n, sim=sim)
        assert await self.box.outbox.begin(intent) is BeginVerdict.GO
        if outcome is not None:
            await self.box.settle(intent, outcome, tp_mr, cause)
        if fold:
            await self.box.outbox.flush()

    async def states(self) -> dict[str, int]:
        """Conservation holds, and these are the counters that are not 0."""
        found = await self.messages.recount()
        assert found.holds, found
        assert await self.messages.counts() == found.recorded
        return {word: n for word, n in found.recorded.items() if n}

    async def set_state(self, public: str, state: MessageState) -> None:
        """Put a message into a state without any history."""
        await self.box.store.write(
            lambda conn: conn.execute(
                "UPDATE messages SET state = ?, ready = NULL WHERE id = ?", (int(state), self.row_id(public))
            )
        )

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.box.events if type(event) is kind]

    async def rows(self) -> int:
        found = await self.box.store.fetch_one("SELECT count(*) FROM messages")
        return 0 if found is None else found[0]
