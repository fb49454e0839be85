"""What is told of the box as it is now: payloads by topic, of what Home Assistant is shown."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import msgspec

from modembank.accounts import LOCAL_ADMIN
from modembank.app import App
from modembank.appliance import INSTALLED
from modembank.appliance.state import State
from modembank.bank import ModemView
from modembank.clock import to_ms
from modembank.events import MessageReceived
from modembank.health import Severity
from modembank.ids import mask_number, public_id
from modembank.messages import MessageState
from modembank.messages.views import INBOX_ID
from modembank.modem import ModemState
from modembank.sim import Sim
from modembank_home_assistant.discovery import RECEIVED, Shown, ShownGroup, ShownModem, ShownSim
from modembank_home_assistant.topics import Topics, key_of

_QUEUED = ("accepted", "queued", "sending")
_FAILED = (MessageState.FAILED, MessageState.UNDELIVERED, MessageState.EXPIRED)
_LONGEST = 255
"""Characters that a state may have in Home Assistant."""


class States(msgspec.Struct, frozen=True):
    """Reads the box."""

    app: App
    topics: Topics

    def shown(self) -> Shown:
        """Return what there is of the box."""
        config = self.app.config.home_assistant
        return Shown(
            version=metadata.version("modembank"),
            image=self.app.appliance.present,
            messages=config.privacy != "counts",
            modems=tuple(ShownModem(view.slot, view.slot) for view in self.app.bank.modems()),
            sims=tuple(ShownSim(sim.id, sim.name) for sim in self.sims().values()) if config.commands else (),
            groups=tuple(ShownGroup(entry.group, entry.name or entry.group) for entry in config.notify),
        )

    def sims(self) -> Mapping[int, Sim]:
        """Return the SIMs that are in a slot of the box, or were last seen there, by their row id."""
        slots = {view.slot for view in self.app.bank.modems()}
        latest: dict[str, Sim] = {}
        for sim in sorted(self.app.sims.all(), key=lambda sim: (sim.last_seen_at, sim.id)):
            if sim.slot in slots:
                latest[sim.slot] = sim
        return {sim.id: sim for sim in sorted(latest.values(), key=lambda sim: sim.id)}

    async def payloads(self, shown: Shown) -> dict[str, bytes]:
        """Return what is retained, by topic."""
        own = self.topics.own
        said: dict[str, Any] = {own("tele"): await self._counts(), own("issues"): self._issues()}
        for view in self.app.bank.modems():
            said[own("modem", key_of(view.slot))] = _modem(view)
        sims = self.sims()
        for sim in shown.sims:
            if sim.id in sims:
                said[own("sim", str(sim.id))] = {"sending": not sims[sim.id].paused}
        if shown.image:
            said[own("update")] = _update(await self.app.appliance.state(), shown.version)
        return {topic: msgspec.json.encode(payload) for topic, payload in said.items()}

    async def received(self, event: MessageReceived) -> bytes:
        """Return what is told of a message that came."""
        slot = self.app.sims.get(event.sim).slot or ""
        if self.app.config.home_assistant.privacy != "full":
            return msgspec.json.encode({"event_type": RECEIVED, "from": mask_number(event.sender), "slot": slot})
        message = await self.app.inbox.get(LOCAL_ADMIN, public_id(INBOX_ID, event.message))
        return msgspec.json.encode({"event_type": RECEIVED, "from": event.sender, "slot": slot, "text": message.text})

    async def _counts(self) -> dict[str, int]:
        app = self.app
        counts, oldest = await app.messages.counts(), await app.messages.oldest_waiting()
        today = app.figures.today()
        report = await app.figures.report(LOCAL_ADMIN, today, today)
        now = to_ms(app.clock.now())
        return {
            "queued": sum(counts.get(word, 0) for word in _QUEUED),
            "sent_today": report.sent[0],
            "failed_today": sum(report.ends[state][0] for state in _FAILED),
            "oldest_waiting": 0 if oldest is None else max(0, (now - oldest) // 1000),
        }

    def _issues(self) -> dict[str, Any]:
        kinds: dict[str, int] = {}
        for issue in self.app.health.open():
            kinds[issue.kind] = kinds.get(issue.kind, 0) + 1
        found = {issue.severity for issue in self.app.health.open()}
        worst = next((severity.value for severity in reversed(Severity) if severity in found), None)
        return {"open": sum(kinds.values()), "worst": worst, "kinds": dict(sorted(kinds.items()))}


def _modem(view: ModemView) -> dict[str, Any]:
    return {
        "state": view.state.value,
        "connected": view.state is ModemState.REGISTERED,
        "signal": view.signal_dbm,
        "operator": view.operator[:_LONGEST] or None,
    }


def _update(state: State, version: str) -> dict[str, Any]:
    """Return which version runs, and which would after a restart or is being installed."""
    installed = state.release.version if state.release is not None and state.release.version else version
    update = state.update
    coming = update is not None and update.version and (update.is_under_way or update.state == INSTALLED)
    under_way = update is not None and update.is_under_way
    return {
        "installed_version": installed,
        "latest_version": update.version if update is not None and coming else installed,
        "in_progress": under_way,
        "update_percentage": update.percent if update is not None and under_way else None,
    }
