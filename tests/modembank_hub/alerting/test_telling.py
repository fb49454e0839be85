"""Letters to channels: gathered, durable, brought once, and again where they are not taken."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as StandardWebhook

from fakes.alert_hubs import TurnedClock, alert_hub
from fakes.endpoints import endpoint, ok
from fakes.mail_servers import mail_server
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank_hub.alerting import rows_of_channels as channels
from modembank_hub.alerting import telling
from modembank_hub.alerting.channels import ChannelPatch, NewChannel
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.config import MailConfig

HOOK = NewChannel("on call", url="https://pager.example.com/hook")


@pytest.fixture
async def hub(tmp_path, stored):
    async with alert_hub(tmp_path, store=stored) as made:
        yield made


async def make(hub, wanted=HOOK, **more):
    given = NewChannel(**({name: getattr(wanted, name) for name in wanted.__struct_fields__} | more))
    return await hub.app.channels.create(LOCAL_ADMIN, given)


def fleet(count, site="leeds"):
    return [SaidBox(site=site, box=f"b{n}", ep=f"{site}{n:04d}") for n in range(count)]


async def outage(hub, boxes):
    await hub.settled(*boxes)
    await hub.goes(*boxes)
    await hub.pass_time(340)


async def due_in(hub, channel):
    return await hub.store.read(lambda conn: telling.due_in_s(conn, channels.get(conn, channel.id), hub.now))


async def test_an_outage_of_a_site_is_one_letter(hub):
    channel = await make(hub)
    await outage(hub, fleet(200))
    told = await hub.letter(channel.id)
    assert (told["opened_count"], len(told["opened"]), told["ended_count"]) == (200, 50, 0)
    assert told["groups"] == [{"kind": "box.offline", "site": "leeds", "severity": "critical", "count": 200}]
    assert await hub.letter(channel.id) is None
    row = await hub.store.read(lambda conn: channels.next_letter(conn, channel.id))
    assert len(row.body) < 40_000


async def test_what_is_new_is_gathered_for_half_a_minute_and_letters_are_minutes_apart(hub):
    channel = await make(hub)
    boxes = fleet(3)
    await hub.settled(*boxes)
    await hub.goes(boxes[0])
    await hub.pass_time(320, *boxes[1:])
    assert 0 < await due_in(hub, channel) <= 30
    await hub.pass_time(30, *boxes[1:])
    assert await due_in(hub, channel) == 0
    await hub.letter(channel.id)
    await hub.take(channel.id)
    await hub.goes(boxes[1])
    await hub.pass_time(320, boxes[2])
    assert await due_in(hub, channel) == pytest.approx(20, abs=11)
    hub.clock.wall -= 86_400  # a clock that was set back holds up nothing for long
    assert await due_in(hub, channel) <= 300


async def test_the_end_is_told_to_those_who_were_told_of_it(hub):
    channel, without = await make(hub), await make(hub, name="quiet", ends=False)
    (box,) = fleet(1)
    await outage(hub, [box])
    for one in (channel, without):
        await hub.letter(one.id)
        await hub.take(one.id)
    await hub.comes(box)
    await hub.pass_time(100, box)
    told = await hub.letter(channel.id)
    assert ([one["title"] for one in told["ended"]], told["opened_count"]) == (["leeds/b0 is offline"], 0)
    assert await hub.letter(without.id) is None


async def test_what_opened_and_ended_before_a_letter_is_told_as_over(hub):
    channel = await make(hub)
    (box,) = fleet(1)
    await outage(hub, [box])
    await hub.comes(box)
    await hub.pass_time(100, box)
    told = await hub.letter(channel.id)
    assert (told["opened_count"], [one["state"] for one in told["ended"]]) == (0, ["ended"])
    assert await hub.letter(channel.id) is None


async def test_what_opens_again_is_told_again(hub):
    channel = await make(hub)
    (box,) = fleet(1)
    await outage(hub, [box])
    await hub.letter(channel.id)
    await hub.take(channel.id)
    await hub.comes(box)
    await hub.pass_time(100, box)
    await hub.goes(box)
    await hub.pass_time(320)
    told = await hub.letter(channel.id)
    assert ([one["round"] for one in told["opened"]], told["ended_count"]) == ([2], 0)


async def test_a_restart_tells_nothing_twice_and_loses_nothing(tmp_path):
    clock = TurnedClock()
    boxes = fleet(2)
    async with alert_hub(tmp_path, clock) as hub:
        channel = await make(hub)
        await outage(hub, boxes[:1])
        first = await hub.letter(channel.id)
        await hears(hub.store, boxes[1].avail(), boxes[1].birth(hub.now), now=hub.now)
    async with alert_hub(tmp_path, clock) as hub:
        row = await hub.store.read(lambda conn: channels.next_letter(conn, channel.id))
        assert json.loads(row.body) == first
        await hub.take(channel.id)
        assert await hub.letter(channel.id) is None
        hub.connected()
        await hub.pass_time(60)
        await hub.goes(boxes[1])
        await hub.pass_time(340)
        assert [one["subject"] for one in (await hub.letter(channel.id))["opened"]] == ["leeds/b1"]


async def test_a_channel_hears_of_its_place_and_of_what_is_bad_enough(hub):
    leeds = await make(hub, name="leeds", place="site:leeds")
    worst = await make(hub, name="worst", least=Severity.CRITICAL)
    boxes = [*fleet(1), *fleet(1, "oslo")]
    await outage(hub, boxes)
    hub.app.lines._up.discard("in-1")
    await hub.pass_time(460, boxes[0], step=20)  # the silent kind is a warning
    assert {one["subject"] for one in (await hub.letter(leeds.id))["opened"]} == {"leeds/b0"}
    assert {one["severity"] for one in (await hub.letter(worst.id))["opened"]} == {"critical"}


async def test_what_is_silenced_is_told_when_the_silence_ends_if_it_is_still_so(hub):
    channel = await make(hub)
    stays, goes = fleet(2)
    await hub.settled(stays, goes)
    until = hub.now + 3_600_000
    silence = await hub.app.alerts.silence(LOCAL_ADMIN, "site:leeds", until=until, reason="new mast")
    await hub.goes(stays, goes)
    await hub.pass_time(340)
    assert {one.silence.reason for one in await hub.alerts()} == {"new mast"}
    assert await hub.letter(channel.id) is None
    await hub.comes(goes)
    await hub.pass_time(100, goes)
    await hub.app.alerts.end_silence(LOCAL_ADMIN, silence.id)
    told = await hub.letter(channel.id)
    assert ([one["subject"] for one in told["opened"]], told["ended_count"]) == (["leeds/b0"], 0)


async def test_a_silence_has_a_beginning_an_end_a_kind_and_a_place(hub):
    channel = await make(hub)
    await hub.settled(*fleet(1))
    silence = hub.app.alerts.silence
    later = hub.now + 7_200_000
    await silence(LOCAL_ADMIN, "*", begin=hub.now + 3_600_000, until=later)
    await silence(LOCAL_ADMIN, "*", until=later, kind="box.queue")
    await silence(LOCAL_ADMIN, "box:leeds/b7", until=later)
    await hub.goes(*fleet(1))
    await hub.pass_time(340)
    assert (await hub.letter(channel.id))["opened_count"] == 1
    assert len(await hub.app.alerts.silences(LOCAL_ADMIN)) == 3
    hub.clock.turn(7_200)
    assert await hub.app.alerts.silences(LOCAL_ADMIN) == []
    for wrong in (hub.now, hub.now - 5, hub.now + 400 * 86_400_000):
        with pytest.raises(InvalidRequest):
            await silence(LOCAL_ADMIN, "*", until=wrong)
    for place in ("leeds", "site:Leeds", "group:none", "box:leeds", ""):
        with pytest.raises(InvalidRequest) as caught:
            await silence(LOCAL_ADMIN, place, until=later + 10**7)
        assert caught.value.problems[0].pointer == "/place"
    with pytest.raises(NotFound):
        await hub.app.alerts.end_silence(LOCAL_ADMIN, 99)


async def until(check, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


async def test_a_letter_is_posted_signed_and_brought_until_it_is_taken(hub):
    answers = [ok(status=b"500 no"), ok(status=b"503 later"), ok()]

    async def talk(reader, writer):
        writer.write(answers.pop(0))
        await writer.drain()

    async with endpoint(talk) as server:
        channel = await make(hub, url=server.url(), allow_private=True)
        await outage(hub, fleet(3))
        await hub.app.tellers.start()

        async def asked():
            return len(server.requests) == 1 and (await state()).failures == 1

        async def state():
            return (await hub.app.channels.get(LOCAL_ADMIN, channel.id))[0]

        await until(asked)
        failing = await state()
        assert (failing.state, failing.last_error) == ("failing", "it answered 500: no success")
        assert await hub.store.read(channels.failing) == [("on call", "it answered 500: no success")]
        for _ in answers[:2]:
            hub.clock.turn(60)
            before = len(server.requests)

            async def again(before=before):
                hub.app.tellers._look()
                return len(server.requests) > before

            await until(again)
            hub.clock.turn(60)

        async def working():
            return (await state()).state == "working"

        await until(working)
        bodies = [request.partition(b"\r\n\r\n") for request in server.requests]
        assert len(bodies) == 3
        assert len({body for _, _, body in bodies}) == 1  # the same id and words at each try
        head, _, body = bodies[0]
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        secret = channel.secrets[0].secret
        told = json.loads(body)
        assert headers["webhook-id"] == told["id"]
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert headers["webhook-signature"] == StandardWebhook(secret).sign(told["id"], at, body.decode())
        assert (told["type"], told["data"]["hub"], told["data"]["opened_count"]) == ("alerts.changed", "hub", 3)
        _, letters = await hub.app.channels.get(LOCAL_ADMIN, channel.id)
        assert [(one.state, one.tries) for one in letters] == [("delivered", 3)]


async def test_an_endpoint_that_wants_nothing_any_more_is_stopped_and_can_go_on(hub):
    async with endpoint(ok(status=b"410 gone")) as server:
        channel = await make(hub, url=server.url(), allow_private=True)
        await outage(hub, fleet(1))
        await hub.app.tellers.start()

        async def stopped():
            return (await hub.app.channels.get(LOCAL_ADMIN, channel.id))[0].state == "stopped"

        await until(stopped)
        found, letters = await hub.app.channels.get(LOCAL_ADMIN, channel.id)
        assert found.stopped_why == "it answered 410: no success"
        assert [one.state for one in letters] == ["given_up"]
        await hub.app.tellers.stop()
    again = await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(active=True))
    assert again.state == "working"
    assert (await hub.letter(channel.id))["opened_count"] == 1  # what is open is told anew


async def test_what_happens_while_a_letter_is_not_taken_goes_into_the_next(hub):
    channel = await make(hub)
    boxes = fleet(4)
    await hub.settled(*boxes)
    await hub.goes(boxes[0])
    await hub.pass_time(340, *boxes[1:])
    await hub.letter(channel.id)
    await hub.goes(*boxes[1:])
    await hub.pass_time(4_000, step=50)
    assert await hub.letter(channel.id) is None
    await hub.take(channel.id)
    assert (await hub.letter(channel.id))["opened_count"] == 3


async def test_a_channel_that_fails_is_an_alert_to_the_others(hub):
    broken, other = await make(hub), await make(hub, name="other")
    await hub.settled()
    await hub.store.write(lambda conn: channels.change(conn, broken.id, {"failing_since": hub.now, "last_error": "x"}))
    await hub.pass_time(960, step=50)
    told = await hub.letter(other.id)
    assert [one["title"] for one in told["opened"]] == ["The hub cannot tell of alerts"]
    await hub.app.channels.delete(LOCAL_ADMIN, broken.id)
    await hub.pass_time(10)
    assert await hub.told() == [("hub.channel", "hub", "ended")]


async def test_a_mail_says_it_in_words(tmp_path):
    async with mail_server() as server:
        mail = MailConfig(host="127.0.0.1", port=server.port, security="none", sender="hub@example.com")
        async with alert_hub(tmp_path, mail=mail) as hub:
            channel = await make(hub, NewChannel("duty", recipients=("duty@example.com",)))
            await outage(hub, [*fleet(40), *fleet(1, "oslo")])
            await hub.app.tellers.start()

            async def sent():
                return bool(server.mails)

            await until(sent)
            (told,) = server.mails
            text = told.get_payload(decode=True).decode()
            assert told["Subject"] == "[hub] alerts: 41 opened"
            assert "CRITICAL leeds: is offline: 40 boxes (b0, b1, b10, b11, b12, …)" in text
            assert "CRITICAL oslo/b0 is offline: its connection broke, since 2027-" in text
            assert "https://hub.example.com/ui/alerts" in text
            tried = await hub.app.channels.test(LOCAL_ADMIN, channel.id)
            assert tried.error is None
            assert server.mails[-1]["Subject"] == "[hub] a test"


async def test_a_test_says_what_came_of_it_and_is_not_tried_again(hub):
    async with endpoint(ok(status=b"404 not here")) as server:
        channel = await make(hub, url=server.url(), allow_private=True)
        tried = await hub.app.channels.test(LOCAL_ADMIN, channel.id)
        assert (tried.status, tried.error) == (404, "it answered 404: no success")
        assert len(server.requests) == 1
        assert (await hub.app.channels.get(LOCAL_ADMIN, channel.id))[0].state == "working"
    closed = await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(url="https://10.1.2.3/x"))
    assert closed.url == "https://10.1.2.3/x"


@pytest.mark.parametrize(
    ("wanted", "pointer", "words"),
    [
        (NewChannel("x", url="http://127.0.0.1/hook"), "/url", "127.0.0.1"),
        (NewChannel("x", url="http://[::ffff:10.0.0.1]/hook"), "/url", ""),
        (NewChannel("x", url="ftp://example.com"), "/url", "https://"),
        (NewChannel("x"), "/recipients", "one address"),
        (NewChannel("x", recipients=("a@b.c",)), "/recipients", "under [mail]"),
        (NewChannel("x", url="https://example.com", recipients=("a@b.c",)), "/url", "a channel for each"),
        (NewChannel("", url="https://example.com"), "/name", "1 to 60"),
        (NewChannel("on call", url="https://example.com"), "/name", "another channel"),
        (NewChannel("x", url="https://example.com", place="group:none"), "/place", "no group"),
    ],
)
async def test_a_channel_that_cannot_be_says_why(hub, wanted, pointer, words):
    await make(hub)
    with pytest.raises(InvalidRequest) as caught:
        await hub.app.channels.create(LOCAL_ADMIN, wanted)
    assert caught.value.problems[0].pointer == pointer
    assert words in caught.value.problems[0].detail


async def test_channels_are_the_admins_and_a_secret_is_replaced(hub):
    channel = await make(hub)
    rotated = await hub.app.channels.rotate(LOCAL_ADMIN, channel.id)
    assert len(rotated.signing(hub.now)) == 2
    assert rotated.signing(hub.now + 2 * 86_400_000) == rotated.signing(hub.now)[:1]
    assert channel.secrets[0].secret not in repr(rotated)
    key = await hub.key(Role.SENDER)
    sender = await hub.app.accounts.authenticate(key)
    with pytest.raises(Forbidden):
        await hub.app.channels.listed(sender)
    with pytest.raises(NotFound):
        await hub.app.channels.get(LOCAL_ADMIN, 99)
    stopped = await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(active=False))
    assert (stopped.state, await hub.store.read(channels.failing)) == ("stopped", [])


async def test_mail_has_no_secret(tmp_path):
    mail = MailConfig(host="127.0.0.1", port=1, security="none", sender="hub@example.com")
    async with alert_hub(tmp_path, mail=mail) as hub:
        channel = await make(hub, NewChannel("duty", recipients=("duty@example.com",)))
        with pytest.raises(Conflict):
            await hub.app.channels.rotate(LOCAL_ADMIN, channel.id)
        with pytest.raises(InvalidRequest) as caught:
            await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(recipients=("a@b.c", "x\ny@b.c")))
        assert caught.value.problems[0].pointer == "/recipients/1"


async def test_a_channel_of_mail_can_be_stopped_when_there_is_no_server_any_more(tmp_path):
    mail = MailConfig(host="127.0.0.1", port=1, security="none", sender="hub@example.com")
    async with alert_hub(tmp_path, mail=mail) as hub:
        channel = await make(hub, NewChannel("duty", recipients=("duty@example.com",)))
    async with alert_hub(tmp_path) as hub:
        with pytest.raises(InvalidRequest):
            await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(name="other"))
        stopped = await hub.app.channels.change(LOCAL_ADMIN, channel.id, ChannelPatch(active=False))
        assert stopped.state == "stopped"
        tried = await hub.app.channels.test(LOCAL_ADMIN, channel.id)
        assert "no mail server" in tried.error


async def test_many_channels_have_a_limit(hub, monkeypatch):
    monkeypatch.setattr("modembank_hub.alerting.channels.MOST_CHANNELS", 2)
    for number in range(2):
        await make(hub, name=f"c{number}")
    with pytest.raises(Conflict):
        await make(hub, name="one too many")
