"""What a run found, as numbers and as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 10
"""Complaints of one kind that are printed."""


@dataclass(slots=True)
class Verdict:
    """The three ledgers, compared; each complaint is one sentence."""

    accepted: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """Accepted messages by the status that the daemon gives them at the end."""
    in_doubt: int = 0
    """Messages of which nobody knew for a while whether a part was sent."""
    settled: int = 0
    """Those of them that a delivery report, or sending again as the policy says, settled."""
    resent: int = 0
    """Segments that the network took again, as ``resend`` allows."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises broken while it ran."""
    injected: int = 0
    stored: int = 0
    inbound_lost: list[str] = field(default_factory=list)
    inbound_duplicated: list[str] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)
    """How the lives of the daemon ended."""
    submits: int = 0
    """SUBMITs that the network saw."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not any(complaints for _, complaints in self._complaints())

    def lines(self) -> Iterator[str]:
        """Yield it for a terminal."""
        states, deaths = self.states, ", ".join(f"{name} {count}" for name, count in self.deaths.most_common())
        yield f"killed     {sum(self.deaths.values())}{f': {deaths}' if deaths else ''}"
        sent = states["sent"] + states["delivered"] + states["undelivered"]
        yield (
            f"outbound   accepted {self.accepted}, sent {sent}, "
            f"delivered {states['delivered']}, unknown {states['unknown']}, cancelled {states['cancelled']}, "
            f"lost {len(self.lost)}, duplicated {len(self.duplicated)}"
        )
        yield f"           in doubt for a while {self.in_doubt}, settled {self.settled}, unknown {states['unknown']}"
        yield f"           the network saw {self.submits} segments, {self.resent} of them again, as `resend` allows"
        yield (
            f"inbound    injected {self.injected}, stored {self.stored}, lost {len(self.inbound_lost)}, "
            f"duplicated {len(self.inbound_duplicated)}"
        )
        yield f"statuses   contradicting the network {len(self.contradictions)}, promises broken {len(self.broken)}"
        for name, complaints in self._complaints():
            for complaint in complaints[:_SHOWN]:
                yield f"  {name}: {complaint}"
            if len(complaints) > _SHOWN:
                yield f"  {name}: … and {len(complaints) - _SHOWN} more"
        yield f"{'PASSED' if self.holds else 'FAILED'} in {self.seconds:.0f} s"

    def as_json(self) -> dict[str, Any]:
        """Return plain values, for machines."""
        return {
            "passed": self.holds,
            "kills": sum(self.deaths.values()),
            "deaths": dict(self.deaths),
            "accepted": self.accepted,
            "states": dict(self.states),
            "submits": self.submits,
            "in_doubt": self.in_doubt,
            "settled": self.settled,
            "resent": self.resent,
            "injected": self.injected,
            "stored": self.stored,
            "seconds": round(self.seconds, 1),
            **{name.replace(" ", "_"): complaints for name, complaints in self._complaints()},
        }

    def _complaints(self) -> tuple[tuple[str, list[str]], ...]:
        return (
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("contradiction", self.contradictions),
            ("broken", self.broken),
            ("inbound lost", self.inbound_lost),
            ("inbound duplicated", self.inbound_duplicated),
        )
