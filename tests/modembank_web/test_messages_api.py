"""Sending, looking up, listing and cancelling through the API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from fakes.web_boxes import ICCID, Box
from modembank.accounts import Role

PATH = "/api/v1/messages"
ONE = {"to": "+447900900123", "text": "Your parcel arrives today"}


async def stored(box: Box) -> int:
    row = await box.store.fetch_one("SELECT count(*) FROM messages")
    assert row is not None
    return int(row[0])


async def test_one_message_is_accepted_durably_and_can_be_looked_up(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        answer = await client.post(PATH, json={**ONE, "reference": "order-1"})
        assert answer.status_code == 202
        body = answer.json()
        assert body["messages"] == [{name: body[name] for name in ("id", "to", "status", "segments", "encoding")}]
        assert (body["to"], body["segments"], body["encoding"]) == (ONE["to"], 1, "gsm7")
        assert "batch" not in body
        assert answer.headers["location"] == f"{PATH}/{body['id']}"
        assert await stored(box) == 1
        found = (await client.get(answer.headers["location"])).json()
    assert (found["id"], found["direction"], found["text"]) == (body["id"], "outbound", ONE["text"])
    assert found["reference"] == "order-1"
    assert found["waiting_for"]
    assert found["attempts"] == []


async def test_many_recipients_make_one_batch(box: Box) -> None:
    numbers = [f"+4479009001{n:02d}" for n in range(30)]
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={"to": numbers, "text": "closed tomorrow"})
        body = answer.json()
        assert [entry["to"] for entry in body["messages"]] == numbers
        assert "id" not in body
        listed = (await client.get(answer.headers["location"])).json()
    assert answer.headers["location"] == f"{PATH}?batch={body['batch']}"
    assert {item["to"] for item in listed["items"]} == set(numbers)


async def test_a_list_of_one_is_still_a_list(box: Box) -> None:
    async with box.client(await box.key()) as client:
        body = (await client.post(PATH, json={"to": [ONE["to"]], "text": "x"})).json()
    assert len(body["messages"]) == 1
    assert "id" not in body


async def test_all_recipients_or_none(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={"to": ["+447900900123", "nonsense", "+1"], "text": "x"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/to/1", "/to/2"]
    assert await stored(box) == 0


async def test_a_dry_run_checks_and_stores_nothing(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={**ONE, "dry_run": True})
        refused = await client.post(PATH, json={**ONE, "priority": 11, "dry_run": True})
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert "location" not in answer.headers
    assert refused.status_code == 422
    assert await stored(box) == 0


async def test_a_repeated_request_with_its_key_is_one_request(box: Box) -> None:
    headers = {"Idempotency-Key": "order-1"}
    async with box.client(await box.key()) as client:
        first = await client.post(PATH, json=ONE, headers=headers)
        again = await client.post(PATH, json=ONE, headers=headers)
        other = await client.post(PATH, json={**ONE, "text": "another"}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert other.status_code == 422
    assert other.json()["type"].endswith("#idempotency_mismatch")
    assert await stored(box) == 1


async def test_the_same_key_in_parallel_sends_once(box: Box) -> None:
    async with box.client(await box.key()) as client:
        posts = [client.post(PATH, json=ONE, headers={"Idempotency-Key": f"k{n % 4}"}) for n in range(48)]
        answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 4
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 4
    assert await stored(box) == 4


async def test_keys_of_two_users_do_not_meet(box: Box) -> None:
    headers = {"Idempotency-Key": "same"}
    ids = []
    for name in ("ann", "ben"):
        async with box.client(await box.key(Role.SENDER, name=name)) as client:
            ids.append((await client.post(PATH, json=ONE, headers=headers)).json()["id"])
    assert len(set(ids)) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "k\xe9y"])
async def test_an_unusable_idempotency_key_is_refused(box: Box, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json=ONE, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/Idempotency-Key"


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"to": ""}, "/to", "INVALID_PAYLOAD"),
        ({"to": []}, "/to", "INVALID_PAYLOAD"),
        ({"text": ""}, "/text", "INVALID_PAYLOAD"),
        ({"text": 5}, "/text", "INVALID_PAYLOAD"),
        ({"priority": 10}, "/priority", "INVALID_PAYLOAD"),
        ({"valid_for_s": 0}, "/valid_for_s", "INVALID_PAYLOAD"),
        ({"send_at": "tomorrow"}, "/send_at", "INVALID_PAYLOAD"),
        ({"window": "8-20"}, "/window", "INVALID_PAYLOAD"),
        ({"encoding": "utf8"}, "/encoding", "INVALID_PAYLOAD"),
        ({"on_unknown": "retry"}, "/on_unknown", "INVALID_PAYLOAD"),
        ({"colour": "red"}, "/colour", "INVALID_PAYLOAD"),
        ({"sim": "nosuch"}, "/sim", "UNKNOWN_PROVIDER"),
        ({"pool": "nosuch"}, "/pool", "UNKNOWN_PROVIDER"),
        ({"providers": [ICCID, "nosuch"]}, "/providers/1", "UNKNOWN_PROVIDER"),
    ],
)
async def test_what_is_wrong_is_named(box: Box, change: dict[str, Any], pointer: str, code: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={**ONE, **change})
    problem = answer.json()
    assert (answer.status_code, problem["error_code"]) == (422, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await stored(box) == 0


async def test_a_named_sim_is_found(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for name in (ICCID, "slot-03"):
            assert (await client.post(PATH, json={**ONE, "sim": name})).status_code == 202


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b'{"to": "1", ', "application/json", 422),
        (b"to=1&text=x", "application/x-www-form-urlencoded", 415),
        (b'{"to":"+447900900123","text":"a","text":"b"}', "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"text":"' + b"x" * 10_000_000 + b'"}', "application/json", 413),
        (b'{"to":"+447900900123","text":"' + b"x" * 1_000_000 + b'"}', "application/json", 422),
        (b'{"to":"+447900900123","text":"x","priority":' + b"9" * 4000 + b"}", "application/json", 422),
        (json.dumps({"to": ["+447900900123"] * 10_001, "text": "x"}).encode(), "application/json", 422),
    ],
    ids=["cut", "form", "twice", "deep", "huge", "long", "digits", "many"],
)
async def test_hostile_bodies(box: Box, content: bytes, media: str, status: int) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, content=content, headers={"Content-Type": media})
    assert answer.status_code == status, answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000
    assert await stored(box) == 0


async def test_the_list_pages_through_everything_once(box: Box) -> None:
    async with box.client(await box.key()) as client:
        numbers = [f"+447900900{n:03d}" for n in range(25)]
        for number in numbers:
            await client.post(PATH, json={"to": number, "text": "x"})
        seen: list[str] = []
        address: str | None = f"{PATH}?limit=10"
        while address:
            page = (await client.get(address)).json()
            assert len(page["items"]) <= 10
            seen += [item["to"] for item in page["items"]]
            address = page["next"]
            assert address is None or (address.startswith(f"{PATH}?") and "limit=10" in address)
    assert seen == numbers[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "page=2", "since=now", "status=sent&status=failed"])
async def test_a_wrong_query_is_refused(box: Box, query: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_PAYLOAD")


async def test_nobody_sees_or_cancels_anothers_message(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER, name="ann")) as ann:
        mine = (await ann.post(PATH, json=ONE)).json()["id"]
    async with box.client(await box.key(Role.SENDER, name="ben")) as ben:
        assert (await ben.get(f"{PATH}/{mine}")).status_code == 404
        assert (await ben.post(f"{PATH}/{mine}/cancel")).status_code == 404
        assert (await ben.get(PATH)).json() == {"items": [], "next": None}
    async with box.client(await box.key(Role.ADMIN)) as admin:
        assert (await admin.get(f"{PATH}/{mine}")).status_code == 200


async def test_cancelling_works_once(box: Box) -> None:
    async with box.client(await box.key()) as client:
        message = (await client.post(PATH, json=ONE)).json()["id"]
        cancelled = await client.post(f"{PATH}/{message}/cancel")
        again = await client.post(f"{PATH}/{message}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert again.status_code in {200, 409}


@pytest.mark.parametrize("name", ["msg_0000000000000", "nonsense", "%00", "..%2f..", "msg_" + "z" * 5000])
async def test_what_is_not_there(box: Box, name: str) -> None:
    async with box.client(await box.key()) as client:
        for answer in (await client.get(f"{PATH}/{name}"), await client.get(f"/api/v1/inbox/{name}")):
            assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")
            assert len(answer.content) < 3000


async def test_a_preview_needs_no_number(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        answer = await client.post(f"{PATH}/preview", json={"text": "hello"})
        refused = await client.post(f"{PATH}/preview", json={"txt": "hello"})
    assert (answer.json()["encoding"], answer.json()["segments"]) == ("gsm7", 1)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/text", "/txt"]


async def test_the_inbox_is_empty_at_first(box: Box) -> None:
    async with box.client(await box.key()) as client:
        assert (await client.get("/api/v1/inbox")).json() == {"items": [], "next": None}
        assert (await client.get("/api/v1/inbox?q=hello")).json() == {"items": [], "next": None}
        assert (await client.get("/api/v1/inbox?q=*")).json()["errors"][0]["pointer"] == "/q"
        assert (await client.get("/api/v1/inbox?limit=1000")).status_code == 422


async def test_other_methods_and_addresses(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for method, path, allow in (
            ("DELETE", PATH, {"GET", "POST", "OPTIONS"}),
            ("PUT", f"{PATH}/msg_1", {"DELETE", "GET", "OPTIONS"}),
        ):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["error_code"]) == (405, "METHOD_NOT_ALLOWED")
            assert set(answer.headers["allow"].split(", ")) == allow
        answer = await client.options(PATH)
        assert (answer.status_code, answer.headers["allow"]) == (204, "GET, OPTIONS, POST")
        lost = await client.get("/api/v2/messages")
        assert (lost.status_code, lost.json()["instance"]) == (404, "/api/v2/messages")


async def test_security_headers_on_every_kind_of_answer(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answers: list[httpx.Response] = [
            await client.post(PATH, json=ONE),
            await client.get(PATH),
            await client.get("/nowhere"),
            await client.post(PATH, json={}),
        ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in answer.headers
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers[1:])
