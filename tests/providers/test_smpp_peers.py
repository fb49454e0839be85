"""Against SMSCs that others wrote."""

import asyncio

import pytest

from fakes.esmes import esme, until
from fakes.smpp_peers import drive_smpp, net_smpp
from modembank.modem.outcome import AttemptOutcome
from modembank.providers.adapters import smpp_keeper
from modembank.providers.adapters.smpp_keeper import Obstacle, Pause
from modembank.providers.model import ReceiptStatus

pytestmark = pytest.mark.peer
ACCEPTED = AttemptOutcome.ACCEPTED


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    for obstacle in (Obstacle.UNREACHABLE, Obstacle.LOST):
        monkeypatch.setitem(smpp_keeper.PAUSES, obstacle, Pause(0.05, 0.2))


class TestNetSmpp:
    """Debian's libnet-smpp-perl."""

    async def test_from_the_bind_to_the_leave(self):
        async with net_smpp() as peer, esme(peer.port, system_type="VMA", enquire_link_s=0.1) as box:
            result = await box.send("hello", valid_for_s=3600)
            assert (result.outcome, result.reference) == (ACCEPTED, "N1")
            await until(lambda: box.sink.receipts)
            assert box.sink.receipts[0].reference == "N1"
            assert box.sink.receipts[0].status is ReceiptStatus.DELIVERED
            await until(lambda: "delivered 0" in peer.lines and "enquire" in peer.lines)
            await box.stop()
            await until(lambda: "unbind" in peer.lines)
        assert peer.said("bind") == [{"system_id": b"box", "password": b"secret", "system_type": b"VMA"}]
        [submitted] = peer.said("submit")
        assert submitted["short_message"] == b"hello"
        assert submitted["validity_period"] == b"000000010000000R"
        assert (submitted["source_addr"], submitted["destination_addr"]) == (b"4930123", b"491701234567")
        numbers = ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi", "registered_delivery")
        assert {submitted[name] for name in numbers} == {b"1"}

    async def test_texts_of_all_kinds(self):
        async with net_smpp() as peer, esme(peer.port) as box:
            for text in ("héllo €", "Привет", "x" * 200, "水" * 100):
                assert (await box.send(text, delivery_report=False)).outcome is ACCEPTED
            await box.send("now", flash=True, delivery_report=False)
            assert box.sink.receipts == []
        said = [(one["data_coding"], one["short_message"], one["message_payload"]) for one in peer.said("submit")]
        assert said == [
            (b"0", b"h\x05llo \x1b\x65", b""),
            (b"8", "Привет".encode("utf-16-be"), b""),
            (b"0", b"", b"x" * 200),
            (b"8", b"", ("水" * 100).encode("utf-16-be")),
            (b"16", b"now", b""),
        ]

    async def test_segments(self):
        async with net_smpp() as peer, esme(peer.port, long="udh") as box:
            result = await box.send("0123456789" * 32)
            assert (result.outcome, result.reference) == (ACCEPTED, "N3")
            await until(lambda: box.sink.receipts)
            assert [receipt.reference for receipt in box.sink.receipts] == ["N3"]
        parts = [one["short_message"] for one in peer.said("submit")]
        assert [part[4:6] for part in parts] == [b"\3\1", b"\3\2", b"\3\3"]
        assert b"".join(part[6:] for part in parts) == b"0123456789" * 32
        assert {one["esm_class"] for one in peer.said("submit")} == {b"64"}

    async def test_messages_come_back(self):
        async with net_smpp() as peer, esme(peer.port) as box:
            await asyncio.gather(*(box.send(f"echo: {number} é") for number in range(30)))
            await until(lambda: len(box.sink.arrivals) == 30 and len(box.sink.receipts) == 30)
            await until(lambda: peer.lines.count("delivered 0") == 60)
            assert sorted(box.sink.texts) == sorted(f"echo: {number} é" for number in range(30))
            assert {arrival.sender for arrival in box.sink.arrivals} == {"+491701234567"}
            assert {arrival.to for arrival in box.sink.arrivals} == {"4930123"}

    async def test_a_wrong_password(self):
        async with net_smpp() as peer, esme(peer.port, password="wrong", ready=False) as box:
            await until(lambda: "invalid password" in box.provider.not_ready())
            assert [bind["password"] for bind in peer.said("bind")] == [b"wrong"]


class TestKannel:
    """The SMSC with which Kannel tests its own client (kannel-extras); it knows no transceiver, and gives no names."""

    async def test_a_pair_of_sessions(self):
        async with drive_smpp(40) as peer, esme(peer.port, bind="pair") as box:
            results = await asyncio.gather(*(box.send(f"number {number}") for number in range(50)))
            assert {result.outcome for result in results} == {ACCEPTED}
            await until(lambda: len(box.sink.arrivals) == 40, within_s=30)
            assert sorted(box.sink.texts, key=int) == [str(number) for number in range(1, 41)]
            assert {arrival.sender for arrival in box.sink.arrivals} == {"456"}
            await until(lambda: any("All messages sent to ESME" in line for line in peer.lines))
            await until(lambda: sum("submit_sm: short_message = <number" in line for line in peer.lines) == 50)
        assert not [line for line in peer.lines if "ERROR" in line or "PANIC" in line]
