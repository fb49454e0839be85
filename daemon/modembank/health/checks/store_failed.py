"""A database that takes no writes."""

from __future__ import annotations

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.store import StoreState

HANGS_S = 20.0
_WORDS = {
    StoreState.FULL: "has no room: make room on its disk",
    StoreState.FAILED: "fails: look at the disk and at the kernel's log, and have a backup at hand",
}


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Ask the store how its last write went, and whether one hangs."""
    health = around.store.health
    words = _WORDS.get(health.state)
    if words is None and health.overdue_s > HANGS_S:
        words = "hangs: a write is not done for long; look at the disk and at the kernel's log"
    if words is None:
        return []
    summary = f"The database {words}. Nothing new is accepted meanwhile; what was accepted is kept."
    evidence = {"state": health.state.value, "error": health.detail}
    return [Finding("", Severity.CRITICAL, summary, evidence)]


CHECK = Check(
    kind="store_failed",
    when="The database's last write failed or found no room, or one hangs; looked at every two seconds",
    severity="critical",
    todo="Make room; look at the disk, its cable and the kernel's log",
    look=look,
    every_s=2,
    settle_s=10,
)
