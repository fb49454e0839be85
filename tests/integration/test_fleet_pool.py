"""The fleet as one pool, whole: a real hub, Debian's Mosquitto, real boxes on emulated banks."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

from fakes.boxes import emulated
from fakes.brokers import Mosquitto
from fakes.pools import boxes_on, hub_on, hurry
from fakes.said_boxes import until
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import ModembankError
from modembank_hub.pool import Order
from modembankd.local import call_daemon

TESTS = Path(__file__).resolve().parents[1]
SCHEDULES = int(os.environ.get("POOL_REAL", "2"))
SEED = int(os.environ.get("POOL_SEED", "1"))
KILLS = 6

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture
def broker(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as made:
        yield made


async def test_messages_go_out_once_each_over_all_boxes(tmp_path, broker):
    numbers = [f"+4479009{n:05d}" for n in range(30)]
    async with hub_on(tmp_path, broker) as hub, boxes_on(tmp_path, broker) as boxes:

        async def both_lend():
            return sum(known.credit.window > 0 for known in hub.app.lending._credits.values()) == len(boxes)

        await until(both_lend, 90)
        accepted, _ = await hub.app.pool.submit(LOCAL_ADMIN, Order(numbers, "hello pool"))

        async def delivered():
            return await hub.row("SELECT count(*) FROM pool_messages WHERE state = 'delivered'") == (30,)

        await until(delivered, 90)
        seen = [box.seen() for box in boxes]
        assert sorted(seen[0] + seen[1]) == sorted(numbers)
        assert all(seen)
        row, steps = await hub.app.pool.get(LOCAL_ADMIN, accepted[0].id)
        words = [step.what for step in steps]
        assert (words[:3], words[-1]) == (["queued", "assigned", "accepted"], "delivered")
        assert (row.fence, row.maybe_dup, row.conflicts) == (1, 0, 0)
        assert steps[1].box in {"leeds/b1", "leeds/b2"}


# -- the same with processes that are killed


class Process:
    """A hub or a box that is killed and comes back."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log = folder / f"{arguments[0]}-{arguments[3] if len(arguments) > 3 else ''}.log"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = [sys.executable, str(Path(__file__).with_name("pool_process.py")), *self._arguments]
        path = os.pathsep.join([str(TESTS), *sys.path])
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(program, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": path})

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


async def ask(folder: Path, method: str, path: str, body: object = None) -> object:
    """Ask the hub through its local socket; None while it is away."""
    try:
        reply = await asyncio.to_thread(call_daemon, folder / "hub", method, path, body)
    except (ModembankError, OSError, click.ClickException):
        return None
    return reply.body if reply.status < 300 else None


async def go_wrong(dice: random.Random, hub: Process, boxes: list[Process], broker: Mosquitto) -> None:
    """Kill one of them, and let it come back."""
    victim = dice.choice([hub, broker, *boxes, *boxes])
    victim.kill()
    await asyncio.sleep(dice.uniform(0.0, 1.0))
    victim.start()


@pytest.mark.timeout(60 + 400 * SCHEDULES)
@pytest.mark.parametrize("seed", range(SEED, SEED + SCHEDULES))
async def test_nothing_is_sent_twice_whatever_is_killed(tmp_path, broker, seed):
    """POOL_REAL says how many schedules, POOL_SEED which is the first."""
    dice = random.Random(seed)
    hub = Process(tmp_path, "hub", str(tmp_path), str(broker.port))
    async with contextlib.AsyncExitStack() as undo:
        banks, boxes = [], []
        for name in ("b1", "b2"):
            (folder := tmp_path / name).mkdir()
            banks.append(await undo.enter_async_context(emulated(folder / "tty")))
            ttys = [str(modem.path) for modem in banks[-1].modems]
            boxes.append(Process(tmp_path, "box", str(folder), str(broker.port), name, *ttys))
        for process in (hub, *boxes):
            undo.callback(process.kill)
            process.start()

        async def is_up():
            return await ask(tmp_path, "GET", "/api/v1/pool") is not None

        await until(is_up, 60)
        number, kills = 0, 0
        while kills < KILLS:
            for _ in range(dice.randint(1, 4)):
                number += 1
                delivery = dice.choice(["at_most_once", "at_most_once", "at_least_once"])
                body = {"to": f"+4479009{number:05d}", "text": "x", "valid_for_s": 600, "delivery": delivery}
                await ask(tmp_path, "POST", "/api/v1/pool/messages", body)
            await asyncio.sleep(dice.uniform(0.0, 2.5))
            await go_wrong(dice, hub, boxes, broker)
            kills += 1

        async def all_ended():
            page = await ask(tmp_path, "GET", "/api/v1/pool/messages?limit=500")
            return page is not None and all(one["ended_at"] for one in page["items"])

        try:
            await until(all_ended, 150)
        except TimeoutError:
            page = await ask(tmp_path, "GET", "/api/v1/pool/messages?limit=500")
            raise AssertionError(f"seed {seed}: {page}; {hub.log[-3000:]}") from None
        page = await ask(tmp_path, "GET", "/api/v1/pool/messages?limit=500")
        judge(seed, page["items"], [one for bank in banks for one in bank.network.ledger if one.accepted])
        assert all("Traceback" not in process.log for process in (hub, *boxes))


def judge(seed, messages, seen):
    """Compare what the hub says with what the networks saw."""
    on_air = Counter(one.destination for one in seen)
    assert len(messages) >= KILLS / 2
    for message in messages:
        count, state = on_air[message["to"]], message["state"]
        if message["delivery"] == "at_most_once":
            assert count <= 1, f"seed {seed}: {message} was sent {count} times"
        assert count <= 1 or message["maybe_twice"], f"seed {seed}: {message} was sent {count} times, and not marked"
        if state in ("expired", "failed", "cancelled", "queued"):
            assert count == 0 or message["maybe_twice"], f"seed {seed}: {message} was sent"
        if state in ("sent", "delivered"):
            assert count >= 1, f"seed {seed}: {message} was never sent"
    went = sum(message["state"] in ("sent", "delivered") for message in messages)
    assert went > len(messages) / 2, f"seed {seed}: {went} of {len(messages)}"
