"""The address that providers call: nobody logs in there, each call proves itself, and nothing of it is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from fakes.kinds import Brought, draft
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN
from modembank.providers import Arrival, Receipt, ReceiptStatus
from modembank.store import StoreClosed, StoreError, StoreFull
from modembank_web.dialects.provider_calls import BODY_LIMIT

PATH = "/hooks/providers/alpha"
RIGHT = {"X-Key": "right"}
RECEIPT = {"ref": "ref-1", "status": "delivered", "detail": "DELIVRD"}


@pytest.fixture(autouse=True)
async def alpha(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft())


async def test_a_call_is_answered_in_the_providers_words_when_what_it_brought_is_kept(
    box: Box, brought: Brought
) -> None:
    async with box.client() as client:
        answer = await client.post(PATH, json=RECEIPT, headers=RIGHT)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json() == {"taken": True}
        assert brought.receipts == [Receipt("ref-1", ReceiptStatus.DELIVERED, "DELIVRD")]
        said = {"from": "+447900900123", "key": "in-1", "text": "Thanks"}
        assert (await client.post(PATH, json=said, headers=RIGHT)).status_code == 200
        assert brought.arrivals == [Arrival("in-1", "+447900900123", "Thanks")]
        asked = await client.get(f"{PATH}?challenge=4711&challenge=4712&empty=", headers=RIGHT)
        assert (asked.status_code, asked.text) == (200, "4712")
    assert asked.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (PATH, {}, 401, "UNAUTHORIZED"),
        (PATH, {"X-Key": "wrong"}, 401, "UNAUTHORIZED"),
        ("/hooks/providers/beta", RIGHT, 404, "NOT_FOUND"),
        ("/hooks/providers/%00", RIGHT, 404, "NOT_FOUND"),
        ("/hooks/providers/", RIGHT, 404, "NOT_FOUND"),
    ],
)
async def test_what_proves_nothing_or_is_nobodys_brings_nothing(
    box: Box, brought: Brought, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with box.client() as client:
        answer = await client.post(path, json=RECEIPT, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert brought.receipts == []


async def test_a_key_of_the_box_proves_nothing_there(box: Box, brought: Brought) -> None:
    async with box.client(await box.key()) as client:
        assert (await client.post(PATH, json=RECEIPT)).status_code == 401
    assert brought.receipts == []


async def test_a_call_that_makes_no_sense_names_what(box: Box, brought: Brought) -> None:
    async with box.client() as client:
        answer = await client.post(PATH, json={"status": "delivered"}, headers=RIGHT)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
        assert answer.json()["detail"] == "ref is missing"
        many = "&".join(f"f{n}=x" for n in range(1_001))
        assert (await client.get(f"{PATH}?{many}", headers=RIGHT)).status_code == 400
        assert (await client.put(PATH, json=RECEIPT, headers=RIGHT)).status_code == 405
        assert (await client.head(PATH, headers=RIGHT)).status_code == 405


async def test_a_body_is_bounded_and_nobodys_is_not_read(box: Box, brought: Brought) -> None:
    whole = json.dumps(RECEIPT)
    async with box.client() as client:
        fits = await client.post(PATH, content=whole + " " * (BODY_LIMIT - len(whole)), headers=RIGHT)
        assert fits.status_code == 200
        over = await client.post(PATH, content=b" " * (BODY_LIMIT + 1), headers=RIGHT)
        assert over.status_code == 413
        nobodys = await client.post("/hooks/providers/beta", content=b" " * (BODY_LIMIT + 1), headers=RIGHT)
        assert nobodys.status_code == 404
    assert len(brought.receipts) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(StoreError(detail="x"), 503), (StoreClosed(), 503), (StoreFull(detail="x"), 507)]
)
async def test_what_could_not_be_kept_is_to_be_repeated(
    box: Box, brought: Brought, error: Exception, status: int
) -> None:
    brought.fails = error
    async with box.client() as client:
        answer = await client.post(PATH, json=RECEIPT, headers=RIGHT)
        assert answer.status_code == status, answer.text
        assert answer.headers["retry-after"]
        brought.fails = None
        assert (await client.post(PATH, json=RECEIPT, headers=RIGHT)).status_code == 200
    assert len(brought.receipts) == 1


async def test_receipts_are_taken_from_a_disabled_provider_and_none_from_a_removed_one(
    box: Box, brought: Brought
) -> None:
    await box.providers.disable(LOCAL_ADMIN, "alpha")
    async with box.client() as client:
        assert (await client.post(PATH, json=RECEIPT, headers=RIGHT)).status_code == 200
        await box.providers.remove(LOCAL_ADMIN, "alpha")
        assert (await client.post(PATH, json=RECEIPT, headers=RIGHT)).status_code == 404
    assert len(brought.receipts) == 1


async def test_s15_nothing_of_a_call_stands_in_the_log(box: Box, brought: Brought) -> None:
    said = {"from": "+447900900123", "key": "in-1", "text": "canary-text"}
    with structlog.testing.capture_logs() as logged:
        async with box.client() as client:
            await client.post(f"{PATH}?token=canary-query", json=said, headers=RIGHT)
            await client.post(f"{PATH}?token=canary-query", json=said, headers={"X-Key": "canary-key"})
    told: list[Any] = [dict(each) for each in logged]
    assert any(each["event"] == "provider_call_refused" and each["provider"] == "alpha" for each in told)
    for secret in ("canary", "900123"):
        assert secret not in str(told)
