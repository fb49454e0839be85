"""Which message from an SMSC is a new one, and which the same once more. No I/O, no clock.

SMPP 3.4 gives an inbound message no name. An SMSC repeats one that it believes lost, and people send the same word
twice; the octets are alike in both cases. What tells them apart is what the SMSC can know of our answer:

* Over one session nothing is lost. The same octets under another sequence number are another message, unless the
  first was answered with an error, or so late that the SMSC may have given up waiting.
* When a session ends, answers may die with it. The same octets over another session are a repetition, unless the SMSC
  answered a request of ours that was written after our answer: then it has read that.

After a restart of the box nothing of this is known, and a repetition is taken for another message: better twice than
never.
"""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from typing import Final

import msgspec

LATE_S: Final = 5.0
"""SMSCs wait at least twice as long for an answer."""
MOST: Final = 2000
"""Messages that are remembered; those whose answer is proved are forgotten."""


class State(enum.Enum):
    """What became of a message."""

    OPEN = "open"
    TAKEN = "taken"
    """It is durable, and was answered so."""
    FAILED = "failed"
    """It was answered with an error: it will come again."""


class Seen(msgspec.Struct, eq=False):
    """A message that came."""

    key: str
    digest: bytes
    session: int
    sequence: int
    at: float
    """Monotonic."""
    state: State = State.OPEN
    late: bool = False


class Repeats:
    """Remembers what came and how it was answered."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._seen: deque[Seen] = deque()

    def note(self, body: bytes, session: int, sequence: int, now: float, now_ms: int) -> Seen:
        """Return what came under its key: a new one, or the one that is repeated.

        ``now`` is monotonic, ``now_ms`` the time of day, which makes keys of different runs differ.
        """
        digest = hashlib.sha256(body).digest()
        for one in self._seen:
            if one.digest == digest and _repeated(one, session, sequence, now):
                one.session, one.sequence, one.late = session, sequence, False
                if one.state is State.FAILED:
                    one.state, one.at = State.OPEN, now
                return one
        found = Seen(f"{digest.hex()[:24]}-{now_ms:x}-{session:x}-{sequence:x}", digest, session, sequence, now)
        self._seen.append(found)
        if len(self._seen) > MOST:
            self._seen.popleft()
        return found

    def answered(self, one: Seen, *, taken: bool, now: float) -> None:
        """Note how a message is being answered."""
        one.state = State.TAKEN if taken else State.FAILED
        one.late = now - one.at >= LATE_S

    def proved(self, one: Seen) -> None:
        """Note that the SMSC has read the answer; a message that was taken will not come again."""
        if one.state is State.TAKEN and one in self._seen:
            self._seen.remove(one)

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._seen)


def _repeated(one: Seen, session: int, sequence: int, now: float) -> bool:
    if one.session != session or one.sequence == sequence or one.state is State.FAILED:
        return True
    return one.late if one.state is State.TAKEN else now - one.at >= LATE_S
