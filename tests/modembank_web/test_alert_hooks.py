"""Alerts posted by monitoring systems: durable before the answer, once however often they are told, refused by name."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from fakes.web_boxes import Box
from modembank.accounts import Role, Scope
from modembank.alerts import Alerts
from modembank.config import AlertsConfig
from modembank_web.dialects.alert_examples import ALERTMANAGER, GRAFANA

HOOKS = pytest.mark.parametrize(
    ("path", "example"), [("/hooks/alertmanager", ALERTMANAGER), ("/hooks/grafana", GRAFANA)], ids=["am", "grafana"]
)
ON_CALL = "+447900900123"
"""By the configuration of the box."""


def changed(example: dict[str, Any], **alert: Any) -> dict[str, Any]:
    """The example with changes to its alert."""
    found = copy.deepcopy(example)
    found["alerts"][0].update(alert)
    return found


async def texts(box: Box) -> list[tuple[str, str]]:
    rows = await box.store.fetch_all("SELECT recipient, text FROM messages ORDER BY id")
    return [(row[0], row[1]) for row in rows]


@HOOKS
async def test_an_alert_becomes_a_message_that_is_stored_when_it_is_answered(
    box: Box, path: str, example: dict[str, Any]
) -> None:
    async with box.client(await box.key(Role.SENDER, Scope.MESSAGES_SEND)) as client:
        answer = await client.post(path, json=example)
    assert answer.status_code == 200, answer.text
    stored = await texts(box)
    assert [message["to"] for message in answer.json()["messages"]] == [to for to, _ in stored]
    if path.endswith("grafana"):
        assert stored == [("+447900900131", "FIRING DiskFull: /var has 2 % left")]
    else:
        text = "FIRING HighCPU host1: CPU above 95 % for 10 minutes"
        assert stored == [("+447900900131", text), ("+447900900132", text)]


@HOOKS
async def test_told_again_it_sends_nothing_again_and_answers_the_same(
    box: Box, path: str, example: dict[str, Any]
) -> None:
    async with box.client(await box.key()) as client:
        first = (await client.post(path, json=example)).json()
        again = changed(example, annotations=example["alerts"][0]["annotations"] | {"summary": "now 99 %"})
        answers = await asyncio.gather(*(client.post(path, json=again) for _ in range(5)))
        assert [answer.json() for answer in answers] == [first] * 5
        count = len(await texts(box))
        resolved = changed(example, status="resolved", endsAt="2026-11-20T15:00:00Z")
        assert (await client.post(path, json=resolved)).status_code == 200
        assert len(await texts(box)) == 2 * count
        assert (await texts(box))[-1][1].startswith("RESOLVED ")
        later = changed(example, startsAt="2026-11-21T00:00:00Z")  # it fires anew
        await client.post(path, json=later)
        assert len(await texts(box)) == 3 * count


async def test_who_names_nobody_reaches_those_on_call(box: Box) -> None:
    async with box.client(await box.key()) as client:
        await client.post("/hooks/alertmanager", json=changed(ALERTMANAGER, annotations={}))
    assert await texts(box) == [(ON_CALL, "FIRING HighCPU host1")]


async def test_when_nobody_can_be_told_the_refusal_names_the_way_out_and_nothing_is_stored(box: Box) -> None:
    box.alerts = Alerts(box.messages, AlertsConfig())
    async with box.client(await box.key()) as client:
        answer = await client.post("/hooks/alertmanager", json=changed(ALERTMANAGER, annotations={}))
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/alerts/0"
        assert "sms_to" in error["detail"]
        assert "[alerts]" in error["detail"]
        wrong = changed(ALERTMANAGER, annotations={"sms_to": "12a, nonsense"})
        answer = await client.post("/hooks/alertmanager", json=wrong)
        assert answer.status_code == 422
        assert [error["detail"].split()[0] for error in answer.json()["errors"]] == ["12a", "nonsense"]
    assert await texts(box) == []


async def test_one_wrong_number_does_not_keep_the_others_from_an_alarm(box: Box) -> None:
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES ('+447900900666', 1, 1, 'api')"
        )
    )
    alert = changed(ALERTMANAGER, annotations={"sms_to": "nonsense, +447900900124, +447900900666"})
    async with box.client(await box.key()) as client:
        answer = await client.post("/hooks/alertmanager", json=alert)
    assert answer.status_code == 200
    assert [message["to"] for message in answer.json()["messages"]] == ["+447900900124"]
    assert [refused["to"] for refused in answer.json()["refused"]] == ["nonsense", "+447900900666"]
    assert [to for to, _ in await texts(box)] == ["+447900900124"]


async def test_many_alerts_are_one_message(box: Box) -> None:
    storm = changed(ALERTMANAGER, annotations={})
    storm["alerts"] = [
        storm["alerts"][0] | {"fingerprint": f"f{n}", "labels": {"alertname": "Down", "instance": f"host{n}"}}
        for n in range(40)
    ]
    async with box.client(await box.key()) as client:
        answer = await client.post("/hooks/alertmanager", json=storm)
        assert [message["alerts"] for message in answer.json()["messages"]] == [40]
        await client.post("/hooks/alertmanager", json=storm)
    ((_, text),) = await texts(box)
    assert text.startswith("FIRING 40 alerts: Down host0, Down host1, ")
    assert text.endswith("...")


async def test_resolved_alerts_are_ignored_when_so_configured(box: Box) -> None:
    box.alerts = Alerts(box.messages, AlertsConfig(on_call=(ON_CALL,), resolved=False))
    async with box.client(await box.key()) as client:
        answer = await client.post("/hooks/alertmanager", json=changed(ALERTMANAGER, status="resolved"))
        assert (answer.status_code, answer.json()) == (200, {"messages": [], "refused": [], "ignored": 1})


async def test_a_newer_version_may_say_more_and_a_mistake_is_named(box: Box) -> None:
    async with box.client(await box.key()) as client:
        newer = changed(ALERTMANAGER, colour="red") | {"version": "5", "more": {"deep": [1]}}
        assert (await client.post("/hooks/alertmanager", json=newer)).status_code == 200
        for wrong, pointer in [
            ({"more": 1}, "/alerts"),
            ({"alerts": 5, "more": 1}, "/alerts"),
            (changed(ALERTMANAGER, labels={"alertname": 5}), "/alerts/0/labels"),
        ]:
            answer = await client.post("/hooks/alertmanager", json=wrong)
            assert answer.status_code == 422
            (error,) = answer.json()["errors"]
            assert error["pointer"].startswith(pointer)


async def test_a_key_is_needed_that_may_send(box: Box) -> None:
    async with box.client() as client:
        assert (await client.post("/hooks/grafana", json=GRAFANA)).status_code == 401
    async with box.client(await box.key(Role.SENDER, Scope.MESSAGES_READ)) as client:
        assert (await client.post("/hooks/grafana", json=GRAFANA)).status_code == 403
    assert await texts(box) == []


async def test_a_spent_quota_is_told_and_the_rest_follows_when_told_again(box: Box) -> None:
    key = await box.key(Role.SENDER, name="sam")

    async def quota(segments: int) -> None:
        await box.store.write(
            lambda conn: conn.execute("UPDATE users SET quota_per_day = ? WHERE name = 'sam'", (segments,))
        )

    await quota(1)
    async with box.client(key) as client:
        answer = await client.post("/hooks/alertmanager", json=ALERTMANAGER)
        assert (answer.status_code, answer.json()["error_code"]) == (429, "TOO_MANY_REQUESTS")
        assert "retry-after" in answer.headers
        assert len(await texts(box)) == 1
        await quota(10)
        assert (await client.post("/hooks/alertmanager", json=ALERTMANAGER)).status_code == 200
    assert len({to for to, _ in await texts(box)}) == len(await texts(box)) == 2
