"""A box at work under the recorder: messages in and out, reports, cancellations, stops and kills, all witnessed."""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from modembank.ids import public_id
from modembank.messages.views import MESSAGE_ID
from modembank_emulator import Bank, BankConfig
from powercut.children import WITHIN_S, recorded
from powercut.disk import check_complete
from powercut.recording import DATABASE, HERE, Recorder, Trace
from powercut.witnesses import Asked, Sent, Shown, Stage, Witnesses, watch

WRONG_PIN = "9999"
LOCKED = 0
"""The modem whose SIM has another PIN."""
LONG = " A text that is too long for one segment, so that the rest of it has to follow in another." * 3
FIRST_RELEASE = """
import pathlib, sys
from modembank.store.opening import open_owned
from modembank.store.schema import known_migrations
from modembankd.data_folder import make_data_folder
path = pathlib.Path(sys.argv[1])
make_data_folder(path.parent)
opened = open_owned(path, 1, known_migrations()[:1])
opened.connection.executescript('''
BEGIN;
INSERT INTO routes (id, spec) VALUES (1, '{}');
INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state, ready,
  not_before, expires_at, on_unknown, created_at)
  VALUES (7, 0, '+447900000000', 'old', 1, 1, 1, 1, 4, 20, 2, 1 << 42, 1 << 43, 0, 1);
INSERT INTO state_counts VALUES (20, 1);
COMMIT;
''')
opened.close(7)
"""
"""A box of the first release, on which one message waits."""
THEIRS = "+447900000000", "old", 7


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens in a recording."""

    lives: int = 4
    """How often the daemon is started; it is told to stop, or killed, in turn."""
    requests: int = 14
    """Requests to send in each life."""
    inbound: int = 6
    first_release: bool = False
    """Whether the first start finds a database of the first release."""
    breaks: str = ""
    """What the daemon does wrong on purpose; see launcher.py."""
    sync_us: int = 1000


@dataclass(frozen=True, slots=True)
class Recording:
    """A trace with its witnesses."""

    root: str
    trace: Trace
    witnesses: Witnesses


def record(folder: Path, seed: int, plan: Plan) -> Recording:
    """Run the workload, check that the trace is complete, and keep both below ``folder``."""
    recorder = Recorder(folder, sync_us=plan.sync_us)
    witnesses = asyncio.run(_Work(folder, recorder, random.Random(seed), plan).run())
    (folder / "witnesses.json").write_bytes(witnesses.encode())
    return load(folder)


def load(folder: Path) -> Recording:
    """Read a recording again."""
    trace = Trace((folder / "trace").read_bytes())
    witnesses = Witnesses.decode((folder / "witnesses.json").read_bytes())
    witnesses.place(trace.place)
    root = next(one.path for one in trace.operations).partition("/box/")[0] + "/box"
    return Recording(root, trace, witnesses)


class _Work:
    """One recording under way."""

    def __init__(self, folder: Path, recorder: Recorder, chance: random.Random, plan: Plan) -> None:
        self._folder = folder
        self._recorder = recorder
        self._chance = chance
        self._plan = plan
        self._config = folder / "modembank.toml"
        self._data = recorder.watched / "data"
        self._numbers = 0
        self._texts = 0
        self._known: dict[str, str] = {}
        self._again: list[Asked] = []
        self.witnesses = Witnesses()

    async def run(self) -> Witnesses:
        plan = self._plan
        if plan.first_release:
            self._stage("first start")
            await self._first_release()
        async with Bank(BankConfig(modems=4, dialect="mixed", link_dir=self._folder / "tty")) as bank:
            bank.modems[LOCKED].require_pin("1234")
            watch(bank, self.witnesses, self._recorder.length)
            self._configure(bank)
            for life in range(plan.lives):
                first = "upgrade" if plan.first_release else "first start"
                self._stage("restart" if life else first)
                last = life == plan.lives - 1
                number = signal.SIGTERM if last or life % 2 == 0 else signal.SIGKILL
                async with self._daemon() as (process, client):
                    self._stage("at work")
                    await self._live(bank, client, whole=last, hangs=number is signal.SIGKILL)
                    await self._end(process, number)
                check_complete(self._recorder.watched, self._recorder.read())
        self._stage("ended")
        return self.witnesses

    async def _live(self, bank: Bank, client: httpx.AsyncClient, *, whole: bool, hangs: bool) -> None:
        """Let much happen at once; ``whole``: until all of it has an end, ``hangs``: until the disk does."""
        fresh = [self._ask() for _ in range(self._plan.requests)]
        asked, some = self._again + fresh, sum(len(one.to) for one in fresh)
        self._again = []
        watching = asyncio.create_task(self._look(client))
        tasks = [asyncio.create_task(self._send_all(client, asked[place::4])) for place in range(4)]
        tasks.append(asyncio.create_task(self._receive(bank)))
        tasks.append(asyncio.create_task(self._cancel(client)))
        enough = asyncio.gather(*tasks)
        if whole:
            await enough
            await self._until_settled(client)
        else:  # ended in the midst of it
            await self._until_seen(bank, len(bank.network.ledger) + self._chance.randint(some // 3, some))
        if hangs:
            self._recorder.hold(syncs=True)
            await asyncio.sleep(0.05)
        for task in (*tasks, watching):
            task.cancel()
        for ended in await asyncio.gather(*tasks, watching, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        await asyncio.gather(enough, return_exceptions=True)
        self._again += [one for one in asked if one.answered_at is None and one.key is not None and one.at]

    def _ask(self) -> Asked:
        many = self._chance.random() < 0.4
        to = [self._number() for _ in range(self._chance.randrange(2, 9) if many else 1)]
        policy = self._chance.choice(["hold", "resend"])
        text = self._text() + (LONG if self._chance.random() < 0.25 else "")
        request = {"to": to if many else to[0], "text": text, "on_unknown": policy}
        key = f"key-{self._numbers}" if self._chance.random() < 0.6 else None
        return Asked(0, json.dumps(request), to, text, policy, key)

    async def _send_all(self, client: httpx.AsyncClient, asked: list[Asked]) -> None:
        for one in asked:
            await self._send(client, one)
            if one.key is not None and self._chance.random() < 0.3:
                await self._send(client, one)  # its answer got lost, as far as the box can know

    async def _send(self, client: httpx.AsyncClient, one: Asked) -> None:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": one.key} if one.key else {})
        if not one.at:
            one.at = self._recorder.length()
            self.witnesses.asked.append(one)
        answer = await client.post("/api/v1/messages", content=one.body, headers=headers)
        assert answer.status_code == 202, answer.text
        if one.answered_at is None:
            one.answered_at, one.receipt = self._recorder.length(), answer.json()

    async def _cancel(self, client: httpx.AsyncClient) -> None:
        """Cancel messages that wait for tomorrow."""
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for _ in range(2):
            number, text = self._number(), self._text()
            request = {"to": number, "text": text, "send_at": tomorrow}
            one = Asked(0, json.dumps(request), [number], text, "hold")
            await self._send(client, one)
            answer = await client.post(f"/api/v1/messages/{one.receipt['id']}/cancel")
            assert answer.status_code == 200, answer.text
            self._show(answer.json())

    async def _receive(self, bank: Bank) -> None:
        for _ in range(self._plan.inbound):
            card = bank.cards[self._chance.randrange(LOCKED + 1, 4)]
            sender, text = self._number(), self._text() + (LONG if self._chance.random() < 0.4 else "")
            pdus = bank.network.inject(card.msisdn, text, sender)
            self.witnesses.sent.append(Sent(sender, text, pdus))
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))

    async def _look(self, client: httpx.AsyncClient) -> None:
        """Ask for the newest messages again and again."""
        while True:
            page = (await client.get("/api/v1/messages?limit=60")).json()
            for message in page["items"]:
                self._show(message)
            modems = (await client.get("/api/v1/modems")).json()["items"]
            if self.witnesses.pin_refused_at is None and any(modem["failed"] == "pin_wrong" for modem in modems):
                self.witnesses.pin_refused_at = self._recorder.length()
            await asyncio.sleep(0.03)

    def _show(self, message: dict) -> None:
        if self._known.get(message["id"]) != message["status"]:
            self._known[message["id"]] = message["status"]
            self.witnesses.shown.append(Shown(self._recorder.length(), message["id"], message["status"]))

    async def _until_seen(self, bank: Bank, count: int) -> None:
        """Wait until the network has seen so many SUBMITs."""
        async with asyncio.timeout(WITHIN_S):
            while len(bank.network.ledger) < count:
                await asyncio.sleep(0.005)

    async def _until_settled(self, client: httpx.AsyncClient) -> None:
        """Wait until nothing waits to be sent any more; some reports were lost with the daemon that was killed."""
        async with asyncio.timeout(WITHIN_S):
            while (await client.get("/api/v1/messages?status=queued,sending&limit=1")).json()["items"]:
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def _daemon(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
        process = await self._spawn(str(HERE / "launcher.py"), "run", "--config", str(self._config))
        try:
            transport = httpx.AsyncHTTPTransport(uds=str(self._data / "control.sock"))
            async with httpx.AsyncClient(transport=transport, base_url="http://box", timeout=WITHIN_S) as client:
                await self._until_up(process, client)
                yield process, client
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _until_up(self, process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(WITHIN_S):
            while True:
                assert process.returncode is None, (self._folder / "log").read_text()
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/healthz")).status_code == 200:
                        return
                await asyncio.sleep(0.02)

    async def _end(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        self._stage("stop" if number is signal.SIGTERM else "killed")
        if number is signal.SIGKILL:
            process.send_signal(signal.SIGSTOP)
            while await self._is_busy(process):  # between an operation and its record
                process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.001)
                process.send_signal(signal.SIGSTOP)
        process.send_signal(number)
        async with asyncio.timeout(WITHIN_S):
            await process.wait()
        self._recorder.hold(syncs=False)

    async def _is_busy(self, process: asyncio.subprocess.Process) -> bool:
        while "T" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]:
            await asyncio.sleep(0.001)
        return self._recorder.busy()

    async def _first_release(self) -> None:
        process = await self._spawn("-c", FIRST_RELEASE, str(self._data / DATABASE))
        assert await process.wait() == 0, (self._folder / "log").read_text()
        to, text, number = THEIRS
        receipt = {"messages": [{"id": public_id(MESSAGE_ID, number)}]}
        self.witnesses.first_release_at = self._recorder.length()
        self.witnesses.asked.append(Asked(0, "", [to], text, "hold", None, self.witnesses.first_release_at, receipt))

    async def _spawn(self, *arguments: str) -> asyncio.subprocess.Process:
        env = recorded(self._recorder) | {"POWERCUT_BREAKS": self._plan.breaks}
        with (self._folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=env, stdout=log, stderr=log)

    def _configure(self, bank: Bank) -> None:
        ports = "".join(f'[[bank.port]]\npath = "{modem.path}"\n' for modem in bank.modems)
        pin = f'[[sim]]\niccid = "{bank.cards[LOCKED].iccid}"\npin = "{WRONG_PIN}"\n'
        limits = "[limits]\nmin_interval_s = 0\nper_minute = 0\nper_hour = 0\nper_day = 0\n"
        self._config.write_text(
            f'[box]\ndata_dir = "{self._data}"\n[web]\nlisten = "127.0.0.1:0"\n'
            f'[log]\nlevel = "warning"\nformat = "json"\n[bank]\nusb_power = "none"\n{limits}{ports}{pin}'
        )

    def _stage(self, name: str) -> None:
        self.witnesses.stages.append(Stage(self._recorder.length(), name))

    def _number(self) -> str:
        self._numbers += 1
        return f"+4479{self._numbers:08d}"

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts}."
