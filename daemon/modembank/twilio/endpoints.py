"""How the addresses do that one account's posts go to: which of them rest, and which take nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from modembank.outgoing import Outcome
from modembank.outgoing.circuit import Circuit, Verdict

MOST = 1_000


class Endpoint(msgspec.Struct):
    """One address; times are unix milliseconds."""

    circuit: Circuit = msgspec.field(default_factory=Circuit)
    rests_until: int = 0
    probed: bool = False
    """A post is under way that shows whether it works again."""

    def admits(self, now: int) -> bool:
        """Return whether to post to it now; one that fails is posted one event at a time."""
        if self.rests_until > now or self.probed:
            return False
        self.probed = self.circuit.open
        return True

    def note(self, outcome: Outcome, *, first: bool, now: float) -> None:
        """Take what came of a post; ``first``: of an event that was not tried before; ``now`` is unix seconds."""
        self.probed = False
        match outcome.verdict:
            case Verdict.TAKEN | Verdict.GONE:
                self.circuit.took()
                self.rests_until = 0
                return
            case Verdict.LATER:
                self.circuit.failed()
            case Verdict.REFUSED if first or self.circuit.open:  # one alone, tried again and again, tells nothing
                self.circuit.refused()
        if self.circuit.open:
            self.rests_until = round((now + self.circuit.wait_s(outcome.asked_s(now))) * 1000)


class Endpoints:
    """Those of one account, by address."""

    def __init__(self) -> None:
        """Start with none: what is not known is taken to work."""
        self._known: dict[str, Endpoint] = {}

    def at(self, url: str) -> Endpoint:
        """Return one."""
        if len(self._known) >= MOST and url not in self._known:  # messages name them: nobody may fill the memory
            self._known = {each: one for each, one in self._known.items() if one.circuit.open}
            if len(self._known) >= MOST:
                self._known.clear()
        return self._known.setdefault(url, Endpoint())

    def fail(self, urls: Iterable[str]) -> None:
        """Take it that these fail, as they did when the box was stopped: the next post is a probe."""
        for url in urls:
            self.at(url).circuit.open = True

    def wake(self) -> None:
        """Let none rest."""
        for one in self._known.values():
            one.rests_until = 0

    def forget(self, urls: Iterable[str]) -> None:
        """Know nothing more of these."""
        for url in urls:
            self._known.pop(url, None)

    def resting(self, now: int) -> tuple[str, ...]:
        """Return those that are left alone now."""
        return tuple(url for url, one in self._known.items() if one.rests_until > now)

    def next_at(self, now: int) -> int | None:
        """Return when the first of those is tried again."""
        return min((one.rests_until for one in self._known.values() if one.rests_until > now), default=None)

    def failing(self) -> set[str]:
        """Return those that take nothing."""
        return {url for url, one in self._known.items() if one.circuit.open}
