"""The adapter against Debian's mosquitto: refusals are seen, nothing is acknowledged too early, a lost link is told."""

import asyncio
import gc
import random
import socket
import time

import pytest
from aiomqtt import MqttError

from fakes.brokers import Certificates, Mosquitto, Way, free_port
from modembank_fleet.link import (
    NO_SUBSCRIBERS,
    Backoff,
    Broker,
    LinkError,
    LinkRefused,
    TlsFiles,
    Will,
    _Client,
    connect,
)

pytestmark = pytest.mark.broker
ACL = "topic readwrite open/#\npattern write modembank/v1/%u/up/#\npattern read modembank/v1/%u/down/#\n"


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path, acl=ACL) as broker:
        yield broker


async def test_all_of_a_message_comes_through(mosquitto):
    async with connect(mosquitto.broker("a")) as one, connect(mosquitto.broker("b")) as two:
        await two.subscribe("open/x")
        code = await one.publish(
            "open/x", b'{"x":1}', expiry_s=60, user={"kid": "h2", "sig": "abc"},
            response_topic="open/back", correlation=b"id-1",
        )  # fmt: skip
        assert code == 0
        got = await asyncio.wait_for(two.receive(), 5)
        got.ack()
    assert (got.topic, got.payload, got.qos, got.retain) == ("open/x", b'{"x":1}', 1, False)
    assert got.user == {"kid": "h2", "sig": "abc"}
    assert 55 <= got.expiry_s <= 60
    assert (got.response_topic, got.correlation) == ("open/back", b"id-1")


async def test_a_refused_publish_is_an_error_and_nobody_listening_is_said(mosquitto):
    async with connect(mosquitto.broker()) as session:
        with pytest.raises(LinkRefused) as refused:
            await session.publish("modembank/v1/kiel/b1/up/ev", b"{}")
        assert refused.value.code == 0x87
        assert await session.publish("open/nobody", b"{}") == NO_SUBSCRIBERS
        assert session.alive


async def test_what_was_not_acknowledged_comes_again_and_no_more_than_the_maximum_waits(mosquitto):
    """Twenty commands: five may wait at a time; those that were not acknowledged come again after a reconnect."""
    keeping = mosquitto.broker("box", session_expiry_s=300, receive_maximum=5)
    async with connect(mosquitto.broker("hub")) as hub:
        seen = []
        async with connect(keeping, clean_start=False) as box:
            assert not box.session_present
            await box.subscribe("open/cmd")
            for number in range(20):
                await hub.publish("open/cmd", str(number).encode())
            await asyncio.sleep(0.2)
            assert len(box._waiting) == 5
            for _ in range(8):
                got = await asyncio.wait_for(box.receive(), 5)
                seen.append(int(got.payload))
                got.ack()
            await asyncio.sleep(0.1)  # the last PUBACK is on its way
        async with connect(keeping, clean_start=False) as box:
            assert box.session_present
            again = []
            while len(again) < 12:
                got = await asyncio.wait_for(box.receive(), 5)
                again.append(int(got.payload))
                got.ack()
    assert sorted(seen + again) == list(range(20))


async def test_a_retained_message_says_so_also_when_it_comes_live(mosquitto):
    async with connect(mosquitto.broker("a")) as one, connect(mosquitto.broker("b")) as two:
        await two.subscribe("open/r")
        await one.publish("open/r", b"1", retain=True)
        assert (await asyncio.wait_for(two.receive(), 5)).retain


async def test_a_broker_that_is_killed_is_noticed_at_once_and_publishing_fails(mosquitto):
    async with connect(mosquitto.broker()) as session:
        await session.subscribe("open/#")
        waiting = asyncio.create_task(session.receive())
        await asyncio.sleep(0.05)
        mosquitto.kill()
        with pytest.raises(LinkError):
            await asyncio.wait_for(waiting, 5)
        assert "connection lost" in str(await asyncio.wait_for(session.lost(), 1))
        with pytest.raises(LinkError):
            await session.publish("open/x", b"1")
        assert not session.alive


async def test_kills_while_publishing_end_in_errors_and_never_in_silence(mosquitto):
    """Publishers under way when the broker dies: each hears, none hangs; and the next connection works."""
    loop_errors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    for _ in range(6):
        async with connect(mosquitto.broker()) as session:

            async def flood(session=session):
                while True:
                    await session.publish("open/x", b"x" * 2000)

            tasks = [asyncio.create_task(flood()) for _ in range(8)]
            await asyncio.sleep(random.uniform(0.0, 0.1))
            mosquitto.kill()
            done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
            assert all(isinstance(error, LinkError) for error in done), done
        with pytest.raises(LinkError):
            async with connect(mosquitto.broker()):
                pass
        mosquitto.start()
    async with connect(mosquitto.broker()) as session:
        assert await session.publish("open/x", b"1") == NO_SUBSCRIBERS
    assert not loop_errors


async def test_a_way_that_stalls_is_noticed_by_the_keepalive(mosquitto):
    async with Way(mosquitto.port) as way:
        broker = Broker("127.0.0.1", way.port, "someone", keepalive_s=1)
        async with connect(broker) as session:
            assert await session.publish("open/x", b"1") == NO_SUBSCRIBERS
            way.stall()
            began = time.monotonic()
            await asyncio.wait_for(session.lost(), 15)
            assert time.monotonic() - began < 10
            assert not session.alive


async def test_a_connection_cut_in_the_middle_of_everything(mosquitto):
    async with Way(mosquitto.port) as way, connect(Broker("127.0.0.1", way.port, "someone")) as session:
        publishing = asyncio.create_task(session.publish("open/x", b"x" * 100_000))
        await asyncio.sleep(0)
        way.cut()
        with pytest.raises(LinkError):
            await asyncio.wait_for(publishing, 5)


async def test_a_broker_that_never_answers_is_given_up(mosquitto):
    async with Way(mosquitto.port) as way:
        way.stall()
        with pytest.raises(LinkError, match="cannot connect"):
            async with connect(Broker("127.0.0.1", way.port, "someone", connect_s=0.3)):
                pass


async def test_nobody_at_the_port():
    with pytest.raises(LinkError, match="cannot connect"):
        async with connect(Broker("127.0.0.1", free_port(), "someone")):
            pass


async def test_connecting_can_be_given_up(mosquitto):
    async with Way(mosquitto.port) as way:
        way.stall()

        async def wait():
            async with connect(Broker("127.0.0.1", way.port, "someone", connect_s=1)):
                pass

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1.2)  # the abandoned try comes to its end and lets go of its socket


async def test_the_will_is_said_when_the_end_was_none_and_not_when_it_was_one(mosquitto):
    async with connect(mosquitto.broker("watch")) as watch:
        await watch.subscribe("open/will")
        async with connect(mosquitto.broker("box"), Will("open/will", b"gone", delay_s=0)):
            pass
        with pytest.raises(RuntimeError):
            async with connect(mosquitto.broker("box"), Will("open/will", b"crashed", delay_s=0)):
                raise RuntimeError
        assert (await asyncio.wait_for(watch.receive(), 5)).payload == b"crashed"


async def test_telemetry_is_dropped_and_not_stored_while_the_way_is_stalled(mosquitto):
    async with Way(mosquitto.port) as way, connect(Broker("127.0.0.1", way.port, "someone")) as session:
        way.stall()
        for _ in range(2000):
            await session.publish("open/x", b"x" * 20_000, qos=0)
            await asyncio.sleep(0)
        assert len(session._paho._out_packet) <= 16


# -- TLS


async def test_certificates_of_both_sides_are_wanted(tmp_path):
    made = Certificates(tmp_path)
    other = Certificates(_folder(tmp_path / "other"))
    certificate, key = made.issue("kiel/b1")
    foreign = other.issue("kiel/b1")
    over = made.issue("kiel/b2", days=-1)
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder, acl=ACL, tls=made) as mosquitto:

        def broker(ca, certificate="", key="", host="127.0.0.1"):
            tls = TlsFiles(str(ca), str(certificate), str(key))
            return Broker(host, mosquitto.port, "kiel/b1", tls, connect_s=5)

        async with connect(broker(made.ca, certificate, key)) as session:
            assert await session.publish("modembank/v1/kiel/b1/up/ev", b"{}") == NO_SUBSCRIBERS
            with pytest.raises(LinkRefused):
                await session.publish("modembank/v1/kiel/b2/up/ev", b"{}")
        for bad in (
            broker(other.ca, certificate, key),
            broker(made.ca),
            broker(made.ca, *foreign),
            broker(made.ca, *over),
            broker(made.ca, certificate, key, host="localhost"),
        ):
            with pytest.raises((LinkError, LinkRefused)):
                async with connect(bad):
                    pass


async def test_certificates_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(LinkError, match=r"nothing\.pem"):
        async with connect(Broker("127.0.0.1", 1, "x", TlsFiles(str(tmp_path / "nothing.pem")))):
            pass


def _folder(path):
    path.mkdir()
    return path


# -- how long to wait


def test_the_first_try_is_spread_over_the_window_and_later_ones_up_to_five_minutes():
    asked = []
    backoff = Backoff(120.0, lambda low, high: asked.append((low, high)) or high)
    assert [backoff.next_s() for _ in range(5)] == [120, 240, 300, 300, 300]
    assert all(low == 0 for low, _ in asked)
    backoff.held(59)
    assert backoff.next_s() == 300
    backoff.held(60)
    assert backoff.next_s() == 120


def test_a_wide_window_stays_wide():
    backoff = Backoff(900.0, lambda _, high: high)
    assert [backoff.next_s() for _ in range(3)] == [900, 900, 900]


def test_a_broker_that_is_away_for_weeks_is_still_tried():
    backoff = Backoff(120.0, lambda _, high: high)
    assert {backoff.next_s() for _ in range(5000)} == {120, 240, 300}


async def test_a_broker_that_hangs_up_on_a_try_that_was_given_up_disturbs_nobody():
    """A slow broker's last word may come when nobody waits for the connection any more."""
    loop_errors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    client = _Client(Broker("127.0.0.1", free_port(), "someone"), None, None, clean_start=True)
    client._on_disconnect(client._client, None, None, "Keep alive timeout")
    with pytest.raises(MqttError, match="hung up: Keep alive timeout"):
        await client._connected
    client = _Client(Broker("127.0.0.1", free_port(), "someone"), None, None, clean_start=True)
    client._on_disconnect(client._client, None, None, "Keep alive timeout")
    client.close()
    del client
    gc.collect()
    await asyncio.sleep(0)
    assert loop_errors == []


class ClosedHandles:
    """What uvloop is to a socket that it has closed its handle of and paho has not."""

    asked = 0

    def call_soon_threadsafe(self, callback):
        callback()

    def add_writer(self, fd, callback):
        self.asked += 1
        raise RuntimeError("unable to perform operation on <UVPoll closed=True>; the handler is closed")


class Writing:
    """A paho that has something to write."""

    def want_write(self):
        return True


async def test_a_loop_that_knows_already_that_the_broker_is_gone_disturbs_nobody():
    client = _Client(Broker("127.0.0.1", free_port(), "someone"), None, None, clean_start=True)
    client._loop = loop = ClosedHandles()
    one, other = socket.socketpair()
    with one, other:
        client._on_socket_register_write(Writing(), None, one)
    client._on_socket_register_write(Writing(), None, one)  # closed: nobody is asked
    assert loop.asked == 1
