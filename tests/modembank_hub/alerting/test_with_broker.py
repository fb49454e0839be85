"""Alerts of a whole hub on Debian's Mosquitto: boxes vanish, the broker is killed, and what a pager hears of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from fakes.brokers import Mosquitto
from fakes.endpoints import endpoint, ok
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN
from modembank.config import WebConfig
from modembank_hub.alerting import telling, watching
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.rows import Wanted
from modembank_hub.alerting.rules import Rule
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig
from modembankd import hub as daemon_module
from modembankd.hub import HubDaemon

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
HOLD_S = 2
"""Longer than boxes take to be back after the broker."""


@pytest.fixture
async def broker(tmp_path):
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look and tell within seconds."""
    monkeypatch.setattr(daemon_module, "LOOK_S", 0.2)
    monkeypatch.setattr(watching, "MARGIN_S", 2.0)
    monkeypatch.setattr(telling, "GATHER_MS", 600)
    monkeypatch.setattr(telling, "BETWEEN_MS", 600)
    monkeypatch.setattr(telling, "_LOOK_S", 0.1)


def config(folder, broker):
    return HubConfig(
        hub=IdentityConfig(data_dir=str(folder / "hub"), window_s=1.0),
        mqtt=MqttConfig(port=broker.port),
        web=WebConfig(listen="127.0.0.1:0"),
    )


async def prepare(app, url):
    for kind in ("box.offline", "hub.broker"):
        rule = Rule(kind, "*", True, KINDS[kind].severity, HOLD_S, 1, 0)
        await app.alerts.set_rule(LOCAL_ADMIN, rule)
    wanted = NewChannel("pager", url=url, allow_private=True, least=Severity.CRITICAL)
    return await app.channels.create(LOCAL_ADMIN, wanted)


def told_by(server):
    """Return every letter that was posted, once for each id."""
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    return list({body["id"]: body["data"] for body in bodies}.values())


def titles(letters, which):
    return [one["title"] for letter in letters for one in letter[which]]


async def sees(app):
    await until(lambda: app.watch.sees, 30)


async def test_a_site_that_vanishes_is_one_letter_and_its_return_another(tmp_path, broker):
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(8)]
    async with endpoint(ok()) as server:
        daemon = HubDaemon(config(tmp_path, broker))
        await daemon.start()
        try:
            await prepare(daemon.app, server.url())
            async with running(*boxes):
                await sees(daemon.app)
                assert told_by(server) == []
            await until(lambda: len(titles(told_by(server), "opened")) == 8, 30)
            async with running(*boxes):
                await until(lambda: len(titles(told_by(server), "ended")) == 8, 30)
            letters = told_by(server)
            assert sorted(titles(letters, "opened")) == [f"leeds/b{n} is offline" for n in range(8)]
            assert sorted(titles(letters, "ended")) == [f"leeds/b{n} is offline" for n in range(8)]
            assert len(letters) <= 4
        finally:
            await daemon.stop()


async def test_a_broker_that_is_killed_is_the_hub_s_alert_and_no_box_s(tmp_path, broker):
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(5)]
    async with endpoint(ok()) as server:
        daemon = HubDaemon(config(tmp_path, broker))
        await daemon.start()
        app = daemon.app
        try:
            await prepare(app, server.url())
            async with running(*boxes):
                await sees(app)
                broker.kill()
                await until(lambda: "The hub has no broker" in titles(told_by(server), "opened"), 30)
                assert app.watch.sees is False
                broker.start()
                await until(lambda: "The hub has no broker" in titles(told_by(server), "ended"), 60)
                await sees(app)
                await asyncio.sleep(HOLD_S + 1)
            known = (await app.alerts.listed(LOCAL_ADMIN, Wanted(kind="hub.broker"))).items
            assert [one.row.state for one in known] == ["ended"]
            letters = told_by(server)
            assert {title for title in titles(letters, "opened") if "leeds" in title} == set()
        finally:
            await daemon.stop()


async def test_a_hub_that_is_stopped_and_started_tells_what_is_still_so_once(tmp_path, broker):
    box = LiveBox(broker.port, SaidBox())
    async with endpoint(ok()) as server:
        for start in range(3):
            daemon = HubDaemon(config(tmp_path, broker))
            await daemon.start()
            try:
                if start == 0:
                    await prepare(daemon.app, server.url())
                    async with running(box):
                        await sees(daemon.app)
                    await until(lambda: len(titles(told_by(server), "opened")) == 1, 30)
                else:
                    await sees(daemon.app)
                    await asyncio.sleep(HOLD_S + 1)
            finally:
                await daemon.stop()
        assert titles(told_by(server), "opened") == ["leeds/b1 is offline"]
        assert titles(told_by(server), "ended") == []
        assert len(server.requests) == 1
