"""SIGKILL at each point of an update: it goes on after the start of the daemon, is asked for once, and ends once."""

import asyncio
import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.bundle_servers import CONTENT, bundle_server, make_certificate
from fakes.fleets import hub_at, until
from fakes.images import Image

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
TESTS = Path(__file__).resolve().parents[2]
HERE = Path(__file__).with_name("box_killed_in_an_update.py")


class Machine:
    """The box's process, and root's side as it carries out what is asked for."""

    def __init__(self, folder, port, certificate):
        self.image = Image(folder / "run", folder).start()
        (folder / "updates.toml").write_text('hosts = ["localhost"]\nwindow = "00:00-23:59"\n')
        path = os.pathsep.join([str(TESTS), *sys.path])
        self._env = os.environ | {"PYTHONPATH": path, "SSL_CERT_FILE": str(certificate / "cert.pem")}
        self._program = [sys.executable, str(HERE), str(folder), str(port)]
        self.orders = []
        self.deaths = 0
        self.child = None

    async def start(self, point=""):
        self.child = await asyncio.create_subprocess_exec(*self._program, point, env=self._env)

    async def live(self, command):
        """Start the box again whenever it dies, and do what it asks of root, until it is stopped."""
        while True:
            if self.child.returncode is not None:
                self.deaths += 1
                await self.start()
            if self.image.asked() is not None:
                await self._do(self.image.takes(), command)
            await asyncio.sleep(0.02)

    async def _do(self, order, command):
        self.orders.append((order["verb"], order["id"]))
        told = {"id": command[0], "from_version": "1.2.0", "version": "1.3.0", "at": round(time.time())}
        if order["verb"] == "update":
            (self.image.asked_in / "bundle.raucb").unlink()
            for state in ("checking", "installing", "installed"):
                self.image.says("update", told | {"state": state})
                await asyncio.sleep(0.2)
        elif order["verb"] == "restart":
            self.image.says("update", told | {"state": "trial"})
            self.image.says("release", {"version": "1.3.0", "slot": "b", "architecture": "amd64", "build": "x"})
            await asyncio.sleep(0.5)
            self.image.says("update", told | {"state": "good"})


@pytest.mark.parametrize(
    ("point", "end", "orders"),
    [
        ("downloading", "done", ["update", "restart"]),
        ("verifying", "done", ["update", "restart"]),  # noted, and not asked for yet
        ("kept", "interrupted", []),  # the bundle has its name, and nobody was asked
        ("installing", "done", ["update", "restart"]),
        ("rebooting", "done", ["update", "restart"]),  # noted, and not asked for yet
        ("trial", "done", ["update", "restart"]),
        ("not ended", "done", ["update", "restart"]),
        ("ended", "done", ["update", "restart"]),
    ],
)
async def test_a_kill_at_each_point_of_an_update(tmp_path, point, end, orders):
    (folder := tmp_path / "box").mkdir()
    (at := tmp_path / "broker").mkdir()
    certificate = make_certificate(tmp_path)
    with Mosquitto(at) as mosquitto, bundle_server(certificate) as server:
        machine = Machine(folder, mosquitto.port, certificate)
        async with hub_at(mosquitto) as hub:
            await machine.start(point)
            command = [""]
            living = asyncio.create_task(machine.live(command))
            try:
                birth = (await until(lambda: hub.said("birth"), 60))[0]
                args = {
                    "job": "job-00001", "version": "1.3.0", "sha256": hashlib.sha256(CONTENT).hexdigest(),
                    "url": f"https://localhost:{server.server_port}/x.raucb",
                }  # fmt: skip
                command[0] = "cmd-000001"
                assert await hub.command("sw.update", args, ep=birth["ep"]) == command[0]
                ended = await hub.ended(command[0])
                await until(lambda: machine.deaths == 1, 60)
                assert (ended["st"], ended.get("code", "")) == (("done", "") if end == "done" else ("failed", end))
                assert [verb for verb, _ in machine.orders] == orders
                assert {order for verb, order in machine.orders if verb == "update"} <= {command[0]}
                assert [state for state in hub.states(command[0]) if state in {"done", "failed"}] == [ended["st"]]
                await hub.ended(await hub.command("ping", ep=birth["ep"]))
            finally:
                living.cancel()
                if machine.child.returncode is None:
                    machine.child.kill()
                await machine.child.wait()
    assert not (folder / "box" / "bundle.raucb").exists()
    assert not (folder / "box" / "fetched.part").exists()
