"""Long inbound messages from their parts. No I/O, no clock."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from modembank.tpdu import JoinedText, UserData, join_parts

MOST_SETS: Final = 200
MOST_OCTETS: Final = 1024 * 1024
"""In all parts that wait for others."""
MOST_WAIT_S: Final = 3600.0
"""How long parts wait for others: a phone sends them within minutes, an SMSC may take longer over them."""

Group: TypeAlias = tuple[str, str, int, int]
"""Sender, recipient, reference, number of parts."""


class PartSet(msgspec.Struct, eq=False):
    """The parts of one message that are here."""

    group: Group
    key: str
    """That of the part that came first."""
    since: float
    """Monotonic."""
    parts: dict[int, UserData] = {}
    believed: bool = False
    """Whether the SMSC was told that one of them is taken: then it does not come again."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return len(self.parts) == self.group[3]

    @property
    def octets(self) -> int:
        """How much memory it holds."""
        return sum(len(part.payload) for part in self.parts.values())


class Parts:
    """Sets that wait for parts; bounded, so that the oldest is given up for a newer one."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sets: dict[Group, PartSet] = {}

    def add(self, sender: str, to: str, part: UserData, key: str, now: float) -> tuple[PartSet, list[PartSet]]:
        """Take a part (it has a ``concat``) and return its set, and the sets that are given up for it.

        A part that is there already changes nothing. Another one in its place is of a newer message under the same
        reference, for which the older is given up.
        """
        place = part.concat
        if place is None:
            message = "a part without a place"
            raise ValueError(message)
        group = (sender, to, place.reference, place.total)
        given_up: list[PartSet] = []
        found = self._sets.get(group)
        if found is not None and found.parts.get(place.sequence, part).payload != part.payload:
            given_up.append(self._sets.pop(group))
            found = None
        if found is None:
            found = self._sets[group] = PartSet(group, key, now)
        found.parts[place.sequence] = part
        while len(self._sets) > 1 and (
            len(self._sets) > MOST_SETS or sum(one.octets for one in self._sets.values()) > MOST_OCTETS
        ):
            oldest = next(one for one in self._sets.values() if one is not found)
            given_up.append(self._sets.pop(oldest.group))
        return found, given_up

    def done(self, found: PartSet) -> None:
        """Forget a set that is durable."""
        if self._sets.get(found.group) is found:
            del self._sets[found.group]

    def overdue(self, now: float) -> list[PartSet]:
        """Take out the sets that have waited long enough."""
        late = [one for one in self._sets.values() if now - one.since >= MOST_WAIT_S]
        for one in late:
            self.done(one)
        return late

    def put_back(self, found: PartSet) -> None:
        """Keep a set that was taken out and could not be made durable, unless a newer one has its place."""
        self._sets.setdefault(found.group, found)

    def __contains__(self, found: PartSet) -> bool:
        """Return whether a set still waits."""
        return self._sets.get(found.group) is found

    def __len__(self) -> int:
        """Return how many sets wait."""
        return len(self._sets)


def text_of(parts: list[UserData]) -> str:
    """Return the text of a message, whole or with marks where parts are missing; octets in hexadecimal."""
    joined: JoinedText = join_parts(parts)
    if joined.text is not None:
        return joined.text
    return f"[binary] {(joined.octets or b'').hex()}"
