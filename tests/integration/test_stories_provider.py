"""A whole box with a provider beside its bank: what goes out, what comes back, and who takes over."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import kinds
from fakes.boxes import box_on
from fakes.kinds import SETTINGS, Trial
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Result

KEY = {"X-Key": "right"}
HOOK = "/hooks/providers/alpha"
NUMBER = "+15551230001"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.install(monkeypatch)


async def add(box: Any, name: str = "alpha", **settings: Any) -> None:
    new = {"name": name, "kind": "trial", "settings": SETTINGS | settings}
    made = await box.client.post("/api/v1/providers", json=new)
    assert made.status_code == 201, made.text


async def test_a_message_through_a_provider_is_sent_and_its_receipt_settles_it(tmp_path: Any) -> None:
    async with box_on(tmp_path) as box:
        await add(box)
        sent = await box.send(NUMBER, "Hello", providers=["alpha"])
        shown = await box.until_status(sent["id"], "sent")
        assert (shown["provider"], shown["sim"], shown["report"]["status"]) == ("alpha", None, "pending")
        (given,) = Trial.sent
        assert (given.recipient, given.text) == (NUMBER, "Hello")
        assert given.key.endswith(sent["id"])
        assert box.seen() == []
        receipt = {"ref": "ref-1", "status": "delivered", "detail": "DELIVRD"}
        for _ in range(2):  # a doubled one is harmless
            assert (await box.client.post(HOOK, json=receipt, headers=KEY)).status_code == 200
        shown = await box.until_status(sent["id"], "delivered")
    (attempt,) = shown["attempts"]
    assert (attempt["segment"], attempt["slot"], attempt["outcome"]) == (0, "alpha", "accepted")
    assert attempt["verdict"] == "it arrived: the provider's receipt says so"
    assert attempt["evidence"]["provider"] == {"answer": "202 Accepted", "seconds": 0.1, "receipt": "DELIVRD"}


async def test_what_comes_in_stands_in_the_conversation_and_is_answered_the_same_way(tmp_path: Any) -> None:
    async with box_on(tmp_path) as box:
        await add(box, channel="whatsapp")
        said = {"from": NUMBER, "key": "in-1", "text": "Is it open?"}
        for _ in range(2):
            assert (await box.client.post(HOOK, json=said, headers=KEY)).status_code == 200
        (came,) = await box.until(box.inbox)
        assert (came["from"], came["text"], came["provider"], came["channel"]) == (
            NUMBER, "Is it open?", "alpha", "whatsapp",
        )  # fmt: skip
        answered = await box.client.post(f"/api/v1/conversations/{NUMBER}/messages", json={"text": "Until six."})
        assert answered.status_code == 202, answered.text
        shown = await box.until_status(answered.json()["id"], "sent")
        assert (shown["channel"], shown["provider"]) == ("whatsapp", "alpha")
        thread = (await box.get(f"conversations/{NUMBER}"))["items"]
    assert [each["text"] for each in thread] == ["Until six.", "Is it open?"]


async def test_what_nobody_knows_of_is_given_to_nobody_else(tmp_path: Any) -> None:
    async with box_on(tmp_path) as box:
        await add(box)
        lost = Cause(CauseClass.AMBIGUOUS, "no_answer", "no answer within 10 seconds")
        Trial.results.append(Result(AttemptOutcome.UNKNOWN, cause=lost))
        sent = await box.send(NUMBER, "Once", providers=["alpha", "bank"])
        shown = await box.until_status(sent["id"], "unknown")
        assert len(shown["attempts"]) == 1
        assert "the provider may have it" in shown["attempts"][0]["verdict"]
        assert box.seen() == []
        settled = await box.client.post(f"/api/v1/messages/{sent['id']}/settle", json={"as": "delivered"})
        assert settled.json()["status"] == "delivered"


async def test_what_an_account_refuses_the_bank_takes(tmp_path: Any) -> None:
    async with box_on(tmp_path) as box:
        await add(box)
        Trial.results.append(
            Result(AttemptOutcome.REJECTED, cause=Cause(CauseClass.SIM, "no_credit", "the account has no credit"))
        )
        sent = await box.send(NUMBER, "Else", providers=["alpha", "bank"])
        shown = await box.until_status(sent["id"], "sent", "delivered")
        assert box.seen() == [NUMBER]
        assert [(each["segment"], each["outcome"]) for each in shown["attempts"]] == [(0, "rejected"), (1, "accepted")]
        found = (await box.get("messages?provider=alpha"))["items"]
        assert found == [], "the SIM tried last"


async def test_metrics_tell_of_it(tmp_path: Any) -> None:
    async with box_on(tmp_path) as box:
        await add(box)
        sent = await box.send(NUMBER, "Hello", providers=["alpha"])
        await box.until_status(sent["id"], "sent")
        await box.client.post(HOOK, json={"ref": "ref-1", "status": "delivered"}, headers=KEY)
        await box.until_status(sent["id"], "delivered")
        told = (await box.client.get("/metrics")).text
    for line in (
        'modembank_provider_attempts_total{outcome="accepted",provider="alpha"} 1.0',
        'modembank_provider_receipts_total{provider="alpha",status="delivered"} 1.0',
        'modembank_provider_seconds_count{provider="alpha"} 1.0',
        'modembank_provider_ready{provider="alpha"} 1.0',
    ):
        assert line in told
