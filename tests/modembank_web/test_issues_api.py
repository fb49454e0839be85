"""Issues and the books through the API."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.web_boxes import ICCID, Box
from modembank.accounts import Role, Scope

ISSUES = "/api/v1/issues"
REASON = "refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and contract"


async def pause(box: Box) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    await box.sims.pause(sim.id, REASON)
    await box.health.look("sim_without_credit")


async def test_a_well_box_has_none(box: Box) -> None:
    async with box.client(await box.key()) as client:
        assert (await client.get(ISSUES)).json() == {"items": [], "next": None}
        assert (await client.get(f"{ISSUES}?state=all")).json() == {"items": [], "next": None}


async def test_an_issue_is_shown_remedied_and_remembered(box: Box) -> None:
    await pause(box)
    async with box.client(await box.key(Role.ADMIN, Scope.MODEMS, name="olga")) as client:
        [issue] = (await client.get(ISSUES)).json()["items"]
        assert issue["id"].startswith("iss_")
        assert (issue["kind"], issue["subject"], issue["severity"]) == ("sim_without_credit", ICCID, "warning")
        assert issue["evidence"]["reason"] == REASON
        assert issue["remedies"] == [{"name": "resume_sim", "does": "Lets the SIM send again"}]
        assert (issue["cleared_at"], issue["remedied"]) == (None, [])
        assert issue["raised_at"].endswith("Z")
        assert (await client.get(f"{ISSUES}/{issue['id']}")).json() == issue

        answer = await client.post(f"{ISSUES}/{issue['id']}/remedies/resume_sim")
        assert answer.status_code == 200, answer.text
        done = answer.json()
        assert done["did"] == "SIM slot-03 sends again"
        assert done["issue"]["cleared_at"] is not None
        assert [run["by"] for run in done["issue"]["remedied"]] == ["olga"]
        assert (await client.get(f"/api/v1/sims/{ICCID}")).json()["paused"] is False

        assert (await client.get(ISSUES)).json()["items"] == []
        assert (await client.get(f"{ISSUES}?state=cleared")).json()["items"] == [done["issue"]]
        assert (await client.get(f"{ISSUES}/{issue['id']}")).json() == done["issue"]

        again = await client.post(f"{ISSUES}/{issue['id']}/remedies/resume_sim")
        assert (again.status_code, again.json()["error_code"]) == (409, "CONFLICT")
        assert "was cleared at" in again.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("iss_0000000000099/remedies/recount", 404),
        ("nothing/remedies/recount", 404),
        ("{issue}/remedies/pray", 404),
        ("{issue}/remedies/recount", 409),
    ],
)
async def test_remedies_that_are_none(box: Box, path: str, status: int) -> None:
    await pause(box)
    async with box.client(await box.key()) as client:
        issue = (await client.get(ISSUES)).json()["items"][0]["id"]
        answer = await client.post(f"{ISSUES}/{path.format(issue=issue)}")
        assert answer.status_code == status, answer.text
        assert (await client.get(f"{ISSUES}/{issue}")).json()["remedied"] == []


async def test_pages_lead_on(box: Box) -> None:
    for _ in range(5):
        await pause(box)
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        await box.sims.resume(sim.id)
        await box.health.look("sim_without_credit")
    async with box.client(await box.key()) as client:
        address: str | None = f"{ISSUES}?state=cleared&limit=2"
        sizes, seen = [], []
        while address is not None:
            page = (await client.get(address)).json()
            sizes.append(len(page["items"]))
            seen += [issue["id"] for issue in page["items"]]
            address = page["next"]
    assert sizes == [2, 2, 1]
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize(
    ("query", "pointer"), [("state=closed", "/state"), ("limit=0", "/limit"), ("cursor=x", "/cursor"), ("x=1", "/x")]
)
async def test_wrong_queries_name_their_field(box: Box, query: str, pointer: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.get(f"{ISSUES}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_sender_sees_neither_issues_nor_books(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        for path in (ISSUES, f"{ISSUES}/iss_0000000000001", "/api/v1/conservation"):
            assert (await client.get(path)).status_code == 403


async def test_the_books(box: Box) -> None:
    async with box.client(await box.key()) as client:
        sent = [
            (await client.post("/api/v1/messages", json={"to": f"+44790090012{n}", "text": "x"})).json()
            for n in range(3)
        ]
        await client.post(f"/api/v1/messages/{sent[0]['id']}/cancel")
        books: dict[str, Any] = (await client.get("/api/v1/conservation")).json()
        assert books["holds"] is True
        assert (books["accepted"], books["terminal"], books["open"]) == (3, 1, 2)
        assert (books["recorded"]["queued"], books["counted"]["cancelled"]) == (2, 1)
        assert books["recorded"] == books["counted"]
        assert (books["breaches"], books["stranded"]) == ([], [])
        await box.store.write(lambda conn: conn.execute("UPDATE messages SET ready = NULL").rowcount)
        await box.health.look("conservation")
        broken = (await client.get("/api/v1/conservation")).json()
        assert broken["holds"] is False
        assert sorted(broken["stranded"]) == sorted(message["id"] for message in sent[1:])
        await box.health.look("conservation")
        [issue] = (await client.get(ISSUES)).json()["items"]
        assert (issue["kind"], issue["severity"]) == ("conservation", "critical")
