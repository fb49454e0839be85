"""Modems and SIMs through the API, over a real bank whose ports are absent and a real registry of SIMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.modem_hosts import eventually
from fakes.usb import FakeUsb
from fakes.web_boxes import ICCID, PORTS, Box
from modembank.accounts import LOCAL_ADMIN
from modembank.config import PortEntry
from modembank.errors import NotFound
from modembank.modem import ModemState, UssdAnswer, UssdFailed

MODEMS = "/api/v1/modems"
SIMS = "/api/v1/sims"


async def test_every_slot_is_listed_also_without_a_modem(box: Box) -> None:
    async with box.client(await box.key()) as client:
        listed = (await client.get(MODEMS)).json()
        one = (await client.get(f"{MODEMS}/slot-03")).json()
    assert [item["slot"] for item in listed["items"]] == ["slot-03", "slot-04"]
    assert listed["next"] is None
    assert one == listed["items"][0]
    assert (one["state"], one["admin"], one["port"], one["sim"]) == ("detected", "enabled", PORTS[0].path, None)


async def test_orders_to_a_slot(box: Box) -> None:
    async with box.client(await box.key()) as client:

        async def order(name: str) -> tuple[int, Any]:
            answer = await client.post(f"{MODEMS}/slot-04/{name}")
            return answer.status_code, answer.json().get("admin") or answer.json()["error_code"]

        assert await order("drain") == (200, "draining")
        assert await order("disable") == (200, "disabled")
        assert await order("drain") == (409, "CONFLICT")
        assert await order("reset") == (409, "CONFLICT")
        try:
            assert await order("enable") == (200, "enabled")
            assert await order("reset") == (200, "enabled")
        finally:
            await box.bank.stop()


@pytest.mark.parametrize("name", ["reset", "disable", "enable", "drain"])
async def test_a_slot_that_is_not_there(box: Box, name: str) -> None:
    async with box.client(await box.key()) as client:
        for answer in (await client.post(f"{MODEMS}/slot-99/{name}"), await client.get(f"{MODEMS}/slot-99")):
            assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")


async def test_a_modem_that_was_found_and_is_gone_is_forgotten(box: Box) -> None:
    found = box.bank.add(PortEntry(path="usb:99-9"))
    async with box.client(await box.key()) as client:
        refused = await client.delete(f"{MODEMS}/slot-03")
        assert (refused.status_code, "is listed" in refused.json()["detail"]) == (409, True)
        refused = await client.delete(f"{MODEMS}/{found}")
        assert (refused.status_code, "not gone" in refused.json()["detail"]) == (409, True)
        try:
            await box.bank.start()
            await eventually(lambda: box.bank.modem(found).state is ModemState.GONE)
            answer = await client.delete(f"{MODEMS}/{found}")
            assert (answer.status_code, answer.content) == (204, b"")
            assert (await client.delete(f"{MODEMS}/{found}")).status_code == 404
            assert [item["slot"] for item in (await client.get(MODEMS)).json()["items"]] == ["slot-03", "slot-04"]
        finally:
            await box.bank.stop()
    actions = [(entry.action, entry.subject) for entry in (await box.audit.list(LOCAL_ADMIN)).items]
    assert actions[0] == ("modem.forget", found)


async def test_ussd_checks_the_code_before_the_modem_is_asked(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for code in ("", "*100#;AT+CFUN=0", "hello", "*" * 200, "*100#\n", 100):
            answer = await client.post(f"{MODEMS}/slot-03/ussd", json={"code": code})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/code")
        assert (await client.post(f"{MODEMS}/slot-99/ussd", json={"code": "*100#"})).status_code == 404


async def test_ussd_answers_and_failures(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(slot: str, code: str) -> UssdAnswer:
        return UssdAnswer(f"{slot} {code}", "done")

    async def failed(slot: str, code: str) -> UssdAnswer:
        raise UssdFailed(slot=slot, why="no answer")

    async with box.client(await box.key()) as client:
        monkeypatch.setattr(box.bank, "ussd", answered)
        answer = await client.post(f"{MODEMS}/slot-03/ussd", json={"code": "*100#"})
        assert answer.json() == {"text": "slot-03 *100#", "state": "done"}
        monkeypatch.setattr(box.bank, "ussd", failed)
        answer = await client.post(f"{MODEMS}/slot-03/ussd", json={"code": "*100#"})
    assert (answer.status_code, answer.json()["error_code"]) == (502, "USSD_FAILED")
    assert "no answer" in answer.json()["detail"]


async def test_a_pin_is_checked_and_refused_where_none_is_wanted(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for pin in ("", "123", "123456789", "12a4", "4711\n", 4711):
            answer = await client.post(f"{MODEMS}/slot-03/pin", json={"pin": pin})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/pin")
        assert (await client.post(f"{MODEMS}/slot-99/pin", json={"pin": "4711"})).status_code == 404
        refused = await client.post(f"{MODEMS}/slot-03/pin", json={"pin": "4711"})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "CONFLICT")
    assert "does not wait for a PIN" in refused.json()["detail"]


async def test_a_sim_tells_its_limits_and_what_is_used(box: Box) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    box.sims.ledger(sim.id).record(round(box.clock.now() * 1000), 3, None)
    async with box.client(await box.key()) as client:
        listed = (await client.get(SIMS)).json()
        one = (await client.get(f"{SIMS}/{ICCID}")).json()
    assert listed == {"items": [one], "next": None}
    assert (one["iccid"], one["slot"], one["msisdn"], one["paused"]) == (ICCID, "slot-03", "+447900900001", False)
    assert one["limits"]["per_hour"] == box.config.limits.per_hour
    assert one["used"]["per_hour"] == 3


async def test_a_patch_holds_at_once_and_is_stored(box: Box) -> None:
    async with box.client(await box.key()) as client:

        async def patch(**changes: Any) -> dict[str, Any]:
            answer = await client.patch(f"{SIMS}/{ICCID}", json=changes)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        assert (await patch(label="shop"))["label"] == "shop"
        changed = await patch(limits={"per_day": 7, "min_interval_s": 0.5})
        assert (changed["limits"]["per_day"], changed["limits"]["min_interval_s"]) == (7, 0.5)
        assert changed["overrides"] == {"per_day": 7, "min_interval_s": 0.5}
        assert changed["label"] == "shop"
        back = await patch(limits={"per_day": None})
        assert back["limits"]["per_day"] == box.config.limits.per_day
        assert back["overrides"] == {"min_interval_s": 0.5}
        paused = await patch(paused=True, paused_reason="invoice")
        assert (paused["paused"], paused["paused_reason"]) == (True, "invoice")
        assert (await patch(paused=True))["paused_reason"] == "paused by admin"
        assert (await patch(paused=False))["paused"] is False
        assert await patch() == (await client.get(f"{SIMS}/{ICCID}")).json()
    row = await box.store.fetch_one("SELECT label, paused_reason FROM sims")
    assert row == ("shop", None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limits": {"per_day": -1}}, "/limits/per_day"),
        ({"limits": {"per_week": 5}}, "/limits"),
        ({"limits": {"per_day": "many"}}, "/limits/per_day"),
        ({"limits": 5}, "/limits"),
        ({"label": "x" * 65}, "/label"),
        ({"label": " x"}, "/label"),
        ({"paused": "yes"}, "/paused"),
        ({"paused_reason": "why"}, "/paused_reason"),
        ({"iccid": "1"}, "/iccid"),
    ],
)
async def test_a_wrong_patch_changes_nothing(box: Box, body: dict[str, Any], pointer: str) -> None:
    async with box.client(await box.key()) as client:
        before = (await client.get(f"{SIMS}/{ICCID}")).json()
        answer = await client.patch(f"{SIMS}/{ICCID}", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await client.get(f"{SIMS}/{ICCID}")).json() == before


async def test_a_sim_that_is_not_there(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for answer in (await client.get(f"{SIMS}/1"), await client.patch(f"{SIMS}/1", json={})):
            assert (answer.status_code, answer.json()["details"]["what"]) == (404, "SIM")
    with pytest.raises(NotFound):
        box.sims.get(99)


async def test_what_is_on_the_usb_is_listed_with_its_ports_and_why_it_has_no_slot(box: Box, tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path / "usb")
    usb.stick("1-1.4.3", {0: "ttyUSB0", 2: "ttyUSB2"})
    usb.stick("1-2", {}, "046d:c31c", kinds={0: "03/01/01"}, text="Logitech <b>Keyboard</b>")
    async with box.client(await box.key()) as client:
        listed = (await client.get("/api/v1/usb")).json()
    modem, keyboard = listed["items"]
    assert (modem["place"], modem["id"], modem["standing"]) == ("usb:1-1.4.3", "2c7c:0125", "unused")
    assert [(port["tty"], port["interface"], port["role"]) for port in modem["ports"]] == [
        ("ttyUSB0", 0, "diagnostics"),
        ("ttyUSB2", 2, "at"),
    ]
    assert (keyboard["text"], keyboard["why"]) == ("Logitech <b>Keyboard</b>", "it has no serial port")
    assert (listed["watching"], listed["next"]) == (False, None)


async def test_a_box_without_a_usb_has_nothing_on_it(box: Box) -> None:
    async with box.client(await box.key()) as client:
        assert (await client.get("/api/v1/usb")).json()["items"] == []
