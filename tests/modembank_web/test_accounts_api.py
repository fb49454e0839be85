"""Users, keys and quotas over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.browsers import PASSWORD, browser, log_in
from fakes.guards import make_cheap
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope

USERS, KEYS, QUOTAS = "/api/v1/users", "/api/v1/api-keys", "/api/v1/quotas"
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def cheap(box: Box) -> None:
    make_cheap(box.accounts)


async def test_the_life_of_a_user(box: Box) -> None:
    async with box.client(await box.key()) as client:
        added = await client.post(USERS, json={"name": "ann", "role": "sender", "password": PASSWORD})
        assert (added.status_code, added.headers["location"]) == (201, f"{USERS}/ann")
        assert PASSWORD not in added.text
        user = (await client.get(f"{USERS}/ann")).json()
        assert user == added.json()
        assert (user["role"], user["active"], user["has_password"]) == ("sender", True, True)
        assert [one["name"] for one in (await client.get(USERS)).json()["items"]] == ["admin", "ann"]
        changed = await client.patch(f"{USERS}/ann", json={"role": "admin", "active": False})
        assert (changed.json()["role"], changed.json()["active"]) == ("admin", False)
        assert (await client.post(USERS, json={"name": "ANN", "role": "sender"})).status_code == 409
        assert (await client.patch(f"{USERS}/nobody", json={"active": True})).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "a b", "role": "sender"}, "/name"),
        ({"name": "bob"}, "/role"),
        ({"name": "bob", "role": "king"}, "/role"),
        ({"name": "bob", "role": "sender", "password": "short"}, "/password"),
        ({"name": "bob", "role": "sender", "password": "bob-2026"}, "/password"),
        ({"name": "bob", "role": "sender", "admin": True}, "/admin"),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_named(box: Box, body: dict[str, Any], pointer: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(USERS, json=body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        if body.get("role") == "king":
            assert "admin, sender" in answer.json()["errors"][0]["detail"]
        assert [one["name"] for one in (await client.get(USERS)).json()["items"]] == ["admin"]


async def test_the_last_admin_cannot_be_taken_away(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for body in ({"active": False}, {"role": "sender"}):
            answer = await client.patch(f"{USERS}/admin", json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (409, "CONFLICT")
            assert "last active admin" in answer.json()["detail"]


async def test_s04_disabling_a_user_ends_keys_and_sessions_with_the_next_request(box: Box) -> None:
    key = await box.key(Role.SENDER, name="ann")
    await box.accounts.set_password(LOCAL_ADMIN, "ann", PASSWORD)
    async with box.client(await box.key()) as admin, box.client(key) as by_key, browser(box) as by_cookie:
        await log_in(by_cookie, "ann")
        for client in (by_key, by_cookie):
            assert (await client.get("/api/v1/account")).status_code == 200
        assert (await admin.patch(f"{USERS}/ann", json={"active": False})).status_code == 200
        for client in (by_key, by_cookie):
            assert (await client.get("/api/v1/account")).status_code == 401
        await admin.patch(f"{USERS}/ann", json={"active": True})
        assert (await by_key.get("/api/v1/account")).status_code == 200
        assert (await by_cookie.get("/api/v1/account")).status_code == 401


async def test_a_sender_sees_itself_and_changes_its_own_password(box: Box) -> None:
    key = await box.key(Role.SENDER, name="ann")
    await box.accounts.set_password(LOCAL_ADMIN, "ann", PASSWORD)
    async with box.client(key) as client:
        assert (await client.get(f"{USERS}/ann")).status_code == 200
        for other in ("admin", "nobody"):
            assert (await client.get(f"{USERS}/{other}")).status_code == 403
            assert (await client.patch(f"{USERS}/{other}", json={"active": False})).status_code == 403
        body = {"password": "quilt harbour nine ladders", "current_password": "wrong"}
        assert (await client.patch(f"{USERS}/ann", json=body)).status_code == 422
        body["current_password"] = PASSWORD
        assert (await client.patch(f"{USERS}/ann", json=body)).status_code == 200
        assert (await client.patch(f"{USERS}/ann", json={"role": "admin"})).status_code == 403


async def test_s10_the_life_of_a_key(box: Box) -> None:
    await box.key(Role.SENDER, name="ann")
    async with box.client(await box.key()) as client:
        body = {"user": "ann", "label": "till", "scopes": ["messages:send"], "expires_at": LATER}
        added = await client.post(KEYS, json={**body, "networks": ["192.0.2.0/24"]})
        assert added.status_code == 201
        text, key = added.json()["key"], added.json()["api_key"]
        assert (key["user"], key["label"], key["scopes"]) == ("ann", "till", ["messages:send"])
        assert (key["networks"], key["expires_at"]) == (["192.0.2.0/24"], "2099-01-01T00:00:00.000Z")
        listed = await client.get(KEYS)
        assert key in listed.json()["items"]
        assert text.split("_")[2] not in listed.text  # shown once
        async with box.client(text) as holder, box.client(text, client=("192.0.3.7", 1)) as elsewhere:
            assert (await holder.get("/api/v1/account")).json()["networks"] == ["192.0.2.0/24"]
            refused = await elsewhere.get("/api/v1/account")
            assert (refused.status_code, refused.json()["error_code"]) == (401, "UNAUTHORIZED")
            assert "192.0.2" not in refused.text
            for _ in range(2):
                revoked = await client.delete(f"{KEYS}/{key['id']}")
                assert revoked.json()["revoked_at"] is not None
            assert (await holder.get("/api/v1/account")).status_code == 401
        assert (await client.delete(f"{KEYS}/nothere1")).status_code == 404


async def test_s10_a_sender_makes_lists_and_revokes_its_own_keys_only(box: Box) -> None:
    anns = await box.key(Role.SENDER, Scope.MESSAGES_READ, name="ann")
    bobs = await box.key(Role.SENDER, name="bob")
    async with box.client(anns) as client:
        made = await client.post(KEYS, json={})
        assert made.json()["api_key"]["scopes"] == ["messages:read"]
        for body in ({"scopes": ["messages:send"]}, {"scopes": ["admin"]}, {"scopes": ["fly"]}, {"scopes": []}):
            assert (await client.post(KEYS, json=body)).status_code == 422, body
        assert (await client.post(KEYS, json={"user": "bob"})).status_code == 403
        assert {one["user"] for one in (await client.get(KEYS)).json()["items"]} == {"ann"}
        assert (await client.delete(f"{KEYS}/{bobs[3:11]}")).status_code == 404
        assert (await client.delete(f"{KEYS}/{made.json()['api_key']['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"networks": ["10.0.0.1/8"]}, "/networks/0"),
        ({"networks": "10.0.0.0/8"}, "/networks"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
        ({"label": "a\nb"}, "/label"),
        ({"lable": "x"}, "/lable"),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_named(box: Box, body: dict[str, Any], pointer: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(KEYS, json=body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_quota_is_set_seen_and_meant(box: Box) -> None:
    key = await box.key(Role.SENDER, name="ann")
    async with box.client(await box.key()) as admin, box.client(key) as ann:
        changed = await admin.patch(f"{QUOTAS}/ann", json={"per_day": 2})
        assert (changed.json()["per_day"], changed.json()["per_month"]) == (2, 0)
        answers = [await ann.post("/api/v1/messages", json={"to": "+447900900123", "text": "x"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        own = (await ann.get("/api/v1/account")).json()["quota"]
        assert (own["per_day"], own["used_today"], own["used_this_month"]) == (2, 2, 2)
        assert own["day_ends_at"] <= own["month_ends_at"]
        assert own in (await admin.get(QUOTAS)).json()["items"]
        assert (await admin.patch(f"{QUOTAS}/nobody", json={"per_day": 2})).status_code == 404
        assert (await admin.patch(f"{QUOTAS}/ann", json={"per_day": -1})).status_code == 422
        assert (await ann.patch(f"{QUOTAS}/ann", json={"per_day": 0})).status_code == 403
