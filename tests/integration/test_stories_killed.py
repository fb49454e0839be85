"""Stories 1 and 2 with a real process: killed while the modem sends, or told to stop, nothing is lost or doubled."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from modembank_emulator.client import spawn_bank

WITHIN_S = 30
TO = "+19990000001"


class Process:
    """`modembank run` on a bank in another process, and a client on its local socket."""

    def __init__(self, process, client):
        self.process = process
        self.client = client

    async def send(self, to, **more):
        answer = await self.client.post("/api/v1/messages", json={"to": to, "text": "hello", **more})
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def message(self, identifier):
        return (await self.client.get(f"/api/v1/messages/{identifier}")).json()

    async def until_status(self, identifier, status):
        async with asyncio.timeout(WITHIN_S):
            while (message := await self.message(identifier))["status"] != status:
                await asyncio.sleep(0.02)
        return message


@asynccontextmanager
async def modembank(folder, bank):
    """Start it and wait until it answers; at the end it is killed, if it still lives."""
    config = folder / "modembank.toml"
    ports = "".join(f'[[bank.port]]\npath = "{path}"\n' for path in bank.paths)
    limits = "[limits]\nmin_interval_s = 0\nper_minute = 0\n"
    config.write_text(f'[box]\ndata_dir = "{folder}/data"\n[web]\nlisten = "127.0.0.1:0"\n{limits}{ports}')
    program = Path(sys.executable).with_name("modembank")
    with (folder / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(program, "run", "--config", config, stderr=log)
    try:
        transport = httpx.AsyncHTTPTransport(uds=f"{folder}/data/control.sock")
        async with httpx.AsyncClient(transport=transport, base_url="http://box", timeout=10) as client:
            async with asyncio.timeout(WITHIN_S):
                while not await answers(client):
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
            yield Process(process, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answers(client):
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def bank_of_one(tmp_path, *arguments):
    async with spawn_bank(tmp_path / "tty", "--modems", "1", "--dialect", "generic", *arguments) as bank:
        yield bank


async def until_seen(bank, count):
    async with asyncio.timeout(WITHIN_S):
        while len(seen := await bank.control.ledger()) < count:
            await asyncio.sleep(0.02)
    return [one["destination"] for one in seen]


def events(folder):
    return [json.loads(line)["event"] for line in (folder / "daemon.log").read_text().splitlines()]


@pytest.mark.parametrize("policy", ["hold", "resend"])
async def test_story_01_killed_between_ctrl_z_and_the_final_result(tmp_path, policy):
    async with bank_of_one(tmp_path) as bank:
        await bank.control.plan_reports(TO, "after_minutes")
        await bank.control.fault(0, "late_final", seconds=1.0)
        async with modembank(tmp_path, bank) as box:
            sent = await box.send(TO, on_unknown=policy)
            await until_seen(bank, 1)
            box.process.kill()
            await box.process.wait()
        async with modembank(tmp_path, bank) as box:
            behind = await box.send("+19990000002")
            await box.until_status(behind["id"], "delivered")
            message = await box.until_status(sent["id"], "unknown" if policy == "hold" else "sent")
            assert message["attempts"][0]["outcome"] == "unknown"
            assert message["attempts"][0]["cause"].startswith("interrupted: ")
            expected = [TO, "+19990000002"] if policy == "hold" else [TO, TO, "+19990000002"]
            assert sorted(await until_seen(bank, len(expected))) == sorted(expected)
            await bank.control.advance(301)
            await box.until_status(sent["id"], "delivered")
            assert len(await bank.control.ledger()) == len(expected)


async def test_story_01_sigterm_in_mid_send_loses_and_doubles_nothing(tmp_path):
    numbers = [f"+1999000{place:04d}" for place in range(12)]
    async with bank_of_one(tmp_path, "--latency", "fixed:0.3") as bank:
        async with modembank(tmp_path, bank) as box:
            batch = await box.send(numbers, delivery_report=False)
            await until_seen(bank, 2)
            await stopped(box)
        assert len(await bank.control.ledger()) < 12
        async with modembank(tmp_path, bank) as box:
            for accepted in batch["messages"]:
                message = await box.until_status(accepted["id"], "sent")
                assert [attempt["outcome"] for attempt in message["attempts"]] == ["accepted"]
        assert sorted(await until_seen(bank, 12)) == numbers
    assert events(tmp_path).count("daemon_stopped") == 1  # the second one was killed


async def test_story_01_sigterm_while_the_modem_is_silent(tmp_path):
    """It may take three minutes to answer: the box does not wait for it, and says so."""
    async with bank_of_one(tmp_path) as bank:
        await bank.control.plan_reports(TO, "after_minutes")
        await bank.control.fault(0, "hang", stage="sent")
        async with modembank(tmp_path, bank) as box:
            sent = await box.send(TO)
            behind = await box.send("+19990000002")
            await until_seen(bank, 1)
            await stopped(box)
        await bank.control.replug(0)
        async with modembank(tmp_path, bank) as box:
            await box.until_status(behind["id"], "delivered")
            assert (await box.message(sent["id"]))["status"] == "unknown"
            await bank.control.advance(301)
            message = await box.until_status(sent["id"], "delivered")
            assert message["attempts"][0]["cause"].startswith("stopped: ")
            assert await until_seen(bank, 2) == [TO, "+19990000002"]


async def stopped(box):
    """Tell it to stop; it has ten seconds."""
    box.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await box.process.wait() == 0
