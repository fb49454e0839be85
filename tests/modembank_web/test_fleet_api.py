"""``GET /api/v1/fleet``: how the link to the hub stands, for admins."""

from __future__ import annotations

import msgspec
import pytest

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.config import HubKeyConfig, MqttConfig
from modembank.fleet import Fleet, HubState, LinkState, Membership, Pair, shadow
from modembank.fleet.token import HubToken, read_token
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


# -- enrolment

TOKEN = HubToken("https://hub.example.org:8443", bytes(32), bytes(16)).written
PATH = "/api/v1/fleet/enrolment"


async def test_a_token_is_kept_and_taken_back(box: Box) -> None:
    async with box.client(await box.key()) as client:
        assert (await client.get("/api/v1/fleet")).json()["enrolment"] == "none"
        assert (await client.delete(PATH)).status_code == 409
        answer = await client.post(PATH, json={"token": f"  {TOKEN}\n"})
        assert answer.status_code == 202
        told = answer.json()
        assert (told["enrolment"], told["enrolment_hub"], told["state"]) == (
            "asking", "https://hub.example.org:8443", "not_set_up",
        )  # fmt: skip
        assert TOKEN not in answer.text
        assert box.fleet.enrolment.changed.is_set()
        other = await client.post(PATH, json={"token": TOKEN, "address": "https://10.0.0.7:8443/"})
        assert other.json()["enrolment_hub"] == "https://10.0.0.7:8443"
        gone = await client.delete(PATH)
        assert (gone.status_code, gone.json()["enrolment"]) == (200, "none")
        entries = (await client.get("/api/v1/audit")).json()["items"]
        assert [one["action"] for one in entries if one["action"].startswith("fleet.")] == [
            "fleet.leave", "fleet.enrol", "fleet.enrol",
        ]  # fmt: skip
        assert TOKEN not in (await client.get("/api/v1/audit")).text


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "/token", "required"),
        ({"token": ""}, "/token", "mbh1_"),
        ({"token": "mb_1234_secret"}, "/token", "mbh1_"),
        ({"token": TOKEN[:-3]}, "/token", "not whole"),
        ({"token": "x" * 2001}, "/token", "2000"),
        ({"token": TOKEN, "address": "http://hub"}, "/address", "https://"),
        ({"token": TOKEN, "address": "https://hub/path"}, "/address", "https://"),
        ({"token": TOKEN, "hub": "x"}, "/hub", ""),
    ],
)
async def test_what_is_no_token_is_said_so(box: Box, body: dict[str, str], pointer: str, words: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json=body)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] in {pointer, ""}
        assert words in error["detail"]
        assert (await client.get("/api/v1/fleet")).json()["enrolment"] == "none"


async def test_enrolling_is_for_admins(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        assert (await client.post(PATH, json={"token": TOKEN})).status_code == 403
        assert (await client.delete(PATH)).status_code == 403
    async with box.client() as stranger:
        assert (await stranger.post(PATH, json={"token": TOKEN})).status_code == 401


async def test_a_file_that_names_a_hub_goes_before_any_token(box: Box) -> None:
    mqtt = MqttConfig(url="mqtts://hub.example.com:8883", site="kiel")
    box.config = msgspec.structs.replace(box.config, mqtt=mqtt)
    box.fleet = Fleet(box.config, box.store, box.clock, box.events)
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={"token": TOKEN})
        assert answer.status_code == 409
        assert "take [mqtt] url out" in answer.json()["detail"]
        assert (await client.delete(PATH)).status_code == 409


async def test_a_refusal_and_a_membership_are_told(box: Box) -> None:
    async with box.client(await box.key()) as client:
        await client.post(PATH, json={"token": TOKEN})
        of = box.fleet.enrolment
        assert of.asked is not None
        await of.note_refused(of.asked, "token_used", "the token was used")
        told = (await client.get("/api/v1/fleet")).json()
        assert (told["enrolment"], told["enrolment_why"]) == ("refused", "the token was used")
        await client.post(PATH, json={"token": TOKEN})
        assert of.asked is not None
        pair = Pair(1, "ab", 1_795_000_000.0, 1_803_000_000.0, 1_800_000_000.0)
        key = HubKeyConfig("h1", "A" * 43 + "=")
        brokers = ("mqtts://a:8883", "mqtts://b:8883")
        member = Membership("https://hub", "PEM", "kiel", "cellar", brokers, (key,), pair)
        assert not await of.join(msgspec.structs.replace(of.asked, number=99), member)  # another token by now
        assert await of.join(of.asked, member)
        told = (await client.get("/api/v1/fleet")).json()
        assert (told["enrolment"], told["site"], told["box"], told["broker"]) == (
            "enrolled", "kiel", "cellar", "mqtts://a:8883",
        )  # fmt: skip
        assert told["certificate_ends_at"] == "2027-02-19T01:20:00.000Z"
        assert told["certificate_renews_at"] < told["certificate_ends_at"]
        assert box.fleet.set_up
        assert box.fleet.mqtt.hub_key == (key,)
        assert box.fleet.mqtt.certificate.endswith("/hub/1.crt")


def test_the_examples_of_enrolment_have_the_shape() -> None:
    for example in (examples.STANDS_ALONE, examples.ASKING):
        assert msgspec.to_builtins(msgspec.convert(example, FleetStatus)) == example
    assert read_token(examples.OF_A_HUB).address == "https://hub.example.org:8443"
