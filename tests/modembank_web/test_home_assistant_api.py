"""``GET /api/v1/home-assistant``: how the link to the site's broker stands, for admins."""

from __future__ import annotations

import msgspec

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.config import HomeAssistantConfig, NotifyConfig
from modembank.home_assistant import HomeAssistant, LinkState
from modembank_web.api.v1 import home_assistant_examples as examples
from modembank_web.api.v1.home_assistant import HomeAssistantStatus


async def test_a_box_without_a_broker_says_so(box: Box) -> None:
    async with box.client(await box.key()) as client:
        told = (await client.get("/api/v1/home-assistant")).json()
    assert (told["state"], told["broker"], told["node"], told["since"]) == ("not_set_up", "", "", None)
    assert (told["entities"], told["groups"], told["notified"], told["refused"]) == (0, [], 0, 0)


async def test_a_link_is_told_with_what_is_wrong(box: Box) -> None:
    group = NotifyConfig("on-call", ("+447700900123",), "anne")
    home = HomeAssistantConfig(
        url="mqtts://ha.example.com", username="x", password_file="/secret/place", notify=(group,)
    )
    box.config = msgspec.structs.replace(box.config, home_assistant=home)
    box.home_assistant = service = HomeAssistant(box.config, box.clock)
    service.note(LinkState.WAITING, "cannot connect", 30.0)
    async with box.client(await box.key()) as client:
        answer = await client.get("/api/v1/home-assistant")
        told = answer.json()
        assert (told["state"], told["why"], told["node"]) == ("waiting", "cannot connect", "modembank")
        assert told["next_try_at"] > told["since"]
        assert told["groups"] == ["on-call"]
        assert "+447700900123" not in answer.text
        assert "secret" not in answer.text
        service.note(LinkState.ONLINE)
        service.announced(17)
        service.note_refused("retained")
        told = (await client.get("/api/v1/home-assistant")).json()
    assert (told["state"], told["why"], told["next_try_at"], told["entities"]) == ("online", "", None, 17)
    assert (told["refused"], told["last_refusal"]) == (1, "retained")


async def test_it_is_for_admins(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        assert (await client.get("/api/v1/home-assistant")).status_code == 403


def test_the_example_has_the_shape() -> None:
    shaped = msgspec.convert(examples.HOME_ASSISTANT, HomeAssistantStatus)
    assert msgspec.to_builtins(shaped) == examples.HOME_ASSISTANT
