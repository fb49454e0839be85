"""Mailings, users, quotas and keys by both clients, against a real box behind a real server."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
import typing
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.client_kinds import Either, Served
from modembank.client import Client, Conflict, InvalidRequest, NotFound, Retry, Unauthorized, Unreachable
from modembank.client.mailing_calls import MailingFields
from modembank.mailings.requests import MailingRequest

FILE = b"name,phone\nAnn,+447900900123\nBob,+447900900124\nCid,12\n"


async def until(client: Either, mailing: str, *statuses: str) -> Any:
    """Return the mailing once it is in one of these states and imported."""
    async with asyncio.timeout(20):
        while True:
            found = await client("mailing", mailing)
            if found.status in statuses and found.progress.phase in {"done", "failed"}:
                return found


async def test_a_mailing_is_previewed_checked_sent_changed_and_read(
    client: Either, served: Served, tmp_path: Path
) -> None:
    await served.box.mailings.start()
    path = tmp_path / 'müll "x".csv'
    path.write_bytes(FILE)
    shown = await client("preview_mailing", FILE, template="Hi {name}…")
    assert shown.layout.columns == ("name", "phone")
    assert (shown.sample[0].forced_by, shown.sample[0].text_after) == (("…",), "Hi Ann...")
    checked = await client("check_mailing", path, template="Hi {name}…", replace=True)
    assert (checked.accepted, checked.refused, checked.ucs2, checked.first_refused[0].line) == (2, 1, 0, 4)
    with pytest.raises(InvalidRequest, match="no column"):
        await client("send_mailing", path, template="Hi {nobody}")
    made = await client("send_mailing", path, template="Hi {name}", canary_count=1, hold=True, idempotency_key="k-1")
    again = await client("send_mailing", path, template="Hi {name}", canary_count=1, hold=True, idempotency_key="k-1")
    assert again.id == made.id
    assert made.file == "müll _x_.csv"
    await until(client, made.id, "ready")
    await client("start_mailing", made.id)
    canary = (await until(client, made.id, "canary")).canary
    assert (canary.size, canary.continue_) == (1, "by_hand")
    assert (await client("pause_mailing", made.id)).status == "paused"
    assert (await client("resume_mailing", made.id)).status == "canary"
    assert (await client("continue_mailing", made.id)).status == "sending"
    with pytest.raises(Conflict):
        await client("retry_mailing", made.id)
    assert (await client("cancel_mailing", made.id)).over
    assert [row.line for row in await client.list("mailing_rows", made.id)] == [4]
    assert [one.to for one in await client.list("messages", batch=made.batch)] == ["+447900900124", "+447900900123"]
    pieces = b"".join(await client.list("mailing_results", made.id))
    assert [row["to"] for row in csv.DictReader(io.StringIO(pieces.decode()))] == ["+447900900123", "+447900900124"]
    assert (await client.list("mailing_history", made.id))[-1].messages
    assert [one.id for one in await client.list("mailings", page=1)] == [made.id]
    with pytest.raises(NotFound):
        await client.list("mailing_results", "mlg_0000008000009")
    await served.box.mailings.stop()


async def test_users_quotas_and_keys(client: Either, served: Served) -> None:
    added = await client("add_user", "ann", "sender")
    assert (added.name, added.role, added.active, added.has_password) == ("ann", "sender", True, False)
    assert (await client("user", "ann")) == added
    assert "ann" in [one.name for one in await client.list("users")]
    quota = await client("change_quota", "ann", per_day=5)
    assert (quota.per_day, quota.per_month) == (5, 0)
    assert quota in await client.list("quotas")
    made = await client("add_key", user="ann", label="door", scopes=["mailings"])
    assert (made.api_key.user, made.api_key.scopes) == ("ann", ("mailings",))
    assert made.api_key.id in [one.id for one in await client.list("keys")]
    other = Either("sync", served.url, made.key)
    assert await other.list("mailings") == []
    await client("revoke_key", made.api_key.id)
    with pytest.raises(Unauthorized):
        await other.list("mailings")
    await other.close()
    assert not (await client("change_user", "ann", active=False)).active


def test_results_that_break_off_are_no_whole_file() -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"id,to\r\n"
            raise httpx.ReadError("gone")

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken()))
    with Client("http://box.test", transport=transport, retry=Retry(tries=1)) as client:
        pieces = client.mailing_results("mlg_1")
        assert next(pieces) == b"id,to\r\n"
        with pytest.raises(Unreachable, match="gone"):
            next(pieces)


def test_the_fields_are_those_of_the_api() -> None:
    ours = set(typing.get_type_hints(MailingFields))
    assert ours == set(inspect.signature(MailingRequest).parameters) - {"dry_run"}
