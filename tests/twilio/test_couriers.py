"""What happened is told, in order for each message, until it is taken; replies are sent once each."""

import asyncio

import pytest

from fakes.shops import SENDER, row_of
from fakes.twilio_clients import Desk
from modembank.accounts import LOCAL_ADMIN
from modembank.outgoing import circuit
from modembank.store import StoreFull
from modembank.twilio import courier


async def test_a_message_is_told_at_its_own_address_or_the_accounts(shop):
    own = await shop.send(status_callback=shop.desk.url("/own"))
    plain = await shop.send()
    native = await shop.submit()
    for row in (row_of(own.sid), row_of(plain.sid), native):
        await shop.happen(row, kind="message.sent")
    await shop.desk.until(lambda: len(shop.desk.got) == 3)
    assert sorted(shop.desk.paths) == ["/own", "/status", "/status"]
    assert {form["MessageStatus"] for form in shop.desk.got} == {"sent"}
    assert {form["To"] for form in shop.desk.got} == {SENDER}


async def test_nothing_of_others_is_told(shop):
    await shop.happen(await shop.submit(), user=999)
    await shop.happen(12345, kind="modem.failed")
    mine = await shop.send()
    await shop.happen(row_of(mine.sid))
    await shop.desk.until(lambda: shop.desk.got)
    assert [form["MessageSid"] for form in shop.desk.got] == [mine.sid]


async def test_what_failed_says_why(shop):
    sent = await shop.send()
    sql = "UPDATE messages SET state = 74, ready = NULL, cause = 'cms_1: +CMS ERROR 1: unassigned number' WHERE id = ?"
    await shop.box.store.write(lambda conn: conn.execute(sql, (row_of(sent.sid),)))
    await shop.happen(row_of(sent.sid), kind="message.failed")
    await shop.desk.until(lambda: shop.desk.got)
    form = shop.desk.got[0]
    assert (form["MessageStatus"], form["ErrorCode"]) == ("failed", "30005")


async def test_one_that_refuses_holds_up_its_message_and_no_other(shop):
    stuck = await shop.send(status_callback=shop.desk.url("/stuck"))
    free = await shop.send()
    shop.desk.refuse["/stuck"] = b"500 No"
    for kind in ("message.sent", "message.delivered"):
        await shop.happen(row_of(stuck.sid), row_of(free.sid), kind=kind)
    await shop.desk.until(lambda: shop.desk.statuses(free.sid) == ["sent", "delivered"])
    assert shop.desk.statuses(stuck.sid) == []
    assert {form["MessageStatus"] for form in shop.desk.tried if form["MessageSid"] == stuck.sid} == {"sent"}
    shop.desk.refuse.clear()
    await shop.desk.until(lambda: shop.desk.statuses(stuck.sid) == ["sent", "delivered"])
    async with asyncio.timeout(20):
        while await shop.waiting():
            await asyncio.sleep(0)


async def test_a_restart_goes_on_where_it_was_and_keeps_the_order(shop):
    shop.desk.status = b"503 Later"
    sent = await shop.send()
    await shop.happen(row_of(sent.sid), kind="message.sent")
    await shop.desk.until(lambda: shop.desk.tried)
    await shop.restart()
    await shop.happen(row_of(sent.sid), kind="message.delivered")
    shop.desk.status = b"200 OK"
    await shop.desk.until(lambda: shop.desk.statuses(sent.sid) == ["sent", "delivered"])
    told = len(shop.desk.got)
    await shop.restart()
    other = await shop.send()
    await shop.happen(row_of(other.sid))
    await shop.desk.until(lambda: shop.desk.statuses(other.sid) == ["delivered"])
    assert len(shop.desk.got) - told <= 2, "at most what was being told is told again"


async def test_after_days_it_is_given_up_and_counted(shop, monkeypatch):
    monkeypatch.setattr(circuit, "RETRY_FOR_S", 0.0)
    shop.desk.status = b"500 No"
    sent = await shop.send()
    await shop.happen(row_of(sent.sid), kind="message.sent")
    await shop.happen(row_of(sent.sid), kind="message.delivered")
    await shop.desk.until(lambda: len(shop.desk.tried) == 2)
    assert [form["MessageStatus"] for form in shop.desk.tried] == ["sent", "delivered"]
    while (view := await shop.view()).given_up != 2:
        await asyncio.sleep(0)
    assert view.waiting == 0
    assert shop.box.metrics.twilio_posts.labels("given_up")._value.get() == 2


async def test_what_is_deleted_meanwhile_is_not_told(shop):
    shop.desk.status = b"503 Later"
    sent = await shop.send()
    sql = "UPDATE messages SET state = 80, ready = NULL WHERE id = ?"
    await shop.box.store.write(lambda conn: conn.execute(sql, (row_of(sent.sid),)))
    await shop.happen(row_of(sent.sid))
    await shop.desk.until(lambda: shop.desk.tried)
    await shop.twilio.talk.delete(await shop.actor(), await shop.account(), sent.sid)
    async with asyncio.timeout(20):
        while await shop.waiting():
            await asyncio.sleep(0)
    assert shop.desk.got == []


async def test_a_new_address_gets_what_waits_at_once(shop, monkeypatch):
    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 900.0)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 900.0)
    await shop.desk.down()
    sent = await shop.send()
    await shop.happen(row_of(sent.sid))
    async with asyncio.timeout(20):
        while not await shop.waiting():
            await asyncio.sleep(0)
    other = await Desk(token=shop.made.auth_token).up()
    await shop.patch(status_callback=other.url("/new"))
    await other.until(lambda: other.statuses(sent.sid) == ["delivered"])
    await other.down()


async def test_a_new_token_signs_from_now_on(shop):
    before = shop.made.auth_token
    await shop.patch(rotate_token=True)
    assert shop.made.auth_token != before
    sent = await shop.send()
    await shop.happen(row_of(sent.sid))
    await shop.desk.until(lambda: shop.desk.got)  # the desk checks with the new one


async def test_an_inactive_user_is_told_when_it_is_active_again(shop):
    sent = await shop.send()
    user = (await shop.account()).user_id
    await shop.box.accounts.set_user_active(LOCAL_ADMIN, "shop", False)
    await shop.happen(row_of(sent.sid), user=user)
    await shop.restart()
    assert shop.desk.tried == []
    await shop.box.accounts.set_user_active(LOCAL_ADMIN, "shop", True)
    await shop.desk.until(lambda: shop.desk.got)


async def test_an_inbound_message_is_answered_through_its_sim(shop):
    shop.desk.answer = b"<Response><Message>one</Message><Message>two</Message></Response>"
    sid = await shop.come("hello")
    await shop.desk.until(lambda: shop.desk.got)
    assert (shop.desk.got[0]["MessageSid"], shop.desk.got[0]["Body"]) == (sid, "hello")
    async with asyncio.timeout(20):
        while len(await shop.outbox()) < 2:
            await asyncio.sleep(0)
    assert await shop.outbox() == [(SENDER, "one"), (SENDER, "two")]
    specs = await shop.box.store.fetch_all("SELECT r.spec FROM messages m JOIN routes r ON r.id = m.route_id")
    assert {spec for (spec,) in specs} == {f'{{"sims":[{shop.box.sims.all()[0].id}]}}'}
    assert [one.direction for one in (await shop.listed()).messages] == ["outbound-reply", "outbound-reply", "inbound"]


async def test_each_reply_is_sent_once_however_often_it_is_asked_for(shop, monkeypatch):
    """The box dies between two replies; asked again, the endpoint answers something else."""
    answered = shop.twilio.talk.answer
    calls = []

    async def dies(*given):
        calls.append(given)
        if len(calls) == 2:
            raise StoreFull
        await answered(*given)

    monkeypatch.setattr(shop.twilio.talk, "answer", dies, raising=False)
    shop.desk.answer = b"<Response><Message>one</Message><Message>two</Message></Response>"
    await shop.come("hello")
    await shop.desk.until(lambda: len(shop.desk.got) == 1)
    shop.desk.answer = b"<Response><Message>another</Message><Message>second</Message></Response>"
    await shop.desk.until(lambda: len(shop.desk.got) == 2)
    async with asyncio.timeout(20):
        while len(await shop.outbox()) < 2:
            await asyncio.sleep(0)
    assert await shop.outbox() == [(SENDER, "one"), (SENDER, "second")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"<Response><Redirect>/x</Redirect></Response>", "Redirect"),
        (b"oops", "no XML"),
        (b"<!DOCTYPE x []><Response/>", "document type"),
        (b"<Response><Message> </Message></Response>", "empty"),
        (b"<Response><Message to='nobody'>x</Message></Response>", "reply 1 was refused"),
        (b"<Response><Message from='+15005550001'>x</Message></Response>", "no number or label"),
    ],
)
async def test_an_answer_that_asks_for_what_cannot_be_is_shown_and_not_asked_for_again(shop, answer, error):
    shop.desk.answer = answer
    await shop.come("hello")
    async with asyncio.timeout(20):
        while (await shop.view()).last_at is None:
            await asyncio.sleep(0)
    view = await shop.view()
    assert error in view.last_error
    assert (view.last_status, view.waiting, len(shop.desk.tried)) == (200, 0, 1)
    assert await shop.outbox() == []


async def test_an_empty_answer_asks_for_nothing(shop):
    for status in (b"200 OK", b"204 No Content"):
        shop.desk.status = status
        await shop.come("hello")
        await shop.desk.until(lambda status=status: len(shop.desk.got) == (1 if status.startswith(b"200") else 2))
    assert await shop.outbox() == []


async def test_an_endpoint_that_is_down_holds_up_no_other_however_much_waits_for_it(shop, monkeypatch):
    monkeypatch.setattr(courier, "ROUND", 2)
    monkeypatch.setattr(courier, "SCAN", 5)
    dead = await Desk(token=shop.made.auth_token).up()
    await dead.down()
    sent = await shop.send(status_callback=dead.url("/dead"))
    kinds = ("message.sent", "message.delivered") * 20
    for kind in kinds:
        await shop.happen(row_of(sent.sid), kind=kind)
    sid = await shop.come("hello")
    await shop.desk.until(lambda: [form["MessageSid"] for form in shop.desk.got] == [sid])
    while len(await shop.waiting()) < len(kinds):
        await asyncio.sleep(0)
    assert (await shop.view()).failing_since is not None
    await dead.up()
    await dead.until(lambda: len(dead.got) == len(kinds))
    assert [form["MessageStatus"] for form in dead.got] == ["sent", "delivered"] * 20
    while await shop.waiting():
        await asyncio.sleep(0)
    assert (await shop.view()).failing_since is None
    await dead.down()


async def test_one_that_fails_is_tried_with_one_event_at_a_time_and_still_fails_after_a_restart(shop, monkeypatch):
    shop.desk.status = b"500 No"
    sent = [await shop.send() for _ in range(12)]
    await shop.happen(*(row_of(one.sid) for one in sent))
    while (await shop.view()).failing_since is None:
        await asyncio.sleep(0)
    since, tried = (await shop.view()).failing_since, len(shop.desk.tried)
    assert tried <= circuit.REFUSED_IN_A_ROW - 1 + courier.IN_FLIGHT
    await shop.twilio.stop()
    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 900.0)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 900.0)
    before = len(shop.desk.tried)
    await shop.twilio.start()
    await shop.desk.until(lambda: len(shop.desk.tried) == before + 1)
    await shop.come("hello")  # another address, which does as badly
    await shop.desk.until(lambda: shop.desk.tried[-1].get("Body") == "hello")
    assert len(shop.desk.tried) == before + 2
    assert (await shop.view()).failing_since == since
    shop.desk.status = b"200 OK"
    assert shop.twilio.retry_now(shop.sid)
    await shop.desk.until(lambda: len(shop.desk.got) == 13)


async def test_what_was_a_probe_comes_as_soon_as_the_endpoint_works_again(shop, monkeypatch):
    monkeypatch.setattr(circuit, "FIRST_RETRY_S", 3_600.0)
    shop.desk.status = b"503 Later"
    sent = [await shop.send() for _ in range(6)]
    await shop.happen(*(row_of(one.sid) for one in sent))
    await shop.desk.until(lambda: len(shop.desk.tried) > 8)
    shop.desk.status = b"200 OK"
    await shop.desk.until(lambda: all(shop.desk.statuses(one.sid) for one in sent))


async def test_an_event_that_an_endpoint_stumbles_over_keeps_no_other_from_it(shop, monkeypatch):
    monkeypatch.setattr(circuit, "REFUSED_IN_A_ROW", 1)
    bad, good = await shop.send(body="bad"), await shop.send(body="good")
    shop.desk.stumbles_over = {bad.sid}
    await shop.happen(row_of(bad.sid), row_of(good.sid))
    await shop.desk.until(lambda: shop.desk.statuses(good.sid) == ["delivered"])
    while len(await shop.waiting()) != 1:
        await asyncio.sleep(0)


async def test_what_waits_for_days_at_an_endpoint_that_fails_is_given_up_together_and_counted(shop, monkeypatch):
    shop.desk.status = b"503 Later"
    sent = [await shop.send() for _ in range(10)]
    await shop.happen(*(row_of(one.sid) for one in sent))
    while len(await shop.waiting()) < 10:
        await asyncio.sleep(0)
    await shop.box.store.write(lambda conn: conn.execute("UPDATE twilio_retries SET first_at = 0"))
    tried = len(shop.desk.tried)
    while (view := await shop.view()).given_up != 10:
        await asyncio.sleep(0)
    assert len(shop.desk.tried) <= tried + 2
    while (view := await shop.view()).failing_since is not None:
        await asyncio.sleep(0)
    assert view.waiting == 0
    assert shop.box.metrics.twilio_posts.labels("given_up")._value.get() == 10
    shop.desk.status = b"200 OK"
    other = await shop.send()
    await shop.happen(row_of(other.sid))
    await shop.desk.until(lambda: shop.desk.statuses(other.sid) == ["delivered"])


async def test_a_text_that_was_taken_away_is_not_in_what_waits(shop):
    shop.desk.status = b"503 Later"
    sid = await shop.come("a secret")
    await shop.desk.until(lambda: shop.desk.tried)
    await shop.twilio.talk.redact(await shop.actor(), await shop.account(), sid)
    shop.desk.status = b"200 OK"
    await shop.desk.until(lambda: shop.desk.got)
    assert (shop.desk.got[0]["MessageSid"], shop.desk.got[0]["Body"]) == (sid, "")
