"""The hub's configuration through a real broker: taken, tried, kept, rolled back; bad ones do nothing."""

import asyncio
import json
import time

import pytest

from fakes.fleets import ADDRESS, SIGNER, agent_of, fleet_box, hub_at, until
from fakes.web_boxes import ICCID
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict
from modembank.fleet import shadow as rows
from modembank.sim import SimChange, SimIdentity
from modembank_fleet.agent import Trial
from modembank_fleet.wire import Address, Signer, canonical, hash_of, new_signer

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick")]
OTHER = "8944110068256270062"
QUICK = Trial(health_s=15.0, steady_s=0.05, look_s=0.02)
LONG = Trial(health_s=600.0, steady_s=500.0, look_s=0.02)
OVER = Trial(health_s=0.0, steady_s=500.0, look_s=0.02)
"""The time of whatever is on trial is up."""
LIMITED = {"sims": {"*": {"limits": {"per_day": 50}}}}


class Fleet:
    """A box, its agent and a hub, connected."""

    def __init__(self, box, agent, hub):
        self.box, self.agent, self.hub = box, agent, hub

    @property
    def sim(self):
        return self.box.sims.by_iccid(ICCID)

    @property
    def name(self):
        return self.agent._names.of(ICCID)

    async def wants(self, document, ver, *, signer=SIGNER, ep=None, address=ADDRESS, change=None, retain=True, **more):
        """Publish what the hub wants."""
        given = {"v": 1, "ver": ver, "ep": ep or self.agent._life.epoch, "by": "anna", "at": time.time()} | more
        payload = json.dumps(given).encode()[:-1] + b', "doc": ' + canonical(document) + b"}"
        topic = address.down("cfg", "desired")
        user = {"kid": signer.kid, "sig": signer.sign(topic, payload)} if signer else {}
        payload = change(payload) if change else payload
        await self.hub.session.publish(ADDRESS.down("cfg", "desired"), payload, retain=retain, user=user)

    def reports(self):
        return self.hub.said("cfg/reported")

    async def settled(self, ver, st):
        """Wait for the report of a version's end."""
        return await until(
            lambda: next((r for r in reversed(self.reports()) if (r["ver"], r["st"]) == (ver, st)), None)
        )

    async def applied(self, document, ver):
        await self.wants(document, ver)
        return await self.settled(ver, "applied")

    def events(self, kind):
        return [event for event in self.hub.events.values() if event["type"] == kind]

    async def refused(self, code):
        await until(lambda: [e for e in self.events("auth.fail") if e["data"]["code"] == code])
        return [e["data"]["code"] for e in self.events("auth.fail")]


@pytest.fixture
async def fleet(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port)
    box.events.start()
    async with hub_at(mosquitto) as hub, agent_of(box, trial=QUICK) as agent:
        await until(lambda: hub.said("cfg/reported"))
        yield Fleet(box, agent, hub)
    box.events.stop()
    await box.store.close()


# -- what works


async def test_a_box_without_a_configuration_says_so_at_its_birth(fleet):
    (report,) = fleet.reports()
    assert (report["ver"], report["st"], report["hash"]) == (0, "applied", "")


async def test_a_configuration_is_tried_and_kept(fleet):
    document = {
        "profile": "lean",
        "quiet_hours": {"from": "21:00", "to": "08:00", "exempt_priority": 8},
        "sims": {"*": {"limits": {"per_day": 50, "min_interval_s": 3.5}}, ICCID: {"label": "alarm", "paused": True}},
    }
    report = await fleet.applied(document, 3)
    assert (report["hash"], report["eff"], report.get("errs", [])) == (hash_of(document), 3, [])
    assert {"pending", "applied"} <= {one["st"] for one in fleet.reports()}
    sim = fleet.sim
    assert (sim.label, sim.paused, sim.limits.per_day, sim.limits.min_interval_s) == ("alarm", True, 50, 3.5)
    assert fleet.box.fleet.profile == "lean"
    rule = fleet.box.quiet_hours.rule
    assert (rule.from_, rule.to, rule.exempt_priority) == ("21:00", "08:00", 8)
    kept = await fleet.box.audit.list(LOCAL_ADMIN)
    assert [entry.action for entry in kept.items] == ["config.keep", "sim.change", "config.apply"]
    assert {(entry.actor, entry.source) for entry in kept.items} == {("hub: anna", "hub")}
    (event,) = await until(lambda: fleet.events("cfg.applied"))
    assert (event["data"]["ver"], event["data"]["in_force"]) == (3, 3)


async def test_what_is_the_hubs_no_more_is_as_the_site_had_it(fleet):
    await fleet.box.sims.change(fleet.sim.id, SimChange(label="mine", limits={"per_day": 70}, pause="bill"))
    document = {"profile": "lean", "quiet_hours": {"from": "21:00", "to": "08:00"}}
    await fleet.applied(
        document | {"sims": {"*": {"label": "hub", "paused": False, "limits": {"per_day": 9, "per_hour": 8}}}}, 1
    )
    assert (fleet.sim.label, fleet.sim.paused, fleet.sim.overrides) == ("hub", False, {"per_day": 9, "per_hour": 8})
    await fleet.applied({"sims": {"*": {"limits": {"per_hour": 8}}}}, 2)
    assert (fleet.sim.label, fleet.sim.paused_reason) == ("mine", "bill")
    assert fleet.sim.overrides == {"per_day": 70, "per_hour": 8}
    assert (fleet.box.fleet.profile, fleet.box.quiet_hours.rule.from_) == ("standard", "")
    await fleet.applied({}, 3)
    assert fleet.sim.overrides == {"per_day": 70}
    assert await fleet.box.store.read(rows.owned) == []


async def test_a_sim_that_comes_later_has_it_too_and_its_own_entry_counts_more(fleet):
    name = fleet.agent._names.of(OTHER)
    await fleet.applied({"sims": {"*": {"label": "all", "limits": {"per_day": 50}}}}, 1)
    await fleet.box.sims.identify(SimIdentity(iccid=OTHER), "slot-04")
    await until(lambda: fleet.box.sims.by_iccid(OTHER).limits.per_day == 50)
    await fleet.applied({"sims": {name: {"label": "one"}, "*": {"label": "all", "limits": {"per_day": 50}}}}, 2)
    assert [sim.label for sim in fleet.box.sims.all()] == ["all", "one"]


async def test_the_same_again_is_reported_again_and_does_nothing(fleet):
    await fleet.applied(LIMITED, 2)
    count = len(fleet.reports())
    await fleet.wants(LIMITED, 2)
    await until(lambda: len(fleet.reports()) > count)
    assert fleet.reports()[-1]["st"] == "applied"
    assert not fleet.events("auth.fail")


async def test_it_is_told_at_every_birth_whatever_the_broker_has_kept(fleet, mosquitto):
    await fleet.applied(LIMITED, 2)
    count = len(fleet.reports())
    mosquitto.kill()
    mosquitto.start()  # it has forgotten everything
    async with hub_at(mosquitto) as hub:
        report = (await until(lambda: hub.said("cfg/reported")))[0]
        assert (report["ver"], report["st"], report["hash"]) == (2, "applied", hash_of(LIMITED))
        await hub.command("rebirth", ep=fleet.agent._life.epoch, signer=None)
        await until(lambda: len(hub.said("cfg/reported")) > 1)
    assert len(fleet.reports()) == count


async def test_the_next_one_is_taken_while_one_is_on_trial(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port)
    async with hub_at(mosquitto) as hub, agent_of(box, trial=Trial(600.0, 0.6, 0.02)) as agent:
        fleet = Fleet(box, agent, hub)
        await until(lambda: hub.said("cfg/reported"))
        agent._shadow.trial = LONG
        await fleet.wants(LIMITED, 1)
        await until(lambda: fleet.sim.limits.per_day == 50)
        agent._shadow.trial = Trial(600.0, 0.1, 0.02)
        await fleet.applied({"sims": {"*": {"limits": {"per_hour": 5}}}}, 2)
        assert fleet.sim.overrides == {"per_hour": 5}
        assert not [r for r in fleet.reports() if (r["ver"], r["st"]) == (1, "applied")]
    await box.store.close()


async def test_one_that_is_bad_ends_the_trial_of_the_one_before(fleet):
    await fleet.applied({"sims": {"*": {"limits": {"per_day": 60}}}}, 1)
    fleet.agent._shadow.trial = LONG
    await fleet.wants(LIMITED, 2)
    await until(lambda: fleet.sim.limits.per_day == 50)
    await fleet.wants({"pin": 1}, 3)
    report = await fleet.settled(3, "rejected")
    assert (report["eff"], fleet.sim.limits.per_day) == (1, 60)


# -- what is refused by the box


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        ({"pin": "1234"}, "pin", "unknown_key"),
        ({"sims": {"*": {"limits": {"per_day": "many"}}}}, "sims.*.limits.per_day", "wrong_type"),
        ({"sims": {"*": {"limits": {"per_day": 1001}}}}, "sims.*.limits.per_day", "beyond_local_cap"),
        ({"sims": {ICCID: {"limits": {"per_hour": 0}}}}, f"sims.{ICCID}.limits.per_hour", "beyond_local_cap"),
        ({"sims": {"*": {"limits": {"min_interval_s": 1}}}}, "sims.*.limits.min_interval_s", "beyond_local_cap"),
        ({"sims": {OTHER: {"paused": True}}}, f"sims.{OTHER}", "sim_not_found"),
        ({"sims": {"*": {"label": "a\u200bb"}}}, "sims.*.label", "bad_value"),
    ],
)
async def test_what_it_can_not_do_is_rejected_as_a_whole(fleet, document, path, code):
    await fleet.applied(LIMITED, 1)
    sims = {"*": {"paused": True}} | document.get("sims", {})
    await fleet.wants(document | ({"sims": sims} if "*" not in document.get("sims", {}) else {}), 2)
    report = await fleet.settled(2, "rejected")
    assert [(one["path"], one["code"]) for one in report["errs"]] == [(path, code)]
    assert all(one["detail"] for one in report["errs"])
    assert (report["eff"], fleet.sim.limits.per_day, fleet.sim.paused, fleet.sim.label) == (1, 50, False, "")
    (event,) = await until(lambda: fleet.events("cfg.rejected"))
    assert event["data"] == {"ver": 2, "in_force": 1, "codes": [code]}
    assert not fleet.events("auth.fail")


async def test_what_the_site_keeps_to_itself_is_not_the_hubs(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, hub_settings=("sim.limits",))
    async with hub_at(mosquitto) as hub, agent_of(box, trial=QUICK) as agent:
        fleet = Fleet(box, agent, hub)
        await until(lambda: hub.said("cfg/reported"))
        await fleet.wants(LIMITED | {"profile": "lean", "sims": {"*": {"label": "x", "limits": {"per_day": 5}}}}, 1)
        report = await fleet.settled(1, "rejected")
        assert {(one["path"], one["code"]) for one in report["errs"]} == {
            ("profile", "site_owned"),
            ("sims.*.label", "site_owned"),
        }
        assert fleet.sim.overrides == {}
        await fleet.applied(LIMITED, 2)
    await box.store.close()


async def test_what_was_rejected_is_tried_again_when_the_hub_asks(fleet):
    await fleet.wants({"sims": {OTHER: {"label": "new"}}}, 1)
    await fleet.settled(1, "rejected")
    ended = await fleet.hub.ended(await fleet.hub.command("cfg.reload", ep=fleet.agent._life.epoch))
    assert ended["data"] == {"ver": 1, "state": "rejected", "in_force": 0}
    await fleet.box.sims.identify(SimIdentity(iccid=OTHER), "slot-04")
    ended = await fleet.hub.ended(await fleet.hub.command("cfg.reload", ep=fleet.agent._life.epoch))
    assert ended["data"]["state"] == "pending"
    await fleet.settled(1, "applied")
    assert fleet.box.sims.by_iccid(OTHER).label == "new"


async def test_a_command_may_ask_for_the_version(fleet):
    await fleet.applied(LIMITED, 4)
    ep = fleet.agent._life.epoch
    for cfg, state in ((4, "done"), (3, "rejected")):
        command = await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=ep, **{"if": {"cfg": cfg}})
        assert (await fleet.hub.ended(command))["st"] == state


# -- what is not to be believed: no effect, one security event

FORGED = {
    "unsigned": ({"signer": None}, "unsigned"),
    "another_key": ({"signer": new_signer("h2")}, "bad_signature"),
    "unknown_key": ({"signer": Signer("h9", SIGNER.private)}, "unknown_key"),
    "altered": ({"change": lambda payload: payload.replace(b"50", b"99")}, "bad_signature"),
    "for_another_box": ({"address": Address("kiel", "b2")}, "bad_signature"),
    "malformed": ({"ver": "three"}, "malformed"),
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_is_forged_does_nothing_and_leaves_one_event(fleet, how):
    change, code = FORGED[how]
    await fleet.wants(LIMITED, **({"ver": 3} | change))
    assert await fleet.refused(code) == [code]
    assert fleet.sim.overrides == {}
    assert fleet.box.fleet.refused == 1
    assert (await fleet.box.store.read(rows.load)).ver == 0


async def test_what_is_too_large_does_nothing(fleet):
    payload = b'{"v":1,"ver":3,"ep":"%s","doc":{"x":"%s"}}' % (fleet.agent._life.epoch.encode(), b"y" * 200_000)
    topic = ADDRESS.down("cfg", "desired")
    user = {"kid": SIGNER.kid, "sig": SIGNER.sign(topic, payload)}
    await fleet.hub.session.publish(topic, payload, user=user)
    assert await fleet.refused("too_large") == ["too_large"]


async def test_an_older_one_is_ignored_with_one_event_however_often_it_comes(fleet):
    await fleet.applied(LIMITED, 5)
    for _ in range(3):
        await fleet.wants({}, 4)
    assert await fleet.refused("old_version") == ["old_version"]
    await fleet.wants({"profile": "lean"}, 5)
    assert await fleet.refused("version_reused") == ["old_version", "version_reused"]
    assert (fleet.sim.limits.per_day, fleet.box.fleet.profile) == (50, "standard")
    assert fleet.reports()[-1]["hash"] == hash_of(LIMITED)


async def test_what_was_for_the_life_before_is_passed_over(fleet):
    await fleet.wants(LIMITED, 5, ep="zzzz2222")
    await fleet.applied({"sims": {"*": {"limits": {"per_hour": 7}}}}, 1)
    assert fleet.sim.overrides == {"per_hour": 7}
    assert not fleet.events("auth.fail")


# -- the trial


async def test_without_the_link_it_is_rolled_back(fleet, mosquitto):
    await fleet.applied({"sims": {"*": {"limits": {"per_day": 60}, "label": "good"}}}, 1)
    fleet.agent._shadow.trial = LONG
    await fleet.wants({"sims": {"*": {"limits": {"per_day": 50}, "paused": True}}}, 2)
    await until(lambda: fleet.sim.limits.per_day == 50)
    mosquitto.kill()
    await until(lambda: not fleet.agent._linked())
    fleet.agent._shadow.trial = OVER
    await until(lambda: fleet.agent._shadow._now.state == "rolled_back")
    mosquitto.start()
    async with hub_at(mosquitto) as hub:
        report = (await until(lambda: hub.said("cfg/reported")))[-1]
        assert (report["ver"], report["st"], report["eff"]) == (2, "rolled_back", 1)
        assert report["errs"][0]["code"] == "link_lost"
    assert (fleet.sim.limits.per_day, fleet.sim.label, fleet.sim.paused) == (60, "good", False)


async def test_with_fewer_modems_it_is_rolled_back(fleet, monkeypatch):
    ready = [2]
    monkeypatch.setattr(type(fleet.agent._shadow), "_ready", lambda _: ready[0])
    fleet.agent._shadow.trial = LONG
    await fleet.wants(LIMITED, 1)
    await until(lambda: fleet.sim.limits.per_day == 50)
    ready[0] = 1
    fleet.agent._shadow.trial = OVER
    report = await fleet.settled(1, "rolled_back")
    assert report["errs"] == [{"path": "", "code": "fewer_modems", "detail": "1 modems are ready, before it were 2"}]
    assert (report.get("eff", 0), fleet.sim.overrides) == (0, {})
    (event,) = await until(lambda: fleet.events("cfg.rolled_back"))
    assert (event["sev"], event["data"]["codes"]) == ("error", ["fewer_modems"])


async def test_a_modem_that_is_back_in_time_is_no_reason(fleet, monkeypatch):
    ready = [2]
    monkeypatch.setattr(type(fleet.agent._shadow), "_ready", lambda _: ready[0])
    fleet.agent._shadow.trial = LONG
    await fleet.wants(LIMITED, 1)
    await until(lambda: fleet.sim.limits.per_day == 50)
    ready[0] = 1
    await asyncio.sleep(0.1)  # it has been seen
    fleet.agent._shadow.trial = Trial(600.0, 0.3, 0.02)
    await asyncio.sleep(0.5)
    assert fleet.agent._shadow._now.state == "trial"
    ready[0] = 2
    await fleet.settled(1, "applied")


# -- what the site wants otherwise


async def test_a_sites_edit_is_a_proposal(fleet):
    await fleet.applied({"sims": {"*": {"limits": {"per_day": 50}, "label": "hub"}}}, 1)
    with pytest.raises(Conflict, match=r"limits.per_day: set by the hub \(configuration 1\)"):
        await fleet.box.sims.change(fleet.sim.id, SimChange(limits={"per_day": 40, "per_hour": 3}))
    assert fleet.sim.overrides == {"per_day": 50}
    with pytest.raises(Conflict):
        await fleet.box.sims.change(fleet.sim.id, SimChange(label="Kim +447900900123"))
    local = [f"sims.{fleet.name}.label", f"sims.{fleet.name}.limits.per_day"]
    await until(lambda: fleet.reports()[-1].get("local") == local)
    first, second = await until(lambda: fleet.events("cfg.proposed")[1:] and fleet.events("cfg.proposed"))
    assert first["data"] == {"ver": 1, "sim": fleet.name, "key": "limits.per_day", "value": 40}
    assert second["data"] == {"ver": 1, "sim": fleet.name, "key": "label"}  # whose words they are stays here
    await fleet.box.sims.change(fleet.sim.id, SimChange(label="hub", limits={"per_hour": 3}))  # the site's, or as it is
    assert fleet.sim.overrides == {"per_day": 50, "per_hour": 3}
    await until(lambda: fleet.reports()[-1].get("local") == local[1:])
    await fleet.applied({"sims": {"*": {"limits": {"per_day": 45}}}}, 2)
    assert "local" not in fleet.reports()[-1]
    assert fleet.sim.overrides == {"per_day": 45, "per_hour": 3}


async def test_a_pause_of_the_site_holds_until_the_hub_has_answered(fleet):
    await fleet.applied({"sims": {"*": {"paused": False}}}, 1)
    await fleet.box.sims.pause(fleet.sim.id, "smoke")
    await until(lambda: fleet.reports()[-1].get("local") == [f"sims.{fleet.name}.paused"])
    await fleet.hub.ended(await fleet.hub.command("cfg.reload", ep=fleet.agent._life.epoch))
    await fleet.box.sims.identify(SimIdentity(iccid=OTHER), "slot-04")
    await asyncio.sleep(0.2)
    assert fleet.sim.paused_reason == "smoke"
    await fleet.applied({"sims": {"*": {"paused": False, "limits": {"per_day": 9}}}}, 2)
    assert not fleet.sim.paused
    assert "local" not in fleet.reports()[-1]


async def test_what_the_hub_has_paused_the_site_does_not_resume(fleet):
    await fleet.applied({"sims": {ICCID: {"paused": True}}}, 1)
    with pytest.raises(Conflict):
        await fleet.box.sims.resume(fleet.sim.id)
    assert fleet.sim.paused
    await fleet.applied({}, 2)  # the site's again, with what it has wanted
    assert not fleet.sim.paused


async def test_commands_do_not_go_around_the_configuration(fleet):
    await fleet.applied(LIMITED, 1)
    command = await fleet.hub.command("sim.limits", {"iccid": ICCID, "per_day": 7}, ep=fleet.agent._life.epoch)
    ended = await fleet.hub.ended(command)
    assert (ended["st"], ended["code"], fleet.sim.limits.per_day) == ("failed", "conflict", 50)


async def test_without_an_agent_all_is_the_sites(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port)
    async with hub_at(mosquitto) as hub, agent_of(box, trial=QUICK) as agent:
        await until(lambda: hub.said("cfg/reported"))
        await Fleet(box, agent, hub).applied(LIMITED, 1)
    await box.sims.change(box.sims.by_iccid(ICCID).id, SimChange(limits={"per_day": 30}))
    await box.store.close()
