"""The hub is killed (SIGKILL) again and again while it rolls out: each box is given it once, and it comes to an end."""

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.brokers import Mosquitto, free_port
from fakes.fleets import agent_of, fleet_box, until
from fakes.hubs import signing_in
from fakes.web_boxes import ICCID
from modembank_fleet.agent import Trial, streams
from modembankd.cli import main

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]
MODEMBANK = Path(sys.executable).with_name("modembank")
QUICK = Trial(health_s=60.0, steady_s=0.2, look_s=0.02)
BOXES, KILLS = 5, 5


class Hub:
    """`modembank hub run` as a process that is killed and comes back."""

    def __init__(self, folder: Path, port: int) -> None:
        signing = signing_in(folder)
        self.folder, self.conf = folder, folder / "hub.toml"
        self.database = folder / "hub" / "modembank-hub.sqlite3"
        self.conf.write_text(
            f'[hub]\ndata_dir = "{folder / "hub"}"\nwindow_s = 1\n[mqtt]\nport = {port}\n'
            f'[signing]\nkey_file = "{signing.key_file}"\nkid = "{signing.kid}"\n'
            f'[web]\nlisten = "127.0.0.1:{free_port()}"\n'
        )

    def start(self) -> None:
        with (self.folder / "hub.log").open("ab") as log:
            arguments = [str(MODEMBANK), "hub", "run", "--config", str(self.conf)]
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGKILL) -> None:
        self._process.send_signal(number)
        self._process.wait(30)

    async def asked(self, *arguments: str):
        """Ask again until it answers: it may be on its way up."""
        async with asyncio.timeout(60):
            while True:
                call = [*arguments, "--config", str(self.conf)]
                result = await asyncio.to_thread(CliRunner().invoke, main, call)
                if result.exit_code == 0:
                    return result.output
                await asyncio.sleep(0.1)

    def rows(self, sql: str):
        with closing(sqlite3.connect(self.database)) as conn:
            return conn.execute(sql).fetchall()


async def test_a_roll_out_outlives_its_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "GATHER_S", 0.02)
    dice, names = random.Random(3), [f"b{n}" for n in range(BOXES)]
    (at := tmp_path / "broker").mkdir()
    with Mosquitto(at) as broker:
        hub = Hub(tmp_path, broker.port)
        hub.start()
        boxes, agents = [], []
        for name in names:
            (folder := tmp_path / name).mkdir()
            boxes.append(await fleet_box(folder, broker.port, box=name))
            agents.append(agent_of(boxes[-1], trial=QUICK))
            await agents[-1].__aenter__()
        try:
            while len(json.loads(await hub.asked("fleet", "config", "status", "--json"))) < BOXES:
                await asyncio.sleep(0.1)
            document = tmp_path / "document.json"
            document.write_text(json.dumps({"sims": {"*": {"limits": {"per_day": 50}}}}))
            await hub.asked("fleet", "config", "set", "kiel", str(document), "--pattern", "kiel/*")
            await hub.asked(
                *("fleet", "config", "roll-out", "kiel", "--step", "20", "--step", "40", "--step", "60"),
                *("--step", "80", "--step", "100"),
            )
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(0.1, 1.5))
                hub.stop()
                hub.start()
            await until(lambda: hub.rows("SELECT state FROM rollouts") == [("done",)], 120)
        finally:
            for agent in agents:
                await agent.__aexit__(None, None, None)
            hub.stop(signal.SIGTERM)
        assert {box.sims.by_iccid(ICCID).limits.per_day for box in boxes} == {50}
        assert [box.fleet.refused for box in boxes] == [0] * BOXES
        for box in boxes:
            await box.store.close()
    assert hub.rows("SELECT b.box, v.ver, v.ended FROM config_versions v JOIN boxes b ON b.id = v.box_id"
                    " ORDER BY b.box") == [(name, 1, "applied") for name in names]  # fmt: skip
    assert hub.rows("SELECT step, count(*) FROM rollout_boxes GROUP BY step") == [(n, 1) for n in range(5)]
    assert "Traceback" not in (tmp_path / "hub.log").read_text("utf-8")
