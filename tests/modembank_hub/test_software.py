"""Boxes' software at the hub: ordered with typed arguments, from pages too, stopped, gone back from."""

import json

import pytest

from fakes.hubs import hub_in, signing_in
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock, to_ms
from modembank.errors import Conflict

DIGEST = "0a" * 32
VERBS = ["ping", "sw.update", "sw.cancel", "sw.rollback"]


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path, signing_in(tmp_path)) as made:
        yield made


@pytest.fixture
async def box(hub):
    said = SaidBox()
    await hub.hears_of(said)
    await offers(hub, said, VERBS)
    return said


async def offers(hub, box, verbs):
    now = to_ms(SystemClock().now())
    await hears(hub.store, box.birth(now, verbs=verbs), now=now)


async def says(hub, box, command, st, **more):
    now = to_ms(SystemClock().now())
    await hears(hub.store, box.result(command, st, now, **more), now=now)


async def test_a_version_is_ordered_and_followed_to_its_end(hub, box):
    async with hub.client(await hub.key()) as client:
        asked = {"version": "1.3.0", "sha256": DIGEST, "url": "https://updates.example.com/x.raucb", "ttl_s": 7200}
        answer = await client.post("/api/v1/boxes/leeds/b1/software", json=asked)
        assert answer.status_code == 202
        given = answer.json()
        job = given["args"].pop("job")
        assert (given["verb"], given["ttl_s"], len(job)) == ("sw.update", 7200, 20)
        assert given["args"] == {name: asked[name] for name in ("version", "sha256", "url")}
        await says(hub, box, given["id"], "running", data={"ph": "installing", "pct": 50}, pct=50)
        now = (await client.get(answer.headers["location"])).json()
        assert (now["state"], now["percent"], now["data"]["ph"]) == ("running", 50, "installing")
        await says(hub, box, given["id"], "failed", code="rolled_back", data={"why": "it did not come up"})
        now = (await client.get(answer.headers["location"])).json()
        assert (now["state"], now["code"], now["data"]) == ("failed", "rolled_back", {"why": "it did not come up"})


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"sha256": "12"}, "/sha256"),
        ({"version": "1 3"}, "/version"),
        ({"url": "http://updates.example.com/x"}, "/url"),
        ({"window": "2-5"}, "/window"),
        ({"ttl_s": 0}, "/ttl_s"),
        ({"files": {}}, "/files"),
    ],
)
async def test_what_no_box_takes_is_refused_by_its_field(hub, box, wrong, pointer):
    async with hub.client(await hub.key()) as client:
        asked = {"version": "1.3.0", "sha256": DIGEST} | wrong
        answer = await client.post("/api/v1/boxes/leeds/b1/software", json=asked)
        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


async def test_a_box_that_does_not_carry_it_out_is_given_nothing(hub, box):
    await offers(hub, box, ["ping"])
    async with hub.client(await hub.key()) as client:
        for path, body in (("software", {"version": "1.3.0", "sha256": DIGEST}), ("software/rollback", None)):
            answer = await client.post(f"/api/v1/boxes/leeds/b1/{path}", json=body)
            assert answer.status_code == 409
            assert "does not carry out sw." in answer.json()["detail"]


async def test_the_way_back_and_the_stop_are_commands_too(hub, box):
    async with hub.client(await hub.key()) as client:
        back = (await client.post("/api/v1/boxes/leeds/b1/software/rollback")).json()
        assert (back["verb"], back["args"]) == ("sw.rollback", {})
        asked = {"version": "1.3.0", "sha256": DIGEST}
        update = (await client.post("/api/v1/boxes/leeds/b1/software", json=asked)).json()
        stop = (await client.post(f"/api/v1/commands/{update['id']}/stop")).json()
        assert (stop["verb"], stop["args"]) == ("sw.cancel", {"job": update["args"]["job"]})
        assert (await client.post(f"/api/v1/commands/{back['id']}/stop")).status_code == 409
        await says(hub, box, update["id"], "cancelled")
        assert (await client.post(f"/api/v1/commands/{update['id']}/stop")).status_code == 409
        assert (await client.post("/api/v1/commands/none/stop")).status_code == 404


async def test_the_form_says_what_is_wrong_and_leads_to_the_command(hub, box):
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/boxes/leeds/b1")).text
        assert "Install a version" in page
        assert "Go back a version" in page
        bad = {"version": "", "sha256": "x", "url": "ftp://x", "window": "2-5"}
        answer = await client.post("/ui/boxes/leeds/b1/software", data=bad)
        assert answer.status_code == 422
        for told in ("must be a version", "must be the SHA-256", "must begin with https://", "must be two times"):
            assert told in answer.text
        good = {"version": " 1.3.0 ", "sha256": DIGEST.upper(), "url": "", "window": "02:00-05:00", "force": "true"}
        answer = await client.post("/ui/boxes/leeds/b1/software", data=good)
        at = answer.headers["hx-redirect"] if "hx-redirect" in answer.headers else answer.headers["location"]
        found = await hub.app.orders.get(LOCAL_ADMIN, at.rpartition("/")[2])
        args = json.loads(found.args)
        assert {name: args[name] for name in args if name != "job"} == {
            "version": "1.3.0", "sha256": DIGEST, "window": "02:00-05:00", "force": True,
        }  # fmt: skip
        await says(hub, box, found.id, "running", data={"ph": "downloading", "pct": 25}, pct=25)
        page = (await client.get(at)).text
        assert "downloading" in page
        assert f"/ui/commands/{found.id}/stop" in page
        await says(hub, box, found.id, "running", data={"ph": "trial"})
        assert "/stop" not in (await client.get(at)).text


async def test_where_a_box_is_no_image_neither_is_offered(hub, box):
    await offers(hub, box, ["ping"])
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/boxes/leeds/b1")).text
        assert "Install a version" not in page
        assert "Go back a version" not in page
        good = {"version": "1.3.0", "sha256": DIGEST}
        answer = await client.post("/ui/boxes/leeds/b1/software", data=good)
        assert answer.status_code == 422
        assert "does not carry out sw.update" in answer.text


async def test_without_a_key_nothing_is_ordered(tmp_path):
    async with hub_in(tmp_path) as hub:
        said = SaidBox()
        await hub.hears_of(said)
        await offers(hub, said, VERBS)
        with pytest.raises(Conflict, match="must be signed"):
            await hub.app.software.roll_back(LOCAL_ADMIN, "leeds", "b1")
