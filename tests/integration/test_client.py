"""The client against a whole box on the emulated bank: from ``send`` to the report, the inbox and a signed webhook."""

import asyncio

from fakes.boxes import box_on
from fakes.hooks import Hook
from modembank.client import AsyncClient, Client, verify_webhook


async def test_a_message_is_sent_waited_for_received_answered_and_told_of(tmp_path):
    async with box_on(tmp_path) as box:
        key = box.client.headers["Authorization"].removeprefix("Bearer ")
        ours, theirs = (card.msisdn for card in box.bank.cards)
        async with AsyncClient(box.daemon.url, key) as client:
            receipt = await client.send(theirs, "Grüße", sim="slot-01", reference="r-1")
            message = await client.wait_until_settled(receipt.id)
            assert (message.status, message.reference, message.report.status) == ("delivered", "r-1", "delivered")
            assert [attempt.outcome for attempt in message.attempts] == ["accepted"]
            await box.until(box.inbox)
            (received,) = [each async for each in client.inbox()]
            assert (received.text, received.from_) == ("Grüße", ours)
            answer = await client.reply(received.from_, "Danke")
            assert (await client.wait_until_settled(answer.id)).sim == box.bank.cards[1].iccid
            assert [each.able_to_send async for each in client.modems()] == [True, True]


def _whole_way(url, key, theirs):
    with Client(url, key) as client:
        receipt = client.send(theirs, "Hello", sim="slot-01", delivery_report=False)
        message = client.wait_until_settled(receipt.id)
        assert (message.status, message.report) == ("sent", None)
        last = next(iter(client.messages()))
        assert last.id == message.id


async def test_the_same_without_asyncio(tmp_path):
    async with box_on(tmp_path) as box:
        key = box.client.headers["Authorization"].removeprefix("Bearer ")
        await asyncio.to_thread(_whole_way, box.daemon.url, key, box.bank.cards[1].msisdn)


async def test_what_the_box_posts_is_trusted_by_the_client(tmp_path):
    hook = await Hook().up()
    async with box_on(tmp_path) as box:
        key = box.client.headers["Authorization"].removeprefix("Bearer ")
        async with AsyncClient(box.daemon.url, key) as client:
            webhook = await client.add_webhook(hook.url, ["message.*"], allow_private=True)
            hook.secrets.append(webhook.secret)
            await client.send("+19990000001", "x")
            await hook.until(lambda: any(event["type"] == "message.delivered" for event in hook.got))
            assert (await client.test_webhook(webhook.id)).ok
    await hook.down()
    assert hook.raw
    for headers, body in hook.raw:
        assert verify_webhook(webhook.secret, headers, body).id in {event["id"] for event in hook.tried}
