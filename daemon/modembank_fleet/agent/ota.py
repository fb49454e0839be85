"""How the latest update of the box goes, as ``up/ota`` tells it: whoever brought it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank.appliance import State
from modembank_fleet.agent.updating import UPDATE, Job
from modembank_fleet.wire import Ota

_PHASES: Mapping[str, Any] = {
    "checking": "verifying", "installing": "installing", "installed": "waiting_window", "trial": "trial",
    "good": "committed", "rolled_back": "rolled_back", "refused": "failed", "failed": "failed",
}  # fmt: skip


def ota(stamp: Mapping[str, Any], state: State, job: Job | None) -> Ota:
    """Return the payload: of the hub's own job what its phase is, else what root's side says."""
    update, release = state.update, state.release
    slot = release.slot.upper() if release else ""
    running = release.version if release else ""
    if job is not None and job.taken.verb == UPDATE and (update is None or update.id != job.taken.id):
        phase: Any = job.phase or "offered"
        return Ota(**stamp, job=job.args.job, frm=running, to=job.args.version, ph=phase, pct=job.percent, slot=slot)
    if update is None:
        return Ota(**stamp, frm=running, ph="idle", slot=slot)
    return Ota(
        **stamp,
        job=job.args.job if job is not None and job.taken.verb == UPDATE else "",
        frm=update.from_version,
        to=update.version,
        ph=_PHASES.get(update.state, "idle"),
        pct=update.percent,
        slot=slot,
        err=(update.code or update.reason)[:200] if update.state in {"refused", "failed", "rolled_back"} else "",
    )
