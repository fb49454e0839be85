"""A box that lists no port: its modems are found on the USB, and all else goes as ever."""

import pytest

from fakes.boxes import emulated, running
from fakes.usb import FakeUsb


@pytest.fixture
def usb(tmp_path):
    return FakeUsb(tmp_path / "usb")


async def test_a_box_without_a_listed_port_finds_its_modems_and_sends(tmp_path, usb):
    usb.stick("1-3", {}, "046d:c31c", kinds={0: "03/01/01"}, text="Logitech Keyboard")
    async with emulated(tmp_path / "tty") as bank:
        for index, modem in enumerate(bank.modems):
            ttys = {number: f"ttyUSB{4 * index + number}" for number in range(3)}
            usb.stick(f"1-1.{index + 1}", ttys, far={ttys[2]: modem.path})
        async with running(bank, tmp_path / "data", usb=usb.options, discovery="usb", wait=False) as box:
            app = box.app
            await box.until(lambda: sum(view.able_to_send for view in app.bank.modems()) == 2)
            shown = (await box.client.get("/api/v1/modems")).json()["items"]
            assert [(one["slot"], one["port"]) for one in shown] == [
                ("usb-1-1.1", "usb:1-1.1"),
                ("usb-1-1.2", "usb:1-1.2"),
            ]
            assert shown[1]["tty"] == str(usb.dev / "ttyUSB6")
            answer = await box.client.post("/api/v1/messages", json={"to": "+15559990001", "text": "found"})
            assert answer.status_code == 202
            await box.until(lambda: [seen.text for seen in bank.network.ledger] == ["found"])
            devices = {one["place"]: one["standing"] for one in (await box.client.get("/api/v1/usb")).json()["items"]}
            assert devices == {"usb:1-1.1": "served", "usb:1-1.2": "served", "usb:1-3": "no_port"}
