"""The bank and its modems as pages, over a real bank whose ports are absent and a real registry of SIMs."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.modem_hosts import eventually
from fakes.readers import Element, reader
from fakes.usb import FakeUsb
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.config import PortEntry
from modembank.modem import FailedReason, ModemState, UssdAnswer, UssdFailed

SLOT = "/ui/bank/slots/slot-04"


def cards(page: Element) -> dict[str, str]:
    return {card.one("h3").text: card.one("span", class_="badge").text for card in page.all("article")}


async def test_every_slot_has_its_card_and_its_page(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens("/ui/bank")
        assert cards(page) == {"slot-03": "detected", "slot-04": "detected"}
        part = page.one(id="bank-now")
        assert (part["hx-get"], part["hx-trigger"]) == ("/ui/bank/now", "live")
        assert cards(await admin.asks("/ui/bank/now")) == cards(page)
        assert "Put into service" not in (await admin.opens(SLOT)).text
        await admin.opens("/ui/bank/slots/slot-99", 404)


async def test_orders_are_carried_out_recorded_and_shown(box: Box) -> None:
    async with reader(box) as admin:
        assert "given nothing new" in (await admin.sends(f"{SLOT}/drain")).text
        assert "taken out of service by hand" in (await admin.sends(f"{SLOT}/disable")).text
        refused = await admin.sends(f"{SLOT}/reset", 409)
        assert refused.one("div", class_="notice").text
        assert admin.last is not None
        assert admin.last.headers["hx-retarget"] == "#notices"
        assert "Put into service" in (await admin.opens(SLOT)).text
        try:
            assert "Take out of service" in (await admin.sends(f"{SLOT}/enable")).text
        finally:
            await box.bank.stop()
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    assert [entry.action for entry in entries][:4] == ["modem.enable", "modem.reset", "modem.disable", "modem.drain"]


async def test_what_a_sim_used_is_shown_by_minute(box: Box) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    now = round(box.clock.now() * 1000)
    box.sims.ledger(sim.id).record(now, 3, None)
    minutes = box.sims.ledger(sim.id).last_hour(now)
    assert (len(minutes), minutes[-1], sum(minutes)) == (60, 3, 3)
    assert sum(box.sims.ledger(sim.id).last_hour(now + 59 * 60_000)) == 3
    assert sum(box.sims.ledger(sim.id).last_hour(now + 61 * 60_000)) == 0


async def test_ussd_under_the_form(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(slot: str, code: str) -> UssdAnswer:
        return UssdAnswer(f"<b>{slot}</b> {code}", "done")

    async def failed(slot: str, code: str) -> UssdAnswer:
        raise UssdFailed(slot=slot, why="no answer")

    async with reader(box) as admin:
        wrong = await admin.sends(f"{SLOT}/ussd", 422, code="*100#;AT")
        assert "made of digits" in wrong.one("span", class_="error").text
        assert wrong.one("input", name="code")["value"] == "*100#;AT"
        monkeypatch.setattr(box.bank, "ussd", answered)
        shown = await admin.sends(f"{SLOT}/ussd", code=" *100# ")
        assert shown.one("bdi").text == "<b>slot-04</b> *100#"
        monkeypatch.setattr(box.bank, "ussd", failed)
        assert "no answer" in (await admin.sends(f"{SLOT}/ussd", code="*100#")).one(class_="notice").text


async def test_a_pin_is_tried_where_one_is_wanted(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, str]] = []
    seen = box.bank.modem("slot-04")
    async with reader(box) as admin:
        assert "Enter the PIN" not in (await admin.opens(SLOT)).one(id="modem-now").text
        await admin.sends(f"{SLOT}/pin", 409, pin="4711")
        monkeypatch.setattr(box.bank, "modem", lambda _: replace(seen, failed=FailedReason.PIN_MISSING))
        monkeypatch.setattr(box.bank, "enter_pin", lambda slot, pin: tried.append((slot, pin)))
        assert "Enter the PIN" in (await admin.opens(SLOT)).one(id="modem-now").text
        wrong = await admin.sends(f"{SLOT}/pin", 422, pin="47x1")
        assert "4 to 8 digits" in wrong.one("span", class_="error").text
        assert "value" not in wrong.one("input", name="pin").attributes
        await admin.sends(f"{SLOT}/pin", 204, pin=" 4711 ")
        assert admin.last is not None
        assert admin.last.headers["hx-redirect"] == SLOT
    assert tried == [("slot-04", "4711")]
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    assert [(entry.action, entry.subject, entry.detail) for entry in entries][:1] == [("modem.pin", "slot-04", {})]


async def test_the_transcript_is_for_admins_and_the_bank_not_for_senders(box: Box) -> None:
    async with reader(box) as admin:
        assert "Nothing was said" in (await admin.asks(f"{SLOT}/transcript")).text
    async with reader(box, Role.SENDER) as sender:
        await sender.opens("/ui/bank", 403)
        await sender.asks(f"{SLOT}/transcript", 403)
        await sender.sends(f"{SLOT}/reset", 403)


async def test_the_menu_shows_where_a_tab_belongs(box: Box) -> None:
    async with reader(box) as admin:
        for tab, entry in (("/ui/bank", "/ui/bank"), ("/ui/sims", "/ui/bank"), ("/ui/twilio", "/ui/keys")):
            menu = (await admin.opens(tab)).one("nav", **{"aria-label": "Pages"})
            assert [link["href"] for link in menu.all("a", **{"aria-current": "page"})] == [entry]


async def test_a_modem_that_was_found_and_is_gone_is_forgotten_from_its_page(box: Box) -> None:
    found = box.bank.add(PortEntry(path="usb:99-9"))
    path = f"/ui/bank/slots/{found}"
    async with reader(box) as admin:
        try:
            await box.bank.start()
            await eventually(lambda: box.bank.modem(found).state is ModemState.GONE)
            await eventually(lambda: box.bank.modem("slot-04").state is ModemState.GONE)
            assert "Forget it" not in (await admin.opens(SLOT)).one(id="modem-now").text
            page = await admin.opens(path)
            button = next(each for each in page.one(id="modem-now").all("button") if "Forget it" in each.text)
            dialog = page.one("dialog", id=button["data-opens"])
            assert [each["hx-post"] for each in dialog.all("button", hx_post=f"{path}/forget")] == [f"{path}/forget"]
            await admin.sends(f"{SLOT}/forget", 409)
            await admin.sends(f"{path}/forget", 204)
            assert admin.last is not None
            assert admin.last.headers["hx-redirect"] == "/ui/bank"
            assert found not in (await admin.opens("/ui/bank")).text
            await admin.opens(path, 404)
        finally:
            await box.bank.stop()


async def test_what_else_is_on_the_usb_is_named(box: Box, tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path / "usb")
    async with reader(box) as admin:
        assert "Also on the USB" not in (await admin.opens("/ui/bank")).text
        usb.stick("1-2", {}, "046d:c31c", kinds={0: "03/01/01"}, text="Logitech <b>Keyboard</b>")
        shown = (await admin.opens("/ui/bank")).one(id="usb")
        assert "Logitech <b>Keyboard</b>" in shown.text
        assert "it has no serial port" in shown.text
