"""The hub's pages and API of configurations: documents are checked before they are kept, roll-outs followed."""

import json

import pytest

from fakes.hubs import hub_in, signing_in
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank_fleet.wire import hash_of

LIMITED = {"sims": {"*": {"limits": {"per_day": 50}}}}
DOC = json.dumps(LIMITED)


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path, signing_in(tmp_path)) as made:
        await made.hears_of(SaidBox(), SaidBox(box="b2", ep="zz01"))
        yield made


def said_wish():
    """A box with full privacy tells what its site wants."""
    topic, batch = SaidBox().events(1)
    batch.ev[0].type = "cfg.proposed"
    batch.ev[0].data = {"ver": 1, "sim": "x", "key": "label", "text": "mine"}
    return topic, batch


async def test_a_box_is_given_a_document(hub):
    async with hub.at_a_page() as client:
        assert "This hub has set nothing here" in (await client.get("/ui/boxes/leeds/b1/config")).text
        given = await client.post("/ui/boxes/leeds/b1/config", data={"doc": DOC, "version": "0"})
        assert (given.status_code, given.headers["hx-redirect"]) == (204, "/ui/boxes/leeds/b1/config")
        shown = (await client.get("/ui/boxes/leeds/b1/config")).text
        assert "version 1, by ada" in shown
        assert "It is published when the box is there" in shown
        assert 'name="version" value="1"' in shown
        error = {"path": "sims.*.limits.per_day", "code": "beyond_local_cap", "detail": "the site allows 9"}
        said = SaidBox().reported(1, "rejected", hash_of(LIMITED), errs=[error], local=["sims.x.label"])
        await hears(hub.store, said)
        shown = (await client.get("/ui/boxes/leeds/b1/config/now")).text
        topic, batch = said_wish()
        await hears(hub.store, (topic, batch))
        shown = (await client.get("/ui/boxes/leeds/b1/config/now")).text
        assert "<code>sims.x.label</code>: <code>&#34;mine&#34;</code>" in shown
        api = hub.client(await hub.key())
        async with api as reader:
            found = (await reader.get("/api/v1/boxes/leeds/b1/config")).json()
        assert found["wishes"] == {"sims.x.label": "mine"}
        for words in ("The box can not take it", "sims.*.limits.per_day", "the site allows 9", "sims.x.label"):
            assert words in shown
        listed = (await client.get("/ui/config?behind=true")).text
        assert "leeds/b1" in listed
        assert "leeds/b2" not in listed
        assert "site wants otherwise" in listed
        assert "version 0 in force, rejected" in (await client.get("/ui/boxes/leeds/b1")).text


@pytest.mark.parametrize(
    ("doc", "words"),
    [
        ("{", "is no JSON"),
        ("[]", "must be a JSON object"),
        ('{"pin": "1234"}', "pin: is no setting that a hub can have (unknown_key)"),
        ('{"sims": {"*": {"limits": {"per_day": "x"}, "label": 7}}}', "sims.*.limits.per_day: Expected"),
    ],
)
async def test_what_is_wrong_is_shown_with_what_was_written(hub, doc, words):
    async with hub.at_a_page() as client:
        answer = await client.post("/ui/boxes/leeds/b1/config", data={"doc": doc, "version": "0"})
        assert answer.status_code == 422
        assert words.replace("'", "&#39;") in answer.text
        assert 'id="doc-error"' in answer.text
        assert (await hub.app.configs.get(LOCAL_ADMIN, "leeds", "b1"))[0].ver is None


async def test_who_edits_an_old_one_is_told(hub):
    await hub.app.configs.set_own(LOCAL_ADMIN, "leeds", "b1", LIMITED)
    async with hub.at_a_page() as client:
        answer = await client.post("/ui/boxes/leeds/b1/config", data={"doc": "{}", "version": "0"})
        assert answer.status_code == 422
        assert "at version 1, no more at 0" in answer.text


async def test_a_group_is_made_changed_rolled_out_and_deleted(hub):
    async with hub.at_a_page() as client:
        wrong = await client.post("/ui/config/groups", data={"name": "A b", "pattern": "leeds", "doc": DOC})
        assert wrong.status_code == 422
        assert 'id="name-error"' in wrong.text
        assert 'id="pattern-error"' in wrong.text
        made = await client.post("/ui/config/groups", data={"name": "all", "pattern": "leeds/*", "doc": DOC})
        assert made.headers["hx-redirect"] == "/ui/config/groups/all"
        again = await client.post("/ui/config/groups", data={"name": "all", "pattern": "leeds/*", "doc": DOC})
        assert again.status_code == 422  # one that is there is not made anew
        shown = (await client.get("/ui/config/groups/all")).text
        assert "2 boxes" in shown
        changed = {"pattern": "leeds/b1", "doc": '{"profile": "lean"}', "revision": "1"}
        assert (await client.post("/ui/config/groups/all", data=changed)).status_code == 204
        stale = await client.post("/ui/config/groups/all", data=changed | {"doc": "{}"})
        assert "another revision than 1" in stale.text
        bad = {"steps": "10", "limit_percent": "10", "wait_s": "900"}
        answer = await client.post("/ui/config/groups/all/rollouts", data=bad)
        assert (answer.status_code, 'id="steps-error"' in answer.text) == (422, True)
        answer = await client.post("/ui/config/groups/all/rollouts", data=bad | {"steps": "a, 100"})
        assert "is no whole number" in answer.text
        begun = await client.post("/ui/config/groups/all/rollouts", data=bad | {"steps": "50, 100"})
        place = begun.headers["hx-redirect"]
        assert place == "/ui/rollouts/1"
        assert "Step 1 of 2" in (await client.get(place)).text
        assert "all, document 2" in (await client.get("/ui/config")).text
        refused = await client.post("/ui/config/groups/all/delete")
        assert refused.status_code == 409
        for order, words in (("pause", "Go on"), ("continue", "Pause"), ("abort", "aborted")):
            answer = await client.post(f"{place}/{order}")
            assert words in answer.text, order
        assert (await client.post(f"{place}/pause")).status_code == 409
        assert (await client.get("/ui/rollouts/x")).status_code == 404
        assert (await client.get("/ui/rollouts/2")).status_code == 404
        assert (await client.post("/ui/config/groups/all/delete")).status_code == 204
        assert (await client.get("/ui/config/groups/all")).status_code == 404


async def test_without_a_key_pages_say_so(tmp_path):
    (folder := tmp_path / "hub").mkdir()
    async with hub_in(folder) as hub:
        await hub.hears_of(SaidBox())
        async with hub.at_a_page() as client:
            assert "Nothing can be set" in (await client.get("/ui/config")).text
            answer = await client.post("/ui/boxes/leeds/b1/config", data={"doc": DOC, "version": "0"})
            assert (answer.status_code, "has no key" in answer.text) == (422, True)


# -- the API


async def test_the_api_sets_lists_and_follows(hub):
    async with hub.client(await hub.key()) as client:
        url = "/api/v1/boxes/leeds/b1/config"
        assert (await client.get(url)).json()["state"] == "none"
        given = await client.put(url, json={"doc": LIMITED, "version": 0})
        assert (given.status_code, given.json()["version"], given.json()["document"]) == (202, 1, LIMITED)
        assert (await client.put(url, json={"doc": {}, "version": 0})).status_code == 409
        wrong = await client.put(url, json={"doc": {"sims": {"*": {"pin": 1}}, "x": 2}})
        assert wrong.status_code == 422
        assert {"/doc/sims/*/pin", "/doc/x"} == {one["pointer"] for one in wrong.json()["errors"]}
        assert (await client.put("/api/v1/boxes/leeds/b9/config", json={"doc": {}})).status_code == 404
        await client.put(url, json={"doc": {"profile": "lean"}})
        page = (await client.get(f"{url}/versions?limit=1")).json()
        assert [one["version"] for one in page["items"]] == [2]
        assert [one["version"] for one in (await client.get(page["next"])).json()["items"]] == [1]
        page = (await client.get("/api/v1/configs?limit=1")).json()
        assert [one["box"] for one in page["items"]] == ["leeds/b1"]
        assert [one["box"] for one in (await client.get(page["next"])).json()["items"]] == ["leeds/b2"]


async def test_the_api_rolls_out(hub):
    async with hub.client(await hub.key()) as client:
        url = "/api/v1/config-groups/all"
        assert (await client.get(url)).status_code == 404
        made = await client.put(url, json={"pattern": "leeds/*", "doc": LIMITED})
        assert (made.status_code, made.json()["boxes"]) == (200, ["leeds/b1", "leeds/b2"])
        assert [one["name"] for one in (await client.get("/api/v1/config-groups")).json()["items"]] == ["all"]
        assert (await client.post(f"{url}/rollouts", json={"steps": [5]})).status_code == 422
        begun = await client.post(f"{url}/rollouts", json={"steps": [50, 100]})
        assert (begun.status_code, begun.json()["given"], begun.json()["state"]) == (202, 1, "running")
        place = begun.headers["location"]
        assert (await client.post(f"{url}/rollouts", json={})).status_code == 409
        for order, state in (("pause", "paused"), ("continue", "running"), ("abort", "aborted")):
            assert (await client.post(f"{place}/{order}")).json()["state"] == state
        assert (await client.post(f"{place}/continue")).status_code == 409
        assert (await client.get(place)).json()["items"][0]["step"] == 1
        assert [one["id"] for one in (await client.get("/api/v1/rollouts?group=all")).json()["items"]] == ["1"]
        for wrong in ("x", "9" * 30, "7"):
            assert (await client.get(f"/api/v1/rollouts/{wrong}")).status_code == 404
        assert (await client.delete(url)).status_code == 204


async def test_a_key_that_reads_changes_nothing(hub):
    async with hub.client(await hub.key(Role.ADMIN, Scope.MODEMS)) as reader:
        assert (await reader.get("/api/v1/configs")).status_code == 200
        for method, path, body in (
            ("PUT", "/api/v1/boxes/leeds/b1/config", {"doc": {}}),
            ("PUT", "/api/v1/config-groups/all", {"pattern": "*/*", "doc": {}}),
            ("DELETE", "/api/v1/config-groups/all", None),
            ("POST", "/api/v1/config-groups/all/rollouts", {}),
            ("POST", "/api/v1/rollouts/1/abort", None),
        ):
            assert (await reader.request(method, path, json=body)).status_code == 403
