"""Couriers with a real endpoint: everything arrives, in order, signed, with ids that stay, whatever goes wrong."""

import asyncio

import pytest

from modembank.accounts import LOCAL_ADMIN
from modembank.couriers import Means
from modembank.ids import public_id
from modembank.outgoing import circuit
from modembank.webhooks import WebhookPatch, Webhooks, courier


async def test_events_arrive_signed_and_in_order(post):
    webhook = await post.add("message.*")
    await post.happen(*range(1, 41))
    await post.hook.until(lambda: len(post.hook.got) == 40)
    assert sorted(post.hook.ids()) == [public_id("evt", row) for row in range(1, 41)]
    first = next(event for event in post.hook.got if event["id"] == public_id("evt", 1))
    assert first["type"] == "message.delivered"
    assert first["timestamp"].endswith("Z")
    assert first["data"] == {"id": public_id("msg", 1), "status": "delivered"}
    await post.box.webhooks.stop()
    view = await post.view(webhook)
    assert (view.state, view.delivered, view.told_up_to, view.last_status) == ("working", 40, public_id("evt", 40), 200)


async def test_events_of_one_message_come_in_order(post):
    await post.add("message.*")
    for _ in range(6):
        await post.happen(1, 2, 3, 1, 2, 3)
    await post.hook.until(lambda: len(post.hook.got) == 36)
    for subject in (1, 2, 3):
        ids = [event["id"] for event in post.hook.got if event["data"]["id"] == public_id("msg", subject)]
        assert ids == sorted(ids)


async def test_an_endpoint_that_was_away_gets_everything_once(post):
    webhook = await post.add("message.*")
    await post.happen(1)
    await post.hook.until(lambda: len(post.hook.got) == 1)
    await post.hook.down()
    await post.happen(*range(2, 60))
    view = await post.until(webhook, lambda view: view.state == "failing")
    assert "nothing listens at 127.0.0.1" in view.last_error
    assert view.retries == 0
    await post.hook.up()
    await post.hook.until(lambda: len(post.hook.got) >= 59)
    assert sorted(post.hook.ids()) == [public_id("evt", row) for row in range(1, 60)]


async def test_a_restart_goes_on_where_it_was(post):
    await post.add("message.*")
    await post.happen(1, 2, 3)
    await post.hook.until(lambda: len(post.hook.got) == 3)
    await post.box.webhooks.stop()
    await post.happen(4, 5)
    box = post.box
    box.webhooks = Webhooks(Means(box.store, box.events, box.clock, box.metrics))
    await box.webhooks.start()
    await post.hook.until(lambda: len(post.hook.got) == 5)
    assert sorted(post.hook.ids()) == [public_id("evt", row) for row in range(1, 6)]


async def test_what_is_refused_waits_while_others_pass(post):
    bad = public_id("msg", 2)
    post.hook.refuse[bad] = b"422 Unprocessable Content"
    webhook = await post.add("message.*")
    await post.happen(1, 2, 3, 4)
    await post.hook.until(lambda: len(post.hook.got) == 3)
    waiting = await post.until_retries(lambda rows: rows and rows[0][1] >= 2)
    assert waiting[0][0] == 2
    assert "422" in waiting[0][2]
    assert (await post.view(webhook)).state == "working"
    post.hook.refuse.clear()
    await post.hook.until(lambda: len(post.hook.got) == 4)
    await post.until_retries(lambda rows: not rows)
    assert post.hook.ids().count(public_id("evt", 2)) == 1


async def test_what_is_refused_for_days_is_given_up_and_counted(post, monkeypatch):
    monkeypatch.setattr(circuit, "RETRY_FOR_S", 0.1)
    post.hook.refuse[public_id("msg", 2)] = b"400 Bad Request"
    webhook = await post.add("message.*")
    await post.happen(1, 2, 3)
    await post.hook.until(lambda: len(post.hook.got) == 2)
    await post.until(webhook, lambda view: view.given_up == 1)
    assert await post.retries() == []
    assert post.box.metrics.webhook_deliveries.labels("given_up")._value.get() == 1


async def test_a_server_that_fails_for_all_is_left_alone_and_loses_nothing(post):
    post.hook.status = b"500 Internal Server Error"
    webhook = await post.add("message.*")
    await post.happen(*range(1, 30))
    await post.until(webhook, lambda view: view.state == "failing")
    assert len(await post.retries()) <= circuit.REFUSED_IN_A_ROW + courier.IN_FLIGHT
    post.hook.status = b"204 No Content"
    await post.hook.until(lambda: len(post.hook.got) >= 29)
    assert sorted(post.hook.ids()) == [public_id("evt", row) for row in range(1, 30)]


async def test_an_event_that_an_endpoint_stumbles_over_is_set_aside(post):
    """After an outage, the next event is one that the endpoint can never take."""
    post.hook.status = b"500 Internal Server Error"
    webhook = await post.add("message.*")
    await post.happen(*range(1, 10))
    while (await post.view(webhook)).state != "failing":
        await asyncio.sleep(0.02)
    stuck = len(await post.retries()) + 1
    post.hook.refuse[public_id("msg", stuck)] = b"500 Internal Server Error"
    post.hook.status = b"200 OK"
    assert post.box.webhooks.retry_now(webhook)
    await post.hook.until(lambda: len(post.hook.got) == 8)
    assert public_id("evt", stuck) not in post.hook.ids()


async def test_one_event_refused_again_and_again_makes_no_failing_endpoint(post):
    post.hook.refuse[public_id("msg", 1)] = b"422 Unprocessable Content"
    webhook = await post.add("message.*")
    await post.happen(1)
    await post.hook.until(lambda: len(post.hook.tried) > circuit.REFUSED_IN_A_ROW)
    assert (await post.view(webhook)).state == "working"


async def test_what_is_not_taken_for_as_long_as_events_are_kept_is_given_up_and_counted(post, monkeypatch):
    post.hook.status = b"503 Service Unavailable"
    webhook = await post.add("message.*")
    await post.happen(*range(1, 8))
    await post.happen(99, user=post.admin.user_id)  # nothing of its own is missed with that
    while (await post.view(webhook)).state != "failing":
        await asyncio.sleep(0.02)
    monkeypatch.setattr(courier, "KEEP_S", 0.0)
    while (await post.view(webhook)).given_up != 7:
        await asyncio.sleep(0.02)
    monkeypatch.setattr(courier, "KEEP_S", 60.0)
    assert post.box.metrics.webhook_deliveries.labels("given_up")._value.get() == 7
    await post.happen(8)
    post.hook.status = b"200 OK"
    await post.hook.until(lambda: post.hook.got)
    assert post.hook.ids() == [public_id("evt", 9)]


async def test_retry_after_is_honoured(post):
    post.hook.status, post.hook.headers = b"429 Too Many Requests", (b"Retry-After: 3600",)
    webhook = await post.add("message.*")
    await post.happen(1, 2)
    await post.until(webhook, lambda view: view.state == "failing")
    view, now = await post.view(webhook), post.box.clock.now()
    waits = (await post.box.webhooks.all())[0].next_try_at / 1000 - now
    assert 3500 < waits <= 3600
    assert view.failures <= courier.IN_FLIGHT
    post.hook.status = b"200 OK"
    assert post.box.webhooks.retry_now(webhook)
    await post.hook.until(lambda: len(post.hook.got) == 2)


async def test_an_endpoint_that_is_gone_is_told_no_more(post):
    post.hook.status = b"410 Gone"
    webhook = await post.add("message.*")
    await post.happen(1)
    view = await post.until(webhook, lambda view: not view.active)
    assert (view.state, view.stopped_why) == ("stopped", "the endpoint answered 410 Gone")
    assert not post.box.webhooks.retry_now(webhook) or post.hook.got == []
    post.hook.status = b"200 OK"
    view = await post.box.webhooks.change(post.admin, webhook, WebhookPatch(active=True))
    assert (view.state, view.stopped_why) == ("working", None)
    await post.hook.until(lambda: len(post.hook.got) == 1)


async def test_a_sender_hears_of_its_own_alone(post):
    await post.add("*")
    await post.happen(1, user=post.admin.user_id)
    await post.happen(2, kind="message.received")
    await post.happen(3, kind="modem.failed", user=0)
    await post.happen(4, kind="message.sent")
    await post.hook.until(lambda: len(post.hook.got) == 2)
    assert [event["type"] for event in post.hook.got] == ["message.received", "message.sent"]


async def test_a_user_that_is_not_active_is_told_nothing_until_it_is(post, monkeypatch):
    monkeypatch.setattr(courier, "REST_S", 0.05)
    webhook = await post.add("message.*")
    await post.box.accounts.set_user_active(LOCAL_ADMIN, "shop", False)
    await post.happen(1)
    view = await post.until(webhook, lambda view: view.state == "stopped")
    assert view.stopped_why == "the user shop is not active"
    await asyncio.sleep(0.15)
    assert post.hook.tried == []
    await post.box.accounts.set_user_active(LOCAL_ADMIN, "shop", True)
    await post.hook.until(lambda: len(post.hook.got) == 1)


async def test_replay_tells_again_with_the_same_ids(post):
    webhook = await post.add("message.*")
    await post.happen(1, 2, 3)
    await post.hook.until(lambda: len(post.hook.got) == 3)
    before = sorted(post.hook.ids())
    await post.box.webhooks.replay(post.admin, webhook, after=before[0])
    await post.hook.until(lambda: len(post.hook.got) == 5)
    assert sorted(post.hook.ids()[3:]) == before[1:]
    await post.box.webhooks.replay(post.admin, webhook, since=0)
    await post.hook.until(lambda: len(post.hook.got) == 8)


async def test_both_secrets_sign_while_one_replaces_the_other(post):
    webhook = await post.add("message.*")
    fresh = await post.box.webhooks.rotate(post.shop, webhook)
    assert fresh.secrets == 2
    post.hook.secrets.append(fresh.secret)
    await post.happen(1)
    await post.hook.until(lambda: len(post.hook.got) == 1)
    only = await post.box.webhooks.rotate(post.shop, webhook, 0)
    assert only.secrets == 1
    post.hook.secrets[:] = [only.secret]
    await post.happen(2)
    await post.hook.until(lambda: len(post.hook.got) == 2)


async def test_s11_an_address_that_leads_inside_is_never_posted_to(post):
    webhook = await post.add("message.*")
    await post.box.webhooks.change(post.admin, webhook, WebhookPatch(url=f"http://hook.example:{post.hook.port}/"))

    async def inside(host, port):
        import ipaddress

        return (ipaddress.ip_address("127.0.0.1"),)

    post.box.webhooks._means.poster._resolve = inside
    await post.box.store.write(lambda conn: conn.execute("UPDATE webhooks SET allow_private = 0"))
    await post.happen(1)
    view = await post.until(webhook, lambda view: view.last_error is not None)
    assert "only an admin can allow" in view.last_error
    assert post.hook.tried == []


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found"])
async def test_a_test_says_what_the_endpoint_answers(post, status):
    webhook = await post.add("message.*")
    post.hook.status = status
    told = await post.box.webhooks.test(post.shop, webhook)
    assert told.ok is (status == b"200 OK")
    assert told.status == int(status[:3])
    assert post.hook.tried[-1]["type"] == "webhook.test"
    await post.hook.down()
    told = await post.box.webhooks.test(post.shop, webhook)
    assert (told.ok, told.status) == (False, None)
    assert "nothing listens" in told.error


async def test_a_text_that_was_taken_away_is_not_in_what_waits(post):
    """What is told is read when it is told: nothing of a message waits but that something happened to it."""
    box = post.box
    columns = "id, sim_id, sender, kind, text, parts, received_at, user_id"
    row, sim, user = box.store.ids.take(), box.sims.all()[0].id, post.shop.user_id
    insert = f"INSERT INTO inbox ({columns}) VALUES (?, ?, '+447900900123', 'text', 'a secret', 1, 1000, ?)"
    await box.store.write(lambda conn: conn.execute(insert, (row, sim, user)))
    webhook = await post.add("message.*")
    post.hook.status = b"503 Service Unavailable"
    await post.happen(row, kind="message.received")
    await post.hook.until(lambda: post.hook.tried)
    assert "a secret" in str(post.hook.tried[0])
    await box.inbox.redact(post.shop, public_id("inb", row))
    post.hook.status = b"200 OK"
    box.webhooks.retry_now(webhook)
    await post.hook.until(lambda: post.hook.got)
    assert post.hook.got[0]["data"]["id"] == public_id("inb", row)
    assert "a secret" not in str(post.hook.got)
