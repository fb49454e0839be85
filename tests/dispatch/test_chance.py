"""A bank driven by chance, with power cuts: nothing is lost, nothing goes twice, no limit is exceeded."""

import asyncio
import random
from collections import defaultdict

import pytest

from fakes.lines import DispatchBox, ScriptedLine, not_sent, refused, unknown
from fakes.outboxes import HOUR, known, route_spec
from modembank.events import MessageStateChanged
from modembank.messages.model import MessageState, OnUnknown
from modembank.modem.outcome import AttemptOutcome, CauseClass

STEPS = 250
LIMITS = {"per_minute": 6, "per_hour": 60}
WINDOWS_MS = {"per_minute": 60_000, "per_hour": HOUR}
TEXTS = [("short", 1), ("x" * 200, 2), ("y" * 400, 3)]
ENDED = set(MessageState) - {MessageState.ACCEPTED, MessageState.SCHEDULED, MessageState.QUEUED, MessageState.SENDING}


class Chance:
    """Does something to the box at every step and remembers what must hold."""

    def __init__(self, box: DispatchBox, seed: int) -> None:
        self.box = box
        self.dice = random.Random(seed)
        self.messages: dict[int, tuple[str, int, OnUnknown]] = {}
        self.seen: dict[int, int] = {}
        self.calm = False

    def answer(self, _tpdu):
        if self.calm:
            return None
        roll = self.dice.random()
        if roll < 0.72:
            return None
        classes = [
            CauseClass.NETWORK,
            CauseClass.MODEM,
            CauseClass.SIM_ABSENT,
            CauseClass.RECIPIENT,
            CauseClass.STORAGE,
        ]
        if roll < 0.84:
            return refused(self.dice.choice(classes))
        if roll < 0.92:
            return not_sent(self.dice.choice([CauseClass.PORT, CauseClass.MODEM]))
        return unknown()

    async def line(self, number: int) -> ScriptedLine:
        line = await self.box.line(number, **LIMITS)
        line.answer = self.answer
        return line

    async def accept(self) -> None:
        text, segments = self.dice.choice(TEXTS)
        policy = self.dice.choice([OnUnknown.HOLD, OnUnknown.HOLD, OnUnknown.RESEND])
        sims = list(self.box.lines)
        route = await self.box.route(route_spec(self.dice.choice(sims)) if self.dice.random() < 0.2 else "{}")
        message = await self.box.accept(
            text=text,
            segments=segments,
            route=route,
            rank=self.dice.randrange(10),
            valid_ms=self.dice.choice([HOUR, 100 * HOUR]),
            on_unknown=policy,
            not_before=self.box.clock.now_ms + 30_000 if self.dice.random() < 0.1 else None,
            offer=self.dice.random() < 0.5,
        )
        self.messages[message] = (f"+4479{self.box.numbers:08d}", segments, policy)

    async def report(self) -> None:
        """The network reports on something that was sent: early, late, twice, of any kind."""
        if self.box.air:
            sent = self.dice.choice(self.box.air[-20:])
            number = self.dice.choice([sent.number, "0" + sent.number[3:]])
            status = self.dice.choice([0x00, 0x00, 0x21, 0x46])
            await self.box.outbox.report(sent.sim_id, self.box.facts(number, sent.tp_mr, status, submitted=sent.at), 1)

    async def step(self) -> None:
        roll = self.dice.random()
        if roll < 0.5:
            await self.accept()
        elif roll < 0.62:
            await self.report()
        elif roll < 0.75:
            await self.box.turn(self.dice.choice([100, 2_000, 20_000, 70_000]))
        elif roll < 0.85:
            line = self.dice.choice(list(self.box.lines.values()))
            self.box.dispatcher.line_down(line.sim_id, "chance")
        elif roll < 0.97:
            for line in self.box.lines.values():
                self.box.dispatcher.line_up(line)
        else:
            await self.cut()
        await asyncio.sleep(self.dice.choice([0, 0, 0.001, 0.004]))

    async def cut(self) -> None:
        durable = dict(self.seen)  # what is told while the power goes may never have been on the disk
        await self.box.power_cut()
        self.seen = durable
        for number in range(1, 4):
            await self.line(number)
        self.watch()
        await self.check()

    def watch(self) -> None:
        self.box.bus.subscribe(MessageStateChanged, lambda event: self.note(event.message, event.state))

    def note(self, message: int, state: int) -> None:
        assert known(state) >= known(self.seen.get(message, 0)), f"{message} went from {self.seen[message]} to {state}"
        self.seen[message] = state

    async def check(self) -> None:
        counted = await self.box.check_counts()
        assert sum(counted.values()) == len(self.messages), "accepted = terminal + open"
        told = dict(self.seen)  # what is told while we read may be newer than what is read
        for message, state in await self.box.store.fetch_all("SELECT id, state FROM messages"):
            assert known(state) >= known(told.get(message, 0))
            self.seen[message] = max(state, self.seen.get(message, 0), key=known)
        self.check_air()

    def check_air(self) -> None:
        parts = defaultdict(list)
        by_sim = defaultdict(list)
        for sent in self.box.air:
            parts[sent.number].append(sent)
            by_sim[sent.sim_id].append(sent.at)
        for number, _segments, policy in self.messages.values():
            numbers = [sent.part[2] for sent in parts[number]]
            if policy is OnUnknown.HOLD:
                assert len(numbers) == len(set(numbers)), f"{number} got a segment twice"
            assert len({sent.part[:2] for sent in parts[number]}) <= 1, "parts with two references"
            if policy is OnUnknown.HOLD:
                assert len({sent.sim_id for sent in parts[number]}) <= 1, "segments of one message through two SIMs"
        for times in by_sim.values():
            for limit, length in WINDOWS_MS.items():
                most = max(sum(at <= other < at + length for other in times) for at in times)
                assert most <= LIMITS[limit], f"{limit}: {most}"

    async def end(self) -> None:
        """With healthy SIMs and time, everything ends."""
        self.calm = True
        for _ in range(400):
            for line in self.box.lines.values():
                if self.box.sims.get(line.sim_id).paused:
                    await self.box.sims.resume(line.sim_id)
                self.box.dispatcher.line_up(line)
            await self.box.turn(3 * 60_000)
            await asyncio.sleep(0.01)
            await self.box.outbox.flush()
            open_ = await self.box.store.fetch_one("SELECT count(*) FROM messages WHERE state < 50")
            if open_ == (0,):
                break
        await self.check()
        for message, state in await self.box.store.fetch_all("SELECT id, state FROM messages"):
            assert MessageState(state) in ENDED
            number, segments, _ = self.messages[message]
            if state in (MessageState.SENT, MessageState.DELIVERED):
                out = {sent.part[2] for sent in self.box.air if sent.number == number}
                assert out == set(range(1, segments + 1)), "said to be sent, and was not"
            if state == MessageState.UNKNOWN:
                outcomes = await self.box.store.fetch_all(
                    "SELECT outcome FROM attempts WHERE message_id = ?", (message,)
                )
                assert (AttemptOutcome.UNKNOWN,) in outcomes, "UNKNOWN without a reason"


@pytest.mark.parametrize("seed", range(8))
async def test_a_bank_of_chance_keeps_every_promise(tmp_path, seed):
    box = await DispatchBox(tmp_path / "box.db").open()
    chance = Chance(box, seed)
    chance.watch()
    for number in range(1, 4):
        await chance.line(number)
    for _ in range(STEPS):
        await chance.step()
    await chance.check()
    await chance.end()
    assert box.air
    await box.close()
