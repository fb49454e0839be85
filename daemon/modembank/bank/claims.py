"""Which slot serves which SIM: one at a time, or the limits of a SIM would count twice."""

from __future__ import annotations


class Claims:
    """SIM row id to slot name."""

    def __init__(self) -> None:
        """Start with nothing claimed."""
        self._slots: dict[int, str] = {}

    def claim(self, sim_id: int, slot: str) -> str | None:
        """Take a SIM for a slot; return the slot that has it already, or None when it is taken now."""
        holder = self._slots.setdefault(sim_id, slot)
        return None if holder == slot else holder

    def release(self, slot: str) -> None:
        """Give up whatever the slot holds."""
        self._slots = {sim_id: holder for sim_id, holder in self._slots.items() if holder != slot}
