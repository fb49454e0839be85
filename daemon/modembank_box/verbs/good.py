"""After the start: find the slot good, or go back to the one before."""

from __future__ import annotations

from collections.abc import Sequence

from modembank_box.health_gate import HealthGate
from modembank_box.places import Places
from modembank_box.progress import Progress


def run(places: Places, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every verb is called alike
    """Return once it is decided."""
    HealthGate(places, Progress(places)).after_start()
    return 0
