"""What health looks at, in pieces: real store, messages and SIMs, a clock to turn, and slots shown as a test says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fakes.modem_hosts import RememberingSink
from fakes.senders import ADMIN, Explaining, Post
from modembank.accounts import Accounts
from modembank.appliance import Appliance
from modembank.backup import ScheduledBackups
from modembank.bank import Bank, ModemView
from modembank.config import (
    BankConfig,
    BoxConfig,
    Config,
    HealthConfig,
    LimitsConfig,
    PortEntry,
    ProvidersConfig,
    SendingConfig,
)
from modembank.couriers import Means
from modembank.eventlog import EventLog
from modembank.events import Event, IssueCleared, IssueRaised, ModemStateChanged
from modembank.fleet import Fleet
from modembank.health import Check, Finding, Health, Law, Severity, Standing, Surroundings
from modembank.health.book import Book
from modembank.mail import Mail
from modembank.messages import Admission, HeldMessages, Inbox, Loop
from modembank.messages.telling import told_of_messages
from modembank.modem import ModemState
from modembank.providers import Providers
from modembank.sim import Sims
from modembank.twilio import Talk, Twilio
from modembank.webhooks import Webhooks

SLOTS = (PortEntry("/dev/null/absent-1", "slot-1"), PortEntry("/dev/null/absent-2", "slot-2"))


class ShownBank(Bank):
    """A bank whose slots can be shown to be as a test says."""

    shown: dict[str, dict[str, Any]]

    def show(self, slot: str = "slot-1", **facts: Any) -> None:
        self.shown[slot] = facts

    def modems(self) -> list[ModemView]:
        return [msgspec.structs.replace(view, **self.shown.get(view.slot, {})) for view in super().modems()]


class NoLines:
    """Listens to lines that never come."""

    def line_up(self, line: object) -> None:
        raise AssertionError(line)

    def line_down(self, sim_id: int, why: str) -> None:
        raise AssertionError(why)


@dataclass
class Sending(Explaining):
    """Whoever sends: says what it is told to say."""

    flying: int = 0
    refused: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def in_flight(self) -> int:
        return self.flying

    looping: list[Loop] = field(default_factory=list)

    def refused_numbers(self, sim_id: int) -> tuple[str, ...]:
        return self.refused.get(sim_id, ())

    def loops(self) -> tuple[Loop, ...]:
        return tuple(self.looping)

    async def release_loop(self, number: str) -> bool:
        kept = [loop for loop in self.looping if loop.number != number]
        released, self.looping = len(kept) < len(self.looping), kept
        return released


@dataclass
class Ward:
    """A box without modems, and all that health needs of it."""

    folder: Path
    settings: HealthConfig = field(default_factory=HealthConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    events: list[Event] = field(default_factory=list)

    async def open(self) -> "Ward":
        self.post = await Post(self.folder / "ward.db", waiting=Sending()).open()
        self.store, self.clock, self.bus = self.post.box.store, self.post.box.clock, self.post.box.bus
        self.sending = self.post.waiting
        self.bus.subscribe(IssueRaised, self.events.append)
        self.bus.subscribe(IssueCleared, self.events.append)
        self.sims = Sims(self.store, self.bus, self.clock, self.limits)
        await self.sims.load()
        bank_config = BankConfig(port=SLOTS)
        self.bank = ShownBank(bank_config, self.sims, RememberingSink(), NoLines(), bus=self.bus, clock=self.clock)
        self.bank.shown = {}
        config = Config(box=BoxConfig(data_dir=str(self.folder)), bank=bank_config, health=self.settings)
        database, metrics = self.folder / "ward.db", self.post.box.metrics
        self.events_log = EventLog(self.store, self.bus, self.clock, self.sims, {"message": told_of_messages})
        means = Means(self.store, self.events_log, self.clock, metrics)
        self.webhooks = Webhooks(means)
        admission = Admission(self.sims, SendingConfig())
        talk = Talk(self.store, self.post.messages, Inbox(self.store, admission, self.clock), self.sims, admission)
        self.accounts = Accounts(self.store, self.clock)
        self.twilio = Twilio(means, self.accounts, talk)
        self.mail = Mail(config, self.store, self.events_log, self.clock, metrics, sims=self.sims)
        self.fleet = Fleet(config, self.store, self.clock, self.events_log)
        secrets = ProvidersConfig(str(self.folder / "secrets"), True)
        self.providers = Providers(self.store, self.bus, self.clock, metrics, secrets)
        await self.providers.load()
        self.around = Surroundings(
            config=config,
            clock=self.clock,
            store=self.store,
            messages=self.post.messages,
            held=HeldMessages(self.store, self.bus, self.clock, self.post.box.outbox.judging, dict),
            backups=ScheduledBackups(config.backup, config.box.id, database, self.clock, metrics),
            appliance=Appliance(config.box, self.store, self.bus, self.clock, self.folder / "run"),
            sims=self.sims,
            providers=self.providers,
            bank=self.bank,
            sending=self.sending,
            law=Law(self.post.messages, self.clock),
            webhooks=self.webhooks,
            twilio=self.twilio,
            mail=self.mail,
            fleet=self.fleet,
            sysfs=self.folder / "sys",
        )
        self.book = Book(self.store, self.bus, self.clock)
        return self

    async def close(self) -> None:
        await self.post.close()

    def health(self, *checks: Check) -> Health:
        return Health(self.around, self.bus, checks) if checks else Health(self.around, self.bus)

    async def look(self, check: Check) -> list[Finding]:
        """Look, and keep what is found as the daemon does."""
        found = list(await check.look(self.around, self.book.standing(check.kind)))
        await self.book.apply(check.kind, found, 0.0)
        return found

    def change(self, new: ModemState, slot: str = "slot-1", old: str = "registered", reason: str = "trouble") -> None:
        """Tell of a modem's change, as the bank does."""
        self.around.memory.note(ModemStateChanged(self.clock.now_ms, slot, old, new.value, reason, "no reply to AT"))

    def told(self) -> list[tuple[str, str, str]]:
        """What was announced: raised or cleared, kind, subject."""
        words = {IssueRaised: "raised", IssueCleared: "cleared"}
        return [(words[type(event)], event.kind, event.subject) for event in self.events]

    async def rows(self, columns: str = "kind, subject, severity, cleared_at") -> list[tuple]:
        return await self.store.fetch_all(f"SELECT {columns} FROM issues ORDER BY id")


def found(subject: str = "slot-1", severity: Severity = Severity.WARNING, summary: str = "It is so.", **evidence: Any):
    return Finding(subject, severity, summary, evidence)


def checking(findings: list[Finding], kind: str = "made_up", **more: Any) -> Check:
    """A check that finds these; the list may be changed later on."""

    async def look(around: Surroundings, standing: Standing) -> list[Finding]:
        return list(findings)

    return Check(kind=kind, when="A test says so", severity="any", todo="Nothing", look=look, **more)


__all__ = ["ADMIN", "SLOTS", "Sending", "ShownBank", "Ward", "checking", "found"]
