"""The agent over a real store and Debian's mosquitto: presence, telemetry, streams; and a box without a broker."""

import asyncio
import contextlib
import random
import re
import time
from pathlib import Path

import pytest

from fakes.brokers import Certificates, Mosquitto, free_port
from fakes.fleets import ADDRESS, agent_of, fleet_box, hub_at, log_events, until
from fakes.web_boxes import make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.fleet import HubState, LinkState, rows
from modembank_fleet.agent import Agent, streams
from modembank_fleet.link import TlsFiles

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick")]
DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
async def box(tmp_path, mosquitto):
    made = await fleet_box(tmp_path, mosquitto.port)
    yield made
    await made.store.close()


async def test_a_box_says_what_it_is_and_how_it_goes(mosquitto, box):
    async with hub_at(mosquitto) as hub:
        async with agent_of(box):
            birth = (await until(lambda: hub.said("birth")))[0]
            avail = hub.said("avail")[0]
            tele = (await until(lambda: hub.said("tele/box")))[0]
            modems = (await until(lambda: hub.said("tele/modems")))[0]
        await until(lambda: len(hub.said("avail")) > 1)
    assert {key: avail[key] for key in ("s", "why", "bs", "conn")} == {
        "s": "online",
        "why": "birth",
        "bs": 1,
        "conn": 1,
    }
    assert (birth["ep"], birth["bs"], birth["conn"]) == (avail["ep"], 1, 1)
    assert birth["base"] == {"ev": 1, "res": 1}
    assert "ping" in birth["verbs"]
    assert "ussd.run" not in birth["verbs"]
    assert [row[0] for row in birth["modems"]["rows"]] == ["slot-03", "slot-04"]
    assert tele["q"] == {"ready": 0, "delayed": 0, "inflight": 0, "unknown": 0}
    assert all(len(row) == len(modems["cols"]) for row in modems["rows"])
    assert (hub.said("avail")[-1]["s"], hub.said("avail")[-1]["why"]) == ("offline", "shutdown")
    retained = {what for what, _, incoming in hub.heard if incoming.retain}
    assert retained == {"avail", "birth", "cfg/reported"}


async def test_every_event_arrives_once_in_order_and_nothing_waits_after(mosquitto, box):
    await log_events(box, *["modem.registered"] * 3, slot="slot-03")
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        assert agent._life.ev_base == 4, "what was before the hub was set up is not told"
        await log_events(box, *["modem.failed"] * 250, slot="slot-03", state="failed", detail="at +447900900123")
        await until(lambda: len(hub.events) == 250)
        await until(lambda: box.fleet.state is LinkState.ONLINE)
        view = await box.fleet.view(LOCAL_ADMIN)
        async with asyncio.timeout(10):
            while view.events_waiting:
                view = await box.fleet.view(LOCAL_ADMIN)
    assert sorted(hub.events) == list(range(4, 254))
    assert hub.events[4]["type"] == "modem.failed"
    assert hub.events[4]["sev"] == "error"
    assert hub.events[4]["data"] == {"slot": "slot-03", "state": "failed"}
    assert view.acknowledged_at is not None
    assert view.why == ""


async def test_a_puback_is_no_receipt(mosquitto, box, monkeypatch):
    """Nothing is gone before the hub has said so; after a silence it comes again from the last acknowledgement on."""
    monkeypatch.setattr(streams, "SILENCE_S", 0.5)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        hub.acknowledges = False
        await log_events(box, *["modem.registered"] * 5, slot="slot-03")
        await until(lambda: len(hub.said("ev")) >= 2)
        assert {batch["first"] for batch in hub.said("ev")} == {1}
        assert (await box.store.read(rows.acked))["ev"] == 0
        await hub.acknowledge(agent._life.epoch, ev=3)
        await until(lambda: any(batch["first"] == 4 for batch in hub.said("ev")))
        await hub.acknowledge(agent._life.epoch, ev=5)
        async with asyncio.timeout(5):
            while (await box.store.read(rows.acked))["ev"] != 5:
                await asyncio.sleep(0.02)


async def test_an_acknowledgement_that_cannot_be_true_changes_nothing(mosquitto, box):
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        hub.acknowledges = False
        await hub.acknowledge("other123", ev=99, res=99)
        await hub.acknowledge(agent._life.epoch, ev=99, res=0)
        await until(lambda: box.fleet.refused == 1)
        assert (await box.store.read(rows.acked)) == {"ev": 0, "res": 0}
        await until(lambda: any(event["type"] == "auth.fail" for event in hub.events.values()))


async def test_the_broker_is_killed_again_and_again_and_nothing_is_lost(mosquitto, box, monkeypatch):
    monkeypatch.setattr(streams, "SILENCE_S", 1.0)
    seen = {}
    async with agent_of(box):
        for _ in range(4):
            async with hub_at(mosquitto) as hub:
                await hub.hello()
                hub.events = seen
                hub.has["ev"] = max(seen, default=0)
                await log_events(box, *["modem.registered"] * 40, slot="slot-03")
                await asyncio.sleep(0.3)
                mosquitto.kill()
            mosquitto.start()
        async with hub_at(mosquitto) as hub:
            hub.events, hub.has["ev"] = seen, max(seen, default=0)
            await until(lambda: len(seen) == 160)
    assert sorted(seen) == list(range(1, 161))


async def test_without_a_broker_the_box_works_and_says_so(tmp_path):
    box = await fleet_box(tmp_path, free_port())
    async with agent_of(box):
        await until(lambda: "cannot connect" in box.fleet.why)
        await log_events(box, "modem.registered", slot="slot-03")
        view = await box.fleet.view(LOCAL_ADMIN)
        assert view.state in (LinkState.WAITING, LinkState.CONNECTING)
        assert view.events_waiting == 1
        assert view.hub is HubState.UNKNOWN
        assert view.acknowledged_at is None
    await box.store.close()


async def test_a_broker_that_comes_late_gets_everything(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    mosquitto = Mosquitto(folder)
    box = await fleet_box(tmp_path, mosquitto.port)
    async with agent_of(box):
        await log_events(box, *["modem.registered"] * 3, slot="slot-03")
        await until(lambda: "cannot connect" in box.fleet.why)
        with mosquitto:
            async with hub_at(mosquitto) as hub:
                await until(lambda: len(hub.events) == 3)
                assert box.fleet.state is LinkState.ONLINE
    await box.store.close()


async def test_a_broker_that_refuses_is_said(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder, acl="topic read nothing\n") as mosquitto:
        box = await fleet_box(tmp_path, mosquitto.port)
        async with agent_of(box):
            await until(lambda: box.fleet.state is LinkState.REFUSED)
            assert "refused" in box.fleet.why
            await log_events(box, "modem.registered", slot="slot-03")
        await box.store.close()


async def test_nobody_listening_is_said_and_the_hub_finds_everything_when_it_comes(mosquitto, box):
    async with agent_of(box):
        await log_events(box, *["modem.registered"] * 3, slot="slot-03")
        await until(lambda: "nobody" in box.fleet.why)
        async with hub_at(mosquitto) as hub:
            await hub.acknowledge(
                (await box.store.read(lambda c: c.execute("SELECT epoch FROM fleet_life").fetchone()))[0]
            )
            await until(lambda: len(hub.events) == 3)
            await until(lambda: box.fleet.why == "")


async def test_a_hub_that_comes_is_told_what_nobody_listened_to_when_it_says_hello(mosquitto, box):
    """It acknowledges nothing of its own accord: without its hello the box would wait for five minutes."""
    async with agent_of(box):
        await log_events(box, *["modem.registered"] * 3, slot="slot-03")
        await until(lambda: "nobody" in box.fleet.why)
        async with hub_at(mosquitto) as hub:
            await asyncio.sleep(0.2)
            assert not hub.events
            await hub.hello(state="offline")
            await hub.hello()
            await until(lambda: len(hub.events) == 3)
            await until(lambda: box.fleet.why == "")


async def test_boxes_that_nobody_listened_to_do_not_all_tell_at_once(mosquitto, box):
    async with hub_at(mosquitto), agent_of(box) as agent:
        streams = await until(lambda: agent._streams and agent._streams._ways and agent._streams)
        drawn = set()
        for _ in range(5):
            now = box.clock.monotonic()
            for way in streams._ways.values():
                way.quiet_until = now + 300
            streams.heard_of_hub(60)
            drawn |= {round(way.quiet_until - now, 3) for way in streams._ways.values()}
        assert len(drawn) == 5
        assert all(0 <= seconds <= 61 for seconds in drawn)
        for way in streams._ways.values():
            way.quiet_until = 0.0
        streams.heard_of_hub(60)
        assert {way.quiet_until for way in streams._ways.values()} == {0.0}, "who is heard goes on"


async def test_a_modem_that_is_another_one_is_told(mosquitto, box, monkeypatch):
    from modembank.events import SimChanged
    from modembank_fleet.agent import agent as module

    monkeypatch.setattr(module, "CHANGES_S", 0.1)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        box.bus.publish(SimChanged(0, 1))
        assert not agent._born_again.is_set()
        view = box.bank.modems()
        monkeypatch.setattr(box.bank, "modems", lambda: view[:1])
        box.bus.publish(SimChanged(0, 1))
        await until(lambda: len(hub.said("birth")) == 2)
        assert len(hub.said("birth")[1]["modems"]["rows"]) == 1


async def test_another_hub_is_told_who_the_box_is(mosquitto, box):
    async with hub_at(mosquitto) as hub, agent_of(box):
        await until(lambda: hub.said("birth"))
        await hub.hello("hub1")
        await until(lambda: box.fleet.hub is HubState.ONLINE)
        await hub.hello("hub2")
        await until(lambda: len(hub.said("birth")) == 2)
        await hub.hello("hub2", "offline")
        await until(lambda: box.fleet.hub is HubState.OFFLINE)


async def test_events_that_were_not_kept_leave_a_note_of_the_gap(mosquitto, box):
    async with agent_of(box):
        await until(lambda: box.fleet.state is LinkState.ONLINE)
    await log_events(box, *["modem.registered"] * 9, slot="slot-03")
    await box.store.write(lambda conn: conn.execute("DELETE FROM event_log WHERE id < 7").rowcount)
    async with hub_at(mosquitto) as hub, agent_of(box):
        await until(lambda: hub.has["ev"] == 9)
    gap = next(event for event in hub.events.values() if event["type"] == "gap")
    assert gap["data"] == {"stream": "ev", "from": 1, "to": 6, "why": "not kept for so long"}
    assert sorted(hub.events) == [6, 7, 8, 9]


async def test_another_start_and_another_database_are_told_apart(mosquitto, tmp_path, box):
    async with hub_at(mosquitto) as hub:
        for _ in range(2):
            async with agent_of(box):
                await asyncio.sleep(0)
                await until(lambda: box.fleet.state is LinkState.ONLINE)
            box.fleet.note(LinkState.CONNECTING)
        await box.store.write(lambda conn: conn.execute("UPDATE fleet_life SET store_epoch = 99").rowcount)
        async with agent_of(box):
            await until(lambda: len(hub.said("birth")) == 3)
    first, second, third = hub.said("birth")
    assert (first["ep"], first["bs"], second["bs"]) == (second["ep"], 1, 2)
    assert third["ep"] != first["ep"]
    assert third["bs"] == 1


async def test_the_will_names_its_connection(mosquitto, box):
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        will = agent._avail("offline", "will")
        assert (will.conn, will.ep, will.why) == (1, hub.said("birth")[0]["ep"], "will")


async def test_what_waits_is_bounded(mosquitto, tmp_path):
    (folder := tmp_path / "small").mkdir()
    box = await fleet_box(folder, mosquitto.port, most_events=1000)
    async with agent_of(box):
        pass
    await log_events(box, *["modem.registered"] * 3000, slot="slot-03")
    needed = await box.store.read(box.fleet._needed)
    assert needed == 2000
    await box.store.close()


async def test_a_box_without_a_hub_does_nothing(tmp_path):
    box = await make_box(tmp_path)
    agent = Agent(box)
    await agent.start()
    view = await box.fleet.view(LOCAL_ADMIN)
    assert (view.state, view.broker, view.box, view.since) == (LinkState.NOT_SET_UP, "", "", None)
    assert await box.store.read(lambda conn: conn.execute("SELECT count(*) FROM fleet_life").fetchone()) == (0,)
    await agent.stop()
    await box.store.close()


async def test_a_step_of_the_clock_is_an_event(mosquitto, box, monkeypatch):
    from modembank_fleet.agent import agent as module

    monkeypatch.setattr(module, "CLOCK_S", 0.05)
    async with hub_at(mosquitto) as hub, agent_of(box):
        await until(lambda: hub.said("birth"))
        real = type(box.clock).now
        monkeypatch.setattr(type(box.clock), "now", lambda self: real(self) + 3600)
        event = await until(lambda: next((e for e in hub.events.values() if e["type"] == "clock.step"), None))
    assert 3590 < event["data"]["set_by"] < 3610
    assert event["data"]["bs"] == 1
    assert abs(event["data"]["utc"] - time.time() - 3600) < 30


async def test_with_certificates_a_box_writes_and_hears_what_is_its_own(tmp_path):
    """Mosquitto with the ACL of docs/fleet.md: the certificate's name is the user, and no box is configured."""
    made = Certificates(tmp_path)
    certificate, key = made.issue(ADDRESS.common_name)
    (folder := tmp_path / "broker").mkdir()
    documented = re.findall(
        r"^(?:pattern|topic) (?:read|write) .*$", (DOCS / "fleet.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(documented) == 3
    acl = "\n".join([*documented, "user hub", "topic readwrite modembank/#", ""])
    with Mosquitto(folder, acl=acl, tls=made) as mosquitto:
        files = {"ca": str(made.ca), "certificate": str(certificate), "key": str(key)}
        box = await fleet_box(tmp_path, mosquitto.port, url=f"mqtts://127.0.0.1:{mosquitto.port}", **files)
        hub_files = TlsFiles(str(made.ca), *(str(path) for path in made.issue("hub")))
        async with hub_at(mosquitto, tls=hub_files) as hub, agent_of(box) as agent:
            await until(lambda: hub.said("birth"))
            await log_events(box, "modem.registered", slot="slot-03")
            await until(lambda: hub.events)
            ended = await hub.ended(await hub.command("ping", ep=agent._life.epoch))
            assert ended["st"] == "done"
        await box.store.close()


async def test_kills_of_the_broker_and_ends_of_hub_and_box_lose_and_double_nothing(tmp_path, mosquitto, monkeypatch):
    """Twelve rounds, each ended by one of the three going without a word; the hub's memory is its database."""
    monkeypatch.setattr(streams, "SILENCE_S", 0.5)
    chance, kept, has, told = random.Random(7), {}, {"ev": 0, "res": 0}, 0
    box = await fleet_box(tmp_path, mosquitto.port)
    for _ in range(12):
        async with contextlib.AsyncExitStack() as stack:
            hub = await stack.enter_async_context(hub_at(mosquitto))
            hub.events, hub.has = kept, has
            await hub.hello(f"hub{chance.randrange(100)}")
            await stack.enter_async_context(agent_of(box))
            for _ in range(chance.randrange(1, 5)):
                count = chance.randrange(1, 150)
                await log_events(box, *["modem.registered"] * count, slot="slot-03")
                told += count
                await asyncio.sleep(chance.uniform(0, 0.2))
            if chance.random() < 0.5:
                mosquitto.kill()
                mosquitto.start()
    async with hub_at(mosquitto) as hub:
        hub.events, hub.has = kept, has
        async with agent_of(box):
            await until(lambda: len(kept) >= told, 60)
            async with asyncio.timeout(20):
                while (await box.fleet.view(LOCAL_ADMIN)).events_waiting:
                    await asyncio.sleep(0.05)
    assert sorted(kept) == list(range(1, told + 1))
    await box.store.close()


def test_addresses():
    assert ADDRESS.common_name == "kiel/b1"
