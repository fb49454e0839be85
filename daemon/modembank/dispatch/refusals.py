"""Refusals in a row: a SIM that fails like one without credit, or a blocked one, is paused and says why (story 11)."""

from __future__ import annotations

import re

import msgspec

from modembank.dispatch.policy import Blame
from modembank.ids import mask_number

MOST_BY_SIM = 3
"""Different numbers in a row for which the SIM itself was refused."""
MOST_BY_NETWORK = 5
"""Different numbers in a row with network trouble while other SIMs sent: many operators answer so to no credit."""


_REASON = re.compile(r"(refused \d+ numbers in a row|\d+ numbers in a row failed while other SIMs sent), last with ")


def is_refusal(paused_reason: str) -> bool:
    """Return whether a SIM was paused by what this module counts, and not by a person."""
    return _REASON.match(paused_reason) is not None


class _Run(msgspec.Struct):
    by_sim: set[str] = msgspec.field(default_factory=set)
    by_network: set[str] = msgspec.field(default_factory=set)
    others_sent: bool = False


class Refusals:
    """Counts, per SIM, the different recipients refused since it last sent something."""

    def __init__(self) -> None:
        """Start with none."""
        self._runs: dict[int, _Run] = {}
        self.numbers: dict[int, tuple[str, ...]] = {}
        """By SIM, masked: the numbers for which it was paused."""

    def sent(self, sim_id: int) -> None:
        """A SIM sent something: its run ends, and the other SIMs' troubles are not everybody's."""
        self._runs.pop(sim_id, None)
        for run in self._runs.values():
            run.others_sent = True

    def refused(self, sim_id: int, blame: Blame, recipient: str, cause: str) -> str | None:
        """Count a refusal; return why the SIM should be paused, or None."""
        if blame is Blame.NOBODY:
            return None
        run = self._runs.setdefault(sim_id, _Run())
        (run.by_sim if blame is Blame.SIM else run.by_network).add(recipient)
        reason = None
        if len(run.by_sim) >= MOST_BY_SIM:
            reason = f"refused {len(run.by_sim)} numbers in a row, last with {cause}: check its credit and contract"
        elif run.others_sent and len(run.by_network) >= MOST_BY_NETWORK:
            numbers = len(run.by_network)
            reason = f"{numbers} numbers in a row failed while other SIMs sent, last with {cause}: check its credit"
        if reason is not None:
            self.numbers[sim_id] = tuple(sorted(map(mask_number, run.by_sim | run.by_network)))
            del self._runs[sim_id]
        return reason
