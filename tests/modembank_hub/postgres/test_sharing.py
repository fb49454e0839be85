"""Processes of one hub: what they tell each other, and that one of them leads."""

import asyncio
import contextlib

import pytest

from fakes.brokers import Mosquitto
from fakes.hubs import signing_in
from fakes.said_boxes import LiveBox, running, until
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN
from modembank.config import WebConfig
from modembank.store import StoreError
from modembank_hub import sharing as words
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig, StoreConfig
from modembank_hub.events import AlertsChanged, CommandsChanged
from modembank_hub.postgres import sharing as module
from modembank_hub.postgres.driver import connect
from modembank_hub.postgres.sharing import Together
from modembank_hub.rows_of_boxes import Wanted
from modembankd.hub import HubDaemon

pytestmark = [pytest.mark.postgres, pytest.mark.broker]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.1)


@pytest.fixture
def broker(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder) as made:
        yield made


@contextlib.asynccontextmanager
async def together(target):
    """Yield a process that listens and speaks."""
    one = Together(target)
    tasks = [asyncio.create_task(one.listen()), asyncio.create_task(one.speak())]
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_one_tells_the_others_hear_once_and_itself_never(target):
    async with together(target) as one, together(target) as two, together(target) as three:
        heard = {name: [] for name in ("one", "two", "three")}
        for name, each in (("one", one), ("two", two), ("three", three)):
            each.on("news", heard[name].append)
        await listening(target, 3)
        one.tell("news", {"a": 1})
        two.tell("news", [1, "é"])
        one.tell("unheard of", None)
        await until(lambda: [len(said) for said in heard.values()] == [1, 1, 2])
    assert heard["one"] == [[1, "é"]]
    assert heard["two"] == [{"a": 1}]
    assert sorted(map(str, heard["three"])) == ["[1, 'é']", "{'a': 1}"]


async def listening(target, count):
    conn = connect(target)
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_try%'"

    async def there():
        return conn.execute(query).fetchone() >= (count - 1,)

    await until(there)
    await asyncio.sleep(0.2)
    conn.close()


async def test_a_list_that_is_too_long_for_one_notification_goes_in_parts(target):
    async with together(target) as one, together(target) as two:
        heard = []
        two.on("credits", heard.extend)
        await listening(target, 2)
        told = [[n, "e" * 40, 1.5] for n in range(2000)]
        one.tell("credits", told)
        await until(lambda: len(heard) == 2000)
    assert sorted(heard) == told


async def test_what_is_told_again_and_again_while_nobody_sends_it_goes_once(target):
    one = Together(target)
    for _ in range(100):
        one.tell("news", 1)
    assert len(one._waiting) == 1


async def test_one_leads_and_another_when_that_one_is_gone(target):
    async with contextlib.AsyncExitStack() as rest:
        async with together(target) as first:
            await until(first.leads.is_set)
            others = [await rest.enter_async_context(together(target)) for _ in range(2)]
            await asyncio.sleep(0.5)
            assert not any(one.leads.is_set() for one in others)
            assert all(one.follows.is_set() for one in others)
        assert not first.leads.is_set()
        assert first.follows.is_set()
        await until(lambda: sum(one.leads.is_set() for one in others) == 1)
        await asyncio.sleep(0.5)
        assert sum(one.leads.is_set() for one in others) == 1


async def test_who_loses_its_connection_leads_no_more(target):
    one = Together(target)
    listening_ = asyncio.create_task(one._listen())
    await until(one.leads.is_set)
    conn = connect(target)
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    conn.close()
    with pytest.raises(StoreError):
        await listening_
    assert not one.leads.is_set()
    assert one.follows.is_set()


async def test_who_lost_its_connection_is_there_again_by_itself(target):
    async with together(target) as one, together(target) as two:
        heard = []
        two.on("news", heard.append)
        await until(lambda: one.leads.is_set() or two.leads.is_set())
        conn = connect(target)
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        conn.close()
        await until(lambda: one.follows.is_set() and two.follows.is_set())
        await until(lambda: one.leads.is_set() is not two.leads.is_set())

        async def told():
            one.tell("news", len(heard))
            return bool(heard)

        await until(told)


async def test_what_is_no_word_of_a_hub_is_passed_over(target):
    async with together(target) as one:
        heard = []
        one.on("news", heard.append)
        conn = connect(target)
        for said in ("", "{", "[1, 2]", '["x", "news", 5]'):
            conn.execute("SELECT pg_notify('modembank_hub', ?)", (said,))

        async def told():
            conn.execute("SELECT pg_notify('modembank_hub', ?)", ('["x", "news", 5]',))
            return bool(heard)

        await until(told)
        conn.close()
    assert set(heard) == {5}


async def test_a_process_alone_leads_and_has_nobody_to_talk_to():
    alone = words.Alone()
    assert alone.leads.is_set()
    assert not alone.follows.is_set()
    alone.on("news", pytest.fail)
    alone.tell("news", 1)
    await alone.listen()
    await alone.speak()


# -- two whole hubs


@contextlib.asynccontextmanager
async def hub_at(folder, broker, target):
    config = HubConfig(
        hub=IdentityConfig(data_dir=str(folder), workers=1, window_s=1.0, resend_s=60.0),
        store=StoreConfig(url=target.url),
        mqtt=MqttConfig(port=broker.port),
        signing=signing_in(folder.parent),
        web=WebConfig(listen="127.0.0.1:0"),
    )
    daemon = HubDaemon(config)
    await daemon.start()
    try:
        yield daemon.app
    finally:
        await daemon.stop()


async def pong(box, session, command):
    await box.says(session, command, "done")


async def test_two_processes_are_one_hub_for_boxes_and_people(tmp_path, broker, target):
    box = LiveBox(broker.port, SaidBox(), pong)
    async with hub_at(tmp_path / "two", broker, target) as two, running(box):
        await until(lambda: two.lines.wanted == 2 == two.lines.up)
        async with hub_at(tmp_path / "one", broker, target) as one:
            heard = []
            two.bus.subscribe(CommandsChanged, heard.append)
            await until(lambda: one.lines.up == 1)
            assert (one.lines.wanted, two.lines.wanted) == (1, 2)  # one alone speaks to boxes
            box.produce(100)
            await until(lambda: box.acked == 100)
            assert await one.store.fetch_one("SELECT count(*) FROM events") == (100,)
            assert [row.name for row in (await one.fleet.listed(LOCAL_ADMIN, Wanted())).items] == ["leeds/b1"]
            # A command that is given at one is sent by the other, and both pages hear of it.
            given = await one.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {})

            async def done():
                return (await one.orders.get(LOCAL_ADMIN, given.id)).state == "done"

            await until(done, 9)  # sooner than it would be looked for
            assert heard
            assert [one_.id for one_ in box.commands] == [given.id]
            # A channel that is made at one is told by the other.
            hook = NewChannel(name="duty", url="https://hooks.example.com/x")
            made = await one.channels.create(LOCAL_ADMIN, hook)
            await until(lambda: two.tellers._crew.names() == (f"alerts.channel[{made.id}]",))
            assert one.tellers._crew.names() == ()
    assert box.acked == 100


async def test_who_follows_takes_over(tmp_path, broker, target):
    box = LiveBox(broker.port, SaidBox(), pong)
    async with hub_at(tmp_path / "two", broker, target) as two, running(box):
        await until(lambda: two.lines.up == 2)
        async with contextlib.AsyncExitStack() as rest:
            one = await rest.enter_async_context(hub_at(tmp_path / "one", broker, target))
            conn = connect(target)
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND classid = CAST(? AS BIGINT) AND objid = 1",
                (0x4D424855,),
            )
            conn.close()
            await until(lambda: one.sharing.leads.is_set() or two.sharing.leads.is_set())
            leader, other = (one, two) if one.sharing.leads.is_set() else (two, one)
            await until(lambda: leader.lines.up == 2 and other.lines.up == 1)
            await until(lambda: bool(box.greeted) and leader.lines.up == 2)
            given = await other.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {})

            async def done():
                return (await other.orders.get(LOCAL_ADMIN, given.id)).state == "done"

            await until(done)
            box.produce(20)
            await until(lambda: box.acked == 20)


async def test_credits_that_one_hears_are_lent_by_the_other(tmp_path, broker, target):
    async with hub_at(tmp_path / "two", broker, target) as two, hub_at(tmp_path / "one", broker, target) as one:
        await until(lambda: two.sharing.leads.is_set() and one.lines.up == 1)
        heard = []
        two.lending.heard = lambda told, words: heard.extend(told)
        two.bus.subscribe(AlertsChanged, heard.append)
        one.sharing.tell(words.CREDITS, [(7, "k3f9", 5.0, None, 60)])
        await until(lambda: bool(heard))
        assert (heard[0].box, heard[0].epoch, heard[0].up, heard[0].pool) == (7, "k3f9", 5.0, None)
