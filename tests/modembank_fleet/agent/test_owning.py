"""Whatever hub and site want, in whatever order: what the document names is the hub's, the rest as the site had it."""

import random

import pytest

from fakes.fleets import fleet_box
from fakes.web_boxes import ICCID
from modembank.errors import Conflict
from modembank.fleet import shadow as rows
from modembank.sim import SimChange, SimIdentity
from modembank_fleet.agent import Agent, Trial
from modembank_fleet.agent.owning import named
from modembank_fleet.agent.shadow import SETTLED, ConfigShadow
from modembank_fleet.wire import CfgDesired, canonical, decode, desired

OTHER = "8944110068256270062"
KEYS = ("label", "paused", "limits.per_day", "limits.per_hour")


class Model:
    """What a SIM's settings are to be: of the site, what it has wanted since, and the hub's."""

    def __init__(self):
        self.site = {"label": "", "paused": False, "limits.per_day": None, "limits.per_hour": None}
        self.wanted = {}
        self.hub = {}

    def shown(self):
        return {
            key: True if key == "paused" and self.wanted.get(key) else self.hub.get(key, self.site[key]) for key in KEYS
        }

    def document(self, hub):
        """A new version is in force."""
        for key in self.hub.keys() - hub.keys():
            self.site[key] = self.wanted.get(key, self.site[key])
        self.wanted, self.hub = {}, hub

    def edit(self, change):
        """Somebody at the site wants this; return whether it is refused."""
        keys = named(change)
        ours = {key: value for key, value in keys.items() if key in self.hub}
        other = {key: value for key, value in ours.items() if value != self.hub[key]}
        for key in ours.keys() - other.keys():
            self.wanted.pop(key, None)
        self.wanted.update(other)
        if any(not (key == "paused" and value) for key, value in other.items()):
            return True
        self.site.update({key: value for key, value in keys.items() if key not in self.hub})
        return False


def shown(sim):
    return {
        "label": sim.label, "paused": sim.paused, "limits.per_day": sim.overrides.get("per_day"),
        "limits.per_hour": sim.overrides.get("per_hour"),
    }  # fmt: skip


def drawn(dice):
    """A document for all SIMs, and its keys."""
    values = {
        "label": dice.choice(["a", "b", "c"]), "paused": dice.random() < 0.5, "limits.per_day": dice.randint(1, 9),
        "limits.per_hour": dice.randint(1, 9),
    }  # fmt: skip
    hub = {key: values[key] for key in KEYS if dice.random() < 0.5}
    entry = {key: value for key, value in hub.items() if not key.startswith("limits.")}
    if limits := {key.removeprefix("limits."): value for key, value in hub.items() if key.startswith("limits.")}:
        entry["limits"] = limits
    return {"sims": {"*": entry}} if entry else {}, hub


def wish(dice):
    kind = dice.randrange(4)
    if kind == 0:
        return SimChange(label=dice.choice(["a", "b", "x", ""]))
    if kind == 1:
        return SimChange(limits={dice.choice(["per_day", "per_hour"]): dice.choice([None, 1, 5, 30])})
    return SimChange(pause="smoke") if kind == 2 else SimChange(resume=True)


@pytest.fixture
async def box(tmp_path):
    made = await fleet_box(tmp_path, 1)
    await made.sims.identify(SimIdentity(iccid=OTHER), "slot-04")
    yield made
    await made.store.close()


async def settle(shadow):
    while shadow._now.state not in SETTLED:
        await shadow._step()
    await shadow._step()


@pytest.mark.parametrize("seed", range(25))
async def test_every_order_of_wishes_ends_as_it_should(box, monkeypatch, seed):
    monkeypatch.setattr(ConfigShadow, "_unwell", lambda _: None)
    dice, model = random.Random(seed), Model()
    agent = Agent(box, trial=Trial(10.0, 0.0, 0.0))
    await agent.prepare()
    shadow, sim = agent._shadow, box.sims.by_iccid(ICCID)
    ver = 0
    for _ in range(14):
        if dice.random() < 0.4:
            document, hub = drawn(dice)
            ver += 1
            message = decode(CfgDesired, desired(document, ver=ver, ep="k3f9", by="anna", at=1.8e9))
            await shadow._keep(message, document, "topic")
            await settle(shadow)
            assert shadow.reported().st == "applied"
            model.document(hub)
        elif dice.random() < 0.2:  # a restart
            box.sims.guard(None)
            agent = Agent(box, trial=Trial(10.0, 0.0, 0.0))
            await agent.prepare()
            shadow = agent._shadow
            assert shadow.in_force == ver
        else:
            change = wish(dice)
            refused = model.edit(change)
            if refused:
                with pytest.raises(Conflict):
                    await box.sims.change(sim.id, change)
            else:
                await box.sims.change(sim.id, change)
            await settle(shadow)
        assert shown(box.sims.by_iccid(ICCID)) == model.shown()
        name = agent._names.of(ICCID)
        assert shadow.reported().local == sorted(f"sims.{name}.{key}" for key in model.wanted)
        assert {one.key for one in await box.store.read(rows.owned) if one.sim == sim.id} == set(model.hub)
    assert canonical({})
    await agent.stop()
