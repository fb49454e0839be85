"""What a sending client meets when it may not send all it asks for: quotas, opt-outs, and answers in parts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakes.web_boxes import Box
from modembank.accounts import Role

PATH = "/api/v1/messages"
GOOD, OUT = "+447900900123", "+447900900666"


async def set_quota(box: Box, name: str, per_day: int = 0, per_month: int = 0) -> None:
    await box.store.write(
        lambda conn: conn.execute(
            "UPDATE users SET quota_per_day = ?, quota_per_month = ? WHERE name = ?", (per_day, per_month, name)
        )
    )


@pytest.fixture
async def opted_out(box: Box) -> None:
    """A number that wants no messages of this box."""
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES (?, 1, 1700000000000, 'api')", (OUT,)
        )
    )


async def stored(box: Box) -> int:
    row = await box.store.fetch_one("SELECT count(*) FROM messages")
    assert row is not None
    return int(row[0])


async def test_s27_fifty_at_once_on_the_last_of_a_quota_accept_exactly_one(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        await set_quota(box, "sender", per_day=10, per_month=100)
        begun = await client.post(PATH, json={"to": [f"+4479009001{n:02d}" for n in range(9)], "text": "x"})
        assert begun.status_code == 202
        posts = [client.post(PATH, json={"to": f"+4479009002{n:02d}", "text": "x"}) for n in range(50)]
        answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [202] + [429] * 49
    assert await stored(box) == 10


async def test_s27_the_refusal_says_which_quota_how_much_and_until_when(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        await set_quota(box, "sender", per_day=3)
        await client.post(PATH, json={"to": GOOD, "text": "a" * 161})
        answer = await client.post(PATH, json={"to": [GOOD, "+447900900124"], "text": "x"})
        problem = answer.json()
        assert (answer.status_code, problem["error_code"]) == (429, "TOO_MANY_REQUESTS")
        assert 1 <= int(answer.headers["retry-after"]) <= 25 * 3600
        assert answer.headers.get_list("retry-after") == [answer.headers["retry-after"]]
        facts = problem["details"]
        assert (facts["window"], facts["quota"], facts["used"], facts["asked"]) == ("day", 3, 2, 2)
        assert facts["resets_at"] in problem["detail"]
        assert (await client.post(PATH, json={"to": GOOD, "text": "x", "dry_run": True})).status_code == 200
        dry = await client.post(PATH, json={"to": [GOOD, "12345"], "text": "x", "dry_run": True})
        assert dry.status_code == 429
        assert (await client.post(PATH, json={"to": GOOD, "text": "x"})).status_code == 202
    assert await stored(box) == 2


async def test_s27_a_quota_is_of_the_user_and_not_of_the_key(box: Box) -> None:
    keys = [await box.key(Role.SENDER), await box.key(Role.SENDER)]
    await set_quota(box, "sender", per_month=1)
    statuses = []
    for key in keys:
        async with box.client(key) as client:
            statuses.append((await client.post(PATH, json={"to": GOOD, "text": "x"})).status_code)
    assert statuses == [202, 429]
    async with box.client(await box.key(Role.SENDER, name="another")) as client:
        assert (await client.post(PATH, json={"to": GOOD, "text": "x"})).status_code == 202


@pytest.mark.usefixtures("opted_out")
async def test_who_has_opted_out_is_named(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for to, pointer in ((OUT, "/to"), ([GOOD, OUT], "/to/1")):
            answer = await client.post(PATH, json={"to": to, "text": "x"})
            problem = answer.json()
            assert (answer.status_code, problem["error_code"]) == (422, "INVALID_PAYLOAD")
            assert problem["type"].endswith("#opted_out")
            [error] = problem["errors"]
            assert error["pointer"] == pointer
            assert "has opted out" in error["detail"]
    assert await stored(box) == 0


@pytest.mark.usefixtures("opted_out")
async def test_an_answer_in_parts(box: Box) -> None:
    body: dict[str, Any] = {"to": ["nonsense", GOOD, OUT, "12345"], "text": "x", "partial": True}
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json=body, headers={"Idempotency-Key": "k"})
        again = await client.post(PATH, json=body, headers={"Idempotency-Key": "k"})
        listed = (await client.get(answer.headers["location"])).json()["items"]
        none = await client.post(PATH, json={**body, "to": [OUT, "nonsense"]})
    content = answer.json()
    assert answer.status_code == 202
    assert content["refused"] == 2
    assert [(each["to"], each["status"], each.get("reason")) for each in content["messages"]] == [
        ("nonsense", "refused", "bad_number"),
        (GOOD, "queued", None),
        (OUT, "refused", "opted_out"),
        ("12345", "queued", None),
    ]
    assert again.content == answer.content
    assert again.headers["idempotent-replay"] == "true"
    assert [item["to"] for item in listed] == ["12345", GOOD]
    assert none.status_code == 422
    assert [error["pointer"] for error in none.json()["errors"]] == ["/to/0", "/to/1"]
    assert await stored(box) == 2


async def test_in_parts_with_one_number_it_stands_at_the_top(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json={"to": GOOD, "text": "x", "partial": True})
        many = await client.post(PATH, json={"to": ["no", GOOD], "text": "x", "partial": True})
    content = answer.json()
    assert content["id"] == content["messages"][0]["id"]
    assert answer.headers["location"] == f"{PATH}/{content['id']}"
    assert many.headers["location"] == f"{PATH}?batch={many.json()['batch']}"


async def test_ten_thousand_in_one_request(box: Box) -> None:
    numbers = [f"+4479{n:08d}" for n in range(10_000)]
    numbers[5_000] = "nonsense"
    async with box.client(await box.key()) as client:
        refused = await client.post(PATH, json={"to": numbers, "text": "x"})
        answer = await client.post(PATH, json={"to": numbers, "text": "x", "partial": True})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/to/5000"]
    content = answer.json()
    assert content["refused"] == 1
    assert [each["to"] for each in content["messages"]] == numbers
    assert await stored(box) == 9_999
