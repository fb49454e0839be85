"""A whole box for tests: the real daemon over real HTTP, on an emulated bank behind real pseudo-terminals."""

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families as parse

from modembank.accounts import LOCAL_ADMIN, Role
from modembank.bank import BankOptions
from modembank.clock import SystemClock
from modembank.config import (
    BankConfig,
    BoxConfig,
    Config,
    HealthConfig,
    LimitsConfig,
    OutageConfig,
    PortEntry,
    SendingConfig,
    SimConfig,
    WebConfig,
)
from modembank.events import Event
from modembank.modem import Timings
from modembank.port import open_port
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import BankConfig as EmulatedBankConfig
from modembankd import compose
from modembankd.daemon import Daemon

NO_LIMITS = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=0, per_day=0, per_month=0)
USUAL = OutageConfig()
HEALTH = HealthConfig(disk_free_mib=0, disk_free_percent=0)
"""As usual, whatever room the machine that runs the tests has."""
PLAIN = Timings(quiet_scale=0.05)
"""Those of service, but for the pauses in which a slow link would show what still comes: a pty has none."""
WITHIN_S = 30.0
ANSWERED_S = 1.0


class TurnedClock(SystemClock):
    """The machine's clock, turned ahead by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


class TestBox:
    """A running daemon, the bank it drives, and an admin's HTTP client."""

    __test__ = False

    def __init__(
        self, bank: EmulatedBank, daemon: Daemon, client: httpx.AsyncClient, clock: TurnedClock | None = None
    ) -> None:
        self.bank = bank
        self.daemon = daemon
        self.client = client
        self.clock = clock or TurnedClock()

    async def turn(self, seconds):
        """Let time pass at once, for the box and for the network.

        What a modem has just handed to the box is answered first, as far as that can be: it waits only so long for it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERED_S):
                while any(modem.reception.unanswered for modem in self.bank.modems):
                    await asyncio.sleep(0.005)
        self.clock.ahead_s += seconds
        self.bank.advance(seconds)
        self.app.dispatcher.recheck()

    @property
    def app(self):
        return self.daemon.box.app

    async def send(self, to, text="hello", **more):
        """Post a message and return the answer's body."""
        answer = await self.client.post("/api/v1/messages", json={"to": to, "text": text, **more})
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def get(self, path):
        """Return the body of what the API answers below its root."""
        answer = await self.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def message(self, identifier):
        return await self.get(f"messages/{identifier}")

    async def until_status(self, identifier, *statuses):
        """Return the message once its status is one of these."""
        async with self.change() as changed:
            while (message := await self.message(identifier))["status"] not in statuses:
                await changed()
        return message

    async def until(self, condition):
        """Return what the condition returns, once it is true, asking after every event."""
        async with self.change() as changed:
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await changed()

    async def inbox(self):
        return (await self.get("inbox"))["items"]

    def seen(self):
        """Return the numbers that the network took a segment for, in order."""
        return [seen.destination for seen in self.bank.network.ledger if seen.accepted]

    async def waiting_for(self, identifier, start):
        """Return why a message waits, once that begins with ``start``."""
        async with self.change() as changed:
            while not (reason := (await self.message(identifier))["waiting_for"] or "").startswith(start):
                await changed()
        return reason

    async def limit(self, place, **limits):
        """Change limits of the SIM with this place in the bank, by the API."""
        return await self.patch_sim(place, limits=limits)

    async def patch_sim(self, place, **change):
        answer = await self.client.patch(f"/api/v1/sims/{self.bank.cards[place].iccid}", json=change)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def sim(self, place):
        return await self.get(f"sims/{self.bank.cards[place].iccid}")

    async def metrics(self, name):
        """Return the samples of one metric: the labels' values as a tuple, and the value."""
        text = (await self.client.get("/metrics")).text
        families = {sample.name: family for family in parse(text) for sample in family.samples}
        samples = families[name].samples if name in families else []
        return {tuple(sample.labels.values()): sample.value for sample in samples if sample.name == name}

    async def until_registered(self):
        await self.until(lambda: all(view.able_to_send for view in self.app.bank.modems()))

    @asynccontextmanager
    async def change(self):
        """Yield what waits for the next event on the bus (or a moment, since not every fact is an event)."""
        happened = asyncio.Event()
        unsubscribe = self.app.bus.subscribe(Event, lambda _: happened.set())

        async def changed():
            try:
                async with asyncio.timeout(0.1):
                    await happened.wait()
            except TimeoutError:
                pass
            happened.clear()

        try:
            async with asyncio.timeout(WITHIN_S):
                yield changed
        finally:
            unsubscribe()


def config_for(
    bank: EmulatedBank,
    data_dir: Path,
    limits=NO_LIMITS,
    sims: tuple[SimConfig, ...] = (),
    outage=USUAL,
    health=HEALTH,
    rules=None,
    discovery="static",
    **sending,
) -> Config:
    """``rules`` are further sections by name, such as ``loops``; with ``discovery`` no port is listed."""
    ports = tuple(PortEntry(path=str(modem.path)) for modem in bank.modems if discovery == "static")
    return Config(
        box=BoxConfig(id="test", data_dir=str(data_dir)),
        web=WebConfig(listen="127.0.0.1:0"),
        bank=BankConfig(port=ports, discovery=discovery),
        limits=limits,
        sim=sims,
        sending=SendingConfig(**sending),
        outage=outage,
        health=health,
        **(rules or {}),
    )


@contextmanager
def _quick_commits():
    """What is written later is written sooner than on an SD card, since a test waits for it."""
    usual = compose.SOON_S, compose.LAZY_S
    compose.SOON_S, compose.LAZY_S = 0.02, 0.1
    try:
        yield
    finally:
        compose.SOON_S, compose.LAZY_S = usual


@asynccontextmanager
async def running(
    bank: EmulatedBank, data_dir: Path, *, timings: Timings | None = None, wait=True, clock=None, opener=open_port,
    usb=None, process=None, hub_within_s=None, **config,
):  # fmt: skip
    """Run a daemon on the bank; start it again on the same data_dir and it is the same box."""
    clock = clock or TurnedClock()
    options = BankOptions(timings=timings or PLAIN, opener=opener, state_dir=data_dir, stagger_s=0.0, **(usb or {}))
    daemon = Daemon(config_for(bank, data_dir, **config), options, clock, process, hub_within_s=hub_within_s)
    with _quick_commits():
        await daemon.start()
    try:
        names = [user.name for user in await daemon.box.app.accounts.users(LOCAL_ADMIN)]
        if "tester" not in names:
            await daemon.box.app.accounts.add_user(LOCAL_ADMIN, "tester", Role.ADMIN)
        _, key = await daemon.box.app.accounts.add_key(LOCAL_ADMIN, "tester")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=daemon.url, headers=headers, timeout=30, trust_env=False, verify=False
        ) as client:
            box = TestBox(bank, daemon, client, clock)
            if wait:
                await box.until_registered()
            yield box
    finally:
        await daemon.stop()


@asynccontextmanager
async def emulated(folder: Path, **bank):
    """Run an emulated bank; its links are in ``folder``."""
    async with EmulatedBank(
        EmulatedBankConfig(link_dir=folder, **{"modems": 2, "dialect": "generic", **bank})
    ) as running_bank:
        yield running_bank


@asynccontextmanager
async def box_on(
    tmp_path: Path, *, timings: Timings | None = None, limits=NO_LIMITS, sims=(), sending=None, health=HEALTH, **bank
):
    """Run both; the shortest way to a whole box."""
    async with (
        emulated(tmp_path / "tty", **bank) as running_bank,
        running(
            running_bank, tmp_path / "data", timings=timings, limits=limits, sims=sims, health=health, **(sending or {})
        ) as box,
    ):
        yield box
