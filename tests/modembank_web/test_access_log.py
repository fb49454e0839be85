"""What is logged of requests: never what they said; and faults of ours with their trace."""

from __future__ import annotations

import gc
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank_web import create_app
from modembank_web.operation import Call

Entry = MutableMapping[str, Any]


@pytest.fixture
def logged() -> Iterator[list[Entry]]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0))
    yield capture.entries
    structlog.configure(**before)


def requests(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry["event"] == "http_request"]


async def test_one_event_per_request_without_its_content(logged: list[Entry], box: Box) -> None:
    key = await box.key(Role.SENDER)
    async with box.client(key) as client:
        await client.post("/api/v1/messages", json={"to": "+447900900123", "text": "the secret text"})
        await client.get("/api/v1/messages?to=%2B447900900123&reference=hidden")
        await client.get("/api/v1/messages/msg_hidden")
        await client.get("/api/v1/modems")
        await client.get(f"/api/v1/messages?api_key={key}")
        await client.get("/nowhere/hidden")
    found = requests(logged)
    assert [(entry["method"], entry["path"], entry["status"]) for entry in found] == [
        ("POST", "/api/v1/messages", 202),
        ("GET", "/api/v1/messages", 200),
        ("GET", "/api/v1/messages/{id}", 404),
        ("GET", "/api/v1/modems", 403),
        ("GET", "/api/v1/messages", 400),
        ("GET", None, 404),
    ]
    assert [entry["log_level"] for entry in found] == ["debug"] * 2 + ["info"] * 4
    assert [entry["actor"] for entry in found] == ["sender"] * 4 + [None, None]
    assert all(entry["ms"] is None or entry["ms"] >= 0 for entry in found)
    said = repr(logged)
    for secret in ("secret text", "hidden", "447900900123", key, key.split("_")[2]):
        assert secret not in said


async def test_a_fault_is_answered_with_an_id_that_the_log_has(
    logged: list[Entry], box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(box.messages, "get", broken)
    async with box.client(await box.key()) as client:
        answer = await client.get("/api/v1/messages/msg_1")
    problem = answer.json()
    assert (answer.status_code, problem["error_code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    fault = next(entry for entry in logged if entry["event"] == "request_failed")
    assert fault["tracking_id"] == problem["tracking_id"]
    assert isinstance(fault["exc_info"], ZeroDivisionError)
    assert requests(logged)[-1]["log_level"] == "error"


async def test_every_refusal_can_be_found_by_its_id(logged: list[Entry], box: Box) -> None:
    async with box.client() as client:
        answer = await client.get("/api/v1/messages")
    assert requests(logged)[-1]["tracking_id"] == answer.json()["tracking_id"]
    assert requests(logged)[-1]["error_code"] == "UNAUTHORIZED"


async def test_success_costs_nothing_where_debug_is_off(logged: list[Entry], box: Box) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    box.web = create_app(box)  # type: ignore[arg-type]
    async with box.client() as client:
        await client.get("/healthz")
        await client.get("/nowhere")
    assert [entry["status"] for entry in requests(logged)] == [404]


async def test_a_request_leaves_nothing_to_the_garbage_collector(box: Box) -> None:
    """Thousands in a second would keep it busy."""
    key = await box.key(Role.SENDER)
    gc.collect()
    gc.disable()
    try:
        async with box.client(key) as client:
            for body in ({"to": "+447900900123", "text": "hi"}, {"to": "", "text": ""}):
                await client.post("/api/v1/messages", json=body)
                await client.get("/api/v1/messages/msg_none")
        left = [each for each in gc.get_objects() if isinstance(each, Call) and each.app.store is box.store]
    finally:
        gc.enable()
    assert left == []
