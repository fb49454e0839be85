"""Updates that the hub orders: fetched, handed to root's side, followed to one end; each refusal, and each way out."""

import asyncio
import hashlib
import json
import ssl
import time

import pytest
from msgspec.structs import replace

from fakes.bundle_servers import CONTENT, bundle_server, make_certificate
from fakes.fleets import agent_of, fleet_box, hub_at, until
from modembank.accounts import LOCAL_ADMIN
from modembank.appliance.fetching import BundleFetch
from modembank.fleet import rows
from modembank.outgoing import Getter
from modembank_fleet.agent.updating import Pace

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick")]
DIGEST = hashlib.sha256(CONTENT).hexdigest()
QUICK = Pace(look_s=0.02, lost_s=0.5, again_s=(0.05, 0.05), restart_s=600.0)
ALL_DAY, NEVER = "00:00-23:59", "00:00-00:01"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate):
    with bundle_server(certificate) as made:
        yield made


class Rig:
    """A box from an image, its agent, a hub, and a server of updates."""

    def __init__(self, box, server, certificate, mosquitto):
        self.box, self.server, self.mosquitto = box, server, mosquitto
        trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        self.folder = box.image.asked_in
        box.appliance.fetched = BundleFetch(self.folder, 0, Getter(trust=lambda: trust))
        self.url = f"https://localhost:{server.server_port}/x.raucb"
        self.owner(hosts=["localhost"])

    def owner(self, **says):
        lines = [f"{name} = {json.dumps(value)}" for name, value in says.items()]
        (self.folder.parent / "updates.toml").write_text("\n".join(lines) + "\n")

    async def update(self, hub, agent, **args):
        given = {"job": "job-00001", "version": "1.3.0", "sha256": DIGEST, "url": self.url, "window": ALL_DAY}
        return await hub.command("sw.update", given | args, ep=agent._life.epoch)

    async def asked(self, verb):
        """Take the order that is of this kind, as root's side does."""
        await until(lambda: (self.box.image.asked() or {}).get("verb") == verb)
        return self.box.image.takes()

    def says(self, command, state, **more):
        told = {"state": state, "id": command, "from_version": "1.2.0", "version": "1.3.0", "at": round(time.time())}
        self.box.image.says("update", told | more)

    async def journal(self, command):
        return await self.box.store.read(lambda conn: rows.find(conn, command, signed=True))

    async def phase(self, command):
        found = await self.journal(command)
        return "" if found is None else json.loads(found.data).get("ph", "")


@pytest.fixture
async def rig(tmp_path, mosquitto, server, certificate):
    box = await fleet_box(tmp_path, mosquitto.port)
    box.image.start()
    yield Rig(box, server, certificate, mosquitto)
    await box.store.close()


def phases(hub, command):
    told = [result.get("data", {}).get("ph") for result in hub.results if result["id"] == command]
    return list(dict.fromkeys(phase for phase in told if phase))


async def test_an_update_is_fetched_installed_started_and_told_as_done_only_once_it_is_good(rig):
    async with hub_at(rig.mosquitto) as hub:
        async with agent_of(rig.box, pace=QUICK) as agent:
            await until(lambda: hub.said("birth"))
            command = await rig.update(hub, agent)
            order = await rig.asked("update")
            assert (order["id"], order["version"], order["by"]) == (command, "1.3.0", "hub: anna@hub")
            assert (rig.folder / "bundle.raucb").read_bytes() == CONTENT
            rig.says(command, "installing", percent=40)
            await until(lambda: "installing" in phases(hub, command))
            rig.says(command, "installed")
            await rig.asked("restart")
            assert hub.states(command)[-1] == "running"
        rig.box.image.says("release", {"version": "1.3.0", "slot": "b", "architecture": "amd64", "build": "x"})
        rig.says(command, "trial")
        async with agent_of(rig.box, pace=QUICK):
            await until(lambda: "trial" in phases(hub, command))
            assert set(hub.states(command)) == {"accepted", "running"}
            rig.says(command, "good")
            ended = await hub.ended(command)
            assert (ended["st"], ended["data"]) == ("done", {"version": "1.3.0", "before": "1.2.0"})
            told = await until(lambda: [said for said in hub.said("ota") if said["ph"] == "committed"])
            assert (told[-1]["from"], told[-1]["to"], told[-1]["slot"]) == ("1.2.0", "1.3.0", "B")
    kept = await rig.box.audit.list(LOCAL_ADMIN)
    assert [entry.action for entry in reversed(kept.items)] == ["fleet.sw.update", "box.update", "box.restart"]
    assert not rig.box.appliance.fetched.is_there


async def test_each_phase_is_told_and_a_failure_over_the_restart_too(rig):
    async with hub_at(rig.mosquitto) as hub:
        async with agent_of(rig.box, pace=QUICK) as agent:
            await until(lambda: hub.said("birth"))
            command = await rig.update(hub, agent)
            await rig.asked("update")
            for state, phase in (("checking", "verifying"), ("installing", "installing"), ("installed", "rebooting")):
                rig.says(command, state)
                await until(lambda phase=phase: phase in phases(hub, command))
            assert phases(hub, command) == ["downloading", "verifying", "installing", "rebooting"]
        rig.says(command, "rolled_back", reason="version 1.3.0 did not come up")
        async with agent_of(rig.box, pace=QUICK):
            ended = await hub.ended(command)
            assert (ended["st"], ended["code"]) == ("failed", "rolled_back")
            assert ended["data"] == {"why": "version 1.3.0 did not come up", "version": "1.2.0"}


@pytest.mark.parametrize("code", ["bad_signature", "older_version", "damaged", "no_room", "other_version"])
async def test_what_root_refuses_is_told_with_its_reason(rig, code):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent)
        await rig.asked("update")
        rig.says(command, "refused", reason="it is not well", code=code)
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"], ended["data"]["why"]) == ("failed", code, "it is not well")


async def test_it_restarts_in_the_window_alone_unless_it_is_forced(rig):
    rig.owner(hosts=["localhost"], window=NEVER)
    if time.strftime("%H:%M") >= "23:58":  # the window of a minute would open meanwhile
        await asyncio.sleep(150)
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent, window="")
        await rig.asked("update")
        rig.says(command, "installed")
        await until(lambda: "waiting_window" in phases(hub, command))
        await asyncio.sleep(0.2)
        assert rig.box.image.asked() is None
        rig.owner(hosts=["localhost"], window=ALL_DAY)
        await rig.asked("restart")
        rig.says(command, "good")
        await hub.ended(command)
        rig.box.image.says("update", None)
        rig.owner(hosts=["localhost"], window=NEVER)
        forced = await rig.update(hub, agent, version="1.4.0", force=True, window=NEVER)
        await rig.asked("update")
        rig.says(forced, "installed")
        await rig.asked("restart")


async def test_it_does_not_restart_while_a_mailing_is_sent(rig, monkeypatch):
    sending = [True]

    async def busy():
        return sending[0]

    monkeypatch.setattr(rig.box.mailings, "sending", busy)
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent)
        await rig.asked("update")
        rig.says(command, "installed")
        await until(lambda: "waiting_window" in phases(hub, command))
        assert rig.box.image.asked() is None
        sending[0] = False
        await rig.asked("restart")


# -- what is not fetched


async def test_only_hosts_that_the_owner_named_are_asked(rig):
    rig.owner(hosts=["updates.example.com"], url="https://own.example.com/base")
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        for url in (rig.url, "https://updates.example.com.evil.org/x", "https://a@updates.example.com/x"):
            ended = await hub.ended(await rig.update(hub, agent, url=url))
            assert (ended["st"], ended["code"]) == ("failed", "host_not_allowed")
        for args in ({"url": "http://updates.example.com/x"}, {"sha256": "12"}, {"window": "25:00-26:00"}):
            assert (await hub.ended(await rig.update(hub, agent, **args)))["code"] == "bad_args"
    assert rig.server.asked == []


async def test_without_an_address_it_is_the_boxs_own_source(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        assert (await hub.ended(await rig.update(hub, agent, url="")))["code"] == "no_source"
        rig.owner(url=f"https://localhost:{rig.server.server_port}/base/")
        await rig.update(hub, agent, url="")
        await rig.asked("update")
    assert [asked[0] for asked in rig.server.asked] == ["/base/amd64/latest.raucb"]


async def test_what_is_not_what_was_asked_for_is_not_installed(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent, sha256="0" * 64))
        assert (ended["st"], ended["code"]) == ("failed", "wrong_digest")
    assert rig.box.image.files() == set()


async def test_what_was_interrupted_goes_on_where_it_was(rig):
    rig.server.ends = 700_000
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent)
        await until(lambda: len(rig.server.asked) >= 2)
        rig.server.ends = None
        await rig.asked("update")
        assert (rig.folder / "bundle.raucb").read_bytes() == CONTENT
        assert rig.server.asked[-1][1].startswith("bytes=")
        assert "bytes=0-" not in [asked[1] for asked in rig.server.asked]
        assert hub.states(command)[-1] == "running"


async def test_what_never_comes_whole_fails_in_the_end(rig):
    rig.server.ends = 100_000
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent))
        assert (ended["st"], ended["code"]) == ("failed", "unreachable")
        assert len(rig.server.asked) == 3
    assert rig.box.image.files() == set()


async def test_what_the_server_does_not_have_is_asked_for_once(rig):
    rig.server.leads_to = "https://elsewhere.example.org/x"
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent))
        assert (ended["code"], "302" in ended["data"]["why"]) == ("not_given", True)
    assert len(rig.server.asked) == 1


async def test_without_room_nothing_is_begun(rig):
    rig.box.appliance.fetched._reserve_octets = 1 << 62
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent))
        assert (ended["st"], ended["code"]) == ("failed", "no_room")
    assert rig.box.image.asked() is None


async def test_what_runs_already_is_done_and_nothing_is_fetched(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent, version="1.2.0"))
        assert (ended["st"], ended["code"]) == ("done", "already")
    assert rig.server.asked == []


# -- who may, and when


async def test_where_there_is_no_image_it_is_rejected_and_not_offered(rig):
    rig.box.image.run.rename(rig.box.image.run.with_name("elsewhere"))
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        birth = (await until(lambda: hub.said("birth")))[0]
        assert not [verb for verb in birth["verbs"] if verb.startswith("sw.")]
        for command in (
            await rig.update(hub, agent),
            await hub.command("sw.rollback", ep=agent._life.epoch),
            await hub.command("sw.cancel", {"job": "job-00001"}, ep=agent._life.epoch),
        ):
            ended = await hub.ended(command)
            assert (ended["st"], ended["code"]) == ("rejected", "not_an_image")
    assert rig.server.asked == []


async def test_the_owner_can_keep_the_hub_from_it(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, commands=("diag.run",))
    box.image.start()
    async with hub_at(mosquitto) as hub, agent_of(box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await hub.command("sw.rollback", ep=agent._life.epoch))
        assert (ended["st"], ended["code"]) == ("rejected", "gate_closed")
    await box.store.close()


async def test_one_at_a_time_and_other_commands_meanwhile(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        first = await rig.update(hub, agent)
        await rig.asked("update")
        rig.says(first, "installing")
        ended = await hub.ended(await rig.update(hub, agent, job="job-00002", version="1.4.0"))
        assert (ended["st"], ended["code"]) == ("failed", "update_under_way")
        assert (await hub.ended(await hub.command("ping", ep=agent._life.epoch)))["st"] == "done"
        ended = await hub.ended(await hub.command("sw.cancel", {"job": "job-00001"}, ep=agent._life.epoch))
        assert (ended["st"], ended["code"]) == ("failed", "too_late")


async def test_what_somebody_else_does_with_the_box_comes_first(rig):
    rig.box.image.says("update", {"state": "installing", "by": "ada", "at": round(time.time())})
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        ended = await hub.ended(await rig.update(hub, agent))
        assert (ended["st"], ended["code"], ended.get("data", {})) == ("failed", "conflict", {})
    assert rig.server.asked == []


async def test_it_is_cancelled_while_it_is_fetched(rig):
    rig.server.ends = 100_000
    pace = Pace(look_s=0.02, lost_s=0.5, again_s=(600.0,))
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=pace) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent)
        await until(lambda: rig.server.asked)
        ended = await hub.ended(await hub.command("sw.cancel", {"job": "job-none"}, ep=agent._life.epoch))
        assert (ended["st"], ended["code"]) == ("failed", "no_such_job")
        ended = await hub.ended(await hub.command("sw.cancel", {"job": "job-00001"}, ep=agent._life.epoch))
        assert ended["st"] == "done"
        await until(lambda: hub.states(command)[-1] == "cancelled")
    assert rig.box.image.files() == set()


async def test_what_was_not_begun_in_its_time_is_not_begun(rig):
    rig.server.ends = 100_000
    pace = Pace(look_s=0.02, again_s=(600.0,))
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=pace) as agent:
        await until(lambda: hub.said("birth"))
        given = {"job": "job-00001", "version": "1.3.0", "sha256": DIGEST, "url": rig.url}
        command = await hub.command("sw.update", given, ep=agent._life.epoch, ttl=2)
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"]) == ("expired", "too_late")


# -- the way back


async def test_the_way_back_is_asked_for_and_followed_over_the_restart(rig):
    async with hub_at(rig.mosquitto) as hub:
        async with agent_of(rig.box, pace=QUICK) as agent:
            await until(lambda: hub.said("birth"))
            command = await hub.command("sw.rollback", ep=agent._life.epoch)
            order = await rig.asked("rollback")
            assert (order["id"], order["by"]) == (command, "hub: anna@hub")
            rig.says(command, "installed", from_version="1.2.0", version="1.1.0")
            await until(lambda: "rebooting" in phases(hub, command))
            assert rig.box.image.asked() is None
        rig.box.image.says("release", {"version": "1.1.0", "slot": "b", "architecture": "amd64", "build": "x"})
        rig.says(command, "good", from_version="1.2.0", version="1.1.0")
        async with agent_of(rig.box, pace=QUICK):
            ended = await hub.ended(command)
            assert (ended["st"], ended["data"]["version"]) == ("done", "1.1.0")
    kept = await rig.box.audit.list(LOCAL_ADMIN)
    assert [entry.action for entry in reversed(kept.items)] == ["fleet.sw.rollback", "box.rollback"]


async def test_where_there_is_no_way_back_that_is_told(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await hub.command("sw.rollback", ep=agent._life.epoch)
        await rig.asked("rollback")
        rig.says(command, "refused", reason="it cannot read the database", code="other_schema")
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"]) == ("failed", "other_schema")


async def test_an_order_that_root_never_speaks_of_is_lost_and_told(rig):
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent)
        await rig.asked("update")
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"]) == ("failed", "interrupted")
        other = await rig.update(hub, agent, version="1.5.0")
        await rig.asked("update")
        rig.says(other, "installed")
        await rig.asked("restart")
        rig.says("somebody-else", "installed")
        assert (await hub.ended(other))["code"] == "superseded"


class Turns:
    """When it is a box's turn in a spread: not at all while it is held back, then at once."""

    def __init__(self):
        self.held, self.spreads = True, []

    def __call__(self, low, high):
        self.spreads.append((low, high))
        return high if self.held else low


async def test_a_box_that_is_told_with_others_waits_for_its_turn_to_fetch_and_can_be_called_off_meanwhile(rig):
    turns = Turns()
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=replace(QUICK, draw=turns)) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent, spread=600)
        await until(lambda: turns.spreads)
        assert turns.spreads == [(0.0, 600)]
        cancel = await hub.command("sw.cancel", {"job": "job-00001"}, ep=agent._life.epoch)
        assert (await hub.ended(cancel))["st"] == "done"
        await until(lambda: "cancelled" in hub.states(command))
        assert rig.server.asked == []


async def test_boxes_that_may_restart_at_the_same_moment_take_turns(rig):
    turns = Turns()
    turns.held = False
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=replace(QUICK, draw=turns)) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent, spread=600)
        await rig.asked("update")
        turns.held = True
        rig.says(command, "installed")
        await until(lambda: "waiting_window" in phases(hub, command))
        assert turns.spreads == [(0.0, 600), (0.0, 600)]
        await asyncio.sleep(0.1)
        assert rig.box.image.asked() is None
        agent._updating.job.restart_from = 0.0  # its turn has come
        await rig.asked("restart")


async def test_what_is_forced_waits_for_no_turn_to_restart(rig):
    turns = Turns()
    turns.held = False
    async with hub_at(rig.mosquitto) as hub, agent_of(rig.box, pace=replace(QUICK, draw=turns)) as agent:
        await until(lambda: hub.said("birth"))
        command = await rig.update(hub, agent, spread=600, force=True)
        await rig.asked("update")
        turns.held = True
        rig.says(command, "installed")
        await rig.asked("restart")
        assert turns.spreads[-1] == (0.0, 0)
