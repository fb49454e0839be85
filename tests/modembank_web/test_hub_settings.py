"""What a hub has set, as a person at the site meets it: in the API, on a SIM's page, for a whole pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.fleets import fleet_box
from fakes.readers import reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN
from modembank.sim import SimIdentity
from modembank_fleet.agent import Agent, Trial
from modembank_fleet.agent.shadow import SETTLED, ConfigShadow
from modembank_fleet.wire import CfgDesired, decode, desired

OTHER = "8944110068256270062"
SIM = f"/api/v1/sims/{ICCID}"


@pytest.fixture
async def owned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    """A box of which a hub owns some settings; the hub is away."""
    monkeypatch.setattr(ConfigShadow, "_unwell", lambda _: None)
    box = await fleet_box(tmp_path, 1)
    await box.sims.identify(SimIdentity(iccid=OTHER), "slot-04")
    agent = Agent(box, trial=Trial(10.0, 0.0, 0.0))  # type: ignore[arg-type]  # the parts that it uses
    await agent.prepare()
    shadow = agent._shadow
    assert shadow is not None
    document = {"sims": {"*": {"limits": {"per_day": 50}}, ICCID: {"label": "alarm", "paused": True}}}
    message = decode(CfgDesired, desired(document, ver=7, ep="k3f9", by="anna", at=1.8e9))
    await shadow._keep(message, document, "topic")
    while shadow._now.state not in SETTLED:
        await shadow._step()
    yield box
    await agent.stop()
    await box.store.close()


async def test_the_api_says_whose_it_is(owned: Box) -> None:
    async with owned.client(await owned.key()) as client:
        for patch, key in (({"limits": {"per_day": 40}}, "limits.per_day"), ({"paused": False}, "paused")):
            answer = await client.patch(SIM, json=patch)
            assert (answer.status_code, answer.json()["error_code"]) == (409, "CONFLICT")
            assert answer.json()["detail"].startswith(f"{key}: set by the hub (configuration 7)")
        assert (await client.patch(SIM, json={"limits": {"per_hour": 9}})).status_code == 200
        assert (await client.patch(SIM, json={"label": "alarm"})).status_code == 200
        found = (await client.get(SIM)).json()
        assert (found["limits"]["per_day"], found["limits"]["per_hour"], found["paused"]) == (50, 9, True)
        events = (await owned.audit.list(LOCAL_ADMIN)).items
        assert [entry.detail for entry in events if entry.actor == "admin"] == [
            {"label": "alarm"}, {"limits": {"per_hour": 9}},
        ]  # fmt: skip  # what was refused is not recorded


async def test_a_sims_page_says_whose_it_is(owned: Box) -> None:
    async with reader(owned) as admin:
        page = await admin.opens(f"/ui/sims/{ICCID}")
        assert "Set by the hub" in page.text
        assert "you want it otherwise" not in page.text
        form = dict.fromkeys(("min_interval_s", "per_minute", "per_hour", "per_month", "recipients_per_month"), "")
        answer = await admin.sends(f"/ui/sims/{ICCID}", 409, **form, label="alarm", per_day="40")
        assert "limits.per_day: set by the hub (configuration 7)" in answer.text
        assert "label" not in answer.text
        assert "you want it otherwise" in (await admin.opens(f"/ui/sims/{ICCID}")).text


async def test_a_pool_is_resumed_but_for_what_the_hub_has_paused(owned: Box) -> None:
    other = owned.sims.by_iccid(OTHER)
    assert other is not None
    await owned.sims.pause(other.id, "smoke")
    async with reader(owned) as admin:
        await admin.sends("/ui/routes/resume", 409, pool="")
    assert [sim.paused for sim in owned.sims.all()] == [True, False]
