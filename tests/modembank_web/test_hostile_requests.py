"""Requests that can be read in two ways, and contents that would spoil an answer later: refused, each by its field."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fakes.web_boxes import Box

MESSAGES = "/api/v1/messages"
ONE = {"to": "+447900900123", "text": "x"}
SMS: dict[str, Any] = {
    "senderPhone": "+447900900123",
    "receiverPhone": "+447900900124",
    "messageText": "x",
    "timestamp": "2026-11-20T14:05:00Z",
    "uuid": "1",
}


def refusal(answer: httpx.Response) -> tuple[int, list[str]]:
    return answer.status_code, [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", ["Bearer {key}", "Bearer {key}"]),
        ("API-Key", ["{key}", "other"]),
        ("Content-Type", ["text/plain", "application/json"]),
        ("Idempotency-Key", ["a", "b"]),
    ],
)
async def test_a_header_of_which_only_one_can_be_meant_is_refused_twice(box: Box, name: str, values: list[str]) -> None:
    key = await box.key()
    headers = [(name, value.format(key=key)) for value in values]
    if name not in {"Authorization", "API-Key"}:
        headers.append(("Authorization", f"Bearer {key}"))
    async with box.client() as client:
        client.headers.pop("Authorization", None)
        answer = await client.post(MESSAGES, content=b'{"to":"+447900900123","text":"x"}', headers=headers)
        assert answer.status_code == 400, answer.text
        assert answer.json()["detail"].endswith("is given 2 times")
        assert name.lower() in answer.json()["detail"].lower()
        looked = await client.get(MESSAGES, headers={"API-Key": key, "Accept": "a/b"})
    assert looked.json()["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/messages",
        "/api//v1/messages",
        "/api/v1/messages//settle",
        "/api/v1/messages/%2Fsettle",
        "/api/v1/messages%2fsettle",
        "/api/v1/messages/msg_0000000000001%2Fcancel",
        "/api/v1/messages//",
    ],
)
async def test_an_address_is_not_made_of_another_by_moving_its_slashes(box: Box, path: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(f"http://box.test{path}", json={"as": "failed", "older_than_s": 60})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND"), answer.text


async def test_who_looks_around_is_shown_the_pages_and_the_documentation(box: Box) -> None:
    async with box.client() as client:
        bare, unknown = await client.get("/"), await client.get("/api")
    assert (bare.status_code, bare.headers["location"]) == (303, "/ui")
    assert unknown.status_code == 404
    assert "/docs" in unknown.json()["detail"]


@pytest.mark.parametrize("path", ["/api/send-sms", "/api/receive-sms"])
@pytest.mark.parametrize(
    "timestamp",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2100-01-01T00:00:01Z", "1969-12-31T23:59:59Z"],
)
async def test_a_message_of_an_impossible_time_spoils_no_list(box: Box, path: str, timestamp: str) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(path, json={**SMS, "timestamp": timestamp})
        assert refusal(answer) == (422, ["/timestamp"])
        for look in ("/api/v1/inbox", "/api/get-conversation/+447900900123", MESSAGES):
            shown = await client.get(look)
            assert shown.status_code == 200, shown.text
            assert not shown.json().get("items", shown.json().get("messages"))


async def test_a_key_used_for_another_body_is_named_as_the_client_named_it(box: Box) -> None:
    async with box.client(await box.key()) as client:
        for path, first, second in (
            (MESSAGES, ONE, {**ONE, "text": "y"}),
            ("/sending", {"number": ONE["to"], "text": "x"}, {"number": ONE["to"], "text": "y"}),
            ("/mailing", {"numbers": [ONE["to"]], "text": "x"}, {"numbers": [ONE["to"]], "text": "y"}),
        ):
            headers = {"Idempotency-Key": f"mine-{path}"}
            assert (await client.post(path, json=first, headers=headers)).status_code == 202
            answer = await client.post(path, json=second, headers=headers)
            assert refusal(answer) == (422, ["/Idempotency-Key"])
            assert f"key mine-{path} was" in answer.json()["detail"]
        for path in ("/api/send-sms", "/api/receive-sms"):
            assert (await client.post(path, json=SMS)).status_code == 200
            answer = await client.post(path, json={**SMS, "messageText": "y"})
            assert refusal(answer) == (422, ["/uuid"])
            assert answer.json()["detail"].startswith("the uuid 1 came before")
            assert answer.json()["type"].endswith("#idempotency_mismatch")


async def test_a_channel_without_a_provider_is_named_with_what_is_there(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post("/sendMessage", json={"type": "email", "recipient": "a@b.example", "content": "x"})
    assert refusal(answer) == (503, ["/type"])
    assert "sms" in answer.json()["errors"][0]["detail"]
