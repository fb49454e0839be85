"""The hub's API: boxes, events, telemetry, commands, quarantine; who may; and the document that describes it."""

import json

import msgspec
import pytest

from fakes.hubs import hub_in
from fakes.voices import NOW, SaidBox, hears
from modembank.accounts import Role, Scope
from modembank_hub import rows_of_quarantine
from modembank_web.hub import alert_api, api, channel_api, config_api, documented, enrolment_api, pool_api
from modembank_web.hub.wording import ABOUT
from modembank_web.openapi import document

OPERATIONS = (
    *api.OPERATIONS, *config_api.OPERATIONS, *enrolment_api.OPERATIONS, *alert_api.OPERATIONS, *channel_api.OPERATIONS,
)  # fmt: skip
CHANGES = [operation for operation in api.OPERATIONS if operation.method != "GET"]


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path) as made:
        yield made


def filled(path):
    known = {"{site}": "leeds", "{box}": "b1", "{id}": "0123456789abcdef", "{name}": "cellars"}
    for word, value in known.items():
        path = path.replace(word, value)
    return path


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_nobody_comes_in_without_a_key_nor_with_a_sender_s(hub, operation):
    async with hub.client() as stranger, hub.client(await hub.key(Role.SENDER)) as sender:
        body = {} if operation.method == "GET" else {"json": {"verb": "ping"}}
        assert (await stranger.request(operation.method, filled(operation.path), **body)).status_code == 401
        assert (await sender.request(operation.method, filled(operation.path), **body)).status_code == 403


@pytest.mark.parametrize("operation", CHANGES, ids=lambda operation: operation.id)
async def test_a_key_that_reads_changes_nothing(hub, operation):
    await hub.hears_of(SaidBox())
    body = {"until": "1"} if operation.id == "clearQuarantine" else {"verb": "ping"}
    async with hub.client(await hub.key(Role.ADMIN, Scope.MODEMS)) as reader:
        answer = await reader.request(operation.method, filled(operation.path), json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "FORBIDDEN")
        assert (await reader.get("/api/v1/boxes")).status_code == 200


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_example_has_the_shape_that_is_promised(operation):
    for reply in operation.replies:
        if reply.shape is None:
            continue
        msgspec.convert(reply.example, reply.shape)
        assert (
            set(reply.example) == {field.encode_name for field in msgspec.structs.fields(reply.shape)}
            if (isinstance(reply.shape, type) and issubclass(reply.shape, msgspec.Struct))
            else True
        )
    if operation.body is not None:
        for example in operation.body.examples.values():
            msgspec.convert(example, operation.body.shape)


async def test_the_document_names_every_operation_and_is_served(hub):
    operations, _ = documented()
    made = document(operations, ABOUT)
    assert made["info"]["title"] == "Modembank hub"
    named = {found["operationId"] for path in made["paths"].values() for found in path.values()}
    assert {operation.id for operation in (*api.OPERATIONS, *pool_api.OPERATIONS)} < named
    assert not [path for path in made["paths"] if "quota" in path or path.startswith("/api/v1/messages")]
    tags = {found["tags"][0] for path in made["paths"].values() for found in path.values()}
    assert tags == {tag["name"] for tag in made["tags"]}
    async with hub.client() as client:
        assert (await client.get("/openapi.json")).json() == json.loads(json.dumps(made))
        assert "Modembank" in (await client.get("/docs")).text


async def test_boxes_are_listed_by_cursor(hub):
    await hub.hears_of(
        *(SaidBox(site=site, box=f"b{n}", ep=f"e{site}{n}") for site in ("turin", "oslo") for n in (1, 2))
    )
    async with hub.client(await hub.key()) as client:
        found, address = [], "/api/v1/boxes?limit=3&standing=online"
        while address:
            page = (await client.get(address)).json()
            found += [box["name"] for box in page["items"]]
            address = page["next"]
        assert found == ["oslo/b1", "oslo/b2", "turin/b1", "turin/b2"]
        assert [box["name"] for box in (await client.get("/api/v1/boxes?text=turin")).json()["items"]] == found[2:]
        assert (await client.get("/api/v1/boxes?standing=lost")).status_code == 422
        totals = (await client.get("/api/v1/fleet")).json()
        assert (totals["boxes"], totals["online"], totals["modems"], totals["sent"]) == (4, 4, 16, 20)
        assert totals["versions"] == [["1.2.0", 4]]


async def test_one_box_tells_everything(hub):
    box = SaidBox()
    await hub.hears_of(box, events=7)
    async with hub.client(await hub.key()) as client:
        found = (await client.get("/api/v1/boxes/leeds/b1")).json()
        assert (found["standing"], found["version"], found["modems_ready"]) == ("online", "1.2.0", 4)
        assert found["modem_table"][0] | {"rssi": 0} == found["modem_table"][0] | {"rssi": 0, "vendor": "Quectel"}
        assert found["modem_table"][0]["st"] == "registered"
        page = (await client.get("/api/v1/boxes/leeds/b1/events?limit=4")).json()
        assert [event["seq"] for event in page["items"]] == [7, 6, 5, 4]
        rest = (await client.get(page["next"])).json()
        assert ([event["seq"] for event in rest["items"]], rest["next"]) == ([3, 2, 1], None)
        for wrong in ("x", "1", "1.x", "1." + "9" * 60):
            assert (await client.get(f"/api/v1/boxes/leeds/b1/events?cursor={wrong}")).status_code == 422
        series = (await client.get("/api/v1/boxes/leeds/b1/telemetry")).json()
        assert (series["step_s"], len(series["items"]), sum(one["sent"] for one in series["items"])) == (300, 288, 5)
        await hub.app.fleet.roll_up()
        assert (await client.get("/api/v1/boxes/leeds/b1/telemetry?span=week")).json()["step_s"] == 3600
        for path in ("", "/events", "/telemetry", "/commands"):
            assert (await client.get(f"/api/v1/boxes/leeds/b2{path}")).status_code == 404


async def test_a_command_is_kept_listed_and_taken_back(hub):
    await hub.hears_of(SaidBox())
    async with hub.client(await hub.key()) as client:
        given = await client.post("/api/v1/boxes/leeds/b1/commands", json={"verb": "ping", "ttl_s": 60})
        assert given.status_code == 202
        place = given.headers["location"]
        found = (await client.get(place)).json()
        assert (found["state"], found["box"], found["by"], found["ttl_s"]) == ("waiting", "leeds/b1", "admin", 60)
        other = await client.post("/api/v1/boxes/leeds/b1/commands", json={"verb": "rebirth"})
        for path in ("/api/v1/commands", "/api/v1/boxes/leeds/b1/commands"):
            page = (await client.get(f"{path}?limit=1")).json()
            assert [one["id"] for one in page["items"]] == [other.json()["id"]]
            assert [one["id"] for one in (await client.get(page["next"])).json()["items"]] == [found["id"]]
        assert (await client.post(f"{place}/cancel")).json()["state"] == "cancelled"
        assert (await client.post(f"{place}/cancel")).status_code == 409
        assert (await client.post("/api/v1/commands/nothing/cancel")).status_code == 404
        actions = [entry["action"] for entry in (await client.get("/api/v1/audit")).json()["items"]]
        assert actions[:3] == ["command.cancel", "command.give", "command.give"]


@pytest.mark.parametrize(
    ("order", "status", "words"),
    [
        ({"verb": "dance"}, 422, "/verb"),
        ({"verb": "msg.submit"}, 422, "/verb"),
        ({"verb": "ping", "args": {"x": 1}}, 422, "/args/x"),
        ({"verb": "tele.profile", "args": {"profile": "mad"}}, 422, "/args/profile"),
        ({"verb": "tele.profile"}, 422, "/args"),
        ({"verb": "ping", "ttl_s": 3601}, 422, "/ttl_s"),
        ({"verb": "ping", "ttl_s": 0}, 422, "/ttl_s"),
        ({"verb": "sim.pause", "args": {"iccid": "8944110068256270054"}}, 409, "no key"),
        ({"verb": "ping", "more": 1}, 422, "/more"),
    ],
)
async def test_what_can_not_be_ordered_says_why(hub, order, status, words):
    await hub.hears_of(SaidBox())
    async with hub.client(await hub.key()) as client:
        answer = await client.post("/api/v1/boxes/leeds/b1/commands", json=order)
        assert answer.status_code == status
        assert words in answer.text


async def test_a_box_is_ordered_only_what_it_carries_out(hub):
    box = SaidBox()
    await hears(hub.store, box.avail())
    async with hub.client(await hub.key()) as client:
        unborn = await client.post("/api/v1/boxes/leeds/b1/commands", json={"verb": "ping"})
        assert (unborn.status_code, "birth" in unborn.text) == (409, True)
        await hears(hub.store, box.birth(verbs=["ping"]))
        closed = await client.post("/api/v1/boxes/leeds/b1/commands", json={"verb": "rebirth"})
        assert (closed.status_code, "closed there" in closed.text) == (409, True)
        unknown = await client.post("/api/v1/boxes/leeds/b7/commands", json={"verb": "ping"})
        assert unknown.status_code == 404
        verbs = {verb["name"]: verb for verb in (await client.get("/api/v1/verbs")).json()["items"]}
        assert (verbs["ping"]["possible"], verbs["modem.reset"]["possible"]) == (True, False)
        assert "msg.submit" not in verbs


async def test_the_quarantine_is_shown_and_cleared(hub):
    for number in range(3):
        await hub.store.write(
            lambda conn, n=number: rows_of_quarantine.add(conn, NOW, f"topic/{n}", "malformed", "why", b"\xff<b>")
        )
    async with hub.client(await hub.key()) as client:
        page = (await client.get("/api/v1/quarantine?limit=2")).json()
        assert [one["topic"] for one in page["items"]] == ["topic/2", "topic/1"]
        assert page["items"][0]["payload"] == "/zxiPg=="
        assert len((await client.get(page["next"])).json()["items"]) == 1
        gone = await client.post("/api/v1/quarantine/clear", json={"until": page["items"][1]["id"]})
        assert gone.json() == {"gone": 2}
        assert (await client.post("/api/v1/quarantine/clear", json={"until": "x"})).status_code == 422
        assert (await client.get("/api/v1/quarantine?cursor=x")).status_code == 422


async def test_it_says_whether_it_takes_in(hub):
    async with hub.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["connections"], ready.json()["wanted"]) == (503, 0, 3)
        assert (await client.get("/metrics")).status_code == 401
    await hub.hears_of(SaidBox())
    async with hub.client(await hub.key()) as client:
        figures = (await client.get("/metrics")).text
        assert 'modembank_hub_boxes{standing="online"} 1.0' in figures
        assert 'modembank_hub_configurations{state="none"} 1.0' in figures
        assert 'modembank_hub_configurations{state="rejected"} 0.0' in figures
        assert 'modembank_hub_alerts{kind="box.offline",state="open"} 0.0' in figures
