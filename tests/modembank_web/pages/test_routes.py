"""Routes as a page: pools and their SIMs, what each may still send, what waits and fails, and who is in which."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fakes.readers import Element, reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.config import SimConfig
from modembank.messages import MessageState, SubmitRequest
from modembank.messages import backlog as backlog_module
from modembank.modem import ModemState
from modembank.sim import SimIdentity, Sims
from modembank.sim.model import SimChange

OTHER = "8944110068256270062"
POOL = "<i>clinic</i>"


def cards(page: Element) -> dict[str, Element]:
    return {card.one("h2").text: card for card in page.all("section", class_="card") if next(card.all("h2"), None)}


def figures(card: Element) -> dict[str, str]:
    return {each.one("dt").text: each.one("dd").text for each in card.all("div", class_="stat")}


@pytest.fixture
async def two(box: Box) -> Box:
    """A box with two SIMs, one of them in a pool."""
    await box.sims.identify(SimIdentity(iccid=OTHER, msisdn="+447900900002"), "slot-09")
    one = box.sims.by_iccid(ICCID)
    assert one is not None
    await box.sims.change(one.id, SimChange(label=POOL))
    return box


def labels(box: Box) -> dict[str, str]:
    return {sim.iccid: sim.label for sim in box.sims.all()}


def paused(box: Box) -> dict[str, str | None]:
    return {sim.iccid: sim.paused_reason for sim in box.sims.all()}


async def test_every_way_out_is_shown_with_what_waits_for_it(two: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "MOST_COUNTED", 2)
    async with reader(two) as admin:
        for number in range(3):
            await two.messages.submit(LOCAL_ADMIN, SubmitRequest(to=f"+4479009001{number:02d}", text="x"))
        await two.messages.submit(LOCAL_ADMIN, SubmitRequest(to="+447900900110", text="x", pool=POOL))
        await two.messages.submit(LOCAL_ADMIN, SubmitRequest(to="+447900900111", text="x", sim=OTHER))
        page = await admin.opens("/ui/routes")
        ways = cards(page)
        assert list(ways) == ["Any SIM", POOL, "Messages that name their SIMs"]
        assert (figures(ways["Any SIM"])["Can send now"], figures(ways["Any SIM"])["Waiting"]) == ("0 of 2", "2+")
        assert (figures(ways[POOL])["Can send now"], figures(ways[POOL])["Waiting"]) == ("0 of 1", "1")
        assert "nothing can send what waits" in ways[POOL].text
        assert "+447900900001" in ways[POOL].text
        assert "+447900900002" in ways["Any SIM"].text  # in no pool
        assert "+447900900001" not in ways["Any SIM"].text
        row = [cell.text for cell in ways["Messages that name their SIMs"].all("td")]
        assert row == ["+447900900002 not in the box", "0", "1"]
        part = page.one(id="routes")
        assert (part["hx-get"], part["hx-trigger"]) == ("/ui/routes/now", "live")
        assert (await admin.asks("/ui/routes/now")).one(id="routes").text == part.text


async def test_what_sims_may_still_send_counts_those_that_can(two: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    one = two.sims.by_iccid(ICCID)
    assert one is not None
    await two.sims.set_limits(one.id, {"per_hour": 10, "per_day": 0})
    two.sims.ledger(one.id).record(round(two.clock.now() * 1000), 3, "+447900900100")
    async with reader(two) as admin:
        shown = cards(await admin.opens("/ui/routes"))[POOL]
        assert figures(shown)["May still send this hour"] == "0"  # its modem is not there
        meter = shown.one("div", role="meter")
        assert (meter["aria-valuetext"], meter["aria-label"]) == ("3 of 10", "This hour")
        assert "3 · no limit" in shown.text
        (view, *_) = two.bank.modems()
        able = replace(view, sim_id=one.id, state=ModemState.REGISTERED)
        monkeypatch.setattr(two.bank, "modems", lambda: (able,))
        shown = cards(await admin.opens("/ui/routes"))[POOL]
        assert figures(shown)["Can send now"] == "1 of 1"
        assert figures(shown)["May still send this hour"] == "7"
        assert figures(shown)["In 24 hours"] == "no limit"


async def test_failures_are_those_of_the_last_day_by_sim(two: Box) -> None:
    one = two.sims.by_iccid(ICCID)
    assert one is not None
    for number in range(3):
        await two.messages.submit(LOCAL_ADMIN, SubmitRequest(to=f"+4479009001{number:02d}", text="x"))
    async with reader(two) as admin:
        assert figures(cards(await admin.opens("/ui/routes"))[POOL])["Came to a bad end in 24 hours"] == "0"
        sql = "UPDATE messages SET state = ?, ready = NULL, sim_id = iif(id = (SELECT min(id) FROM messages), NULL, ?)"
        await two.store.write(lambda conn: conn.execute(sql, (MessageState.FAILED, one.id)).rowcount)
        page = await admin.opens("/ui/routes")
        assert figures(cards(page)[POOL])["Came to a bad end in 24 hours"] == "2"
        assert figures(cards(page)["Any SIM"])["Came to a bad end in 24 hours"] == "2"
        assert "1 more message of the last 24 hours came to a bad end before any SIM tried" in page.text


async def test_a_sim_is_put_into_a_pool_and_taken_out(two: Box) -> None:
    async with reader(two) as admin:
        page = await admin.opens("/ui/routes")
        assert [each["value"] for each in page.one("datalist").all("option")] == [POOL]
        await admin.sends("/ui/routes/sims", 204, iccid=OTHER, pool=f" {POOL} ")
        assert admin.last is not None
        assert admin.last.headers["hx-redirect"] == "/ui/routes"
        assert labels(two) == {ICCID: POOL, OTHER: POOL}
        assert figures(cards(await admin.opens("/ui/routes"))[POOL])["Can send now"] == "0 of 2"
        left = await admin.sends(f"/ui/routes/sims/{ICCID}/out")
        assert labels(two) == {ICCID: "", OTHER: POOL}
        assert "+447900900001" in cards(left)["Any SIM"].text
        await admin.sends("/ui/routes/sims/8944000000000000000/out", 404)
    entries = (await two.audit.list(LOCAL_ADMIN)).items
    assert [entry.action for entry in entries][:2] == ["sim.change", "sim.change"]


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"iccid": "", "pool": "a"}, "iccid"), ({"iccid": "894400", "pool": "a"}, "iccid"),
     ({"iccid": ICCID, "pool": " "}, "pool"), ({"iccid": ICCID, "pool": "x" * 65}, "pool"),
     ({"iccid": ICCID, "pool": "a\u202eb"}, "pool")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field(two: Box, typed: dict[str, str], field: str) -> None:
    async with reader(two) as admin:
        shown = await admin.sends("/ui/routes/sims", 422, **typed)
        assert shown.one(id=f"{field}-error").text
        assert shown.one("input", name="pool")["value"] == typed["pool"]
        assert labels(two) == {ICCID: POOL, OTHER: ""}


async def test_a_sim_that_the_file_puts_into_a_pool_stays_there(two: Box) -> None:
    entry = SimConfig(iccid=OTHER, label="alarms")
    two.sims = Sims(two.store, two.bus, two.clock, two.config.limits, (entry,))
    await two.sims.load()
    async with reader(two) as admin:
        assert "alarms" in cards(await admin.opens("/ui/routes"))
        assert "configuration file" in (await admin.sends(f"/ui/routes/sims/{OTHER}/out", 409)).text
        assert labels(two)[OTHER] == "alarms"


async def test_a_pool_and_the_whole_box_are_paused_and_resumed(two: Box) -> None:
    async with reader(two) as admin:
        shown = await admin.sends("/ui/routes/pause", pool=POOL)
        assert paused(two) == {ICCID: f"all of the pool {POOL} paused by admin", OTHER: None}
        assert "Pause all" not in cards(shown)[POOL].text
        assert "Resume the paused (1)" in cards(shown)[POOL].text
        await admin.sends("/ui/routes/pause")
        assert paused(two) == {
            ICCID: f"all of the pool {POOL} paused by admin",  # its own reason stays
            OTHER: "all of the box paused by admin",
        }
        await admin.sends("/ui/routes/resume", pool=POOL)
        assert paused(two) == {ICCID: None, OTHER: "all of the box paused by admin"}
        await admin.sends("/ui/routes/resume")
        assert paused(two) == {ICCID: None, OTHER: None}
        await admin.sends("/ui/routes/pause", 404, pool="nobody")
        await admin.sends("/ui/routes/resume", 404, pool="nobody")


async def test_a_pool_without_sims_says_so(two: Box) -> None:
    await two.messages.submit(LOCAL_ADMIN, SubmitRequest(to="+447900900110", text="x", pool=POOL))
    async with reader(two) as admin:
        shown = cards(await admin.sends(f"/ui/routes/sims/{ICCID}/out"))[POOL]
        assert "No SIM that the box knows is in this pool" in shown.text
        assert figures(shown)["Waiting"] == "1"


async def test_only_admins_see_and_change_routes(two: Box) -> None:
    async with reader(two, Role.SENDER) as sender:
        for path in ("/ui/routes", "/ui/routes/now"):
            await sender.opens(path, 403)
        await sender.sends("/ui/routes/pause", 403)
    assert paused(two) == {ICCID: None, OTHER: None}
