"""The surface: one frozen object holding the services, the only thing a face sees."""

from __future__ import annotations

import msgspec

from modembank.accounts import Accounts, FirstStart
from modembank.alerts import Alerts
from modembank.appliance import Appliance
from modembank.audit import Audit
from modembank.backup import ScheduledBackups
from modembank.bank import Bank
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.conversations import Conversations
from modembank.discovery import Discovery
from modembank.dispatch import Dispatcher, Foresight, QuietHours
from modembank.eventlog import EventLog
from modembank.figures import Figures
from modembank.fleet import Fleet
from modembank.health import Health
from modembank.home_assistant import HomeAssistant
from modembank.mail import Mail
from modembank.mailings.service import Mailings
from modembank.messages import HeldMessages, Inbox, Messages, Taking
from modembank.metrics import Metrics
from modembank.optouts import OptOuts
from modembank.providers import Providers
from modembank.sim import Sims
from modembank.store import Store
from modembank.system import System
from modembank.twilio import Twilio
from modembank.webhooks import Webhooks


class App(msgspec.Struct, frozen=True):
    """What faces call. Built by the process, never reached for from below."""

    config: Config
    clock: Clock
    bus: Bus
    metrics: Metrics
    store: Store
    accounts: Accounts
    first_start: FirstStart
    events: EventLog
    webhooks: Webhooks
    audit: Audit
    twilio: Twilio
    mail: Mail
    fleet: Fleet
    home_assistant: HomeAssistant
    messages: Messages
    held: HeldMessages
    inbox: Inbox
    optouts: OptOuts
    mailings: Mailings
    taking: Taking
    conversations: Conversations
    sims: Sims
    providers: Providers
    bank: Bank
    discovery: Discovery
    dispatcher: Dispatcher
    foresight: Foresight
    quiet_hours: QuietHours
    backups: ScheduledBackups
    appliance: Appliance
    health: Health
    alerts: Alerts
    figures: Figures
    system: System

    @property
    def name(self) -> str:
        """What the box is called on its pages."""
        return self.config.box.id

    async def observe(self) -> None:
        """Bring every gauge up to date; called when metrics are read."""
        self.bank.observe()
        self.backups.observe()
        self.providers.observe()
        for state, count in (await self.messages.counts()).items():
            self.metrics.messages.labels(state).set(count)
        self.metrics.held.set(await self.held.count())
        await self.health.observe(self.metrics)
        now_ms = to_ms(self.clock.now())
        for sim in self.sims.all():
            for window, used in self.sims.ledger(sim.id).usage(now_ms).items():
                self.metrics.sim_segments.labels(sim.iccid, window.value).set(used)
