"""The hub on Debian's Mosquitto, with boxes on the wire: taken in, acknowledged, commanded."""

import asyncio
import contextlib

import pytest

from fakes.brokers import Mosquitto
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock
from modembank.config import WebConfig
from modembank.errors import Conflict
from modembank.store import StoreFull
from modembank_fleet import wire
from modembank_fleet.link import Broker, connect
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig, SigningConfig
from modembank_hub.rows_of_boxes import Wanted
from modembank_hub.taking import Told
from modembankd.hub import HubDaemon


@pytest.fixture
async def broker(tmp_path):
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


def hub_config(folder, port, *, resend_s=60.0, signing=None):
    return HubConfig(
        hub=IdentityConfig(data_dir=str(folder / "hub"), workers=2, window_s=1.0, resend_s=resend_s),
        mqtt=MqttConfig(port=port),
        signing=signing or SigningConfig(),
        web=WebConfig(listen="127.0.0.1:0"),
    )


@contextlib.asynccontextmanager
async def hub_on(folder, port, **more):
    daemon = HubDaemon(hub_config(folder, port, **more), SystemClock())
    await daemon.start()
    try:
        yield daemon.app
    finally:
        await daemon.stop()


async def all_up(app):
    await until(lambda: app.lines.up == app.lines.wanted)


async def test_what_boxes_tell_is_taken_in_once_and_acknowledged(tmp_path, broker):
    boxes = [LiveBox(broker.port, SaidBox(box=f"b{n}", ep=f"ep{n:04d}")) for n in range(3)]
    async with hub_on(tmp_path, broker.port) as app:
        await all_up(app)
        async with running(*boxes):
            for box in boxes:
                box.produce(130)
            await until(lambda: all(box.acked == 130 for box in boxes))
            page = await app.fleet.listed(LOCAL_ADMIN, Wanted())
            assert [(row.name, row.standing) for row in page.items] == [(f"leeds/b{n}", "online") for n in range(3)]
        assert await app.store.fetch_one("SELECT count(*), count(DISTINCT stream_id) FROM events") == (390, 3)

        async def gone():
            return not (await app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))).items

        await until(gone)


async def test_what_can_not_be_read_is_kept_and_stops_nothing(tmp_path, broker):
    box = LiveBox(broker.port, SaidBox())
    async with hub_on(tmp_path, broker.port) as app:
        await all_up(app)
        async with connect(Broker("127.0.0.1", broker.port, "stranger")) as session:
            for topic, payload in (
                ("modembank/v1/leeds/b1/up/ev", b"\x00\xff"),
                ("modembank/v1/leeds/b1/up/unheard-of", b"{}"),
                ("modembank/v1/LEEDS/b1/up/avail", b"{}"),
                ("modembank/v1/leeds/b1/up/birth", b"[" * 50_000),
            ):
                await session.publish(topic, payload)
        async with running(box):
            box.produce(5)
            await until(lambda: box.acked == 5)

        async def kept():
            return len((await app.fleet.quarantined(LOCAL_ADMIN)).items) == 4

        await until(kept)
        newest = (await app.fleet.quarantined(LOCAL_ADMIN)).items[0].id
        assert await app.fleet.clear_quarantine(LOCAL_ADMIN, newest) == 4


async def test_while_the_database_takes_nothing_nothing_is_acknowledged_and_nothing_lost(tmp_path, broker, monkeypatch):
    box = LiveBox(broker.port, SaidBox())
    async with hub_on(tmp_path, broker.port) as app:
        await all_up(app)
        write = app.store.write

        async def full(fn, *arguments, **more):
            raise StoreFull(detail="no room")

        monkeypatch.setattr(type(app.store), "write", full)
        async with running(box):
            box.produce(50)
            await until(lambda: app.ingest.stuck_since is not None)
            await asyncio.sleep(1.0)
            assert box.acked == 0
            assert "no room" in app.ingest.stuck_why
            monkeypatch.undo()
            assert app.store.write == write
            await until(lambda: box.acked == 50)
        assert app.ingest.stuck_since is None
        assert await app.store.fetch_one("SELECT count(*) FROM events") == (50,)


async def test_one_that_no_check_foresaw_does_not_take_the_others_along(tmp_path, broker, monkeypatch):
    from modembank_hub import ingest

    take = ingest.take

    def picky(conn, uplink, outcome):
        if isinstance(uplink, Told) and uplink.topic.endswith("/birth"):
            raise OverflowError("too much")
        take(conn, uplink, outcome)

    monkeypatch.setattr(ingest, "take", picky)
    box = LiveBox(broker.port, SaidBox())
    async with hub_on(tmp_path, broker.port) as app:
        await all_up(app)
        async with running(box):
            box.produce(5)
            await until(lambda: box.acked == 5)
        found = (await app.fleet.quarantined(LOCAL_ADMIN)).items
        assert {(one.code, one.reason) for one in found} == {("not_taken", "OverflowError('too much')")}


async def done(box, session, command):
    await box.says(session, command, "accepted")
    await box.says(session, command, "running", pct=50)
    await box.says(session, command, "done", data={"pong": True})


async def born(app, box="b1"):
    async def is_born():
        page = await app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))
        return any(row.box == box and row.birth for row in page.items)

    await until(is_born)


async def test_a_command_is_followed_to_its_end(tmp_path, broker):
    box = LiveBox(broker.port, SaidBox(), done)
    async with hub_on(tmp_path, broker.port) as app:
        await all_up(app)
        async with running(box):
            await born(app)
            given = await app.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {})
            assert given.state == "waiting"

            async def ended():
                return (await app.orders.get(LOCAL_ADMIN, given.id)).ended_at is not None

            await until(ended)
        row = await app.orders.get(LOCAL_ADMIN, given.id)
        assert (row.state, row.percent, row.data, row.sends) == ("done", 50, '{"pong":true}', 1)
        assert [one.by for one in box.commands] == ["local"]
        with pytest.raises(Conflict):
            await app.orders.cancel(LOCAL_ADMIN, given.id)
        actions = await app.store.fetch_all("SELECT action, subject FROM audit")
        assert ("command.give", "leeds/b1") in actions


async def test_a_command_waits_for_a_box_that_is_away_and_is_signed(tmp_path, broker):
    signer = wire.new_signer("h7")
    key = tmp_path / "key"
    key.write_text(signer.private.hex())
    key.chmod(0o600)
    box = LiveBox(broker.port, SaidBox(), done)
    seen = []
    heard = box._heard

    async def looks(session, message):
        if "/cmd/" in message.topic:
            seen.append(message)
        await heard(session, message)

    box._heard = looks
    async with hub_on(tmp_path, broker.port, signing=SigningConfig(str(key), "h7"), resend_s=3600) as app:
        await all_up(app)
        async with running(box):
            await born(app)

        async def away():
            return not (await app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))).items

        await until(away)
        args = {"iccid": "8944110068256270054"}
        given = await app.orders.give(LOCAL_ADMIN, "leeds", "b1", "sim.pause", args, 600)
        await asyncio.sleep(0.5)
        assert (await app.orders.get(LOCAL_ADMIN, given.id)).state == "waiting"
        async with running(box):

            async def ended():
                return (await app.orders.get(LOCAL_ADMIN, given.id)).state == "done"

            await until(ended)
        (message,) = seen
        assert message.expiry_s <= 600
        assert (message.response_topic, message.correlation) == ("modembank/v1/leeds/b1/up/res", given.id.encode())
        user = message.user
        wire.verify([signer.public], user["kid"], user["sig"], message.topic, message.payload, None)


async def test_one_that_nobody_answers_is_sent_again_and_ends_unknown(tmp_path, broker):
    async def silent(box, session, command):
        pass

    box = LiveBox(broker.port, SaidBox(), silent)
    async with hub_on(tmp_path, broker.port, resend_s=1.0) as app:
        await all_up(app)
        async with running(box):
            await born(app)
            given = await app.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {}, 3)

            async def ended():
                return (await app.orders.get(LOCAL_ADMIN, given.id)).ended_at is not None

            await until(ended)
        row = await app.orders.get(LOCAL_ADMIN, given.id)
        assert (row.state, row.code) == ("unknown", "no_answer")
        assert row.sends >= 2
        assert {one.id for one in box.commands} == {given.id}


async def test_a_hub_that_starts_or_is_back_wants_births(tmp_path, broker):
    box = LiveBox(broker.port, SaidBox())
    async with running(box):
        async with hub_on(tmp_path, broker.port) as app:
            await all_up(app)
            await until(lambda: len(box.greeted) == 1)
            broker.kill()
            await until(lambda: app.lines.up == 0)
            broker.start()
            await all_up(app)
            await until(lambda: len(box.greeted) >= 2)
            await born(app)
        async with hub_on(tmp_path, broker.port) as app:
            before = len(box.greeted)
            await until(lambda: len(box.greeted) > before)
