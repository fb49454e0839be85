"""A whole box for tests: the real daemon over real HTTP, on an emulated bank behind real pseudo-terminals."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from modembank.accounts import LOCAL_ADMIN, Role
from modembank.bank import BankOptions
from modembank.config import BankConfig, BoxConfig, Config, LimitsConfig, PortEntry, SendingConfig, SimConfig, WebConfig
from modembank.events import Event
from modembank.modem import Timings
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import BankConfig as EmulatedBankConfig
from modembankd.daemon import Daemon

NO_LIMITS = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=0, per_day=0, per_month=0)
WITHIN_S = 30.0


class TestBox:
    """A running daemon, the bank it drives, and an admin's HTTP client."""

    __test__ = False

    def __init__(self, bank: EmulatedBank, daemon: Daemon, client: httpx.AsyncClient) -> None:
        self.bank = bank
        self.daemon = daemon
        self.client = client

    @property
    def app(self):
        return self.daemon.box.app

    async def send(self, to, text="hello", **more):
        """Post a message and return the answer's body."""
        answer = await self.client.post("/api/v1/messages", json={"to": to, "text": text, **more})
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def message(self, identifier):
        answer = await self.client.get(f"/api/v1/messages/{identifier}")
        assert answer.status_code == 200, answer.text
        return answer.json()

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
        answer = await self.client.get("/api/v1/inbox")
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

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
    bank: EmulatedBank, data_dir: Path, limits=NO_LIMITS, sims: tuple[SimConfig, ...] = (), **sending
) -> Config:
    ports = tuple(PortEntry(path=str(modem.path)) for modem in bank.modems)
    return Config(
        box=BoxConfig(id="test", data_dir=str(data_dir)),
        web=WebConfig(listen="127.0.0.1:0"),
        bank=BankConfig(port=ports),
        limits=limits,
        sim=sims,
        sending=SendingConfig(**sending),
    )


@asynccontextmanager
async def running(bank: EmulatedBank, data_dir: Path, *, timings: Timings | None = None, wait=True, **config):
    """Run a daemon on the bank; start it again on the same data_dir and it is the same box."""
    daemon = Daemon(config_for(bank, data_dir, **config), BankOptions(timings=timings or Timings(), stagger_s=0.0))
    await daemon.start()
    try:
        names = [user.name for user in await daemon.box.app.accounts.users(LOCAL_ADMIN)]
        if "tester" not in names:
            await daemon.box.app.accounts.add_user(LOCAL_ADMIN, "tester", Role.ADMIN)
        _, key = await daemon.box.app.accounts.add_key(LOCAL_ADMIN, "tester")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=daemon.url, headers=headers, timeout=30, trust_env=False) as client:
            box = TestBox(bank, daemon, client)
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
async def box_on(tmp_path: Path, *, timings: Timings | None = None, limits=NO_LIMITS, sims=(), sending=None, **bank):
    """Run both; the shortest way to a whole box."""
    async with (
        emulated(tmp_path / "tty", **bank) as running_bank,
        running(running_bank, tmp_path / "data", timings=timings, limits=limits, sims=sims, **(sending or {})) as box,
    ):
        yield box
