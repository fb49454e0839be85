"""The box's own telephone numbers: which SIM has the one that somebody names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol


class NumberedSim(Protocol):
    """A SIM that may know its number."""

    @property
    def id(self) -> int:
        """Row id."""

    @property
    def iccid(self) -> str:
        """ICCID."""

    @property
    def msisdn(self) -> str | None:
        """Its own number, as it is stored there."""

    @property
    def slot(self) -> str | None:
        """Where it was last seen."""

    @property
    def last_seen_at(self) -> int:
        """When that was; unix milliseconds."""


class SimShelf(Protocol):
    """All SIMs the box has ever seen; the SIM registry is one."""

    def all(self) -> Iterable[NumberedSim]:
        """Return every SIM."""


class OwnNumbers:
    """Looks SIMs up by number, live."""

    def __init__(self, sims: SimShelf, party: Callable[[str], str]) -> None:
        """``party`` (``Admission.party``) brings a number into the one form in which numbers are compared."""
        self._sims = sims
        self._party = party

    def sim_with(self, number: str) -> NumberedSim | None:
        """Return the SIM with a number, however it is written; of several, the one that was seen last."""
        wanted = self._party(number)
        having = [sim for sim in self._sims.all() if sim.msisdn and self._party(sim.msisdn) == wanted]
        return max(having, key=lambda sim: sim.last_seen_at, default=None)

    def present(self, sim_id: int) -> NumberedSim | None:
        """Return a SIM unless it is gone: never seen, or another was put into its slot."""
        known = tuple(self._sims.all())
        sim = next((each for each in known if each.id == sim_id), None)
        if sim is None or sim.slot is None:
            return None
        newer = (each for each in known if each.slot == sim.slot and each.last_seen_at > sim.last_seen_at)
        return sim if next(newer, None) is None else None
