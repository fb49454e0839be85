"""All of it at once: the hub commands, the box fetches, the real RAUC writes, the gate judges, and the hub hears."""

import hashlib
import itertools
import ssl
from contextlib import suppress

import msgspec
import pytest

from fakes.bundle_servers import bundle_server, make_certificate
from fakes.fleets import agent_of, fleet_box, hub_at, until
from fakes.trial_machines import FakeMachine, Stopped
from fakes.updates import bus, make_bundle, make_keys, rauc_service, updated_box
from modembank.appliance import Appliance
from modembank.appliance.fetching import BundleFetch
from modembank.outgoing import Getter
from modembank_box.boot_loader import boot_loader
from modembank_box.errors import BoxError
from modembank_box.health_gate import HealthGate
from modembank_box.orders import take_order
from modembank_box.verbs.update import carry_out
from modembank_fleet.agent.updating import Pace

pytestmark = [pytest.mark.broker, pytest.mark.root, pytest.mark.rauc, pytest.mark.usefixtures("quick")]
QUICK = Pace(look_s=0.02, lost_s=5.0, again_s=(0.05,), restart_s=600.0)


class Whole:
    """A box whose root side is the real one, in a folder."""

    def __init__(self, root, store_box, certificate, server):
        self.root, self.box, self.server = root, store_box, server
        trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        daemon = root.places.daemon
        (daemon / "updates.toml").write_text('hosts = ["localhost"]\nwindow = "00:00-23:59"\n')
        placed = msgspec.structs.replace(store_box.config.box, data_dir=str(daemon))
        store_box.appliance = Appliance(
            placed, store_box.store, store_box.bus, store_box.clock, root.places.run, daemon / "updates.toml"
        )
        store_box.appliance.fetched = BundleFetch(daemon / "box", 0, Getter(trust=lambda: trust))

    async def root_does(self, verb):
        """Carry out what is asked for next, as the service of root's does; return whether it restarted the box."""
        request = self.root.places.daemon / "box" / "request.json"
        await until(lambda: request.exists() and f'"{verb}"' in request.read_text())
        machine = FakeMachine()
        with suppress(BoxError):
            carry_out(self.root.places, take_order(self.root.places), machine)
        return bool(machine.calls)

    def starts(self, version, *, well=True, schema=11):
        """Start what the boot loader starts next; return the slot that runs in the end."""
        slot = boot_loader(self.root.places, "a").primary()
        self.root.starts(slot, version=version, schema=schema)
        machine = FakeMachine()
        if not well:
            machine.states = itertools.repeat(("activating", ""))
        gate = HealthGate(self.root.places, self.root.progress, machine)
        try:
            gate.before_daemon()
            gate.after_start()
        except Stopped:
            return ""
        return slot


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys") / "ours")


@pytest.fixture
async def whole(tmp_path, mosquitto, signing, monkeypatch):
    box = await fleet_box(tmp_path, mosquitto.port)
    root = updated_box(tmp_path / "box", signing)
    certificate = make_certificate(tmp_path)
    with bus(tmp_path) as environment, bundle_server(certificate) as server:
        for name in ("DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_BUS_TYPE"):
            monkeypatch.setenv(name, environment[name])
        with rauc_service(root, environment):
            yield Whole(root, box, certificate, server)
    await box.store.close()


async def order(whole, hub, agent, content, **args):
    whole.server.content = content
    digest = hashlib.sha256(content).hexdigest()
    url = f"https://localhost:{whole.server.server_port}/x.raucb"
    given = {"job": "job-00001", "version": "0.2.0", "sha256": digest, "url": url} | args
    return await hub.command("sw.update", given, ep=agent._life.epoch)


@pytest.mark.parametrize(("well", "state", "code"), [(True, "done", ""), (False, "failed", "rolled_back")])
async def test_an_update_over_the_restart_to_its_end(whole, mosquitto, tmp_path, signing, well, state, code):
    content = make_bundle(tmp_path / "x.raucb", signing, form="plain").read_bytes()
    whole.starts("0.1.0")
    async with hub_at(mosquitto) as hub:
        async with agent_of(whole.box, pace=QUICK) as agent:
            await until(lambda: hub.said("birth"))
            command = await order(whole, hub, agent, content)
            await whole.root_does("update")
            assert await whole.root_does("restart")
            assert hub.states(command)[-1] == "running"
        if whole.starts("0.2.0", well=well) == "":
            assert whole.starts("0.1.0") == "a"
        async with agent_of(whole.box, pace=QUICK):
            ended = await hub.ended(command)
            assert (ended["st"], ended.get("code", "")) == (state, code)
            assert ended["data"]["version"] == ("0.2.0" if well else "0.1.0")
            assert [said["ph"] for said in hub.said("ota")][-1] == ("committed" if well else "rolled_back")
            if not well:
                return
            back = await hub.command("sw.rollback", ep=agent._life.epoch)
            assert await whole.root_does("rollback")
        assert whole.starts("0.1.0") == "a"
        async with agent_of(whole.box, pace=QUICK):
            ended = await hub.ended(back)
            assert (ended["st"], ended["data"]["version"]) == ("done", "0.1.0")


@pytest.mark.parametrize("code", ["bad_signature", "older_version", "damaged", "other_version", "other_machine"])
async def test_each_refusal_has_its_reason(whole, mosquitto, tmp_path, signing, code):
    made = {"older_version": {"version": "0.0.9"}, "other_machine": {"architecture": "arm64"}}.get(code, {})
    keys = make_keys(tmp_path / "theirs") if code == "bad_signature" else signing
    content = make_bundle(tmp_path / "x.raucb", keys, form="plain", **made).read_bytes()
    if code == "damaged":
        content = content[: len(content) // 2]
    args = {"version": {"older_version": "0.0.9", "other_version": "0.3.0"}.get(code, "0.2.0")}
    whole.starts("0.1.0")
    async with hub_at(mosquitto) as hub, agent_of(whole.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await order(whole, hub, agent, content, **args)
        await whole.root_does("update")
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"]) == ("failed", code)
        assert ended["data"]["why"]
    assert whole.root.slot("b") == b"b" * len(whole.root.slot("b"))


async def test_where_nothing_is_in_the_other_slot_there_is_no_way_back(whole, mosquitto):
    whole.starts("0.1.0")
    async with hub_at(mosquitto) as hub, agent_of(whole.box, pace=QUICK) as agent:
        await until(lambda: hub.said("birth"))
        command = await hub.command("sw.rollback", ep=agent._life.epoch)
        assert not await whole.root_does("rollback")
        ended = await hub.ended(command)
        assert (ended["st"], ended["code"]) == ("failed", "nothing_there")
