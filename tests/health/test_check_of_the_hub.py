"""The check of the hub: silent for a while, or never there."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fakes.healths import Ward
from modembank.accounts import LOCAL_ADMIN
from modembank.config import BoxConfig, MqttConfig
from modembank.fleet import Fleet, LinkState, Membership, Pair
from modembank.fleet.token import HubToken
from modembank.health.checks import hub_enrolment, hub_unreachable

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


# -- enrolment

TOKEN = HubToken("https://hub.example.org", bytes(32), bytes(16)).written
OTHER = HubToken("https://hub.example.org", bytes(32), bytes(range(16))).written
PAIR = Pair(1, "ab", 0.0, 0.0, 0.0)
MEMBER = Membership("https://hub", "PEM", "kiel", "b1", ("mqtts://hub",), (), PAIR)


def enrolling(ward: Ward, tmp_path: Path) -> Fleet:
    placed = msgspec.structs.replace(ward.around.config, box=BoxConfig(data_dir=str(tmp_path)))
    fleet = Fleet(placed, ward.store, ward.clock, ward.events_log)
    msgspec.structs.force_setattr(ward.around, "fleet", fleet)
    return fleet


async def test_a_box_that_was_given_no_token_has_no_issue_of_it(ward: Ward, tmp_path: Path) -> None:
    assert await ward.look(hub_enrolment.CHECK) == []
    enrolling(ward, tmp_path)
    assert await ward.look(hub_enrolment.CHECK) == []


async def test_a_token_that_the_hub_refused_is_an_issue_until_there_is_another(ward: Ward, tmp_path: Path) -> None:
    of = enrolling(ward, tmp_path).enrolment
    await of.ask(LOCAL_ADMIN, TOKEN)
    assert await ward.look(hub_enrolment.CHECK) == []  # it asks yet
    assert of.asked is not None
    await of.note_refused(of.asked, "token_expired", "the token ended on 2026-11-20: ask for a new one")
    (found,) = await ward.look(hub_enrolment.CHECK)
    assert "ask for a new one" in found.summary
    assert found.evidence == {"hub": "https://hub.example.org", "code": "token_expired"}
    await of.ask(LOCAL_ADMIN, TOKEN)
    assert await ward.look(hub_enrolment.CHECK) == []


async def test_a_renewal_that_is_overdue_by_a_week_is_an_issue(ward: Ward, tmp_path: Path) -> None:
    of = enrolling(ward, tmp_path).enrolment
    now = ward.around.now_ms / 1000
    pair = msgspec.structs.replace(PAIR, renew_at=now + 60 * 86_400, not_after=now + 90 * 86_400)
    await of.ask(LOCAL_ADMIN, TOKEN)
    assert of.asked is not None
    assert await of.join(of.asked, msgspec.structs.replace(MEMBER, pair=pair))
    ward.clock.turn(67 * 86_400_000 - 1000)
    assert await ward.look(hub_enrolment.CHECK) == []
    of.renewal_why = "the hub at https://hub cannot be reached"
    ward.clock.turn(2000)
    (found,) = await ward.look(hub_enrolment.CHECK)
    assert "could not be renewed: the hub at https://hub cannot be reached" in found.summary
    assert " ends 20" in found.summary
    ward.clock.turn(24 * 86_400_000)
    (found,) = await ward.look(hub_enrolment.CHECK)
    assert " ended 20" in found.summary
    later = msgspec.structs.replace(pair, number=2, renew_at=now + 200 * 86_400, not_after=now + 230 * 86_400)
    assert await of.change_membership(lambda member: msgspec.structs.replace(member, coming=later))
    assert await ward.look(hub_enrolment.CHECK) == []


async def test_a_first_token_is_taken_once(ward: Ward, tmp_path: Path) -> None:
    of = enrolling(ward, tmp_path).enrolment
    assert await of.ask_at_first(TOKEN, "https://10.0.0.7:8443")
    assert of.hub == "https://10.0.0.7:8443"
    await of.forget(LOCAL_ADMIN)
    assert not await of.ask_at_first(TOKEN)
    again = enrolling(ward, tmp_path).enrolment  # a start
    assert not await again.ask_at_first(TOKEN)
    assert await again.ask_at_first(OTHER, "no address")
    assert again.hub == "https://hub.example.org"  # as the token says
    assert not await again.ask_at_first(OTHER)
    assert await again.ask_at_first("mbh1_torn-0000000000000")
    assert (again.state, again.why) == ("refused", "the token is not whole: copy it again from the hub's page")
    assert not await again.ask_at_first("mbh1_torn-0000000000000")
