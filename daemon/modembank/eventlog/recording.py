"""What the box tells of itself: changes of modems and SIMs, and issues, taken from the bus into the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from modembank.bus import Bus
from modembank.eventlog import log
from modembank.eventlog.kinds import BY_NAME
from modembank.events import IssueCleared, IssueRaised, ModemStateChanged, SimChanged
from modembank.ids import public_id
from modembank.sim import Sims
from modembank.store import Store, Urgency

ISSUE_ID = "iss"


class Recorder:
    """Writes lazily: what the box says of itself may be lost in a power cut, for it says it again when it is up."""

    def __init__(self, store: Store, bus: Bus, sims: Sims, recorded: Callable[[], None]) -> None:
        """Tell ``recorded`` after each commit."""
        self._store = store
        self._bus = bus
        self._sims = sims
        self._recorded = recorded

    def start(self) -> list[Callable[[], None]]:
        """Begin, and return what ends it."""
        return [
            self._bus.subscribe(ModemStateChanged, self._modem),
            self._bus.subscribe(SimChanged, self._sim),
            self._bus.subscribe(IssueRaised, self._raised),
            self._bus.subscribe(IssueCleared, self._cleared),
        ]

    def _modem(self, event: ModemStateChanged) -> None:
        kind = f"modem.{event.new}"
        if kind in BY_NAME and event.new != event.old:
            told = {"slot": event.slot, "state": event.new, "before": event.old}
            self._write(event.at, kind, None, told | {"reason": event.reason, "detail": event.detail})

    def _sim(self, event: SimChanged) -> None:
        sim = self._sims.get(event.sim)
        told = {"iccid": sim.iccid, "label": sim.label, "slot": sim.slot, "paused": sim.paused}
        self._write(event.at, "sim.changed", event.sim, told | {"paused_reason": sim.paused_reason})

    def _raised(self, event: IssueRaised) -> None:
        told = {"id": public_id(ISSUE_ID, event.issue), "kind": event.kind, "subject": event.subject}
        self._write(
            event.at, "issue.raised", event.issue, told | {"severity": event.severity, "summary": event.summary}
        )

    def _cleared(self, event: IssueCleared) -> None:
        told = {"id": public_id(ISSUE_ID, event.issue), "kind": event.kind, "subject": event.subject}
        self._write(event.at, "issue.cleared", event.issue, told)

    def _write(self, at: int, kind: str, subject: int | None, body: dict[str, Any]) -> None:
        entry = log.Entry(at, kind, None, subject, json.dumps(body))
        written = self._store.submit(lambda conn: log.append(conn, [entry]), Urgency.LAZY)
        written.add_done_callback(lambda done: done.cancelled() or done.exception() or self._recorded())
