"""Both clients against a real box behind a real server: every method, its shapes, and its errors."""

from __future__ import annotations

import asyncio
import inspect
import threading
from datetime import UTC, datetime

import httpx
import pytest

from fakes.client_kinds import Either, Served
from fakes.web_boxes import ICCID
from modembank.accounts import Role, Scope
from modembank.client import (
    AsyncClient,
    Client,
    ClientError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSettled,
    Retry,
    TooManyRequests,
    Unauthorized,
)

TO = "+447900900123"


async def test_a_message_is_sent_looked_up_listed_and_cancelled(client: Either) -> None:
    receipt = await client("send", TO, "Hello", reference="r-1", priority=7, valid_for_s=600, on_unknown="resend")
    assert (receipt.status, receipt.batch, receipt.dry_run, receipt.refused) == ("queued", None, False, 0)
    (accepted,) = receipt.messages
    assert (accepted.id, accepted.to, accepted.segments, accepted.encoding) == (receipt.id, TO, 1, "gsm7")
    message = await client("get", receipt.id)
    assert (message.text, message.reference, message.priority, message.on_unknown) == ("Hello", "r-1", 7, "resend")
    assert message.waiting_for == "no modem is registered"
    assert not message.ended
    assert datetime.fromisoformat(message.created_at) <= datetime.now(UTC)
    assert [each.id for each in await client.list("messages", reference="r-1")] == [receipt.id]
    assert await client.list("messages", since=datetime(2099, 1, 1, tzinfo=UTC)) == []
    cancelled = await client("cancel", receipt.id)
    assert (cancelled.status, cancelled.ended) == ("cancelled", True)
    assert (await client("wait_until_settled", receipt.id)).status == "cancelled"


async def test_many_recipients_in_parts_and_in_a_dry_run(client: Either, served: Served) -> None:
    receipt = await client("send", [TO, "nonsense", "+447900900124"], "x", partial=True)
    assert [(each.status, each.reason) for each in receipt.messages] == [
        ("queued", ""), ("refused", "bad_number"), ("queued", ""),
    ]  # fmt: skip
    assert (receipt.refused, bool(receipt.batch)) == (1, True)
    dry = await client("send", (TO,), "x", dry_run=True)
    assert (dry.dry_run, dry.messages[0].id) == (True, "")
    assert await served.stored() == 2


async def test_lists_are_read_to_their_end_whatever_the_pages(client: Either) -> None:
    batch = (await client("send", [f"+4479009001{n:02d}" for n in range(25)], "x")).batch
    for page in (7, 25, 100):
        found = await client.list("messages", batch=batch, page=page)
        assert [message.to for message in found] == [f"+4479009001{n:02d}" for n in reversed(range(25))]
    assert len(await client.list("messages", page=5, most=7)) == 7


async def test_a_preview(client: Either) -> None:
    preview = await client("preview", "Köln – €")
    assert (preview.encoding, preview.forced_by) == ("ucs2", ("–",))
    assert (preview.replacements[0].replacement, preview.text_after) == ("-", "Köln - €")
    with pytest.raises(InvalidRequest):
        await client("preview", "Köln – €", encoding="gsm7")


async def test_hardware_and_health(client: Either, served: Served) -> None:
    assert [modem.slot for modem in await client.list("modems")] == ["slot-03", "slot-04"]
    (sim,) = await client.list("sims")
    assert (sim.iccid, sim.msisdn, sim.slot) == (ICCID, "+447900900001", "slot-03")
    assert sim.limits["per_day"] == 1000
    assert await client.list("issues") == []
    found = served.box.sims.by_iccid(ICCID)
    assert found is not None
    await served.box.sims.pause(found.id, "refused 3 numbers in a row, last with +CMS ERROR 21: check its contract")
    await served.box.health.look("sim_without_credit")
    (issue,) = await client.list("issues", state="open")
    assert (issue.kind, issue.subject) == ("sim_without_credit", ICCID)
    assert issue.remedies


async def test_errors_say_what_the_box_said(client: Either, kind: str, served: Served) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        await client("send", "nonsense", "x" * 3000, priority=11)
    assert {error.pointer for error in wrong.value.errors} == {"/to", "/text", "/priority"}
    assert (wrong.value.status, wrong.value.error_code) == (422, "INVALID_PAYLOAD")
    assert wrong.value.tracking_id.startswith("trk_")
    with pytest.raises(InvalidRequest, match="UNKNOWN_PROVIDER: /pool no SIM has the label 'nowhere'"):
        await client("send", TO, "x", pool="nowhere")
    with pytest.raises(NotFound):
        await client("get", "msg_0000000000009")
    with pytest.raises(NotSettled, match="is still queued after 0 seconds: no modem is registered"):
        await client("wait_until_settled", (await client("send", TO, "x")).id, timeout_s=0)
    stranger = Either(kind, served.url, "mb_wrong")
    with pytest.raises(Unauthorized):
        await stranger.list("messages")
    await stranger.close()
    reader = Either(kind, served.url, await served.box.key(Role.SENDER, Scope.MESSAGES_READ))
    with pytest.raises(Forbidden, match="messages:send"):
        await reader("send", TO, "x")
    await reader.close()


async def test_a_spent_quota_says_when_to_come_back(kind: str, served: Served) -> None:
    key = await served.box.key(Role.SENDER, name="sam")
    await served.box.store.write(lambda conn: conn.execute("UPDATE users SET quota_per_day = 1 WHERE name = 'sam'"))
    client = Either(kind, served.url, key)
    await client("send", TO, "x")
    with pytest.raises(TooManyRequests) as spent:
        await client("send", TO, "y")
    assert spent.value.retry_after is not None
    assert spent.value.retry_after > 2
    await client.close()


async def test_a_client_is_shared_by_threads(served: Served) -> None:
    def send_some(client: Client, ids: list[str]) -> None:
        ids += [client.send(TO, "x").id for _ in range(5)]

    def all_threads() -> list[str]:
        ids: list[str] = []
        with Client(served.url, served.key) as client:
            threads = [threading.Thread(target=send_some, args=(client, ids)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return ids

    assert len(set(await asyncio.to_thread(all_threads))) == 20
    async with AsyncClient(served.url, served.key) as client:
        receipts = await asyncio.gather(*(client.send(TO, "x") for _ in range(20)))
    assert len({receipt.id for receipt in receipts}) == 20


async def test_the_application_itself_can_be_called_without_a_network(served: Served) -> None:
    async with AsyncClient("http://box.test", served.key, transport=httpx.ASGITransport(served.box.web)) as client:
        assert (await client.send(TO, "x")).status == "queued"


def test_an_address_without_a_scheme_is_refused_at_once() -> None:
    for address in ("box:8080", "ftp://box", ""):
        with pytest.raises(ValueError, match="begins with http"):
            Client(address)


def test_what_a_proxy_answers_is_no_box() -> None:
    def proxy(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>Log in to the hotel</html>")

    with (
        Client("http://box.test", transport=httpx.MockTransport(proxy)) as client,
        pytest.raises(ClientError, match="is this the address of a Modembank"),
    ):
        client.preview("x")


def test_the_key_stays_with_the_box_that_it_is_for() -> None:
    """A redirection, which no box makes, is not followed."""
    seen: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"location": "http://evil.example/"})

    with (
        Client("http://box.test", "mb_x", transport=httpx.MockTransport(elsewhere), retry=Retry(tries=1)) as client,
        pytest.raises(ClientError),
    ):
        client.get("m")
    assert seen == ["box.test"]


async def test_both_have_the_same_methods_with_the_same_signatures() -> None:
    names = [name for name in dir(Client) if not name.startswith("_") and name in dir(AsyncClient)]
    assert {"send", "messages", "events", "wait_until_settled"} <= set(names)
    async with AsyncClient("http://box.test") as two:
        with Client("http://box.test") as one:
            for name in names:
                ours, theirs = getattr(one, name), getattr(two, name)
                if callable(ours) and name not in {"run", "iterate"}:
                    assert inspect.signature(ours) == inspect.signature(theirs)
                    assert ours.__doc__
