"""The official Twilio client against a whole box: it sends, looks up, is told, and answers."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException

from fakes.boxes import box_on, emulated, running
from fakes.twilio_clients import Clerk, Desk
from modembank.accounts import LOCAL_ADMIN, Role

TO = "+19990000001"


async def account(box, user="shop", **more):
    """Make a user with an account, and return the account."""
    names = [one.name for one in await box.app.accounts.users(LOCAL_ADMIN)]
    if user not in names:
        await box.app.accounts.add_user(LOCAL_ADMIN, user, Role.SENDER)
    made = await box.client.post("/api/v1/twilio-accounts", json={"user": user, "allow_private": True, **more})
    assert made.status_code == 201, made.text
    return made.json()


@asynccontextmanager
async def at_work(tmp_path, **more):
    """A box, an endpoint, and a client of an account that tells the endpoint everything."""
    desk = await Desk().up()
    try:
        async with box_on(tmp_path, **more) as box:
            made = await account(box, sms_url=desk.url("/sms"), status_callback=desk.url("/status"))
            desk.token = made["auth_token"]
            yield box, desk, Clerk(box.daemon.url, made["sid"], made["auth_token"])
    finally:
        await desk.down()


async def test_story_31_the_official_client_sends_and_is_told_in_order(tmp_path):
    async with at_work(tmp_path) as (box, desk, clerk):
        own = desk.url("/own?order=1")
        plain = await clerk.send(to=TO, body="hello")
        named = await clerk.send(to="+1 999 000 0002", body="x" * 200, status_callback=own, provide_feedback=True)
        assert (plain.status, plain.direction, plain.num_segments, plain.to) == ("queued", "outbound-api", "1", TO)
        assert (named.num_segments, named.to, named.error_code, named.price) == ("2", "+19990000002", None, None)
        for message in (plain, named):
            await desk.until(lambda message=message: desk.statuses(message.sid)[-1:] == ["delivered"])
            assert desk.statuses(message.sid) in (["sent", "delivered"], ["delivered"])
        assert {path for path, form in zip(desk.paths, desk.got, strict=True) if form["MessageSid"] == named.sid} == {
            "/own?order=1"
        }
        told = desk.got[-1]
        assert told["AccountSid"] == clerk.client.username
        assert told["ApiVersion"] == "2010-04-01"
        fetched = await clerk.fetch(plain.sid)
        assert (fetched.status, fetched.body) == ("delivered", "hello")
        assert fetched.from_ in {card.msisdn for card in box.bank.cards}
        assert abs(fetched.date_sent - datetime.now(UTC)) < timedelta(minutes=1)


async def test_story_31_an_inbound_message_is_answered_by_the_sim_that_took_it(tmp_path):
    async with at_work(tmp_path) as (box, desk, clerk):
        sent = await clerk.send(to=TO, body="are you coming?")
        await desk.until(lambda: desk.statuses(sent.sid)[-1:] == ["delivered"])
        desk.answer = b"<Response><Message>see you</Message><Message>bring cake</Message></Response>"
        box.bank.network.inject(box.bank.cards[1].msisdn, "yes", TO)
        await desk.until(lambda: "/sms" in desk.paths)
        inbound = next(form for form in desk.got if "Body" in form)
        assert (inbound["From"], inbound["Body"], inbound["NumMedia"]) == (TO, "yes", "0")
        assert inbound["To"] == box.bank.cards[1].msisdn
        await box.until(lambda: len(box.seen()) >= 3)

        async def each_has_its_sim():  # known once the attempt is folded, a moment after the network took it
            found = await clerk.list()
            return found if all(one.from_ for one in found) else None

        listed = await box.until(each_has_its_sim)
        assert [(one.direction, one.body) for one in listed] == [
            ("outbound-reply", "bring cake"),
            ("outbound-reply", "see you"),
            ("inbound", "yes"),
            ("outbound-api", "are you coming?"),
        ]
        assert {one.from_ for one in listed[:2]} == {box.bank.cards[1].msisdn}
        fetched = await clerk.fetch(inbound["MessageSid"])
        assert (fetched.status, fetched.body, fetched.from_) == ("received", "yes", TO)


async def test_story_31_an_endpoint_that_is_away_is_told_later_also_by_the_next_run(tmp_path, monkeypatch):
    from modembank.outgoing import circuit

    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 0.1)
    monkeypatch.setattr(circuit, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 0.2)
    desk = await Desk().up()
    await desk.down()
    async with emulated(tmp_path / "tty") as bank:
        async with running(bank, tmp_path / "data") as box:
            made = await account(box, status_callback=desk.url())
            desk.token = made["auth_token"]
            clerk = Clerk(box.daemon.url, made["sid"], made["auth_token"])
            sids = [(await clerk.send(to=f"+1999000000{n}", body="x")).sid for n in range(6)]
            async with box.change() as changed:
                while [one.status for one in await clerk.list()] != ["delivered"] * 6:
                    await changed()
            async with box.change() as changed:
                while not (await box.get(f"twilio-accounts/{made['sid']}"))["waiting"]:
                    await changed()
        async with running(bank, tmp_path / "data") as box:
            await desk.up()
            await desk.until(lambda: all(desk.statuses(sid)[-1:] == ["delivered"] for sid in sids))
            async with box.change() as changed:
                while (await box.get(f"twilio-accounts/{made['sid']}"))["waiting"]:
                    await changed()
            view = await box.get(f"twilio-accounts/{made['sid']}")
            assert (view["last_status"], view["last_error"]) == (200, None)
    await desk.down()
    for sid in sids:
        assert desk.statuses(sid) in (["sent", "delivered"], ["delivered"])


async def test_what_the_client_asks_wrongly_raises_its_own_exception(tmp_path):
    async with at_work(tmp_path, modems=1) as (box, _, clerk):
        number = box.bank.cards[0].msisdn

        async def code(**fields):
            with pytest.raises(TwilioRestException) as refused:
                await clerk.send(**{"to": TO, "body": "x", **fields})
            assert refused.value.msg
            return refused.value.status, refused.value.code

        assert await code(to="nonsense") == (400, 21211)
        assert await code(body="") == (400, 21602)
        assert await code(body="x" * 1601) == (400, 21617)
        assert await code(from_="+15005550001") == (400, 21606)
        assert await code(from_="Shop") == (400, 21212)
        assert await code(media_url=["https://example.com/a.png"]) == (400, 20001)
        assert await code(messaging_service_sid="MG1") == (400, 20001)
        assert await code(content_retention="discard") == (400, 20001)
        assert await code(validity_period=36_001) == (400, 20001)
        assert await code(schedule_type="fixed") == (400, 20001)
        assert await code(send_at=datetime.now(UTC) + timedelta(hours=1)) == (400, 20001)
        assert await code(status_callback="ftp://example.com") == (400, 20001)
        await box.app.store.write(
            lambda conn: conn.execute(
                "INSERT INTO opt_outs (number, state, changed_at, source) VALUES (?, 1, 0, 'api')", (TO,)
            )
        )
        assert await code() == (400, 21610)
        sent = await clerk.send(to="+19990000002", body="x", from_=number, content_retention="retain", max_price=1)
        assert sent.from_ == number
        for wrong in (
            Clerk(box.daemon.url, clerk.client.username, "0" * 32),
            Clerk(box.daemon.url, "AC" + "0" * 32, "0" * 32),
        ):
            with pytest.raises(TwilioRestException) as refused:
                await wrong.fetch(sent.sid)
            assert (refused.value.status, refused.value.code) == (401, 20003)


async def test_scheduling_cancelling_redacting_and_deleting(tmp_path):
    async with at_work(tmp_path, modems=1) as (_, desk, clerk):
        later = datetime.now(UTC) + timedelta(hours=2)
        scheduled = await clerk.send(to=TO, body="later", send_at=later, schedule_type="fixed", smart_encoded=True)
        assert scheduled.status == "scheduled"
        with pytest.raises(TwilioRestException) as refused:
            await clerk.delete(scheduled.sid)
        assert (refused.value.status, refused.value.code) == (409, 20009)
        assert (await clerk.update(scheduled.sid, status="canceled")).status == "canceled"
        await desk.until(lambda: desk.statuses(scheduled.sid) == ["canceled"])
        sent = await clerk.send(to=TO, body="secret “text”", smart_encoded=True)
        assert sent.body == 'secret "text"'
        await desk.until(lambda: desk.statuses(sent.sid)[-1:] == ["delivered"])
        with pytest.raises(TwilioRestException) as refused:
            await clerk.update(sent.sid, status="canceled")
        assert (refused.value.status, refused.value.code) == (409, 30409)
        redacted = await clerk.update(sent.sid, body="")
        assert (redacted.body, redacted.status) == ("", "delivered")
        assert await clerk.delete(sent.sid)
        with pytest.raises(TwilioRestException) as refused:
            await clerk.fetch(sent.sid)
        assert (refused.value.status, refused.value.code) == (404, 20404)
        assert [one.sid for one in await clerk.list()] == [scheduled.sid]


async def test_lists_are_walked_by_page_and_filtered(tmp_path):
    async with at_work(tmp_path, modems=1) as (box, desk, clerk):
        sent = [(await clerk.send(to=f"+1999000000{n % 2}", body=str(n))).sid for n in range(7)]
        newest_first = sent[::-1]
        assert [one.sid for one in await clerk.list(page_size=3)] == newest_first
        assert [one.sid for one in await clerk.list(limit=2)] == newest_first[:2]
        assert [one.body for one in await clerk.list(to="+19990000001", page_size=2)] == ["5", "3", "1"]
        first = await clerk.page(page_size=3)
        second = await asyncio.to_thread(first.next_page)
        third = await asyncio.to_thread(second.next_page)
        assert [one.sid for one in third] == newest_first[6:]
        assert third.next_page_url is None
        back = await asyncio.to_thread(third.previous_page)
        assert [one.sid for one in back] == newest_first[3:6]
        assert await asyncio.to_thread(first.previous_page) is None
        for sid in sent:
            await desk.until(lambda sid=sid: desk.statuses(sid)[-1:] == ["delivered"])
        today = datetime.now(UTC)
        for fields, found in (
            ({"date_sent": today}, None),
            ({"date_sent_after": today - timedelta(days=1)}, sent),
            ({"date_sent_before": today - timedelta(days=1)}, []),
            ({"date_sent_before": today + timedelta(days=1), "date_sent_after": today - timedelta(days=1)}, sent),
            ({"from_": box.bank.cards[0].msisdn}, sent),
            ({"from_": "+19990000000"}, []),
        ):
            listed = [one.sid for one in await clerk.list(**fields)]
            assert found is None or sorted(listed) == sorted(found), fields


async def test_an_account_sees_its_own_messages_alone(tmp_path):
    async with at_work(tmp_path, modems=1) as (box, _, clerk):
        sent = await clerk.send(to=TO, body="mine")
        made = await account(box, "other")
        other = Clerk(box.daemon.url, made["sid"], made["auth_token"])
        assert await other.list() == []
        for sid in (sent.sid, f"SM{made['sid'][2:16]}{sent.sid[16:]}"):
            with pytest.raises(TwilioRestException) as refused:
                await other.fetch(sid)
            assert refused.value.code == 20404
        with pytest.raises(TwilioRestException) as refused:
            await asyncio.to_thread(other.client.api.v2010.accounts(clerk.client.username).messages(sent.sid).fetch)
        assert (refused.value.status, refused.value.code) == (404, 20404)
