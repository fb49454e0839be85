"""What a run does, and how each life of the daemon ends; everything is drawn from one seed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from random import Random


class End(enum.StrEnum):
    """How a life of the daemon is meant to end."""

    RANDOM = "at any moment"
    STARTING = "while it starts"
    STOPPING = "while it stops"
    FAILPOINT = "failpoint"


@dataclass(frozen=True, slots=True)
class Death:
    """One life's end: SIGKILL ``after_s`` seconds after it answered, or at a failpoint before that.

    STARTING counts from the start of the process. ``busy`` counts from the first segment that the network sees of this
    life. ``stop_s`` is how long it may stop in peace after SIGTERM (only STOPPING).
    """

    end: End
    after_s: float
    failpoint: str = ""
    nth: int = 1
    stop_s: float = 0.0
    busy: bool = False


SENDING = ("intent_durable", "ctrl_z_written", "final_seen")
RECEIVING = ("inbound_announced", "inbound_stored", "inbound_deleted")
STORING = ("group_written", "group_committed", "folded", "checkpoint")
STOPPING = ("stop_faces", "stop_drained", "stop_flushed")
MIGRATING = "migration_statement"
_MOST_STATEMENTS = 20
_LONGEST_S = 4.0
"""How long a failpoint is waited for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to prove, and on what."""

    kills: int = 50
    modems: int = 4
    seed: int = 1
    messages: int = 0
    """At least so many; 0: as many as the lives have time for."""
    lost_finals: float = 0.0
    """Share of the sends whose final result never comes."""
    hangs: float = 0.0
    """Share of the sends at which the modem hangs for ``hang_s``."""
    hang_s: float = 20.0
    send_timeout_s: float = 180.0
    """How long the daemon waits for a final result."""
    program: tuple[str, ...] = ()
    """What starts the daemon, without its arguments; empty: the ``modembank`` beside this Python."""
    keep: Path | None = None
    """Where the data of the run stays; None: thrown away."""

    def deaths(self) -> list[Death]:
        """Return how the lives end, in order."""
        chance = Random(self.seed)
        migrations = min(self.kills // 20 + 1, 10, self.kills)
        first = [_migrating(chance) for _ in range(migrations)]
        return [*first, *(_death(chance) for _ in range(self.kills - migrations))]


def _migrating(chance: Random) -> Death:
    """The first lives meet an empty folder, and die while they lay out the database."""
    return Death(End.FAILPOINT, _LONGEST_S, MIGRATING, chance.randint(1, _MOST_STATEMENTS))


def _death(chance: Random) -> Death:
    roll = chance.random()
    if roll < 0.10:
        return Death(End.RANDOM, chance.uniform(0.0, 1.0))
    if roll < 0.40:
        return Death(End.RANDOM, chance.uniform(0.0, 1.0), busy=True)
    if roll < 0.47:
        return Death(End.STARTING, chance.uniform(0.2, 0.8))
    if roll < 0.55:
        return Death(End.STOPPING, chance.uniform(0.0, 0.6), stop_s=chance.uniform(0.0, 0.4), busy=True)
    if roll < 0.60:
        return Death(End.STOPPING, chance.uniform(0.0, 0.6), chance.choice(STOPPING), stop_s=_LONGEST_S, busy=True)
    if roll < 0.80:
        return Death(End.FAILPOINT, _LONGEST_S, chance.choice(SENDING), chance.randint(1, 12))
    if roll < 0.90:
        return Death(End.FAILPOINT, _LONGEST_S, chance.choice(RECEIVING), chance.randint(1, 6))
    point = chance.choice(STORING)
    return Death(End.FAILPOINT, _LONGEST_S, point, 1 if point == "checkpoint" else chance.randint(1, 30))
