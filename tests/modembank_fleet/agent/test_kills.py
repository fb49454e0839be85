"""kill -9 of box, broker and hub at any moment: the hub has every event that the box's database has, once, in order."""

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.fleets import agent_of, fleet_box, hub_at, until
from modembank_fleet.agent import streams

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
TESTS = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("FLEET_KILLS", "12"))


def committed(folder):
    """The last event that is in the box's database."""
    with contextlib.closing(sqlite3.connect(folder / "box.db")) as conn:
        return conn.execute("SELECT COALESCE(max(id), 0) FROM event_log").fetchone()[0]


async def test_any_of_the_three_is_killed_at_any_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "SILENCE_S", 0.5)
    monkeypatch.setattr(streams, "GATHER_S", 0.02)
    chance, kept, has = random.Random(5), {}, {"ev": 0, "res": 0}
    (folder := tmp_path / "box").mkdir()
    (broker := tmp_path / "broker").mkdir()
    path = os.pathsep.join([str(TESTS), *sys.path])
    program = [sys.executable, str(Path(__file__).with_name("killed_box.py")), str(folder)]
    received = 0
    with Mosquitto(broker) as mosquitto:

        async def start():
            return await asyncio.create_subprocess_exec(
                *program, str(mosquitto.port), env=os.environ | {"PYTHONPATH": path},
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip

        box = await start()
        done = 0
        while done < KILLS:
            async with hub_at(mosquitto) as hub:
                hub.events, hub.has = kept, has
                before = len(kept)
                with contextlib.suppress(TimeoutError):
                    await until(lambda before=before: len(kept) > before, 15)
                await asyncio.sleep(chance.uniform(0, 0.3))
                victim = chance.choice(["box", "broker", "hub"])
                if victim == "box":
                    box.kill()
                    await box.wait()
                    box = await start()
                elif victim == "broker":
                    mosquitto.kill()
                    mosquitto.start()
                received += sum(len(batch["ev"]) for batch in hub.said("ev"))
                done += 1
        box.kill()
        await box.wait()
        last = committed(folder)
        assert last > 50
        async with hub_at(mosquitto) as hub:
            hub.events, hub.has = kept, has
            again = await fleet_box(folder, mosquitto.port)
            async with agent_of(again):
                await until(lambda: has["ev"] >= last, 60)
            await again.store.close()
    assert [number for number in range(1, last + 1) if number not in kept] == []
    assert received
