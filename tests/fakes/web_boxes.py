"""A box behind the real web application: real store, accounts, SIMs and messages, and a bank without modems."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar

from fakes.images import Image
from fakes.modem_hosts import RememberingSink
from modembank.accounts import LOCAL_ADMIN, Accounts, FirstStart, Role, Scope
from modembank.alerts import Alerts
from modembank.app import App
from modembank.appliance import Appliance
from modembank.audit import Audit, Readings
from modembank.backup import ScheduledBackups
from modembank.bank import Bank, Line
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import (
    AlertsConfig,
    BankConfig,
    BoxConfig,
    Config,
    PortEntry,
    ProvidersConfig,
    SendingConfig,
)
from modembank.conversations import Conversations
from modembank.couriers import Means
from modembank.discovery import Discovery, UsbWatch
from modembank.dispatch import Finishing, Foresight, QuietHours
from modembank.eventlog import EventLog
from modembank.figures import Figures
from modembank.fleet import Fleet
from modembank.health import Health, Law, Surroundings
from modembank.home_assistant import HomeAssistant
from modembank.mail import Mail
from modembank.mailings.service import Mailings
from modembank.messages.admission import Admission
from modembank.messages.held import HeldMessages
from modembank.messages.inbox import Inbox
from modembank.messages.loops import Loop
from modembank.messages.model import ReportFacts, ReportMatch
from modembank.messages.outbox.judging import Judging
from modembank.messages.own_numbers import OwnNumbers
from modembank.messages.receiving import Receiving
from modembank.messages.service import Messages
from modembank.messages.taking import Taking
from modembank.messages.telling import told_of_messages
from modembank.metrics import Metrics
from modembank.optouts import OptOuts
from modembank.port import UsbPorts, UsbTree
from modembank.providers import Providers
from modembank.sim import SimIdentity, Sims
from modembank.store import Store
from modembank.system import System
from modembank.twilio import Talk, Twilio
from modembank.webhooks import Webhooks
from modembank_web import Readiness, create_app

ICCID = "8944110068256270054"
PUBLIC_URL = "https://sms.example.org/"
PORTS = (PortEntry("/dev/null/absent-3", "slot-03"), PortEntry("/dev/null/absent-4", "slot-04"))
"""Two slots without modems; a started worker finds no port."""


@dataclass
class Unexplained:
    """Explains no wait: nothing dispatches here."""

    def explain(self, message: object) -> str | None:
        return "no modem is registered"

    def in_flight(self) -> int:
        return 0

    def refused_numbers(self, sim_id: int) -> tuple[str, ...]:
        return ()

    def loops(self) -> tuple[Loop, ...]:
        return ()

    async def release_loop(self, number: str) -> bool:
        return False


class NoLines:
    """Listens to lines that never come."""

    def line_up(self, line: Line) -> None:
        raise AssertionError(line)

    def line_down(self, sim_id: int, why: str) -> None:
        raise AssertionError(why)


class NoReports:
    """Takes delivery reports that never come."""

    async def report(self, sim_id: int, report: ReportFacts, ledger_id: int) -> ReportMatch:
        raise AssertionError(report)


@dataclass
class Box:
    """What create_app() takes, and what tests look at."""

    config: Config
    clock: SystemClock
    bus: Bus
    metrics: Metrics
    store: Store
    accounts: Accounts
    first_start: FirstStart
    events: EventLog
    webhooks: Any
    audit: Audit
    twilio: Any
    mail: Mail
    fleet: Fleet
    home_assistant: HomeAssistant
    sims: Sims
    providers: Providers
    foresight: Foresight
    messages: Any
    held: Any
    inbox: Any
    optouts: Any
    mailings: Any
    taking: Any
    conversations: Any
    bank: Any
    discovery: Discovery
    backups: Any
    appliance: Appliance
    health: Any
    alerts: Any
    figures: Figures
    system: System
    quiet_hours: QuietHours
    image: Image
    """What the root side of an appliance image would say; nothing before it starts."""
    readiness: Readiness = field(default_factory=Readiness)

    observe = App.observe
    name = App.name

    @cached_property
    def web(self) -> Litestar:
        """The application; made when it is first asked for, since many a test looks behind it alone."""
        return create_app(self, self.readiness)  # type: ignore[arg-type]  # the parts that faces use

    async def key(self, role: Role = Role.ADMIN, *scopes: Scope, name: str | None = None) -> str:
        """Return the key of a user that is made when it is not there."""
        name = name or role.value
        if name not in [user.name for user in await self.accounts.users(LOCAL_ADMIN)]:
            await self.accounts.add_user(LOCAL_ADMIN, name, role)
        _, text = await self.accounts.add_key(LOCAL_ADMIN, name, scopes=scopes or None)
        return text

    async def twilio_account(self, user: str, sid: str, token: str) -> None:
        """Give a user an account of the Twilio dialect under a known sid, unless it has one."""
        sql = (
            "INSERT OR IGNORE INTO twilio_accounts (sid, user_id, auth_token, place, created_at)"
            " SELECT ?, id, ?, 0, 0 FROM users WHERE name = ?"
        )
        await self.store.write(lambda conn: conn.execute(sql, (sid, token, user)).rowcount)

    def client(self, key: str = "", *, client: tuple[str, int] = ("192.0.2.7", 40000)) -> httpx.AsyncClient:
        """Return a client that talks to the application in this process."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.web, client=client)
        return httpx.AsyncClient(transport=transport, base_url="http://box.test", headers=headers)


async def make_box(folder: Path, **changes: Any) -> Box:
    """Assemble a box over a new database in a folder; close its store afterwards."""
    config = Config(bank=BankConfig(port=PORTS))
    clock, bus, metrics = SystemClock(), Bus(), Metrics()
    store = await Store.open(folder / "box.db", metrics=metrics, lazy_s=0.05)
    sims = Sims(store, bus, clock, config.limits)
    await sims.load()
    await sims.identify(SimIdentity(iccid=ICCID, msisdn="+447900900001", operator="Example"), "slot-03")
    providers = Providers(store, bus, clock, metrics, ProvidersConfig(str(folder / "secrets"), True, PUBLIC_URL))
    await providers.load()
    admission = Admission(sims, SendingConfig(), providers=providers)
    quiet = QuietHours(config.quiet_hours)
    messages = Messages(store, bus, clock, metrics, admission, Unexplained())
    inbox, own = Inbox(store, admission, clock), OwnNumbers(sims, admission.party)
    receiving = Receiving(store, bus, clock, metrics, NoReports(), number_of=admission.sender)
    parts: dict[str, Any] = {
        "config": config,
        "clock": clock,
        "bus": bus,
        "metrics": metrics,
        "store": store,
        "accounts": Accounts(store, clock),
        "audit": Audit(store, clock),
        "sims": sims,
        "providers": providers,
        "quiet_hours": quiet,
        "messages": messages,
        "held": HeldMessages(store, bus, clock, Judging(store, metrics, config.outage), dict),
        "optouts": OptOuts(store, bus, clock, admission),
        "mailings": Mailings(
            store,
            bus,
            clock,
            metrics,
            admission=admission,
            finishing=Finishing(sims, quiet),
            sending=SendingConfig(),
            region="",
            data_dir=folder,
        ),
        "inbox": inbox,
        "taking": Taking(store, clock, receiving, own, admission.party),
        "conversations": Conversations(store, messages, inbox, admission, own, Readings(store, clock)),
        "bank": Bank(config.bank, sims, RememberingSink(), NoLines(), bus=bus, clock=clock, metrics=metrics),
        "backups": ScheduledBackups(config.backup, config.box.id, folder / "box.db", clock, metrics),
        "image": Image(folder / "run", folder),
    }
    placed = msgspec.structs.replace(config.box, data_dir=str(folder))
    parts["appliance"] = Appliance(placed, store, bus, clock, parts["image"].run, folder / "updates.toml")
    parts["foresight"] = Foresight(providers, sims, parts["bank"])
    tree = UsbTree(folder / "usb" / "sys", folder / "usb" / "dev")
    parts["discovery"] = Discovery(config.bank, parts["bank"], tree, UsbPorts(tree), UsbWatch())
    parts["first_start"] = FirstStart(store, clock, parts["accounts"], folder)
    parts["events"] = EventLog(store, bus, clock, sims, {"message": told_of_messages})
    parts["accounts"].on_withdrawal(parts["events"].wake)
    means = Means(store, parts["events"], clock, metrics)
    parts["webhooks"] = Webhooks(means)
    talk = Talk(store, parts["messages"], parts["inbox"], sims, admission)
    parts["twilio"] = Twilio(means, parts["accounts"], talk)
    parts["fleet"] = Fleet(msgspec.structs.replace(config, box=placed), store, clock, parts["events"])
    parts["mail"] = Mail(config, store, parts["events"], clock, metrics, sims=sims)
    parts["home_assistant"] = HomeAssistant(config, clock)
    around = Surroundings(
        config=config, clock=clock, store=store, messages=parts["messages"], held=parts["held"],
        backups=parts["backups"], appliance=parts["appliance"], sims=sims, providers=providers,
        bank=parts["bank"], sending=Unexplained(),
        law=Law(parts["messages"], clock), webhooks=parts["webhooks"], twilio=parts["twilio"],
        mail=parts["mail"],
        fleet=parts["fleet"],
        sysfs=folder / "sysfs",
    )  # fmt: skip
    parts["health"] = Health(around, bus)
    parts["alerts"] = Alerts(parts["messages"], AlertsConfig(on_call=("+447900900123",)))
    parts["figures"] = Figures(store, bus, clock, sims, providers)
    parts["system"] = System(
        msgspec.structs.replace(config, box=BoxConfig(data_dir=str(folder))), folder / "box.db", clock
    )
    return Box(**(parts | changes))
