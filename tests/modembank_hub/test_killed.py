"""The hub and its broker are killed at random while boxes go on: every event is stored exactly once."""

import asyncio
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.hub_processes import HubProcess
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox

KILLS = int(os.environ.get("HUB_KILLS", "6"))
EACH = 300
"""Events of a box between two kills, at most; they come in dribs and drabs."""


def stored(database: Path) -> list[tuple[str, int, int, int, int]]:
    with closing(sqlite3.connect(database)) as conn:
        return conn.execute(
            """SELECT b.box, count(e.seq), min(e.seq), max(e.seq), s.acked
               FROM streams s JOIN boxes b ON b.id = s.box_id JOIN events e ON e.stream_id = s.id
               WHERE s.name = 'ev' GROUP BY s.id ORDER BY b.box"""
        ).fetchall()


@pytest.mark.timeout(1800)
async def test_every_event_is_stored_exactly_once_whatever_is_killed(tmp_path):
    dice = random.Random(int(os.environ.get("HUB_SEED", "1")))
    broker = Mosquitto(tmp_path)
    broker.start()
    hub = HubProcess(tmp_path, broker.port)
    hub.start()
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(3)]
    began, kills = time.monotonic(), {"hub": 0, "broker": 0}
    try:
        async with running(*boxes):
            for _ in range(KILLS):
                for _ in range(dice.randint(2, 12)):
                    for box in boxes:
                        box.produce(dice.randint(0, EACH // 12))
                    await asyncio.sleep(dice.uniform(0.05, 0.4))
                victim = dice.choice(["hub", "broker"])
                kills[victim] += 1
                (hub if victim == "hub" else broker).kill()
                await asyncio.sleep(dice.uniform(0.0, 0.5))
                (hub if victim == "hub" else broker).start()
            try:
                await until(lambda: all(box.acked == box.produced for box in boxes), 120)
            except TimeoutError:
                left = [(box.voice.box, box.acked, box.produced, box.voice.conn) for box in boxes]
                raise AssertionError(f"{left}; {stored(hub.database)}") from None
    finally:
        hub.kill(signal.SIGTERM)
        broker.kill()
    assert stored(hub.database) == [(box.voice.box, box.produced, 1, box.produced, box.produced) for box in boxes]
    with closing(sqlite3.connect(hub.database)) as conn:
        assert conn.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM gaps").fetchone() == (0,)
    assert "Traceback" not in hub.log
    total = sum(box.produced for box in boxes)
    print(f"{kills} kills in {time.monotonic() - began:.0f} s: {total} of {total} events, each once")
