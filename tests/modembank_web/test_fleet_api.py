"""``GET /api/v1/fleet``: how the link to the hub stands, for admins."""

from __future__ import annotations

import msgspec

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.config import MqttConfig
from modembank.fleet import Fleet, HubState, LinkState, shadow
from modembank_web.api.v1 import fleet_examples as examples
from modembank_web.api.v1.fleet import FleetStatus


async def test_a_box_without_a_hub_says_so(box: Box) -> None:
    async with box.client(await box.key()) as client:
        told = (await client.get("/api/v1/fleet")).json()
    assert (told["state"], told["broker"], told["since"], told["hub"]) == ("not_set_up", "", None, "unknown")
    assert (told["events_waiting"], told["results_waiting"]) == (0, 0)
    assert (told["configuration"], told["configuration_newest"], told["configuration_state"]) == (0, 0, "")


async def test_a_link_is_told_with_what_waits_and_what_is_wrong(box: Box) -> None:
    mqtt = MqttConfig(url="mqtts://hub.example.com:8883", site="kiel", privacy="counts")
    box.config = msgspec.structs.replace(box.config, mqtt=mqtt)
    box.fleet = fleet = Fleet(box.config, box.store, box.clock, box.events)
    life = await fleet.begin()
    fleet.note(LinkState.WAITING, "cannot connect", 30.0)
    async with box.client(await box.key()) as client:
        told = (await client.get("/api/v1/fleet")).json()
        assert (told["state"], told["why"], told["epoch"]) == ("waiting", "cannot connect", life.epoch)
        assert (told["site"], told["box"], told["privacy"]) == ("kiel", "modembank", "counts")
        assert told["next_try_at"] > told["since"]
        fleet.note(LinkState.ONLINE)
        fleet.hub = HubState.ONLINE
        await box.store.write(lambda conn: shadow.keep(conn, shadow.Shadow(ver=2, state="trial", good_ver=1)))
        told = (await client.get("/api/v1/fleet")).json()
        assert (told["configuration"], told["configuration_newest"], told["configuration_state"]) == (2, 2, "pending")
    assert (told["state"], told["hub"], told["next_try_at"]) == ("online", "online", None)


async def test_it_is_for_admins(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        assert (await client.get("/api/v1/fleet")).status_code == 403


def test_the_example_has_the_shape() -> None:
    assert msgspec.to_builtins(msgspec.convert(examples.FLEET, FleetStatus)) == examples.FLEET
