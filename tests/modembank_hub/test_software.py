"""Boxes' software at the hub: ordered with typed arguments, from pages too, stopped, gone back from."""

import json

import pytest

from fakes.hubs import hub_in, signing_in
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock, to_ms
from modembank.errors import Conflict, InvalidRequest
from modembank_hub.software import File, Release

DIGEST = "0a" * 32
VERBS = ["ping", "sw.update", "sw.cancel", "sw.rollback"]


@pytest.fixture
async def hub(tmp_path, stored):
    async with hub_in(tmp_path, signing_in(tmp_path), store=stored) as made:
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


async def test_a_box_that_is_at_it_may_wait_for_its_hours(hub, box):
    async with hub.client(await hub.key()) as client:
        asked = {"version": "1.3.0", "sha256": DIGEST}
        ids = [(await client.post("/api/v1/boxes/leeds/b1/software", json=asked)).json()["id"] for _ in range(2)]
    sent = "UPDATE commands SET sends = 1, state = 'sent', issued_at = issued_at - 3 * 86400000"
    await hub.store.write(lambda conn: conn.execute(sent).rowcount)
    await says(hub, box, ids[0], "running", data={"ph": "waiting_window"})
    await hub.app.orders.end_overdue()
    states = [(await hub.app.orders.get(LOCAL_ADMIN, command)).state for command in ids]
    assert states == ["running", "unknown"]
    weeks = "UPDATE commands SET issued_at = issued_at - 8 * 86400000"
    await hub.store.write(lambda conn: conn.execute(weeks).rowcount)
    await hub.app.orders.end_overdue()
    assert (await hub.app.orders.get(LOCAL_ADMIN, ids[0])).state == "unknown"
    await says(hub, box, ids[0], "done")
    assert (await hub.app.orders.get(LOCAL_ADMIN, ids[0])).state == "done"


# -- roll-outs

RELEASE = Release("1.3.0", {"arm64": File(DIGEST, "https://updates.example.com/x.raucb")})


class Group:
    """Ten boxes of one group, of which seven are appliances; they say what they are told to say."""

    def __init__(self, hub, boxes):
        self.hub, self.boxes, self.id = hub, boxes, 0

    async def begin(self, release=RELEASE, **more):
        begun = await self.hub.app.rollouts.begin_software(LOCAL_ADMIN, "all", release, **more)
        self.id = begun.row.id
        return begun

    async def now(self):
        await self.hub.app.rollouts.advance()
        return await self.hub.app.rollouts.get(LOCAL_ADMIN, self.id)

    async def given(self):
        return [box for box in (await self.now()).boxes if box.command is not None and not box.outcome]

    async def say(self, given, st, **more):
        for one in given:
            await says(self.hub, self.boxes[one.box], one.command, st, **more)
        return await self.now()


@pytest.fixture
async def group(hub):
    boxes = [SaidBox(box=f"b{n}", ep=f"ep{n:04d}") for n in range(10)]
    await hub.hears_of(*boxes)
    for box in boxes[:7]:
        await offers(hub, box, VERBS)
    await hub.app.configs.set_group(LOCAL_ADMIN, "all", "leeds/*", {})
    return Group(hub, {box.box: box for box in boxes})


async def test_a_version_goes_to_a_share_of_the_images_first_and_then_to_the_rest(group):
    begun = await group.begin(steps=[10, 100])
    assert (begun.counts.boxes, begun.counts.given, begun.row.revision) == (7, 1, 0)
    (first,) = await group.given()
    command = await group.hub.app.orders.get(LOCAL_ADMIN, first.command)
    assert (command.verb, json.loads(command.args)) == (
        "sw.update",
        {"job": f"rollout-{group.id}", "version": "1.3.0", "sha256": DIGEST, "url": RELEASE.files["arm64"].url},
    )
    assert (await group.say([first], "running", data={"ph": "trial"})).counts.given == 1
    assert (await group.say([first], "done")).counts.given == 7
    done = await group.say(await group.given(), "done", code="already")
    assert (done.row.state, done.counts.applied, done.counts.failed) == ("done", 7, 0)


async def test_it_stops_where_too_many_came_back_and_goes_on_if_somebody_wants(group):
    await group.begin(steps=[30, 100], limit_percent=30)
    first, *rest = await group.given()
    assert len(rest) == 2
    stopped = await group.say([first], "failed", code="rolled_back", data={"why": "it did not come up"})
    assert (stopped.row.state, stopped.row.why) == ("stopped", "1 of 3 boxes did not end with it")
    (bad,) = [box for box in stopped.boxes if box.outcome == "failed"]
    assert json.loads(bad.errors) == [{"path": "", "code": "rolled_back", "detail": "it did not come up"}]
    await group.say(rest, "done")
    assert (await group.now()).counts.given == 3
    again = await group.hub.app.rollouts.go_on(LOCAL_ADMIN, group.id)
    assert (again.row.state, again.counts.given) == ("running", 7)


async def test_boxes_that_are_told_together_spread_themselves(group):
    """So that five hundred do not fetch in the same second, nor restart in the same one when the night begins."""
    await group.begin(steps=[10, 100])
    (first,) = await group.given()
    assert "spread" not in json.loads((await group.hub.app.orders.get(LOCAL_ADMIN, first.command)).args)
    await group.say([first], "done")
    spreads = [
        json.loads((await group.hub.app.orders.get(LOCAL_ADMIN, one.command)).args)["spread"]
        for one in await group.given()
    ]
    assert spreads == [10] * 6
    birth = json.dumps({"verbs": VERBS, "sw": {"arch": "aarch64"}})
    assert RELEASE.arguments(birth, "job-00001", 500)["spread"] == 998
    assert RELEASE.arguments(birth, "job-00001", 5000)["spread"] == 3600


async def test_what_was_aborted_is_called_off_where_it_has_not_ended(group):
    await group.begin(steps=[50, 100])
    first, second, *rest = await group.given()
    await group.say([first], "done")
    await group.say([second], "running", data={"ph": "downloading"})
    await group.hub.app.rollouts.abort(LOCAL_ADMIN, group.id)
    page = await group.hub.app.orders.list(LOCAL_ADMIN)
    cancels = [one for one in page.items if one.verb == "sw.cancel"]
    assert sorted(one.box for one in cancels) == sorted(one.box for one in (second, *rest))
    assert {json.loads(one.args)["job"] for one in cancels} == {f"rollout-{group.id}"}
    ended = await group.say([second, *rest], "cancelled")
    assert (ended.row.state, ended.counts.applied, ended.counts.failed) == ("aborted", 1, 3)


async def test_nobody_else_is_given_it_after_it_was_aborted(group):
    await group.begin(steps=[10, 100])
    first = await group.given()
    await group.hub.app.rollouts.abort(LOCAL_ADMIN, group.id)
    assert (await group.say(first, "done")).counts.given == 1


async def test_a_roll_out_of_software_is_no_document_for_newcomers(group):
    await group.begin(steps=[100])
    await group.say(await group.given(), "done")
    late = SaidBox(box="late", ep="ep9999")
    await group.hub.hears_of(late)
    await group.hub.app.rollouts.welcome()
    assert (await group.hub.app.configs.get(LOCAL_ADMIN, "leeds", "late"))[0].state == "none"


async def test_a_box_is_in_one_roll_out_at_a_time(group):
    await group.begin(steps=[10, 100])
    with pytest.raises(Conflict, match="has boxes of all"):
        await group.hub.app.rollouts.begin(LOCAL_ADMIN, "all")


async def test_what_fits_no_box_is_not_begun(group):
    with pytest.raises(Conflict, match="no box of all installs updates"):
        await group.begin(Release("1.3.0", {"amd64": File(DIGEST)}))
    with pytest.raises(InvalidRequest):
        await group.begin(Release("1.3.0", {}))


async def test_it_is_begun_and_followed_over_the_api_and_on_pages(group):
    hub = group.hub
    async with hub.client(await hub.key()) as client:
        asked = {"version": "1.3.0", "files": {"arm64": {"sha256": DIGEST}}, "steps": [50, 100], "wait_s": 7200}
        answer = await client.post("/api/v1/config-groups/all/software", json=asked)
        assert answer.status_code == 202
        begun = answer.json()
        assert (begun["software"]["version"], begun["given"], begun["wait_s"]) == ("1.3.0", 4, 7200)
        group.id = int(begun["id"])
        await group.say((await group.given())[:1], "failed", code="older_version")
        now = (await client.get(answer.headers["location"])).json()
        told = [(box["outcome"], box["errors"][0]["code"]) for box in now["items"] if box["errors"]]
        assert told == [("failed", "older_version")]
        bad = asked | {"files": {"arm64": {"sha256": "x"}}}
        assert (await client.post("/api/v1/config-groups/all/software", json=bad)).status_code == 422
        await hub.app.rollouts.abort(LOCAL_ADMIN, group.id)
    async with hub.at_a_page() as client:
        page = (await client.get(f"/ui/rollouts/{group.id}")).text
        assert "Version 1.3.0 for" in page
        assert "older version" in page
        assert "Another version of the software" in (await client.get("/ui/config/groups/all")).text
        bad = {"version": "", "amd64_sha256": "x", "arm64_url": "https://x/y", "steps": "100", "limit_percent": "10"}
        answer = await client.post("/ui/config/groups/all/software", data=bad | {"wait_s": "3600"})
        assert answer.status_code == 422
        assert answer.text.count("must be the SHA-256") == 2
        good = {"version": "1.4.0", "arm64_sha256": DIGEST, "steps": "100", "limit_percent": "10", "wait_s": "3600"}
        answer = await client.post("/ui/config/groups/all/software", data=good)
        assert answer.status_code in {200, 204}
        assert answer.headers["hx-redirect"].startswith("/ui/rollouts/")
