"""The check of the hub: silent for a while, or never there."""

from __future__ import annotations

import msgspec

from fakes.healths import Ward
from modembank.config import MqttConfig
from modembank.fleet import Fleet, LinkState
from modembank.health.checks import hub_unreachable

CHECK = hub_unreachable.CHECK


async def test_a_box_without_a_hub_misses_none(ward: Ward) -> None:
    ward.clock.turn(10 * 86_400_000)
    assert await ward.look(CHECK) == []


async def test_a_hub_that_hears_nothing_for_an_hour_is_an_issue_until_it_does(ward: Ward) -> None:
    config = msgspec.structs.replace(ward.around.config, mqtt=MqttConfig(url="mqtts://hub.example.com", site="kiel"))
    fleet = Fleet(config, ward.store, ward.clock, ward.events_log)
    msgspec.structs.force_setattr(ward.around, "fleet", fleet)
    ward.clock.turn(3_599_000)
    assert await ward.look(CHECK) == []
    fleet.note(LinkState.WAITING, "cannot connect to hub.example.com")
    ward.clock.turn(1_000)
    (found,) = await ward.look(CHECK)
    assert "cannot connect to hub.example.com" in found.summary
    assert found.evidence["state"] == "waiting"
    fleet.note(LinkState.ONLINE)
    (found,) = await ward.look(CHECK)
    assert "does not answer" in found.summary
    fleet.worked()
    assert await ward.look(CHECK) == []
