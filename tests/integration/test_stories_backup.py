"""Stories 33 and 34, the restore drill: real processes, a real bank, a backup taken under load, the box lost."""

import asyncio
import re
import shutil
import time
from contextlib import asynccontextmanager
from datetime import datetime

import httpx

from fakes.daemons import DaemonProcess
from fakes.databases import problem_of, rows
from modembank_emulator.client import spawn_bank
from modembankd.data_folder import DATABASE

WITHIN_S = 40
NUMBERS = [f"+1999000{place:04d}" for place in range(24)]
BOUND = [f"+1999001{place:04d}" for place in range(8)]
"""Must go through the second SIM, which is paused until the backup is made."""
ACCEPTED_AFTER = "+19990020000"
ALL = len(NUMBERS) + len(BOUND) + 1
LATE = NUMBERS[:4]
"""Their delivery reports come minutes later."""
BODY = {"to": NUMBERS, "text": "hello"}
KEY = {"Idempotency-Key": "drill-1"}


class Drill:
    """A bank that outlives the box, and the box's folder."""

    def __init__(self, folder, bank):
        self.folder = folder
        self.bank = bank
        self.backup = folder / "backup.sqlite3"
        self.key = ""

    @asynccontextmanager
    async def daemon(self):
        """Run it; yields the process and a client that has the API key of the first run."""
        ports = "".join(f'[[bank.port]]\npath = "{path}"\n' for path in self.bank.paths)
        limits = "[limits]\nmin_interval_s = 0\nper_minute = 0\nper_hour = 0\n"
        config = f'[box]\ndata_dir = "{self.folder}/data"\n[web]\nlisten = "127.0.0.1:0"\n{limits}{ports}'
        (self.folder / "log").unlink(missing_ok=True)
        with DaemonProcess(self.folder, config) as process:
            url = await asyncio.to_thread(process.up)
            if not self.key:
                await self.cli(process, "user", "add", "alice", "--role", "admin")
                self.key = (await self.cli(process, "apikey", "add", "--user", "alice")).strip()
            headers = {"Authorization": f"Bearer {self.key}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
                await registered(client)
                yield process, client

    async def cli(self, process, *arguments):
        done = await asyncio.to_thread(process.run, *map(str, arguments))
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def seen(self):
        return [one["destination"] for one in await self.bank.control.ledger()]

    async def until_seen(self, count):
        async with asyncio.timeout(WITHIN_S):
            while len(seen := await self.seen()) < count:
                await asyncio.sleep(0.02)
        return seen

    async def let_late_reports_come(self, found):
        """Turn the network's time to just before they are due: a modem waits half a minute to have one acknowledged."""
        sent = (message["sent_at"] for message in found.values() if message["to"] in LATE and message["sent_at"])
        first = min(datetime.fromisoformat(moment).timestamp() for moment in sent)
        await self.bank.control.advance(max(0.0, first + 300 - 1 - time.time()))

    @property
    def database(self):
        return self.folder / "data" / DATABASE


@asynccontextmanager
async def drill(tmp_path):
    """Send, take a backup in the middle, send on to the end; then the daemon is killed."""
    async with spawn_bank(tmp_path / "tty", "--modems", "2", "--dialect", "generic", "--latency", "fixed:0.1") as bank:
        this = Drill(tmp_path / "box", bank)
        for number in LATE:
            await bank.control.plan_reports(number, "after_minutes")
        async with this.daemon() as (process, client):
            posted = await client.post("/api/v1/messages", json=BODY, headers=KEY)
            assert posted.status_code == 202, posted.text
            second = bank.ready["modems"][1]["iccid"]
            await pause(client, second, paused=True)
            await post(client, BOUND, sim=second)
            await this.until_seen(4)
            told = await this.cli(process, "backup", this.backup)
            assert "messages: 32 (" in told
            await pause(client, second, paused=False)
            await post(client, [ACCEPTED_AFTER])
            assert sorted(await this.until_seen(ALL)) == sorted([*NUMBERS, *BOUND, ACCEPTED_AFTER])
            await until_all(client, delivered)
        yield this, posted.json()


async def post(client, to, **more):
    answer = await client.post("/api/v1/messages", json={"to": to, "text": "x", **more})
    assert answer.status_code == 202, answer.text
    return answer.json()["messages"]


async def pause(client, iccid, **change):
    answer = await client.patch(f"/api/v1/sims/{iccid}", json=change)
    assert answer.status_code == 200, answer.text


async def registered(client):
    """Only a modem that was set up says what comes: a report to one that nobody listens to is lost."""
    async with asyncio.timeout(WITHIN_S):
        while any(modem["state"] != "registered" for modem in (await client.get("/api/v1/modems")).json()["items"]):
            await asyncio.sleep(0.05)


def delivered(message):
    """As far as can be: some are sent, and their reports come minutes later."""
    return message["status"] == ("sent" if message["to"] in LATE else "delivered")


async def messages(client):
    answer = await client.get("/api/v1/messages", params={"limit": 500})
    assert answer.status_code == 200, answer.text
    return {message["id"]: message for message in answer.json()["items"]}


async def until_all(client, condition):
    async with asyncio.timeout(WITHIN_S):
        while not all(condition(message) for message in (await messages(client)).values()):
            await asyncio.sleep(0.05)


async def until(client, message, status):
    found = {}
    try:
        async with asyncio.timeout(WITHIN_S):
            while (found := (await client.get(f"/api/v1/messages/{message}")).json())["status"] != status:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(found) from None


async def test_story_34_restored_into_an_empty_box_nothing_is_lost_and_nothing_goes_out_twice(tmp_path):
    async with drill(tmp_path) as (this, posted):
        shutil.rmtree(this.folder / "data")
        restored = await this.cli(DaemonProcess(this.folder, this_config(this)), "restore", this.backup)
        held = int(re.search(r"held: +(\d+) messages", restored)[1])
        assert len(BOUND) <= held < len(NUMBERS) + len(BOUND)
        async with this.daemon() as (_, client):
            found = await messages(client)
            assert sorted(message["to"] for message in found.values()) == sorted([*NUMBERS, *BOUND])
            assert found.keys() > {message["id"] for message in posted["messages"]}
            waiting = [one for one in found.values() if (one["cause"] or "").startswith("restored: waited when")]
            assert len(waiting) == held
            (new,) = await post(client, ["+19990008888"])
            assert new["id"] > max(found)  # of a new epoch
            await until(client, new["id"], "delivered")
            # The network saw all of them: it sees none again, only what is new.
            assert len(await this.seen()) == ALL + 1
            again = await client.post("/api/v1/messages", json=BODY, headers=KEY)
            assert again.headers["Idempotent-Replay"] == "true"
            assert again.json() == posted
            await this.let_late_reports_come(found)  # they were on their way when the box was lost
            for message in found.values():
                if message["to"] in LATE and message not in waiting:
                    await until(client, message["id"], "delivered")
            assert len(await this.seen()) == ALL + 1
        assert problem_of(this.database) is None
        assert rows(this.database, "SELECT count(*) FROM messages WHERE ready = 3") == [(held,)]


async def test_story_34_restored_over_the_database_what_was_sent_since_is_known(tmp_path):
    async with drill(tmp_path) as (this, posted):
        restored = await this.cli(DaemonProcess(this.folder, this_config(this)), "restore", "--yes", this.backup)
        assert "  held:     0 messages" in restored
        assert "  behind:   1 messages accepted since and 0 received stay in it" in restored
        usage = rows(this.database, "SELECT sum(segments) FROM sim_usage")
        assert usage == [(ALL,)]
        async with this.daemon() as (_, client):
            found = await messages(client)
            assert found.keys() > {message["id"] for message in posted["messages"]}
            assert len(found) == len(NUMBERS) + len(BOUND)
            assert all(delivered(message) for message in found.values())
            await this.let_late_reports_come(found)
            await until_all(client, lambda message: message["status"] == "delivered")
            assert len(await this.seen()) == ALL
        assert problem_of(this.database) is None


def this_config(this):
    return this.folder.joinpath("modembank.toml").read_text()
