"""The composition root: every object is made here, once, from the configuration."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from modembank.accounts import Accounts, FirstStart
from modembank.alerts import Alerts
from modembank.app import App
from modembank.appliance import Appliance
from modembank.audit import Audit, Readings
from modembank.backup import ScheduledBackups
from modembank.bank import Bank, BankOptions
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.conversations import Conversations
from modembank.couriers import Means
from modembank.discovery import Discovery, UsbWatch
from modembank.dispatch import Decency, Dispatcher, Finishing, Foresight, QuietHours
from modembank.eventlog import EventLog
from modembank.figures import Figures
from modembank.fleet import Fleet
from modembank.health import Health, Law, Surroundings
from modembank.home_assistant import HomeAssistant
from modembank.mailings.service import Mailings
from modembank.messages import (
    Admission,
    Consent,
    HeldMessages,
    Inbox,
    Loops,
    Messages,
    OwnNumbers,
    Permitted,
    Receiving,
    Taking,
)
from modembank.messages.accepting import Accepting
from modembank.messages.loops import recent
from modembank.messages.outbox import Outbox
from modembank.messages.returning import Returning
from modembank.messages.search import Indexing
from modembank.messages.telling import told_of_messages
from modembank.metrics import Metrics
from modembank.modem import Timings
from modembank.optouts import OptOuts
from modembank.providers import Providers
from modembank.sim import Sims
from modembank.store import Store
from modembank.system import Process, System
from modembank.twilio import Talk, Twilio
from modembank.webhooks import Webhooks
from modembankd.data_folder import DATABASE

SOON_S = 0.1
"""Longer than a modem takes to its prompt, so that a settlement shares the commit of the next intent."""
LAZY_S = 1.0
"""How long changes gather for the fold: on an SD card this halves what is written per message."""


class Box(msgspec.Struct, frozen=True):
    """The surface that faces see, and the parts that only the process drives."""

    app: App
    outbox: Outbox
    receiving: Receiving
    returning: Returning
    indexing: Indexing


async def assemble(
    config: Config, clock: Clock, options: BankOptions | None = None, process: Process | None = None
) -> Box:
    """Open the store, recover what the last run left, and build all services; nothing is sent yet.

    Raises StoreError when the data cannot be used.
    """
    data_dir = Path(config.box.data_dir)
    bus, metrics = Bus(), Metrics()
    async with AsyncExitStack() as undo:
        store = await Store.open(data_dir / DATABASE, metrics=metrics, soon_s=SOON_S, lazy_s=LAZY_S)
        undo.push_async_callback(store.close)
        outbox = Outbox(store, bus, clock, metrics, config.outage)
        await outbox.recover()
        sims = Sims(store, bus, clock, config.limits, config.sim)
        await sims.load()
        providers = Providers(store, bus, clock, metrics, config.providers)
        await providers.load()
        admission = _admission(config, sims, providers)
        loops = Loops(config.loops, bus, admission.sender)
        now = to_ms(clock.now())
        loops.learn(await store.read(lambda conn: recent(conn, now - loops.within_ms)), now)
        undo.pop_all()
    ground = _Ground(
        config, clock, bus, metrics, store, outbox, sims, providers, admission, loops, process or Process()
    )
    receiving = Receiving(store, bus, clock, metrics, outbox, _consent(ground), number_of=admission.sender)
    returning = Returning(store, clock, metrics, outbox, receiving, admission.sender)
    return Box(_app(ground, receiving, options), outbox, receiving, returning, Indexing(store))


class _Ground(msgspec.Struct, frozen=True):
    """What all services stand on."""

    config: Config
    clock: Clock
    bus: Bus
    metrics: Metrics
    store: Store
    outbox: Outbox
    sims: Sims
    providers: Providers
    admission: Admission
    loops: Loops
    process: Process


def _admission(config: Config, sims: Sims, providers: Providers) -> Admission:
    region = config.box.region
    return Admission(sims, config.sending, region, Permitted(config.recipients, region), providers)


def _consent(ground: _Ground) -> Consent:
    """What the box itself answers is accepted like all else; in a loop it answers nothing."""
    accepting = Accepting(ground.store, ground.bus, ground.metrics)
    accepting.lend = ground.outbox.offer
    loops = ground.loops
    return Consent(
        ground.config.opt_out,
        ground.admission,
        accepting,
        ground.bus,
        lambda number, now: loops.held_until(number, now) is not None,
    )


def _app(ground: _Ground, receiving: Receiving, options: BankOptions | None) -> App:
    """Build the services over what was recovered."""
    config, clock, bus, metrics = ground.config, ground.clock, ground.bus, ground.metrics
    store, outbox, sims = ground.store, ground.outbox, ground.sims
    data_dir = Path(config.box.data_dir)
    quiet_hours = QuietHours(config.quiet_hours)
    dispatcher = Dispatcher(outbox, sims, bus, clock, Decency(quiet_hours, ground.loops), ground.providers)
    admission = ground.admission
    messages = Messages(store, bus, clock, metrics, admission, dispatcher)
    messages.lend_to(outbox.offer, outbox.deadlines)
    bank, discovery = _hardware(ground, receiving, dispatcher, options)
    inbox, own = Inbox(store, admission, clock), OwnNumbers(sims, admission.party)
    held = HeldMessages(store, bus, clock, outbox.judging, dispatcher.unserved)
    backups = ScheduledBackups(config.backup, config.box.id, data_dir / DATABASE, clock, metrics)
    appliance = Appliance(config.box, store, bus, clock, ground.process.box_state)
    events = EventLog(store, bus, clock, sims, {"message": told_of_messages})
    means = Means(store, events, clock, metrics)
    webhooks, accounts = Webhooks(means), Accounts(store, clock)
    accounts.on_withdrawal(events.wake)  # whoever follows is asked again for what lets it
    twilio = Twilio(means, accounts, Talk(store, messages, inbox, sims, admission))
    fleet = Fleet(config, store, clock, events)
    around = Surroundings(
        config=config,
        clock=clock,
        store=store,
        messages=messages,
        held=held,
        backups=backups,
        appliance=appliance,
        sims=sims,
        providers=ground.providers,
        bank=bank,
        sending=dispatcher,
        law=Law(messages, clock),
        webhooks=webhooks,
        twilio=twilio,
        fleet=fleet,
    )
    return App(
        config=config,
        clock=clock,
        bus=bus,
        metrics=metrics,
        store=store,
        accounts=accounts,
        first_start=FirstStart(store, clock, accounts, data_dir),
        events=events,
        webhooks=webhooks,
        twilio=twilio,
        fleet=fleet,
        home_assistant=HomeAssistant(config, clock),
        audit=Audit(store, clock),
        messages=messages,
        held=held,
        inbox=inbox,
        taking=Taking(store, clock, receiving, own, admission.party),
        conversations=Conversations(store, messages, inbox, admission, own, Readings(store, clock)),
        optouts=OptOuts(store, bus, clock, admission),
        mailings=_mailings(ground, quiet_hours),
        sims=sims,
        providers=ground.providers,
        bank=bank,
        discovery=discovery,
        dispatcher=dispatcher,
        foresight=Foresight(ground.providers, sims, bank, config.box.region),
        quiet_hours=quiet_hours,
        backups=backups,
        appliance=appliance,
        health=Health(around, bus),
        alerts=Alerts(messages, config.alerts),
        figures=Figures(store, bus, clock, sims, ground.providers),
        system=System(config, data_dir / DATABASE, clock, ground.process),
    )


def _mailings(ground: _Ground, quiet_hours: QuietHours) -> Mailings:
    config = ground.config
    return Mailings(
        ground.store,
        ground.bus,
        ground.clock,
        ground.metrics,
        admission=ground.admission,
        finishing=Finishing(ground.sims, quiet_hours),
        sending=config.sending,
        region=config.box.region,
        data_dir=Path(config.box.data_dir),
    )


def _hardware(
    ground: _Ground, receiving: Receiving, dispatcher: Dispatcher, options: BankOptions | None
) -> tuple[Bank, Discovery]:
    """Build the bank, and what finds modems for it."""
    config = ground.config
    made = options or BankOptions(Timings(final_s=config.bank.send_timeout_s), state_dir=Path(config.box.data_dir))
    bank = Bank(
        config.bank,
        ground.sims,
        receiving,
        dispatcher,
        bus=ground.bus,
        clock=ground.clock,
        metrics=ground.metrics,
        options=made,
    )
    return bank, Discovery(config.bank, bank, made.tree(), made.ports(), UsbWatch())
