"""Configurations from a real hub to real boxes over Debian's Mosquitto, to the end."""

import contextlib
import json
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.fleets import SIGNER, agent_of, fleet_box, until
from fakes.hubs import signing_in
from fakes.web_boxes import ICCID
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock
from modembank.config import WebConfig
from modembank.errors import Conflict
from modembank.sim import SimChange
from modembank_fleet.agent import Trial, streams
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig
from modembankd import hub as hub_module
from modembankd.housekeeping import Chore
from modembankd.hub import HubDaemon

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
QUICK = Trial(health_s=20.0, steady_s=0.05, look_s=0.02)
LIMITED = {"sims": {"*": {"limits": {"per_day": 50}}}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(streams, "GATHER_S", 0.02)
    monkeypatch.setattr(streams, "PACE_S", 0.0)
    chores = hub_module._chores
    monkeypatch.setattr(
        hub_module,
        "_chores",
        lambda app: (*chores(app), Chore("often", 0.1, app.rollouts.advance, first_s=0.1)),
    )


@pytest.fixture
def broker(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as made:
        yield made


@contextlib.asynccontextmanager
async def hub_on(folder: Path, port: int, data: str = "hub"):
    config = HubConfig(
        hub=IdentityConfig(data_dir=str(folder / data), workers=2, window_s=1.0),
        mqtt=MqttConfig(port=port),
        signing=signing_in(folder, SIGNER),
        web=WebConfig(listen="127.0.0.1:0"),
    )
    daemon = HubDaemon(config, SystemClock())
    await daemon.start()
    try:
        await until(lambda: daemon.app.lines.up == daemon.app.lines.wanted, 60)
        yield daemon.app
    finally:
        await daemon.stop()


@contextlib.asynccontextmanager
async def boxes_on(folder: Path, port: int, *names: str, trial: Trial = QUICK, **changes):
    """Run boxes with agents: yield by name both."""
    async with contextlib.AsyncExitStack() as stack:
        made = {}
        for name in names:
            (at := folder / name).mkdir(exist_ok=True)
            box = await fleet_box(at, port, box=name, **changes)
            stack.push_async_callback(box.store.close)
            made[name] = (box, await stack.enter_async_context(agent_of(box, trial=trial)))
        yield made


async def stands(app, box="b1"):
    return (await app.configs.get(LOCAL_ADMIN, "kiel", box)).stands


async def wait_for(app, states, box="b1", ver=None):
    """Wait until a box stands so."""
    found = None

    async def looks():
        nonlocal found
        found = await stands(app, box)
        return found.state in states and (ver is None or found.ver == ver)

    await eventually(looks)
    return found


async def eventually(true, within_s=60.0):
    import asyncio

    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(0.05)


async def known(app, *names):
    async def looks():
        rows = (await app.configs.listed(LOCAL_ADMIN)).items
        return {row.box for row in rows if row.told_at is not None} >= set(names)

    await eventually(looks)


async def test_applied_rejected_rolled_back_and_proposed(tmp_path, broker):
    async with hub_on(tmp_path, broker.port) as app, boxes_on(tmp_path, broker.port, "b1") as made:
        box, agent = made["b1"]
        await known(app, "b1")
        await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", LIMITED)
        now = await wait_for(app, {"applied"})
        assert (now.ver, now.told_eff, box.sims.by_iccid(ICCID).limits.per_day) == (1, 1, 50)

        await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", {"sims": {"*": {"limits": {"per_day": 5000}}}})
        now = await wait_for(app, {"rejected"})
        (error,) = json.loads(now.errors)
        assert (error["path"], error["code"]) == ("sims.*.limits.per_day", "beyond_local_cap")
        assert (now.ver, now.told_eff, box.sims.by_iccid(ICCID).limits.per_day) == (2, 1, 50)

        agent._shadow.trial = Trial(health_s=0.5, steady_s=30.0, look_s=0.02)
        await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", {"sims": {"*": {"limits": {"per_day": 40}}}})
        now = await wait_for(app, {"rolled_back"})
        assert (now.ver, now.told_eff, box.sims.by_iccid(ICCID).limits.per_day) == (3, 1, 50)
        agent._shadow.trial = QUICK

        with pytest.raises(Conflict):
            await box.sims.change(box.sims.by_iccid(ICCID).id, SimChange(limits={"per_day": 30}))
        name = agent._names.of(ICCID)

        async def proposed():
            rows = (await app.fleet.events(LOCAL_ADMIN, "kiel", "b1")).items
            return json.loads((await stands(app)).local) == [f"sims.{name}.limits.per_day"] and any(
                row.type == "cfg.proposed" and json.loads(row.body)["value"] == 30 for row in rows
            )

        await eventually(proposed)
        assert (await app.configs.get(LOCAL_ADMIN, "kiel", "b1")).wishes == {f"sims.{name}.limits.per_day": 30}
        await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", {"sims": {name: {"limits": {"per_day": 30}}}})
        now = await wait_for(app, {"applied"}, ver=4)
        assert (json.loads(now.local), box.sims.by_iccid(ICCID).limits.per_day) == ([], 30)
        kept = await app.audit.list(LOCAL_ADMIN)
        assert [entry.action for entry in kept.items] == ["config.set"] * 4


async def test_a_box_that_is_away_has_it_when_it_is_back_whatever_the_broker_forgot(tmp_path, broker):
    async with hub_on(tmp_path, broker.port) as app:
        async with boxes_on(tmp_path, broker.port, "b1"):
            await known(app, "b1")
        await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", LIMITED)

        async def sent():
            return (await stands(app)).sent_at is not None

        await eventually(sent)
        broker.kill()
        broker.start()
        await until(lambda: app.lines.up == app.lines.wanted, 60)
        assert (await stands(app)).state == "waiting"
        async with boxes_on(tmp_path, broker.port, "b1") as made:
            await wait_for(app, {"applied"})
            assert made["b1"][0].sims.by_iccid(ICCID).limits.per_day == 50


async def test_a_hub_from_a_backup_goes_on_above_what_boxes_have(tmp_path, broker):
    async with boxes_on(tmp_path, broker.port, "b1") as made:
        async with hub_on(tmp_path, broker.port) as app:
            await known(app, "b1")
            for per_day in (50, 51, 52):
                await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", {"sims": {"*": {"limits": {"per_day": per_day}}}})
                now = await wait_for(app, {"applied"})
            assert now.ver == 3
        async with hub_on(tmp_path, broker.port, "new") as app:  # it knows nothing of what was
            await known(app, "b1")
            await app.configs.set_own(LOCAL_ADMIN, "kiel", "b1", LIMITED)
            now = await wait_for(app, {"applied"})
            assert (now.ver, made["b1"][0].sims.by_iccid(ICCID).limits.per_day) == (4, 50)
            assert made["b1"][0].fleet.refused == 0


async def test_a_roll_out_goes_in_steps_over_a_restart_of_the_hub(tmp_path, broker):
    names = [f"b{n}" for n in range(4)]
    async with boxes_on(tmp_path, broker.port, *names) as made:
        async with hub_on(tmp_path, broker.port) as app:
            await known(app, *names)
            await app.configs.set_group(LOCAL_ADMIN, "kiel", "kiel/*", LIMITED)
            begun = await app.rollouts.begin(LOCAL_ADMIN, "kiel", steps=[25, 100])
            assert begun.counts.given == 1
            await app.rollouts.pause(LOCAL_ADMIN, begun.row.id)
            first = next(box.box for box in begun.boxes if box.ver is not None)
            await wait_for(app, {"applied"}, first)
        async with hub_on(tmp_path, broker.port) as app:
            found = await app.rollouts.get(LOCAL_ADMIN, begun.row.id)
            assert (found.row.state, found.counts) == ("paused", (4, 1, 1, 0, 0))
            await app.rollouts.go_on(LOCAL_ADMIN, begun.row.id)

            async def done():
                return (await app.rollouts.get(LOCAL_ADMIN, begun.row.id)).row.state == "done"

            await eventually(done)
        assert {box.sims.by_iccid(ICCID).limits.per_day for box, _ in made.values()} == {50}


async def test_a_roll_out_stops_at_its_limit(tmp_path, broker):
    """Two of four sites keep limits to themselves: it stops before all of them are asked."""
    async with (
        boxes_on(tmp_path, broker.port, "b0", "b1") as good,
        boxes_on(tmp_path, broker.port, "b2", "b3", hub_settings=("profile",)) as closed,
        hub_on(tmp_path, broker.port) as app,
    ):
        await known(app, "b0", "b1", "b2", "b3")
        await app.configs.set_group(LOCAL_ADMIN, "kiel", "kiel/*", LIMITED)
        begun = await app.rollouts.begin(LOCAL_ADMIN, "kiel", steps=[75, 100], limit_percent=30)

        async def ended():
            return (await app.rollouts.get(LOCAL_ADMIN, begun.row.id)).row.state != "running"

        await eventually(ended)
        found = await app.rollouts.get(LOCAL_ADMIN, begun.row.id)
        assert (found.row.state, found.counts.given) == ("stopped", 3)
        assert found.row.why.endswith("of 3 boxes rejected it or rolled it back")
        failed = {box.box for box in found.boxes if box.outcome == "rejected"}
        assert failed <= set(closed)
        assert {error["code"] for box in found.boxes for error in json.loads(box.errors)} == {"site_owned"}
        assert all(box.sims.by_iccid(ICCID).limits.per_day == 1000 for box, _ in closed.values())
        assert good
