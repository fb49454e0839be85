"""A whole box and its Home Assistant: what is asked there is on the air, what comes in is told; neither needs it."""

import json

import pytest

from fakes.boxes import emulated, running
from fakes.brokers import Mosquitto, free_port
from fakes.homes import home_at, until
from modembank.config import HomeAssistantConfig, NotifyConfig

pytestmark = pytest.mark.broker
TOLD = "+447700900123"
OWN = "modembank/test"


def rules(port):
    group = NotifyConfig("on-call", (TOLD,), "tester")
    url = f"mqtt://127.0.0.1:{port}"
    return {"home_assistant": HomeAssistantConfig(url, notify=(group,), every_s=1, privacy="full")}


async def test_a_notification_is_on_the_air_and_a_message_is_told(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as mosquitto:
        async with emulated(tmp_path / "tty") as bank, home_at(mosquitto) as home:
            async with running(bank, tmp_path / "data", rules=rules(mosquitto.port)) as box:
                topic = f"{OWN}/modem/slot-01"
                await until(lambda: json.loads(home.retained.get(topic, b"{}")).get("connected"))
                told = json.loads(home.retained[topic])
                assert (told["state"], told["operator"]) == ("registered", box.app.bank.modem("slot-01").operator)
                await home.says(f"{OWN}/cmd/notify/on-call", b'{"message": "the gate is open", "id": "1"}')
                await until(lambda: box.seen() == [TOLD])
                bank.network.inject(bank.cards[0].msisdn, "who left it open?", from_="+447911555456")
                event = json.loads((await until(lambda: home.said(f"{OWN}/event")))[0])
                assert event == {
                    "event_type": "received",
                    "from": "+447911555456",
                    "slot": "slot-01",
                    "text": "who left it open?",
                }
                await until(lambda: json.loads(home.retained[f"{OWN}/tele"])["sent_today"] == 1)
                assert (await box.get("home-assistant"))["notified"] == 1
            await until(lambda: json.loads(home.retained[f"{OWN}/avail"]) == {"state": "offline"})


async def test_without_the_broker_messages_are_sent_as_ever(tmp_path):
    async with (
        emulated(tmp_path / "tty") as bank,
        running(bank, tmp_path / "data", rules=rules(free_port())) as box,
    ):
        accepted = await box.send(TOLD)
        await box.until_status(accepted["messages"][0]["id"], "sent", "delivered")
        told = await until(lambda: _trouble(box))
        assert told["state"] in {"waiting", "connecting"}
        assert "cannot connect" in told["why"]


async def _trouble(box):
    told = await box.get("home-assistant")
    return told if told["why"] else None
