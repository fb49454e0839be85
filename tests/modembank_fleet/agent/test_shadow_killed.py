"""SIGKILL after each step of a new configuration: it ends applied or rolled back, whole, and the hub hears which."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from fakes.brokers import Mosquitto
from fakes.fleets import ADDRESS, SIGNER, agent_of, fleet_box, hub_at, until
from modembank.fleet import shadow as rows
from modembank_fleet.agent import Trial
from modembank_fleet.wire import desired

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
TESTS = Path(__file__).resolve().parents[2]
QUICK = Trial(health_s=15.0, steady_s=0.05, look_s=0.02)
GOOD = {"sims": {"*": {"label": "good", "limits": {"per_day": 60}}}}
NEW = {"profile": "lean", "sims": {"*": {"label": "new", "paused": True, "limits": {"per_hour": 9}}}}
OF_GOOD, OF_NEW = ("good", False, {"per_day": 60}), ("new", True, {"per_hour": 9})


def signed(document, ver, ep):
    payload = desired(document, ver=ver, ep=ep, by="anna", at=time.time())
    topic = ADDRESS.down("cfg", "desired")
    return topic, payload, {"kid": SIGNER.kid, "sig": SIGNER.sign(topic, payload)}


async def publish(hub, document, ver, ep):
    topic, payload, user = signed(document, ver, ep)
    await hub.session.publish(topic, payload, retain=True, user=user)


def end_of(hub, ver):
    ended = ("applied", "rejected", "rolled_back")
    return next((r for r in reversed(hub.said("cfg/reported")) if r["ver"] == ver and r["st"] in ended), None)


@pytest.mark.parametrize(
    ("writes", "ends"),
    [
        (1, "applied"),  # it was only kept: it begins anew
        (2, "rolled_back"),  # it had begun
        (3, "rolled_back"),  # one SIM has it, the other not
        (4, "rolled_back"),  # both have it
        (5, "rolled_back"),  # it was on trial
        (6, "applied"),  # it had proved itself
    ],
)
async def test_a_kill_after_each_step_leaves_nothing_half(tmp_path, writes, ends):
    (folder := tmp_path / "box").mkdir()
    (at := tmp_path / "broker").mkdir()
    path = os.pathsep.join([str(TESTS), *sys.path])
    program = [sys.executable, str(Path(__file__).with_name("box_killed_by_itself.py"))]
    with Mosquitto(at) as mosquitto:

        async def start(count):
            return await asyncio.create_subprocess_exec(
                *program, str(folder), str(mosquitto.port), str(count), env=os.environ | {"PYTHONPATH": path}
            )

        async with hub_at(mosquitto) as hub:
            child = await start(6)  # the good one takes as many, and is in force then
            birth = (await until(lambda: hub.said("birth"), 60))[0]
            await publish(hub, GOOD, 1, birth["ep"])
            assert await asyncio.wait_for(child.wait(), 60) == -9
            child = await start(writes)
            await until(lambda: end_of(hub, 1), 60)
            await publish(hub, NEW, 2, birth["ep"])
            assert await asyncio.wait_for(child.wait(), 60) == -9
        async with hub_at(mosquitto) as hub:
            box = await fleet_box(folder, mosquitto.port)
            async with agent_of(box, trial=QUICK):
                report = await until(lambda: end_of(hub, 2), 60)
                assert report["st"] == ends
                assert [one["code"] for one in report.get("errs", [])] == ["interrupted"] * (ends == "rolled_back")
                sims = {(sim.label, sim.paused, json.dumps(dict(sim.overrides))) for sim in box.sims.all()}
                label, paused, limits = OF_NEW if ends == "applied" else OF_GOOD
                assert sims == {(label, paused, json.dumps(limits))}
                assert box.fleet.profile == ("lean" if ends == "applied" else "standard")
                kept = await box.store.read(rows.load)
                assert (kept.state, kept.good_ver) == (ends, 2 if ends == "applied" else 1)
                assert {one.key for one in await box.store.read(rows.owned)} == (
                    {"label", "paused", "limits.per_hour"} if ends == "applied" else {"label", "limits.per_day"}
                )
            await box.store.close()


async def test_what_is_in_force_holds_before_anything_is_sent(tmp_path):
    """Quiet hours are in no row that the dispatcher reads: they are laid over before it begins."""
    (at := tmp_path / "broker").mkdir()
    quiet = {"quiet_hours": {"from": "21:00", "to": "08:00"}}
    with Mosquitto(at) as mosquitto:
        box = await fleet_box(tmp_path, mosquitto.port)
        async with hub_at(mosquitto) as hub, agent_of(box, trial=QUICK) as agent:
            await until(lambda: hub.said("birth"))
            await publish(hub, quiet, 1, agent._life.epoch)
            await until(lambda: end_of(hub, 1))
        await box.store.close()
        again = await fleet_box(tmp_path, mosquitto.port)
    from modembank_fleet.agent import Agent

    agent = Agent(again)
    assert again.quiet_hours.rule.from_ == ""
    await agent.prepare()  # without a broker
    assert again.quiet_hours.rule.from_ == "21:00"
    await agent.stop()
    await again.store.close()
