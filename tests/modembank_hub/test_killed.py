"""Boxes, the hub and its broker are killed at random: every event is stored exactly once, and none is missing.

Two boxes are the real agent over a real database, each in a process of its own that is killed; three are voices in this
process, which tell more than those do and live on. ``make fleet-chaos`` kills five hundred times.
"""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.fleets import agent_of, fleet_box
from fakes.hub_processes import HubProcess
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox
from modembank_fleet.agent import streams

TESTS = Path(__file__).resolve().parents[1]
KILLS = int(os.environ.get("HUB_KILLS", "9"))
EACH = 300
"""Events of a voice between two kills, at most; they come in dribs and drabs."""
MOST_BEHIND = 3000
"""A voice that the hub has not kept up with by so many tells nothing new: a slow machine ends with the same few."""
REAL, PAUSE_S = 2, 0.1
AT_WORK = 0.15
"""Share of the kills of a box or the hub that wait until it has done something; the others come at any moment."""
QUIET_S = 90.0
"""Without any progress for so long something hangs."""


class Hub(HubProcess):
    """A hub that can say whether it has done something since its start."""

    _had = 0

    def start(self) -> None:
        self._had = acknowledged(self.database)
        super().start()

    def at_work(self) -> bool:
        """Whether it has taken something in since its start."""
        return acknowledged(self.database) > self._had


class RealBox:
    """A box whose process is killed and comes back; what it told of is in its database."""

    def __init__(self, folder: Path, broker_port: int, name: str) -> None:
        self.folder, self.port, self.name = folder / name, broker_port, name
        self.folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._had = 0

    def start(self) -> None:
        self._had = self.told
        path = os.pathsep.join([str(TESTS), *sys.path])
        program = TESTS / "modembank_fleet" / "agent" / "killed_box.py"
        arguments = [sys.executable, program, self.folder, str(self.port), self.name, str(PAUSE_S)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": path}, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.poll() in (None, -signal.SIGKILL), (self.folder / "log").read_text("utf-8")[-3000:]
        self._process.kill()
        self._process.wait(30)

    def at_work(self) -> bool:
        """Whether anything has happened since its start."""
        return self.told > self._had

    @property
    def told(self) -> int:
        """The number of its last event."""
        if not (self.folder / "box.db").exists():
            return 0
        with closing(sqlite3.connect(self.folder / "box.db")) as conn:
            try:
                return conn.execute("SELECT COALESCE(max(id), 0) FROM event_log").fetchone()[0]
            except sqlite3.OperationalError:  # its tables are being made
                return 0

    async def catch_up(self, whole) -> None:
        """Tell the rest, without anything new, until the hub has all."""
        box = await fleet_box(self.folder, self.port, box=self.name)
        try:
            async with agent_of(box):
                await until_whole(lambda: whole(self.name), lambda: self.told)
        finally:
            await box.store.close()


async def until_whole(has, wanted) -> None:
    """Wait until somebody has all, for as long as there is progress."""
    best, since = -1, time.monotonic()
    while (now := has()) != wanted():
        if now > best:
            best, since = now, time.monotonic()
        assert time.monotonic() - since < QUIET_S, f"{now} of {wanted()}"
        await asyncio.sleep(0.2)


def _goes_on(boxes, victim) -> bool:
    """Let voices tell a little more, and return whether a victim is at work."""
    for box in boxes:
        box.produce(box.produced - box.acked < MOST_BEHIND)
    return victim.at_work()


def acknowledged(database: Path) -> int:
    """How many events the hub has, of all boxes."""
    return sum(row[4] for row in stored(database))


def stored(database: Path) -> list[tuple[str, int, int, int, int]]:
    if not database.exists():
        return []
    try:
        return _stored(database)
    except sqlite3.OperationalError:  # its tables are being made
        return []


def _stored(database: Path) -> list[tuple[str, int, int, int, int]]:
    with closing(sqlite3.connect(database)) as conn:
        return conn.execute(
            """SELECT b.box, count(e.seq), min(e.seq), max(e.seq), s.acked
               FROM streams s JOIN boxes b ON b.id = s.box_id JOIN events e ON e.stream_id = s.id
               WHERE s.name = 'ev' GROUP BY s.id ORDER BY b.site, b.box"""
        ).fetchall()


@pytest.mark.timeout(7200)
async def test_every_event_is_stored_exactly_once_whatever_is_killed(tmp_path, monkeypatch):
    dice = random.Random(int(os.environ.get("HUB_SEED", "1")))
    broker = Mosquitto(tmp_path)
    broker.start()
    hub = Hub(tmp_path, broker.port)
    hub.start()
    real = [RealBox(tmp_path, broker.port, f"r{n}") for n in range(REAL)]
    for one in real:
        one.start()
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(3)]
    began, kills = time.monotonic(), {"box": 0, "hub": 0, "broker": 0}
    try:
        async with running(*boxes):
            for number in range(KILLS):
                for _ in range(dice.randint(2, 12)):
                    for box in boxes:
                        more = dice.randint(0, EACH // 12)
                        box.produce(more if box.produced - box.acked < MOST_BEHIND else 0)
                    await asyncio.sleep(dice.uniform(0.05, 0.4))
                name, victim = dice.choice([("box", dice.choice(real)), ("hub", hub), ("broker", broker)])
                if name != "broker" and dice.random() < AT_WORK:
                    await until(partial(_goes_on, boxes, victim), 120)
                kills[name] += 1
                victim.kill()
                await asyncio.sleep(dice.uniform(0.0, 0.5))
                victim.start()
                if number % 50 == 49:
                    print(
                        f"{kills} kills in {time.monotonic() - began:.0f} s, {acknowledged(hub.database)} events",
                        flush=True,
                    )
            await until_whole(lambda: sum(box.acked for box in boxes), lambda: sum(box.produced for box in boxes))
        for one in real:
            one.kill()
        monkeypatch.setattr(streams, "SILENCE_S", 0.5)
        for one in real:
            await one.catch_up(lambda name: next((row[4] for row in stored(hub.database) if row[0] == name), 0))
    finally:
        for one in real:
            one.kill()
        hub.kill(signal.SIGTERM)
        broker.kill()
    told = [(one.name, one.told) for one in real] + [(box.voice.box, box.produced) for box in boxes]
    assert all(last for _, last in told), told
    assert stored(hub.database) == [(name, last, 1, last, last) for name, last in told]
    with closing(sqlite3.connect(hub.database)) as conn:
        assert conn.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM gaps").fetchone() == (0,)
    for log in (tmp_path / "hub.log", *(one.folder / "log" for one in real)):
        assert "Traceback" not in log.read_text("utf-8")
    total = sum(last for _, last in told)
    print(f"{kills} kills in {time.monotonic() - began:.0f} s: {total} of {total} events, each once")
