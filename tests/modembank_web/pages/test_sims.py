"""SIMs as pages: what they used, and changing what they may."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fakes.readers import reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN
from modembank_web.pages.mailing_words import route_words
from modembank_web.pages.words import sim_words

SIM = f"/ui/sims/{ICCID}"


async def test_a_sim_is_listed_and_shown(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens("/ui/sims")
        assert "+447900900001" in page.text
        assert page.one("a", href=SIM).text
        one = await admin.opens(SIM)
        assert one.one("input", name="per_hour")["value"] == ""
        assert "Pause this SIM" in one.text
        await admin.opens("/ui/sims/8944000000000000000", 404)


async def test_a_sim_is_called_the_same_by_the_bank_and_by_a_mailing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    plain = replace(sim, label="", msisdn=None)
    called = {"sales": replace(sim, label="sales"), "+447900900001": sim, f"SIM …{ICCID[-6:]}": plain}
    for name, one in called.items():
        assert sim_words(one) == name
        assert route_words(f'{{"sims":[{sim.id}]}}', [one]) == name
    views = [replace(view, sim_id=sim.id) for view in box.bank.modems()[:1]]
    monkeypatch.setattr(box.bank, "modems", lambda: views)
    async with reader(box) as admin:
        assert "+447900900001" in (await admin.opens("/ui/bank")).one("article").text


async def test_limits_and_name_are_changed_and_go_back_to_the_box(box: Box) -> None:
    async with reader(box) as admin:
        saved = await admin.sends(SIM, label="<i>pool</i>", per_hour="200", min_interval_s="1,5")
        assert "Saved" in saved.text
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        assert (sim.label, sim.limits.per_hour, sim.limits.min_interval_s) == ("<i>pool</i>", 200, 1.5)
        assert (await admin.opens(SIM)).one("h1").text == "<i>pool</i>"
        await admin.sends(SIM, label="")
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        assert not sim.overrides
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    assert [(entry.action, entry.detail) for entry in entries][:2] == [
        ("sim.change", {"label": "", "limits": {"min_interval_s": None, "per_hour": None}}),
        ("sim.change", {"label": "<i>pool</i>", "limits": {"min_interval_s": 1.5, "per_hour": 200}}),
    ]


@pytest.mark.parametrize(
    ("field", "value"), [("per_hour", "many"), ("per_day", "-1"), ("per_minute", "1.5"), ("per_month", "nan"),
                         ("min_interval_s", "90000"), ("per_day", "1e99"), ("label", "x" * 65)],
)  # fmt: skip
async def test_a_wrong_value_is_said_at_its_field_and_changes_nothing(box: Box, field: str, value: str) -> None:
    async with reader(box) as admin:
        before = box.sims.by_iccid(ICCID)
        shown = await admin.sends(SIM, 422, **({"label": "kept", "per_hour": "7"} | {field: value}))
        assert shown.one(id=f"{field}-error").text
        assert shown.one("input", name=field)["value"] == value
        other = "label" if field != "label" else "per_hour"
        assert shown.one("input", name=other)["value"] in {"kept", "7"}
        assert box.sims.by_iccid(ICCID) == before


async def test_pausing_and_resuming(box: Box) -> None:
    async with reader(box) as admin:
        paused = await admin.sends(f"{SIM}/pause", reason="top up <first>")
        assert paused.one("bdi").text == "top up <first>"
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        assert sim.paused
        assert "Pause this SIM" in (await admin.sends(f"{SIM}/resume")).text
        assert "paused by admin" in (await admin.sends(f"{SIM}/pause", reason=" ")).text
