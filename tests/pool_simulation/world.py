"""A fleet in virtual time: hub, broker, boxes and modems of which anything may go wrong, deciding by the real code.

One seed is one schedule. What is durable survives kills; everything else does not. The network loses, repeats, delays
and reorders; clocks drift and jump; modems do not say what became of a message; boxes are made anew from old backups
while the former ones go on. Invariants are looked at while it runs, and once all has healed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from modembank_fleet.pool import assigning, holding
from modembank_fleet.pool.assigning import ENDED, Assignment, HubNow, Message, State
from modembank_fleet.pool.holding import OPEN, WAITING, BoxNow, Entry, Offer, Start
from modembank_fleet.pool.leases import GUARD_S, Credit
from modembank_fleet.pool.words import Code, Dup, Word

HEALED_S = 1100.0
END_S = 2200.0
TICK_S = 15.0
RESEND_S = 45.0
TELE_S = 60.0
SILENCE_S = 30.0
LEASE_S = 300
CLOCK_ERROR_S = 3.0
"""The hub's wall clock is right to so much; the boxes' need not be."""
MOST_LATE_S = 500.0
LONGEST_CMGS_S = 85.0


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Faults:
    """How bad a schedule is; each seed draws its own."""

    lost: float
    twice: float
    late: float
    unknown: float
    failed: float
    restless: float
    """Mean seconds between two catastrophes."""
    shy: float
    """How many of the boxes do not know the time."""
    kinds: list[float]
    """How often each kind of catastrophe comes, of CATASTROPHES."""


class World:
    """One schedule."""

    def __init__(self, seed: int, *, calm: bool = False, often: str = "") -> None:
        """Draw the fleet, its messages and what will go wrong; one kind of catastrophe may be ``often``."""
        self.chance = chance = random.Random(seed)
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._n = 0
        bad = 0.0 if calm else 1.0
        self.faults = Faults(
            lost=bad * chance.choice((0.0, 0.05, 0.3)),
            twice=bad * chance.choice((0.05, 0.3, 0.7)),
            late=bad * chance.choice((0.05, 0.3, 0.6)),
            unknown=bad * chance.choice((0.05, 0.3)),
            failed=bad * 0.05,
            restless=chance.choice((10.0, 30.0, 100.0)),
            shy=bad * 0.6,
            kinds=[0.05 + 5 * chance.random() ** 6 + 5 * (one.__name__ == often) for one in CATASTROPHES],
        )
        self.healed = calm
        self.sent: dict[str, list[float]] = {}
        """When messages went on air, or may have."""
        self.anew: dict[str, int] = {}
        """How often the hub assigned a message anew although it may have been sent."""
        self.cut: set[int] = set()
        self.generation = 0
        self.ghosts: list[Box] = []
        self.hub = Hub(self)
        self.boxes = [Box(self, number) for number in range(chance.randint(1, 3))]
        for box in self.boxes:
            box.start()
        for number in range(chance.randint(2, 7)):
            self.at(chance.uniform(0, 250), self.hub.submit, f"m{number}")
        if not calm:
            self.at(chance.expovariate(1 / self.faults.restless), self.go_wrong)
            self.at(HEALED_S, self.heal)

    def run(self) -> None:
        """Run to the end; raises Broken."""
        agenda = self._agenda
        while agenda:
            self.now, _, what, args = heapq.heappop(agenda)
            if self.now > END_S:
                break
            what(*args)
        self.hub.check_all_ended()

    def at(self, after_s: float, what: Callable[..., None], *args: object) -> None:
        """Do something after so many seconds."""
        self._n += 1
        heapq.heappush(self._agenda, (self.now + after_s, self._n, what, args))

    # -- the network

    def delay(self) -> float:
        """Return how long something is under way."""
        if not self.healed and self.chance.random() < self.faults.late:
            return self.chance.uniform(0, self.chance.choice((40.0, 120.0, MOST_LATE_S)))
        return self.chance.uniform(0.05, 1.0)

    def send(self, box: int, what: Callable[..., None], *args: object, expiry_s: float | None = None) -> None:
        """Bring something to or from a box: not at all, once or twice; gives what is left of its time as last argument.

        The broker forgets what is over, and counts only for how long itself had it: sockets do not count.
        """
        copies = 1 + (not self.healed and self.chance.random() < self.faults.twice)
        for _ in range(copies):
            if not self.healed and self.chance.random() < self.faults.lost:
                continue
            at_broker, in_sockets = self.delay(), self.delay()
            left = 1e9 if expiry_s is None else expiry_s - at_broker
            if left > 0:
                self.at(at_broker + in_sockets, self._arrive, box, self.generation, what, (*args, left))

    def _arrive(self, box: int, generation: int, what: Callable[..., None], args: tuple[object, ...]) -> None:
        if generation != self.generation:
            return  # the broker was killed meanwhile
        if box in self.cut:
            if self.chance.random() < 0.5:
                self.at(self.chance.uniform(1, 60), self._arrive, box, generation, what, args)
            return
        what(*args)

    # -- catastrophes

    def go_wrong(self) -> None:
        """Have something bad happen, and plan the next."""
        if self.healed:
            return
        chance = self.chance
        (what,) = chance.choices(CATASTROPHES, self.faults.kinds)
        what(self, chance.choice(self.boxes))
        self.at(chance.expovariate(1 / self.faults.restless), self.go_wrong)

    def cut_off(self, box: Box) -> None:
        """Have nobody hear a box for a while."""
        self.cut.add(box.number)
        self.at(self.chance.uniform(5, 400), self.cut.discard, box.number)

    def kill_box(self, box: Box) -> None:
        """Kill a box's program."""
        box.die(self.chance.uniform(1, 200))

    def kill_hub(self, _: Box) -> None:
        """Kill the hub."""
        self.hub.die(self.chance.uniform(1, 120))

    def kill_broker(self, _: Box) -> None:
        """Kill the broker: what it had is gone."""
        self.generation += 1

    def clocks_jump(self, box: Box) -> None:
        """Set wall clocks wrongly: the hub's by little."""
        box.error = self.chance.uniform(-3600, 3600)
        self.hub.error = self.chance.uniform(-CLOCK_ERROR_S, CLOCK_ERROR_S)

    def change_window(self, box: Box) -> None:
        """Have modems of a box vanish or come back, or its SIMs be paused; it tells of it at once, or not."""
        box.window = self.chance.choice((0, 0, 1, 4))
        if self.chance.random() < 0.4:
            box.tell_credit()

    def cancel(self, _: Box) -> None:
        """Have somebody want a message back."""
        self.hub.cancel_one()

    def restore(self, box: Box) -> None:
        """Make a box anew of its latest backup; the former one may go on beside it for a while."""
        new = box.restored()
        self.boxes[box.number] = new
        self.ghosts.append(box)
        self.at(self.chance.choice((0.0, self.chance.uniform(1, 400))), box.end)
        new.start()

    def heal(self) -> None:
        """Let everything be well from now on."""
        self.healed = True
        self.cut.clear()
        for ghost in self.ghosts:
            ghost.end()
        for box in self.boxes:
            box.window = 4
            box.start()
        self.hub.start()

    # -- the judge

    def on_air(self, message: str) -> None:
        """A message goes out, or may; raises Broken."""
        known = self.hub.messages[message]
        times = self.sent.setdefault(message, [])
        times.append(self.now)
        if known.dup is Dup.AT_MOST_ONCE and len(times) > 1:
            raise Broken(f"I1: {message} was sent at {times}")
        if len(times) > 1 + self.anew.get(message, 0) or (len(times) > 1 and not known.maybe_dup):
            raise Broken(f"I3: {message} was sent at {times}, assigned anew {self.anew.get(message, 0)} times")
        if self.now > self.hub.ends[message] + 2 * CLOCK_ERROR_S:
            raise Broken(f"I4: {message} was sent at {self.now}, after {self.hub.ends[message]}")


CATASTROPHES = (
    World.cut_off, World.kill_box, World.kill_hub, World.kill_broker, World.clocks_jump, World.change_window,
    World.restore, World.cancel,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """A box's word in its lossless stream."""

    seq: int
    message: str
    fence: int
    word: Word
    code: Code


@dataclass(slots=True)
class Disk:
    """What of a box is durable."""

    entries: dict[str, Entry] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    seq: int = 0
    acked: int = 0

    def copy(self) -> Disk:
        """Return a backup."""
        return Disk(dict(self.entries), list(self.results), self.seq, self.acked)


class Box:
    """A box with one modem."""

    def __init__(self, world: World, number: int, disk: Disk | None = None) -> None:
        """Prepare."""
        self.world = world
        self.number = number
        chance = world.chance
        self.rate = chance.uniform(0.991, 1.009) if world.faults.late else 1.0
        self.knows_time = chance.random() >= world.faults.shy
        self.error = 0.0
        self.window = 4
        self.disk = disk or Disk()
        self.backup = self.disk.copy()
        self.epoch = f"e{chance.getrandbits(40)}"
        self.run, self.booted_at, self.alive, self.ended = "", 0.0, False, False
        self.modem: str | None = None
        self.dozing = False
        self.is_new = disk is not None
        """It was made from a backup, and not started yet."""

    def restored(self) -> Box:
        """Return a box made of the backup: another life."""
        return Box(self.world, self.number, self.backup.copy())

    def start(self) -> None:
        """Start the program, unless it runs: what waited is given back."""
        if self.alive or self.ended:
            return
        self.alive, self.booted_at = True, self.world.now
        self.run, self.modem, self.dozing = f"r{self.world.chance.getrandbits(40)}", None, False
        for message, entry in list(self.disk.entries.items()):
            kept = holding.resume(entry, restored=self.is_new)
            if kept is not None:
                self.keep(kept, message)
                if kept.stage is not holding.Stage.VOID:
                    self.tell(kept)
        self.is_new = False
        self.tele(self.run)
        self.push()
        self.look(self.run)

    def die(self, for_s: float) -> None:
        """Be killed, and started later."""
        self.alive = False
        self.world.at(for_s, self.start)

    def end(self) -> None:
        """Be gone for good."""
        self.alive, self.ended = False, True

    def up(self) -> float:
        """Return its uptime, by a clock that is a little wrong."""
        return (self.world.now - self.booted_at) * self.rate

    def present(self) -> BoxNow:
        """Return what decisions are made by."""
        wall = self.world.now + self.error if self.knows_time else None
        held = sum(entry.stage in OPEN for entry in self.disk.entries.values())
        return BoxNow(self.run, self.up(), wall, self.disk.acked, held, self.window)

    # -- what comes

    def submitted(self, epoch: str, offers: list[tuple[Offer, float]], left_s: float) -> None:
        """Take assignments, all in one transaction."""
        if not self.alive or epoch != self.epoch:
            return
        for offer, room in offers:
            before = self.disk.entries.get(offer.id)
            reply = holding.judge(offer, before, self.present(), min(left_s, room))
            self.answer(offer.id, offer.fence, reply)
            taken = self.disk.entries.get(offer.id)
            is_new = taken is not None and taken.stage is holding.Stage.HELD and taken is not before
            if is_new and self.present().held > self.window:
                raise Broken(f"I5: box {self.number} holds {self.present().held}, it takes {self.window}")
        self.sometimes_die()
        self.push()
        self.look(self.run)

    def recalled(self, epoch: str, wanted: list[tuple[str, int]], left_s: float) -> None:
        """Give back what the hub wants."""
        if not self.alive or epoch != self.epoch:
            return
        for message, fence in wanted:
            self.answer(message, fence, holding.recall(message, fence, self.disk.entries.get(message)))
        self.sometimes_die()
        self.push()

    def answer(self, message: str, fence: int, reply: holding.Reply) -> None:
        """Keep what is to be kept, and tell: one transaction."""
        kept = reply.keep
        if kept is not None and kept.stage is holding.Stage.HELD:
            kept = replace(kept, accepted=self.disk.seq + 1)
        self.keep(kept, message)
        self.say(message, fence, reply.word, reply.code)

    def acknowledged(self, epoch: str, seq: int, left_s: float) -> None:
        """The hub has the results up to one."""
        if self.alive and epoch == self.epoch and seq > self.disk.acked:
            self.disk.acked = seq
            self.disk.results = [one for one in self.disk.results if one.seq > seq]
            self.look(self.run)

    # -- what goes

    def tele(self, run: str) -> None:
        """Tell the credit, now and every minute."""
        if self.alive and run == self.run:
            self.tell_credit()
            self.world.at(TELE_S, self.tele, run)
            if self.world.chance.random() < 0.3:
                self.backup = self.disk.copy()

    def tell_credit(self) -> None:
        """Tell the credit."""
        if self.alive:
            credit = Credit(self.number, self.epoch, self.run, self.up(), self.window, 0.0)
            self.world.send(self.number, self.world.hub.told, credit)

    def push(self) -> None:
        """Send what the hub does not have; again while it is silent."""
        if self.alive and self.disk.results:
            self.world.send(
                self.number, self.world.hub.results, self.number, self.epoch, self.disk.acked + 1,
                list(self.disk.results),
            )  # fmt: skip

    def resend(self, run: str, acked: int) -> None:
        """Send again what was not acknowledged."""
        if run == self.run and self.disk.acked == acked:
            self.push()

    def tell(self, entry: Entry) -> None:
        """Tell how a message stands."""
        self.say(entry.id, entry.fence, holding.WORDS[entry.stage], entry.code)

    def say(self, message: str, fence: int, word: Word, code: Code) -> None:
        """Write a result down."""
        self.disk.seq += 1
        self.disk.results.append(Result(self.disk.seq, message, fence, word, code))
        self.world.at(SILENCE_S, self.resend, self.run, self.disk.acked)

    def keep(self, entry: Entry | None, message: str) -> None:
        """Write an entry down."""
        if entry is not None:
            self.disk.entries[message] = entry

    # -- sending

    def look(self, run: str, timed: bool = False) -> None:
        """Look at all that waits; again while something does."""
        if not self.alive or run != self.run:
            return
        if timed:
            self.dozing = False
        now, waits, gone = self.present(), False, False
        for message, entry in list(self.disk.entries.items()):
            if entry.stage not in WAITING:
                continue
            lapsed = holding.lapse(entry, now)
            if lapsed is not None:
                self.keep(lapsed, message)
                self.tell(lapsed)
                gone = True
                continue
            waits = True
            if entry.stage is holding.Stage.HELD and holding.may_start(entry, now) is Start.GO:
                self.keep(replace(entry, stage=holding.Stage.QUEUED), message)
        if gone:
            self.push()
        self.serve(run)
        if waits and not self.dozing:
            self.dozing = True
            self.world.at(12.0, self.look, run, True)

    def serve(self, run: str) -> None:
        """Give the modem something, if it has nothing."""
        if not self.alive or run != self.run or self.modem is not None:
            return
        now, queued = self.present(), holding.Stage.QUEUED
        entries = [one for one in self.disk.entries.values() if one.stage is queued]
        entry = next((one for one in entries if holding.may_start(one, now) is Start.GO), None)
        if entry is None:
            return
        message = entry.id
        self.keep(replace(entry, stage=holding.Stage.STARTED), message)
        self.modem = message
        self.sometimes_die()
        if not self.alive:
            return
        chance = self.world.chance
        how = chance.random()
        faults = self.world.faults
        slow = not self.world.healed and chance.random() < 0.2
        takes_s = chance.uniform(20, LONGEST_CMGS_S) if slow else chance.uniform(1, 5)
        if self.world.healed:
            stage = holding.Stage.SENT
        elif how < faults.unknown:
            stage = holding.Stage.UNKNOWN
        elif how < faults.unknown + faults.failed:
            stage = holding.Stage.FAILED
        else:
            stage = holding.Stage.SENT
        if stage is not holding.Stage.FAILED:
            self.world.on_air(message)
        self.world.at(takes_s, self.went, run, message, stage)

    def went(self, run: str, message: str, stage: holding.Stage) -> None:
        """The modem said how it went, or not."""
        if not self.alive or run != self.run:
            return
        self.modem = None
        entry = replace(self.disk.entries[message], stage=stage)
        self.keep(entry, message)
        self.tell(entry)
        if stage is holding.Stage.SENT and self.world.chance.random() < 0.5:
            self.world.at(self.world.chance.uniform(1, 90), self.reported, run, message)
        self.push()
        self.look(run)

    def reported(self, run: str, message: str) -> None:
        """A delivery report came."""
        entry = self.disk.entries[message]
        if self.alive and run == self.run and entry.stage is holding.Stage.SENT:
            entry = replace(entry, stage=holding.Stage.DELIVERED)
            self.keep(entry, message)
            self.tell(entry)
            self.push()

    def sometimes_die(self) -> None:
        """Be killed at the worst moment: something is durable, and nobody knows of it."""
        if not self.world.healed and self.world.chance.random() < 0.02:
            self.die(self.world.chance.uniform(1, 100))


class Hub:
    """The hub: what it knows is durable, but for what boxes told of their credit."""

    def __init__(self, world: World) -> None:
        """Start at once."""
        self.world = world
        self.messages: dict[str, Message] = {}
        self.ends: dict[str, float] = {}
        """When messages' times are really over."""
        self.given: dict[tuple[str, int], Assignment] = {}
        self.open: set[tuple[str, int]] = set()
        self.acked: dict[tuple[int, str], int] = {}
        self.epochs: dict[int, str] = {}
        self.credits: dict[int, Credit] = {}
        self.said_at: dict[tuple[str, int], float] = {}
        self.alive, self.life, self.error = False, 0, 0.0
        self.offset = 0.0
        self.start()

    def start(self) -> None:
        """Start the program, unless it runs."""
        if self.alive:
            return
        self.alive, self.life = True, self.life + 1
        self.offset = self.world.chance.uniform(0, 5000)  # its monotonic clock says nothing from one life to another
        self.credits, self.said_at = {}, {}
        now = self.present()
        for key in self.open:
            self.given[key] = assigning.hub_started(self.given[key], now)
        self.tick(self.life)

    def die(self, for_s: float) -> None:
        """Be killed, and started later."""
        self.alive = False
        self.world.at(for_s, self.start)

    def present(self) -> HubNow:
        """Return what decisions are made by."""
        return HubNow(self.world.now + self.offset, self.world.now + self.error)

    # -- people

    def submit(self, message: str) -> None:
        """Accept a message."""
        chance = self.world.chance
        valid_s = chance.uniform(120, 900)
        dup = Dup.AT_MOST_ONCE if chance.random() < 0.75 else Dup.AT_LEAST_ONCE
        self.messages[message] = Message(message, self.present().wall + valid_s, dup)
        self.ends[message] = self.world.now + valid_s

    def cancel_one(self) -> None:
        """Somebody wants a message back."""
        waiting = [one for one in self.messages.values() if one.state not in ENDED]
        if self.alive and waiting:
            one = self.world.chance.choice(waiting)
            self.messages[one.id] = replace(one, cancel=True)

    # -- boxes

    def told(self, credit: Credit, left_s: float) -> None:
        """A box told its credit."""
        if not self.alive:
            return
        credit = replace(credit, heard_at=self.present().mono)
        self.note_epoch(credit.box, credit.epoch)
        if self.epochs[credit.box] == credit.epoch and assigning.is_newer(credit, self.credits.get(credit.box)):
            self.credits[credit.box] = credit

    def note_epoch(self, box: int, epoch: str) -> None:
        """Another life of a box: what the former had is unknown. Late words of former lives do not count for that."""
        if (box, epoch) in self.acked:
            return
        self.acked[(box, epoch)] = 0
        self.epochs[box] = epoch
        self.credits.pop(box, None)
        for key in list(self.open):
            given = self.given[key]
            if given.box == box:
                self.put_down(assigning.restored(self.messages[given.message], given, epoch))

    def results(self, box: int, epoch: str, first: int, results: list[Result], left_s: float) -> None:
        """Take a stretch of a box's results, in one transaction, and acknowledge it."""
        if not self.alive:
            return
        self.note_epoch(box, epoch)
        acked = self.acked[(box, epoch)]
        if not acked:
            acked = first - 1 if first > 1 else 0
        for result in results:
            if result.seq != acked + 1:
                continue
            acked = result.seq
            given = self.given.get((result.message, result.fence))
            if given is not None and given.box == box:
                message = self.messages[result.message]
                self.put_down(assigning.hear(message, given, result.word, result.code, epoch))
        self.acked[(box, epoch)] = acked
        if self.dies_now():
            return
        self.world.send(box, self.acknowledge, box, epoch, acked)

    def acknowledge(self, box: int, epoch: str, acked: int, left_s: float) -> None:
        """The broker brings an acknowledgement to whoever is that box."""
        for one in self.to(box):
            one.acknowledged(epoch, acked, left_s)

    def to(self, box: int) -> list[Box]:
        """Return who hears what is said to a box: former ones too that go on."""
        return [self.world.boxes[box], *(one for one in self.world.ghosts if one.number == box)]

    # -- time

    def tick(self, life: int) -> None:
        """Look at everything, now and again."""
        if not self.alive or life != self.life:
            return
        now = self.present()
        for message in list(self.messages.values()):
            if message.state not in ENDED:
                change = assigning.pass_time(message, self.given.get((message.id, message.fence)), now)
                self.put_down(change)
            self.check_ended(self.messages[message.id], now)
        if not self.dies_now():
            self.assign(now)
            self.recall(now)
        self.world.at(TICK_S, self.tick, life)

    def assign(self, now: HubNow) -> None:
        """Give what is queued to boxes that take it, and tell again those that do not answer."""
        for box, credit in self.credits.items():
            offers = []
            for message in self.messages.values():
                there = assigning.open_at(box, (self.given[key] for key in self.open))
                change = assigning.offer(message, credit, there, now, LEASE_S)
                if change is not None:
                    self.put_down(change)
            for key in sorted(self.open):
                given = self.given[key]
                silent = now.mono - self.said_at.get(key, -1e9) >= RESEND_S
                if given.box != box or given.stage is not assigning.Stage.OFFERED or not silent:
                    continue
                left_s = assigning.left_s(given, now)
                if left_s > 0 and given.epoch == credit.epoch:
                    self.said_at[key] = now.mono
                    offers.append((self.offer_of(given), left_s))
            if offers and not self.dies_now():
                longest = max(left for _, left in offers)
                self.world.send(box, self.bring, box, "submitted", credit.epoch, offers, expiry_s=longest)

    def offer_of(self, given: Assignment) -> Offer:
        """Return what the box is told."""
        ends = self.messages[given.message].not_after
        return Offer(given.message, given.fence, given.run, given.up, given.lease_s, ends)

    def recall(self, now: HubNow) -> None:
        """Ask for what is wanted back."""
        wanted: dict[tuple[int, str], list[tuple[str, int]]] = {}
        for key in sorted(self.open):
            given = self.given[key]
            message, credit = self.messages[given.message], self.credits.get(given.box)
            if assigning.to_recall(message, given, credit, now):
                wanted.setdefault((given.box, given.epoch), []).append(key)
        for (box, epoch), keys in wanted.items():
            self.world.send(box, self.bring, box, "recalled", epoch, keys, expiry_s=300.0)

    def bring(self, box: int, what: str, epoch: str, content: object, left_s: float) -> None:
        """The broker brings a command to whoever is that box."""
        for one in self.to(box):
            getattr(one, what)(epoch, content, left_s)

    def put_down(self, change: assigning.Change | None) -> None:
        """Write a change down."""
        if change is None:
            return
        message, given = change.message, change.assignment
        before = self.messages[message.id]
        if message.state is State.QUEUED and before.state is not State.QUEUED and message.dup is Dup.AT_LEAST_ONCE:
            self.world.anew[message.id] = self.world.anew.get(message.id, 0) + message.maybe_dup
        self.messages[message.id] = message
        if given is not None:
            key = (given.message, given.fence)
            self.given[key] = given
            (self.open.discard if given.stage is assigning.Stage.OVER else self.open.add)(key)

    def dies_now(self) -> bool:
        """Be killed between a commit and what follows it, sometimes."""
        if not self.world.healed and self.world.chance.random() < 0.01:
            self.die(self.world.chance.uniform(1, 60))
        return not self.alive

    # -- the judge

    def check_ended(self, message: Message, now: HubNow) -> None:
        """A message ends in its time; raises Broken."""
        if message.state not in ENDED and now.wall >= message.not_after + GUARD_S:
            raise Broken(f"I2: {message.id} is {message.state} at {now.wall}, its time was over at {message.not_after}")

    def check_all_ended(self) -> None:
        """In the end everything has ended; raises Broken."""
        left = [message.id for message in self.messages.values() if message.state not in ENDED]
        if left:
            raise Broken(f"I2: {left} never ended")
        for message in self.messages.values():
            times = self.world.sent.get(message.id, [])
            never = {State.EXPIRED, State.CANCELLED} | ({State.FAILED} if message.dup is Dup.AT_MOST_ONCE else set())
            if message.state in never and times and not message.maybe_dup:
                raise Broken(f"I1: {message.id} is {message.state}, but was sent at {times}")
            if message.state is State.SENT and not times:
                raise Broken(f"I1: {message.id} is {message.state}, but was never sent")
