"""Held messages and settling over HTTP: shapes, permissions, and problems that name the field."""

from __future__ import annotations

import sqlite3
from collections import Counter

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.ids import row_id
from modembank.messages.model import MessageState
from modembank.messages.outbox import add_counts, hold_waiting
from modembank_web.api.v1 import examples

MESSAGE = {"to": "+447900900123", "text": "x"}


async def unknown(box: Box, identifier: str) -> None:
    """Make it a message that may or may not have been sent."""

    def put(conn: sqlite3.Connection) -> None:
        conn.execute("UPDATE messages SET state = 60, ready = NULL WHERE id = ?", (row_id("msg", identifier),))
        add_counts(conn, Counter({MessageState.QUEUED: -1, MessageState.UNKNOWN: 1}))

    await box.store.write(put)


async def test_held_messages_are_shown_and_decided(box: Box) -> None:
    async with box.client(await box.key()) as client:
        sent = (await client.post("/api/v1/messages", json=MESSAGE)).json()["id"]
        await box.store.write(lambda conn: hold_waiting(conn, "restored: from a backup", 1))
        shown = (await client.get("/api/v1/outage")).json()
        assert (shown["held"], shown["rule"], shown["outages"][0]["kind"]) == (1, "ask", "restored")
        assert "modembank_messages_held 1.0" in (await client.get("/metrics")).text
        refused = await client.post("/api/v1/outage/decide", json={"decision": "send", "older_than_s": -1})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/older_than_s")
        ages = {"decision": "send", "older_than_s": 60, "newer_than_s": 60}
        refused = await client.post("/api/v1/outage/decide", json=ages)
        assert refused.json()["errors"] == [{"pointer": "/newer_than_s", "detail": "must be greater than older_than_s"}]
        answer = await client.post("/api/v1/outage/decide", json={"decision": "expire"})
        assert answer.json() == {"sent": 0, "expired": 1, "held": 0}
        message = (await client.get(f"/api/v1/messages/{sent}")).json()
        assert (message["status"], message["cause"]) == ("expired", "restored: from a backup; given up by admin")


async def test_a_sender_neither_sees_nor_decides(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        for method, path, body in (
            ("GET", "/api/v1/outage", None),
            ("POST", "/api/v1/outage/decide", {"decision": "send"}),
            ("POST", "/api/v1/messages/settle", {"as": "failed", "older_than_s": 60}),
        ):
            assert (await client.request(method, path, json=body)).status_code == 403


async def test_settling_does_what_its_examples_say(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        for example in examples.SETTLE.values():
            sent = (await client.post("/api/v1/messages", json=MESSAGE)).json()["id"]
            early = await client.post(f"/api/v1/messages/{sent}/settle", json=example)
            assert (early.status_code, early.json()["error_code"]) == (409, "CONFLICT")
            await unknown(box, sent)
            settled = await client.post(f"/api/v1/messages/{sent}/settle", json=example)
            assert settled.status_code == 200, settled.text
            assert settled.json()["status"] == example["as"]
            assert settled.json()["cause"].startswith("settled: by sender")
        wrong = await client.post(f"/api/v1/messages/{sent}/settle", json={"as": "sent"})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/as")
    assert (await box.messages.recount()).holds


async def test_settling_all_leaves_the_young_alone(box: Box) -> None:
    async with box.client(await box.key()) as client:
        sent = (await client.post("/api/v1/messages", json=MESSAGE)).json()["id"]
        await unknown(box, sent)
        answer = await client.post("/api/v1/messages/settle", json={"as": "failed", "older_than_s": 3600})
        assert answer.json() == {"settled": 0}
        await box.store.write(lambda conn: conn.execute("UPDATE messages SET created_at = created_at - 7200000"))
        answer = await client.post("/api/v1/messages/settle", json={"as": "failed", "older_than_s": 3600})
        assert answer.json() == {"settled": 1}
        assert (await client.get(f"/api/v1/messages/{sent}")).json()["status"] == "failed"
