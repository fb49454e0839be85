"""The life of a key as its holder meets it: over HTTP, from the first request to the last."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.clock import SystemClock, to_ms

MESSAGES = "/api/v1/messages"
ONE = {"to": "+447900900123", "text": "hello"}


class Ahead:
    """The machine's clocks, turned ahead by hand."""

    def __init__(self) -> None:
        self._true = SystemClock()
        self.by = 0.0

    def now(self) -> float:
        return self._true.now() + self.by

    def monotonic(self) -> float:
        return self._true.monotonic() + self.by


async def refused(client: httpx.AsyncClient, why: str) -> None:
    """Whatever is asked is answered with 401 and this reason, and nothing is done."""
    for answer in (await client.get(MESSAGES), await client.post(MESSAGES, json=ONE)):
        problem = answer.json()
        assert (answer.status_code, problem["error_code"]) == (401, "UNAUTHORIZED")
        assert why in problem["detail"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"


async def stored(box: Box) -> int:
    row = await box.store.fetch_one("SELECT count(*) FROM messages")
    assert row is not None
    return int(row[0])


async def test_a_key_ends_at_its_moment_between_two_requests(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ahead()
    monkeypatch.setattr(box.accounts, "_clock", clock)
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER)
    ends = to_ms(clock.now()) + 60_000
    _, text = await box.accounts.add_key(LOCAL_ADMIN, "ann", expires_at=ends)
    async with box.client(text) as client:
        assert (await client.post(MESSAGES, json=ONE)).status_code == 202
        clock.by = 50
        assert (await client.get(MESSAGES)).status_code == 200
        clock.by = 61
        await refused(client, "expired")
    assert await stored(box) == 1


async def test_a_revoked_key_is_over_at_once_and_the_users_other_keys_are_not(box: Box) -> None:
    first, second = await box.key(Role.SENDER), await box.key(Role.SENDER)
    async with box.client(first) as one, box.client(second) as other:
        assert (await one.get(MESSAGES)).status_code == (await other.get(MESSAGES)).status_code == 200
        await box.accounts.revoke_key(LOCAL_ADMIN, first[3:11])
        await refused(one, "revoked")
        assert (await other.post(MESSAGES, json=ONE)).status_code == 202
        await box.accounts.set_user_active(LOCAL_ADMIN, "sender", active=False)
        await refused(one, "revoked")
        await refused(other, "not active")
        await box.accounts.set_user_active(LOCAL_ADMIN, "sender", active=True)
        await refused(one, "revoked")
        assert (await other.get(MESSAGES)).status_code == 200


async def test_what_was_asked_before_the_revocation_cannot_bring_the_key_back(box: Box) -> None:
    """A look-up that was under way while the key was revoked must not be believed afterwards."""
    key = await box.key(Role.SENDER)
    async with box.client(key) as client:
        for _ in range(20):
            await box.store.write(lambda conn: conn.execute("UPDATE api_keys SET revoked_at = NULL"))
            box.accounts._known.clear()
            asked = [asyncio.create_task(client.get(MESSAGES)) for _ in range(4)]
            await asyncio.sleep(0)
            await box.accounts.revoke_key(LOCAL_ADMIN, key[3:11])
            await asyncio.gather(*asked)
            assert (await client.get(MESSAGES)).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ((Scope.MESSAGES_SEND,), {"post"}),
        ((Scope.MESSAGES_READ,), {"list"}),
        ((Scope.MESSAGES_SEND, Scope.MESSAGES_READ), {"post", "list"}),
        ((Scope.MODEMS,), {"modems", "sims", "patch"}),
        ((Scope.MAILINGS,), set()),
        ((Scope.ADMIN,), {"post", "list", "modems", "sims", "patch", "metrics"}),
    ],
)
async def test_each_scope_opens_its_own_doors(box: Box, scopes: tuple[Scope, ...], allowed: set[str]) -> None:
    async with box.client(await box.key(Role.ADMIN, *scopes)) as client:
        answers: dict[str, Any] = {
            "post": await client.post(MESSAGES, json=ONE),
            "list": await client.get(MESSAGES),
            "modems": await client.get("/api/v1/modems"),
            "sims": await client.get("/api/v1/sims"),
            "patch": await client.patch("/api/v1/sims/8944110068256270054", json={}),
            "metrics": await client.get("/metrics"),
        }
    if scopes == (Scope.MODEMS,):
        allowed = allowed | {"metrics"}
    assert {name for name, answer in answers.items() if answer.status_code < 300} == allowed
    for name in set(answers) - allowed:
        assert (answers[name].status_code, answers[name].json()["error_code"]) == (403, "FORBIDDEN"), name
    assert await stored(box) == ("post" in allowed)


async def test_two_senders_never_see_each_others_messages(box: Box) -> None:
    ann, bob, admin = (
        await box.key(Role.SENDER, name="ann"),
        await box.key(Role.SENDER, name="bob"),
        await box.key(),
    )
    async with box.client(ann) as hers, box.client(bob) as his, box.client(admin) as all_of_them:
        mine = (await hers.post(MESSAGES, json=ONE)).json()["id"]
        yours = (await his.post(MESSAGES, json=ONE)).json()["id"]
        assert [item["id"] for item in (await hers.get(MESSAGES)).json()["items"]] == [mine]
        assert [item["id"] for item in (await his.get(MESSAGES)).json()["items"]] == [yours]
        assert {item["id"] for item in (await all_of_them.get(MESSAGES)).json()["items"]} == {mine, yours}
        for method, path in (("GET", f"{MESSAGES}/{yours}"), ("POST", f"{MESSAGES}/{yours}/cancel")):
            answer, nothing = await hers.request(method, path), await hers.request(method, path.replace(yours, "msg_0"))
            # Not "forbidden": that would tell that it exists.
            assert (answer.status_code, nothing.status_code) == (404, 404)
        assert (await his.get(f"{MESSAGES}/{yours}")).json()["status"] == "queued"
        # One idempotency key of two users names two requests.
        headers = {"Idempotency-Key": "same"}
        first = await hers.post(MESSAGES, json=ONE, headers=headers)
        second = await his.post(MESSAGES, json={**ONE, "text": "another"}, headers=headers)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json()["id"] != second.json()["id"]


async def test_a_key_that_ends_after_all_years_is_made_and_shown(box: Box) -> None:
    async with box.client(await box.key()) as client:
        made = await client.post("/api/v1/api-keys", json={"expires_at": "9999-12-31T23:59:59-14:00"})
        assert made.status_code == 201, made.text
        listed = (await client.get("/api/v1/api-keys")).json()["items"]
    assert "9999-12-31T23:59:59.999Z" in [key["expires_at"] for key in listed]
