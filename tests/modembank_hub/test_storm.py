"""Boxes come back together after a power cut of their broker: real agents with certificates, Mosquitto, a real hub.

``tests/bench/bench_fleet_storm.py`` does it with two thousand, and measures.
"""

import asyncio
import time

import pytest

from fakes.hubs import Hub
from fakes.storms import FleetBroker, Manner, SteadyBackoff, crowd, ending
from modembank.config import WebConfig
from modembank_fleet.link import Broker, LinkRefused, TlsFiles, connect
from modembank_fleet.wire import HELLO
from modembank_hub.config import HubConfig, IdentityConfig
from modembank_hub.config import MqttConfig as HubMqttConfig
from modembankd.hub import HubDaemon

pytestmark = pytest.mark.broker
BOXES = 40
WINDOW_S = 1


async def until(true, within_s=60.0):
    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_after_a_power_cut_of_the_broker_every_box_is_born_again_by_its_own_certificate(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    broker = FleetBroker(folder)
    names = [f"b{number:03d}" for number in range(BOXES)]
    for name in names:
        broker.certify(name)
    config = HubConfig(
        hub=IdentityConfig(data_dir=str(tmp_path / "hub"), window_s=WINDOW_S),
        mqtt=HubMqttConfig(port=broker.port),
        web=WebConfig(listen="127.0.0.1:0"),
    )
    daemon = HubDaemon(config)
    with broker:
        await daemon.start()
        try:
            async with crowd(tmp_path / "crowd", [broker.section(name) for name in names], WINDOW_S) as held:
                hub = Hub(daemon.app)

                async def all_born(since_ms=0):
                    sql = "SELECT count(*) FROM boxes WHERE online AND birth_at > ?"
                    return (await hub.store.fetch_one(sql, (since_ms,)))[0] == BOXES

                await until(all_born)
                assert held.tally()["tried"] == BOXES
                cut_ms = round(time.time() * 1000)
                broker.kill()
                broker.start()
                await until(lambda: all_born(cut_ms))
                rows = await hub.store.fetch_all("SELECT site || '/' || box FROM boxes ORDER BY box")
                assert [row[0] for row in rows] == [f"storm/{name}" for name in names]
                tally = held.tally()
                assert tally["lost"] == tally["tried"] - tally["online"] - sum(
                    tally.get(word, 0) for word in ("refused", "timed out", "broken off")
                )
        finally:
            await daemon.stop()


async def test_a_box_cannot_speak_or_hear_for_another(tmp_path):
    """The two lines of the ACL, as docs/hub.md has them, with the certificates of the fleet's authority."""
    broker = FleetBroker(tmp_path)
    for name in ("b1", "b2"):
        broker.certify(name)
    section = broker.section("b1")
    files = TlsFiles(section.ca, section.certificate, section.key)
    with broker:
        way = Broker("127.0.0.1", broker.tls, "storm/b1", files)
        async with connect(way) as box, connect(broker.broker("hub")) as hub:
            with pytest.raises(LinkRefused):
                await box.publish("modembank/v1/storm/b2/up/ev", b"{}")
            with pytest.raises(LinkRefused):
                await box.publish("modembank/v1/storm/b1/down/cmd/ping", b"{}")
            with pytest.raises(LinkRefused):
                await box.publish(HELLO, b"{}")
            await box.subscribe("modembank/v1/#")
            await hub.publish("modembank/v1/storm/b2/down/cmd/ping", b"another's")
            await hub.publish(HELLO, b"everybody's")
            await hub.publish("modembank/v1/storm/b1/down/cmd/ping", b"its own")
            assert [(await asyncio.wait_for(box.receive(), 10)).payload for _ in range(2)] == [
                b"everybody's",
                b"its own",
            ]


def test_what_the_measurement_holds_the_product_against_is_without_chance():
    plain, product = SteadyBackoff(1.0), SteadyBackoff(1.0)
    plain.manner = Manner(pauses=(1, 2, 4), connect_s=10)
    assert [plain.next_s() for _ in range(5)] == [1, 2, 4, 4, 4]
    plain.held(30)
    assert plain.next_s() == 1
    drawn = [product.next_s() for _ in range(5)]
    assert len(set(drawn)) == 5
    assert all(0 <= seconds <= 300 for seconds in drawn)


@pytest.mark.parametrize(
    ("why", "word"),
    [
        ("connection lost: Unspecified error", "lost"),
        ("cannot connect to 127.0.0.1:1: [Errno 111] Connection refused", "refused"),
        ("cannot connect to 127.0.0.1:1: _ssl.c:989: The handshake operation timed out", "timed out"),
        ("cannot connect to 127.0.0.1:1: the broker hung up: Unspecified error", "broken off"),
    ],
)
def test_how_a_try_ended_is_told_in_a_word(why, word):
    assert ending(why) == word
