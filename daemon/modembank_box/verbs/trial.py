"""Before the daemon starts: tell which release this is, and try a new one on a copy of the database."""

from __future__ import annotations

from collections.abc import Sequence

from modembank_box.health_gate import HealthGate
from modembank_box.places import Places
from modembank_box.progress import Progress


def run(places: Places, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every verb is called alike
    """Return when the daemon may start."""
    HealthGate(places, Progress(places)).before_daemon()
    return 0
