"""Webhooks through the API: who may make which, what is refused with which words, and what stays hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope

PATH = "/api/v1/webhooks"
URL = "https://shop.example.com/sms?token=hidden"


def wanted(**more: Any) -> dict[str, Any]:
    return {"url": URL, "events": ["message.*"], **more}


async def test_a_webhook_is_made_shown_changed_and_deleted(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER, name="shop")) as client:
        made = await client.post(PATH, json=wanted(label="orders"))
        assert made.status_code == 201, made.text
        first = made.json()
        assert made.headers["location"] == f"{PATH}/{first['id']}"
        assert first["secret"].startswith("whsec_")
        shown = (await client.get(f"{PATH}/{first['id']}")).json()
        assert shown == {name: value for name, value in first.items() if name != "secret"}
        assert (shown["user"], shown["state"], shown["secrets"]) == ("shop", "working", 1)
        assert (await client.get(PATH)).json() == {"items": [shown], "next": None}
        changed = (
            await client.patch(f"{PATH}/{first['id']}", json={"active": False, "events": ["message.sent"]})
        ).json()
        assert (changed["state"], changed["events"]) == ("stopped", ["message.sent"])
        rotated = (await client.post(f"{PATH}/{first['id']}/rotate", json={})).json()
        assert rotated["secret"] != first["secret"]
        assert rotated["secrets"] == 2
        gone = await client.delete(f"{PATH}/{first['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await client.get(f"{PATH}/{first['id']}")).status_code == 404
    rows = await box.store.fetch_all("SELECT action, subject, actor, detail FROM audit WHERE action LIKE 'webhook.%'")
    assert [row[0] for row in rows] == ["webhook.create", "webhook.change", "webhook.rotate", "webhook.delete"]
    assert {(row[1], row[2]) for row in rows} == {(first["id"], "shop")}
    assert "hidden" not in json.dumps(rows)
    assert "whsec_" not in json.dumps(rows)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"url": "http://127.0.0.1/"}, "/url", "admin"),
        ({"url": "http://a@example.com/"}, "/url", "user name"),
        ({"url": "ftp://example.com/"}, "/url", "https"),
        ({"url": "https://example.com:22/"}, "/url", "22"),
        ({"events": []}, "/events", "no kind"),
        ({"events": ["message.vanished"]}, "/events", "message.*"),
        ({"label": "x" * 101}, "/label", "100"),
        ({"secret": "whsec_c2hvcnQ="}, "/secret", "24"),
        ({"urls": "x"}, "/urls", "not known"),
    ],
)
async def test_what_is_refused_names_its_field(box: Box, body: dict[str, Any], pointer: str, words: str) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        answer = await client.post(PATH, json=wanted(**body))
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert words in error["detail"]
        assert (await client.get(PATH)).json()["items"] == []


async def test_s10_a_sender_reaches_nobody_elses_and_hears_no_more_than_its_key(box: Box) -> None:
    admin, sender = await box.key(), await box.key(Role.SENDER, name="shop")
    async with box.client(admin) as client:
        other = (await client.post(PATH, json=wanted())).json()["id"]
        assert (await client.post(PATH, json=wanted(user="shop"))).json()["user"] == "shop"
        assert (await client.post(PATH, json=wanted(user="nobody"))).status_code == 404
        refused = await client.post(PATH, json=wanted(user="shop", all_users=True))
        assert refused.json()["errors"][0]["pointer"] == "/all_users"
    async with box.client(sender) as client:
        assert len((await client.get(PATH)).json()["items"]) == 1
        for method, path, body in (
            ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/rotate", {}),
            ("POST", "/test", None),
            ("POST", "/replay", {"since": "2026-11-20T14:00:00Z"}),
        ):  # fmt: skip
            assert (await client.request(method, f"{PATH}/{other}{path}", json=body)).status_code == 404, (method, path)
        for more in ({"all_users": True}, {"allow_private": True}, {"user": "admin"}, {"events": ["issue.raised"]}):
            assert (await client.post(PATH, json=wanted(**more))).status_code == 403, more
    only = await box.key(Role.SENDER, Scope.WEBHOOKS, name="shop")
    async with box.client(only) as client:
        assert (await client.post(PATH, json=wanted())).status_code == 403
        mine = (await client.get(PATH)).json()["items"][0]["id"]
        assert (await client.patch(f"{PATH}/{mine}", json={"url": "https://evil.example/"})).status_code == 403
        assert (await client.patch(f"{PATH}/{mine}", json={"label": "mine"})).status_code == 200


async def test_s11_what_an_admin_allowed_does_not_hold_for_another_address(box: Box) -> None:
    admin, sender = await box.key(), await box.key(Role.SENDER, name="shop")
    async with box.client(admin) as client:
        made = (
            await client.post(PATH, json=wanted(user="shop", url="http://10.0.0.7:8080/", allow_private=True))
        ).json()
    async with box.client(sender) as client:
        moved = await client.patch(f"{PATH}/{made['id']}", json={"url": "http://10.0.0.8:8080/"})
        assert moved.json()["errors"][0]["pointer"] == "/url"
        moved = await client.patch(f"{PATH}/{made['id']}", json={"url": "https://shop.example.com/"})
        assert (moved.status_code, moved.json()["allow_private"]) == (200, False)


async def test_replay_and_rotation_say_what_they_want(box: Box) -> None:
    async with box.client(await box.key()) as client:
        made = f"{PATH}/{(await client.post(PATH, json=wanted())).json()['id']}"
        for path, body, pointer in (
            ("replay", {}, ""),
            ("replay", {"since": "2026-11-20T14:00:00"}, "/since"),
            ("replay", {"after": "msg_1"}, "/after"),
            ("replay", {"after": "evt_0000000000009"}, "/after"),
            ("rotate", {"keep_old_for_s": -1}, "/keep_old_for_s"),
        ):
            answer = await client.post(f"{made}/{path}", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        for since in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):  # in UTC they are in no year of ours
            assert (await client.post(f"{made}/replay", json={"since": since})).status_code == 200


async def test_there_is_an_end_to_how_many_there_are(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for _ in range(20):
            assert (await client.post(PATH, json=wanted())).status_code == 201
        assert (await client.post(PATH, json=wanted())).status_code == 409


async def test_a_webhook_that_fails_is_an_issue_with_a_remedy(box: Box) -> None:
    async with box.client(await box.key()) as client:
        made = (await client.post(PATH, json=wanted())).json()["id"]
        failing = "UPDATE webhooks SET failing_since = 1000, last_error = 'nothing listens at shop.example.com'"
        await box.store.write(lambda conn: conn.execute(failing))
        await box.health.look("webhook_failing")
        (issue,) = (await client.get("/api/v1/issues")).json()["items"]
        assert (issue["kind"], issue["subject"]) == ("webhook_failing", made)
        assert "nothing listens" in issue["summary"]
        assert "hidden" not in json.dumps(issue)
        address = f"/api/v1/issues/{issue['id']}/remedies/retry_webhook"
        assert (await client.post(address)).status_code == 409  # no courier runs here
        await box.webhooks.start()
        assert (await client.post(address)).status_code == 200
        await box.webhooks.stop()
        gone = "UPDATE webhooks SET active = 0, stopped_why = 'the endpoint answered 410 Gone'"
        await box.store.write(lambda conn: conn.execute(gone))
        await box.health.look("webhook_failing")
        assert "410 Gone" in (await client.get("/api/v1/issues")).json()["items"][0]["summary"]


async def test_the_local_administrator_says_whose_it_is(box: Box) -> None:
    await box.key(Role.SENDER, name="shop")
    from modembank.errors import InvalidRequest
    from modembank.webhooks import NewWebhook

    with pytest.raises(InvalidRequest, match="/user"):
        await box.webhooks.create(LOCAL_ADMIN, NewWebhook(URL, ("*",)))
    made = await box.webhooks.create(LOCAL_ADMIN, NewWebhook(URL, ("*",), user="shop"))
    assert made.user == "shop"
