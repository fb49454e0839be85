"""A bank and two providers driven by chance, with power cuts: nothing is lost, and nothing goes twice by any way."""

import asyncio
import random
from collections import Counter, defaultdict

import pytest

from fakes import carriers
from fakes.carriers import CarrierBox, ScriptedProvider
from fakes.lines import not_sent, refused, unknown
from fakes.outboxes import HOUR, known
from modembank.events import MessageStateChanged
from modembank.messages.model import MessageState, OnUnknown
from modembank.modem.outcome import CauseClass
from modembank.providers import Receipt, ReceiptStatus

STEPS = 200
ROUTES = (
    "{}",
    "{}",
    '{"stages":[{"providers":[1]},{"bank":true}]}',
    '{"stages":[{"bank":true},{"providers":[2,1]}]}',
    '{"stages":[{"providers":[2]}]}',
)
OPEN = {MessageState.ACCEPTED, MessageState.SCHEDULED, MessageState.QUEUED, MessageState.SENDING}
PASSING = (CauseClass.SIM, CauseClass.NETWORK, CauseClass.MODEM)


class Answering(list):
    """A script without an end: each answer is drawn when it is asked for."""

    def __init__(self, draw) -> None:
        self.draw = draw

    def __bool__(self) -> bool:
        return True

    def pop(self, _index=0):
        return self.draw()


class Chance:
    """Does something to the box at every step and remembers what must hold."""

    def __init__(self, box: CarrierBox, seed: int) -> None:
        self.box = box
        self.dice = random.Random(seed)
        self.policies: dict[int, OnUnknown] = {}
        self.numbers: dict[str, int] = {}
        self.seen: dict[int, int] = {}
        self.calm = False

    async def begin(self) -> None:
        for name, cost in (("alpha", 1.0), ("beta", 2.0)):
            adapter = await self.box.provider(name, cost=cost)
            adapter.answers = Answering(self.answer)
        await self.lives()

    async def lives(self) -> None:
        """What each life of the box begins with."""
        for number in (1, 2):
            line = await self.box.line(number)
            line.answer = self.of_sim
        self.box.bus.subscribe(MessageStateChanged, lambda event: self.note(event.message, event.state))

    def answer(self):
        roll = 0.0 if self.calm else self.dice.random()
        if roll < 0.6:
            return None
        if roll < 0.75:
            return carriers.refused(self.dice.choice((*PASSING, CauseClass.RECIPIENT)))
        if roll < 0.82:
            return carriers.not_sent()
        if roll < 0.86:
            return ValueError("a bug")
        return carriers.unknown()

    def of_sim(self, _tpdu):
        roll = 0.0 if self.calm else self.dice.random()
        if roll < 0.6:
            return None
        if roll < 0.8:
            return refused(self.dice.choice((*PASSING, CauseClass.RECIPIENT)))
        return not_sent() if roll < 0.9 else unknown()

    async def accept(self) -> None:
        policy = self.dice.choice([OnUnknown.HOLD, OnUnknown.HOLD, OnUnknown.RESEND])
        text, segments = self.dice.choice([("short", 1), ("x" * 200, 2)])
        route = await self.box.route(self.dice.choice(ROUTES))
        message = await self.box.accept(
            text=text, segments=segments, route=route, valid_ms=100 * HOUR, on_unknown=policy
        )
        self.policies[message] = policy
        self.numbers[f"+4479{self.box.numbers:08d}"] = message

    async def receipt(self) -> None:
        adapter: ScriptedProvider = self.dice.choice(list(self.box.adapters.values()))
        reference = f"{adapter.name}-{self.dice.randrange(1, len(self.box.taken) + 2)}"
        await adapter.sink.receipt(Receipt(reference, self.dice.choice(list(ReceiptStatus)), "chance"))

    async def step(self) -> None:
        roll = self.dice.random()
        if roll < 0.45:
            await self.accept()
        elif roll < 0.55:
            await self.receipt()
        elif roll < 0.7:
            await self.box.turn(self.dice.choice([2_000, 20_000, 70_000, 400_000]))
        elif roll < 0.8:
            self.box.down(self.dice.choice(list(self.box.lines.values())))
        elif roll < 0.88:
            for line in self.box.lines.values():
                self.box.dispatcher.line_up(line)
        elif roll < 0.96:
            await self.box.ready(self.dice.choice(["alpha", "beta"]), self.dice.choice([None, None, "no session"]))
        else:
            durable = dict(self.seen)
            await self.box.power_cut()
            self.seen = durable
            await self.lives()
            await self.check()
        await asyncio.sleep(self.dice.choice([0, 0, 0.001, 0.004]))

    def note(self, message: int, state: int) -> None:
        assert known(state) >= known(self.seen.get(message, 0))
        self.seen[message] = state

    async def check(self) -> None:
        counted = await self.box.check_counts()
        assert sum(counted.values()) == len(self.policies), "accepted = terminal + open"
        by_air: dict[int, Counter[int]] = defaultdict(Counter)
        for sent in self.box.air:
            by_air[self.numbers[sent.number]][sent.part[2]] += 1
        by_provider = Counter(self.numbers[outbound.recipient] for _, outbound in self.box.taken)
        for message, policy in self.policies.items():
            if policy is not OnUnknown.HOLD:
                continue
            ways = (1 if by_air[message] else 0) + by_provider[message]
            assert ways <= 1, f"{message} went by {ways} ways"
            assert max(by_air[message].values(), default=0) <= 1

    async def end(self) -> None:
        """Everything works again: whatever can still be sent is, and nothing is left open."""
        self.calm = True
        for name in ("alpha", "beta"):
            await self.box.ready(name, None)
        for _ in range(60):
            for line in self.box.lines.values():
                self.box.dispatcher.line_up(line)
            await self.box.turn(400_000)
            await self.box.settled()
            left = await self.box.store.fetch_all("SELECT id, state FROM messages")
            if not any(state in OPEN for _, state in left):
                break
        waiting = [message for message, state in left if state in OPEN]
        assert not waiting, [await self.box.explain(message) for message in waiting]
        await self.check()


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_lost_and_nothing_goes_twice(tmp_path, seed):
    box = await CarrierBox(tmp_path / "box.db").open()
    chance = Chance(box, seed)
    await chance.begin()
    await box.patience()
    for _ in range(STEPS):
        await chance.step()
    await chance.check()
    await chance.end()
    await box.close()
