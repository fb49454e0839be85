"""Alive, ready, and the figures."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.store import Store, StoreHealth


async def test_alive_says_only_that(box: Box) -> None:
    async with box.client() as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_ready_without_a_modem_because_the_box_queues(box: Box) -> None:
    async with box.client() as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reasons": [], "modems": {"total": 2, "registered": 0}}


async def test_not_ready_until_recovered(box: Box) -> None:
    box.readiness.wait_for("recovery", "the queue is being recovered")
    async with box.client() as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["the queue is being recovered"])
        assert answer.headers["retry-after"] == "5"
        assert (await client.get("/healthz")).status_code == 200
        box.readiness.finished("recovery")
        box.readiness.finished("recovery")
        assert (await client.get("/readyz")).status_code == 200


async def test_not_ready_while_the_disk_is_full(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    full: StoreHealth = replace(box.store.health, free_octets=3 << 20)
    monkeypatch.setattr(Store, "health", full)
    async with box.client() as client:
        answer = await client.get("/readyz")
    reasons = ["the database takes no new work: 3 MiB free, 16 MiB are kept in reserve"]
    assert (answer.status_code, answer.json()["reasons"]) == (503, reasons)


@pytest.mark.parametrize("client_at", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_metrics_for_programs_on_the_box(box: Box, client_at: str) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        await client.post("/api/v1/messages", json={"to": "+447900900123", "text": "x"})
    async with box.client(client=(client_at, 1)) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "modembank_messages_accepted_total 1.0" in answer.text
    assert 'modembank_modems{state="detected"} 2.0' in answer.text


@pytest.mark.parametrize(
    ("client_at", "headers"),
    [
        ("192.0.2.7", {}),
        ("localhost", {}),
        ("::ffff:192.0.2.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
    ],
)
async def test_metrics_from_elsewhere_need_a_key(box: Box, client_at: str, headers: dict[str, str]) -> None:
    async with box.client(client=(client_at, 1)) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == 401
    async with box.client(await box.key(Role.SENDER), client=(client_at, 1)) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == 403
    async with box.client(await box.key(Role.ADMIN), client=(client_at, 1)) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == 200
