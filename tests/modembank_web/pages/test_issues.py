"""Issues as pages: what needs somebody, the remedy to click, and the decision about what was held."""

from __future__ import annotations

from fakes.readers import reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role

REASON = "refused 3 numbers in a row, last with +CMS ERROR 21: <b>check</b> its credit and contract"


async def paused(box: Box) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    await box.sims.pause(sim.id, REASON)
    await box.health.look("sim_without_credit")


async def test_a_well_box_says_so(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens("/ui/issues")
        assert "Nothing needs you" in page.text
        assert "none is missing" in page.text
        assert "for the first time since the box was started" in page.text
        await box.health.conservation(LOCAL_ADMIN)
        assert "Counted one by one" in (await admin.opens("/ui/issues")).text
        assert "Nothing was cleared" in (await admin.opens("/ui/issues?state=cleared")).text


async def test_a_remedy_is_clicked_and_the_issue_is_over(box: Box) -> None:
    await paused(box)
    async with reader(box) as admin:
        assert "1 thing needs somebody" in (await admin.opens("/ui/bank")).text
        issue = (await admin.opens("/ui/issues")).one("article")
        assert ICCID in issue.one("h2").text
        assert "<b>check</b>" in issue.text
        offer = issue.one("button")
        assert (offer["title"], offer.text) == ("Lets the SIM send again", "Resume sim")
        done = await admin.sends(offer["hx-post"])
        assert "SIM slot-03 sends again" in done.text
        assert done.one("span", class_="badge").text == "cleared"
        assert "Nothing needs you" in (await admin.asks("/ui/issues/now")).text
        assert done.one("article")["id"] in {
            card["id"] for card in (await admin.opens("/ui/issues?state=cleared")).all("article")
        }
        again = await admin.sends(offer["hx-post"], 409)
        assert "was cleared at" in again.text


async def test_what_is_held_is_decided_by_an_admin(box: Box) -> None:
    async with reader(box) as admin:
        assert "Nothing needs you" in (await admin.sends("/ui/issues/outage", decision="send")).text
        await admin.sends("/ui/issues/outage", 422, decision="burn")
    async with reader(box, Role.SENDER) as sender:
        await sender.opens("/ui/issues", 403)
        await sender.sends("/ui/issues/outage", 403, decision="send")
