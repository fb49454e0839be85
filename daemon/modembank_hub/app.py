"""The hub's surface: one frozen object holding its services, the only thing that its faces see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec

from modembank.accounts import Accounts, FirstStart
from modembank.audit import Audit
from modembank.bus import Bus
from modembank.clock import Clock
from modembank.errors import ModembankError
from modembank.eventlog import Followers
from modembank.events import Event
from modembank.store import Store
from modembank_fleet.authority import kept_authority
from modembank_fleet.wire import Signer
from modembank_hub.alerting.channels import Channels
from modembank_hub.alerting.mail import Mailer
from modembank_hub.alerting.service import Alerts
from modembank_hub.alerting.telling import Means, Tellers
from modembank_hub.alerting.watching import Watch
from modembank_hub.config import HubConfig, SigningConfig
from modembank_hub.configs import Configs
from modembank_hub.enrolment import Enrolment
from modembank_hub.events import SHARED, AlertsChanged, CommandsChanged, ConfigsChanged, EnrolmentChanged, PoolChanged
from modembank_hub.fleet import Fleet
from modembank_hub.ingest import Ingest
from modembank_hub.lending import Lending, Told
from modembank_hub.lines import Lines, observe
from modembank_hub.metrics import HubMetrics
from modembank_hub.opening import open_store
from modembank_hub.orders import Orders
from modembank_hub.pool import Pool
from modembank_hub.rollouts import Rollouts
from modembank_hub.sharing import BACK, CREDITS, Sharing
from modembank_hub.software import Software


class BadSigningKey(ModembankError):
    """The file with the hub's key cannot be used; what is in it is never said."""

    key = "bad_signing_key"
    template = "[signing] key_file: {path} {problem}"


class HubApp(msgspec.Struct, frozen=True):
    """What the hub's faces call; what it shares with the box's surface is called as it is there."""

    config: HubConfig
    clock: Clock
    bus: Bus
    metrics: HubMetrics
    store: Store
    sharing: Sharing
    accounts: Accounts
    first_start: FirstStart
    events: Followers
    audit: Audit
    fleet: Fleet
    orders: Orders
    software: Software
    configs: Configs
    rollouts: Rollouts
    ingest: Ingest
    lines: Lines
    pool: Pool
    lending: Lending
    enrolment: Enrolment
    alerts: Alerts
    channels: Channels
    tellers: Tellers
    watch: Watch

    @property
    def name(self) -> str:
        """What it is called on its pages."""
        return self.config.hub.id

    async def observe(self) -> None:
        """Bring every gauge up to date; called when metrics are read."""
        await observe(self.store, self.clock, self.metrics)
        await self.alerts.observe(self.metrics)


async def assemble_hub(config: HubConfig, clock: Clock) -> HubApp:
    """Open the store and build all services; nothing is connected yet.

    Raises StoreError, BadSigningKey, BadAuthority.
    """
    data_dir = Path(config.hub.data_dir)
    signer = read_signer(config.signing)
    authority = kept_authority(ca_dir(config), f"Modembank fleet {config.hub.id}") if config.enrolment.address else None
    bus, metrics = Bus(), HubMetrics()
    async with AsyncExitStack() as undo:
        store, sharing = await open_store(config, metrics)
        undo.push_async_callback(store.close)
        accounts, followers = Accounts(store, clock), Followers()
        accounts.on_withdrawal(followers.wake)
        bus.subscribe(Event, lambda _: followers.wake())
        orders = Orders(store, clock, bus, metrics, signer, config.hub.resend_s)
        configs = Configs(store, clock, bus, signer)
        lending = Lending(store, clock, bus, signer, config.hub.resend_s)
        ingest = Ingest(store, clock, bus, metrics, orders.wake, lending, configs_due=configs.wake, sharing=sharing)
        undo.pop_all()
    speaks = (orders.serve, configs.serve, lending.serve)
    lines = Lines(config, store, clock, metrics, ingest, speaks, sharing=sharing)
    tellers = Tellers(Means(store, clock, bus, metrics, Mailer(config.mail), config.hub))
    app = HubApp(
        config=config,
        clock=clock,
        bus=bus,
        metrics=metrics,
        store=store,
        sharing=sharing,
        accounts=accounts,
        first_start=FirstStart(store, clock, accounts, data_dir),
        events=followers,
        audit=Audit(store, clock),
        fleet=Fleet(store, clock, config.keep),
        orders=orders,
        software=Software(orders),
        configs=configs,
        rollouts=Rollouts(store, clock, configs, orders.wake),
        ingest=ingest,
        lines=lines,
        pool=Pool(store, clock, bus, lending.wake, signed=signer is not None),
        lending=lending,
        enrolment=Enrolment(
            store, clock, bus, config.enrolment, authority=authority, signer=signer, crl=crl_file(config)
        ),
        alerts=Alerts(store, clock, bus),
        channels=Channels(tellers),
        tellers=tellers,
        watch=Watch(config, store, clock, bus, ingest, lines),
    )
    if sharing.shared:
        join(app)
    return app


def join(app: HubApp) -> None:
    """Let this process and others of the hub hear of each other what each would hear of itself."""
    wakes: Mapping[str, Callable[[], None]] = {
        CommandsChanged.__name__: app.orders.wake,
        ConfigsChanged.__name__: app.configs.wake,
        PoolChanged.__name__: app.lending.wake,
        AlertsChanged.__name__: app.tellers.look_anew,
        EnrolmentChanged.__name__: app.enrolment.list_anew,
    }
    telling = True

    def tell(event: Event) -> None:
        if telling and type(event) in SHARED:
            app.sharing.tell(type(event).__name__, event.at)

    def hear(kind: type[Event], at: int) -> None:
        nonlocal telling
        telling = False
        try:
            app.bus.publish(kind(at))
        finally:
            telling = True
        wakes.get(kind.__name__, lambda: None)()

    app.bus.subscribe(Event, tell)
    for kind in SHARED:
        app.sharing.on(kind.__name__, partial(hear, kind))
    app.sharing.on(CREDITS, lambda told: app.lending.heard(msgspec.convert(told, list[Told]), words=False))
    app.sharing.on(BACK, lambda _: app.lines.came_back())


def ca_dir(config: HubConfig) -> Path:
    """Return where the fleet's authority is."""
    return Path(config.enrolment.ca_dir or Path(config.hub.data_dir) / "ca")


def crl_file(config: HubConfig) -> Path:
    """Return where the list of revoked certificates is written."""
    return Path(config.enrolment.crl_file or ca_dir(config) / "crl.pem")


def keep_signer(path: Path, signer: Signer) -> None:
    """Write what signs commands for ``read_signer``, over nothing; raises FileExistsError, and OSError."""
    path.touch(0o600, exist_ok=False)
    path.write_text(signer.private.hex() + "\n", "ascii")


def read_signer(config: SigningConfig) -> Signer | None:
    """Return what signs commands, None where no key is configured; raises BadSigningKey."""
    if not config.key_file:
        return None
    path = Path(config.key_file)
    try:
        if path.stat().st_mode & 0o077:
            raise BadSigningKey(path=path, problem="can be read by others: chmod 600")
        octets = bytes.fromhex(path.read_text("ascii"))
    except OSError as error:
        raise BadSigningKey(path=path, problem=f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadSigningKey(path=path, problem="must hold 64 hexadecimal digits") from error
    if len(octets) != 32:
        raise BadSigningKey(path=path, problem="must hold 64 hexadecimal digits")
    return Signer(config.kid, octets)
