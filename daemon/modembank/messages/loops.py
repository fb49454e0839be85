"""The breaker of loops: two machines that answer each other are noticed, and one of them falls silent.

Many messages to and fro are no loop yet: people chat. They are one when one side says the same again and again, when
they come with the regularity of a machine, or when there are more than people can type. In memory: who wrote to whom
within the last minutes, and what texts have in common, but no texts. Only a number from which
something came is counted, so that a mailing costs nothing here.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import structlog

from modembank.bus import Bus
from modembank.decency import LoopsConfig
from modembank.events import LoopChanged, MessageReceived
from modembank.ids import mask_number
from modembank.messages.likeness import likeness

HOLD_MS = 3_600_000
"""How long nothing is sent to a number that is in a loop."""
TOO_MANY = 4
"""So many times the configured exchanges are a loop whatever is said."""
REGULAR = 2
"""No pause between messages is longer than so many times the shortest."""
FEWEST_PAUSES = 2
"""To tell that by."""
MOST_PAIRS = 10_000
_MOST_SEEN = 5_000
"""Rows looked at when the daemon starts, of each kind."""
_CAME = (
    "SELECT received_at, sim_id, sender, text FROM (SELECT * FROM inbox ORDER BY id DESC LIMIT ?)"
    " WHERE received_at >= ?"
)
_WENT = (
    "SELECT sent_at, sim_id, recipient, text FROM (SELECT * FROM messages ORDER BY id DESC LIMIT ?)"
    " WHERE sent_at >= ? AND sim_id IS NOT NULL"
)
_log = structlog.get_logger()


class Loop(msgspec.Struct, frozen=True):
    """A number that is held back; times are unix milliseconds."""

    number: str
    sim_id: int
    since: int
    until: int
    why: str = ""
    """What told that machines talk."""


class Recent(NamedTuple):
    """What the store knows of the last minutes: (unix ms, SIM, number, text) each."""

    came: list[tuple[int, int, str, str]]
    went: list[tuple[int, int, str, str]]


def recent(conn: sqlite3.Connection, since: int) -> Recent:
    """Return what came, and what was sent, since then (unix ms); of a flood, the newest rows."""
    came = conn.execute(_CAME, (_MOST_SEEN, since)).fetchall()
    return Recent(came, conn.execute(_WENT, (_MOST_SEEN, since)).fetchall() if came else [])


class _Said(NamedTuple):
    at: int
    likeness: int


class _Pair(msgspec.Struct):
    came: deque[_Said]
    went: deque[_Said] = msgspec.field(default_factory=deque)


class Loops:
    """Counts messages by pair of SIM and number; ``held_until`` may be asked from any thread."""

    def __init__(self, config: LoopsConfig, bus: Bus, normal: Callable[[str], str] = str) -> None:
        """``normal`` gives an inbound address the form of recipients."""
        self._config = config
        self._bus = bus
        self._normal = normal
        self.within_ms = config.within_s * 1000
        self._pairs: dict[tuple[int, str], _Pair] = {}
        self._held: dict[str, Loop] = {}
        bus.subscribe(MessageReceived, self._received)

    def learn(self, recent: Recent, now: int) -> None:
        """Learn what went to and fro just before the daemon started."""
        if not self._config.exchanges:
            return
        for _, sim, number, _ in recent.came:
            self._pair(sim, self._normal(number), now)
        events = [(at, True, sim, number, text) for at, sim, number, text in recent.came]
        events += [(at, False, sim, number, text) for at, sim, number, text in recent.went]
        for at, inbound, sim, number, text in sorted(events):
            (self.came if inbound else self.went)(sim, number, at, text)

    def came(self, sim_id: int, sender: str, at: int, text: str) -> None:
        """Count a message from a number."""
        self._came(sim_id, sender, _Said(at, likeness(text)))

    def went(self, sim_id: int, number: str, at: int, text: str) -> None:
        """Count a message to a number, when it all left through that SIM."""
        pair = self._pairs.get((sim_id, number))
        if pair is not None:
            pair.went.append(_Said(at, likeness(text)))
            self._judge(sim_id, number, pair, at)

    def held_until(self, number: str, now: int) -> int | None:
        """Return until when nothing is sent to a number (unix ms), or None."""
        loop = self._held.get(number)
        return None if loop is None or loop.until <= now else loop.until

    def current(self, now: int) -> tuple[Loop, ...]:
        """Return the loops that are broken now; those that are over are forgotten."""
        self._held = {number: loop for number, loop in self._held.items() if loop.until > now}
        return tuple(sorted(self._held.values(), key=lambda loop: (loop.since, loop.number)))

    def release(self, number: str, now: int) -> bool:
        """Hold a number back no longer, and begin to count anew; return whether it was held."""
        held = self._held.pop(number, None)
        self._pairs = {key: pair for key, pair in self._pairs.items() if key[1] != number}
        if held is not None:
            _log.info("loop_released", number=mask_number(number))
            self._bus.publish(LoopChanged(now, number))
        return held is not None

    def _received(self, event: MessageReceived) -> None:
        self._came(event.sim, event.sender, _Said(event.at, event.likeness))

    def _came(self, sim_id: int, sender: str, said: _Said) -> None:
        if not self._config.exchanges:
            return
        number = self._normal(sender)
        pair = self._pair(sim_id, number, said.at)
        pair.came.append(said)
        self._judge(sim_id, number, pair, said.at)

    def _pair(self, sim_id: int, number: str, now: int) -> _Pair:
        pair = self._pairs.get((sim_id, number))
        if pair is None:
            if len(self._pairs) >= MOST_PAIRS:
                self._forget(now)
            most = self._config.exchanges * TOO_MANY
            pair = self._pairs[sim_id, number] = _Pair(deque(maxlen=most), deque(maxlen=most))
        return pair

    def _forget(self, now: int) -> None:
        """Drop pairs that are silent, and the oldest half if that is not enough."""
        since = now - self.within_ms
        alive = {key: pair for key, pair in self._pairs.items() if pair.came and pair.came[-1].at >= since}
        if len(alive) >= MOST_PAIRS:
            alive = dict(list(alive.items())[MOST_PAIRS // 2 :])
        self._pairs = alive

    def _judge(self, sim_id: int, number: str, pair: _Pair, now: int) -> None:
        """Forget what is too long ago, and see whether the rest is the talk of machines."""
        most, since = self._config.exchanges, now - self.within_ms
        for said in (pair.came, pair.went):
            while said and said[0].at < since:
                said.popleft()
        if min(len(pair.came), len(pair.went)) < most:
            return
        why = _why(list(pair.came), list(pair.went), most)
        if not why:
            return
        del self._pairs[sim_id, number]
        self._held[number] = Loop(number, sim_id, now, now + HOLD_MS, why)
        _log.warning("loop_broken", number=mask_number(number), sim=sim_id, why=why)
        self._bus.publish(LoopChanged(now, number))


def _why(came: Sequence[_Said], went: Sequence[_Said], most: int) -> str:
    """Return what tells that machines talk; empty: it may be people."""
    if min(len(came), len(went)) >= most * TOO_MANY:
        return f"more than {most * TOO_MANY} messages each way"
    for said, whose in ((came[-most:], "what comes"), (went[-most:], "what is sent")):
        alike = Counter(each.likeness for each in said if each.likeness)
        if 2 * max(alike.values(), default=0) >= most:
            return f"{whose} is the same again and again"
    pauses = [later.at - earlier.at for earlier, later in pairwise(came[-most:])]
    if len(pauses) >= FEWEST_PAUSES and max(pauses) <= REGULAR * min(pauses):
        return "what comes is as regular as a clock"
    return ""
