"""Several processes of a hub over one PostgreSQL: they, the server and the broker are killed, and nothing is lost."""

import asyncio
import json
import os
import random
import signal
import time

import pytest

from fakes.brokers import Mosquitto
from fakes.clusters import Cluster
from fakes.hub_processes import HubProcess
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox
from modembank_hub.postgres.schema import LEADER, LOCKS

pytestmark = pytest.mark.postgres
KILLS = int(os.environ.get("HUB_KILLS", "6"))
EACH = 300
"""Events of a box between two kills, at most; they come in dribs and drabs."""
HELD = (
    f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCKS} AND objid = {LEADER} AND granted"
)


@pytest.fixture
def cluster():
    """One that survives its kills as in service: what it has committed is on the disk."""
    made = Cluster().start()
    yield made
    made.end()


def asked(cluster, target, sql):
    with cluster.connected(target.url.rsplit("/", 1)[1]) as conn:
        return conn.execute(sql).fetchall()


@pytest.mark.timeout(1800)
async def test_every_event_is_stored_exactly_once_whoever_is_killed(tmp_path, cluster):
    dice = random.Random(int(os.environ.get("HUB_SEED", "1")))
    broker = Mosquitto(tmp_path).start()
    target = cluster.new_database(ready=True)
    hubs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        hubs.append(HubProcess(tmp_path / name, broker.port, target.url))
        hubs[-1].start()
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(4)]
    began, victims = time.monotonic(), ["one", "server", "two", "server", "one", "broker", "two", "both"]
    try:
        async with running(*boxes):
            await until(lambda: all(box.commands or box.greeted for box in boxes), 180)
            for turn in range(KILLS):
                for _ in range(dice.randint(2, 8)):
                    for box in boxes:
                        box.produce(dice.randint(0, EACH // 12))
                    await asyncio.sleep(dice.uniform(0.05, 0.4))
                victim = victims[turn % len(victims)]
                await kill_and_start(victim, hubs, cluster, broker, dice.uniform(0.0, 0.8))
            try:
                await until(lambda: served(hubs) and all(box.acked == box.produced for box in boxes), 180)
            except TimeoutError:
                left = [(box.voice.box, box.acked, box.produced, box.voice.conn) for box in boxes]
                raise AssertionError(f"{left}; {hubs[0].log[-2000:]}; {hubs[1].log[-2000:]}") from None
        assert asked(cluster, target, HELD) == [(1,)]  # one of them leads
        found = asked(
            cluster, target,
            """SELECT b.box, count(e.seq), min(e.seq), max(e.seq), s.acked
               FROM streams s JOIN boxes b ON b.id = s.box_id JOIN events e ON e.stream_id = s.id
               WHERE s.name = 'ev' GROUP BY s.id, b.box ORDER BY b.box""",
        )  # fmt: skip
        assert found == [(box.voice.box, box.produced, 1, box.produced, box.produced) for box in boxes]
        for table in ("quarantine", "gaps", "spans"):
            assert asked(cluster, target, f"SELECT count(*) FROM {table}") == [(0,)]
    finally:
        for hub in hubs:
            hub.kill(signal.SIGTERM)
        broker.kill()
    for line in (*hubs[0].log.splitlines(), *hubs[1].log.splitlines()):
        if not line.startswith("{"):
            assert "the database server" in line  # for people, where it ended as it began
            continue
        said = json.loads(line)  # whose work was cut off by the server's end says so, and nothing else goes wrong
        assert "exception" not in said or said["error"].startswith(("StoreError(", "ServerAway(")), line
    total = sum(box.produced for box in boxes)
    print(f"{KILLS} kills in {time.monotonic() - began:.0f} s: {total} of {total} events, each once")


def served(hubs):
    """One that began while the server was away has said so and ended; what keeps services running starts it again."""
    for hub in hubs:
        if hub.ended:
            assert "the database server" in hub.log.splitlines()[-1], hub.log[-2000:]
            hub.start()
    return True


async def kill_and_start(victim, hubs, cluster, broker, after_s):
    hit = {"one": hubs[:1], "two": hubs[1:], "both": hubs}.get(victim, [])
    for hub in hit:
        hub.kill()
    if victim == "server":
        await asyncio.to_thread(cluster.kill)
    if victim == "broker":
        broker.kill()
    await asyncio.sleep(after_s)
    if victim == "server":
        await asyncio.to_thread(cluster.start)
    if victim == "broker":
        broker.start()
    for hub in hit:
        hub.start()
