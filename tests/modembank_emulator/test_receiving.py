"""Inbound messages through ptys: storage, indications, acknowledgements, full cards, wrong names, multipart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_emulator import DIALECTS, Bank, BankConfig
from modembank_emulator import pdu as tpdu
from modembank_emulator.faults import Faults

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]


async def receiving(bank: Any, attach: Attach, routing: str = "1,1,0,1,0", index: int = 0) -> Any:
    port = await attach(bank.modems[index])
    assert await port.command(f"AT+CNMI={routing}") == "OK"
    return port


def text_of(listing: str) -> list[str | None]:
    pdus = [line for line in listing.split("\n") if set(line) <= set("0123456789ABCDEF") and line]
    return [tpdu.decode_user_data(bytes.fromhex(pdu)).text() for pdu in pdus]


@pytest.mark.parametrize(
    ("dialect", "memory", "index"),
    [("quectel", "ME", 0), ("huawei", "SM", 0), ("simcom", "SM", 0), ("generic", "SM", 1)],
)
async def test_store_indicate_read_delete(
    make_bank: MakeBank, attach: Attach, dialect: str, memory: str, index: int
) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    modem = bank.modems[0]
    port = await receiving(bank, attach)
    (pdu,) = bank.network.inject(modem.sim.msisdn, "hello", "+15551112222")
    await port.until(rb'\+CMTI: "%b",%d\r+\n' % (memory.encode(), index))
    length = tpdu.tpdu_length(bytes.fromhex(pdu))
    assert await port.command("AT+CMGL=0") == f"+CMGL: {index},0,,{length}\n{pdu}\nOK"
    assert await port.command(f"AT+CMGR={index}") == f"+CMGR: 1,,{length}\n{pdu}\nOK"
    assert await port.command(f"AT+CMGD={index}") == "OK"
    assert await port.command("AT+CMGL=4") == "OK"
    empty = "+CMS ERROR: 321" if modem.caps.cmgr_empty_code else "OK"
    assert await port.command(f"AT+CMGR={index}") == empty
    (seen,) = bank.network.inbound
    assert (seen.imsi, seen.sender, seen.pdu_hex, seen.where) == (modem.sim.imsi, "+15551112222", pdu, memory)
    assert seen.text == "hello"


async def test_one_modem_writes_to_another(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(modems=4, dialect="mixed", chatter=False)
    sender = await receiving(bank, attach)
    recipient = await receiving(bank, attach, index=1)
    text = "x" * 150 + "€" + "y" * 200
    parts = tpdu.split_text(text)
    for number, part in enumerate(parts, 1):
        data = tpdu.encode_user_data(part, concat=tpdu.Concat(9, len(parts), number))
        pdu = tpdu.encode_submit(bank.cards[1].msisdn, data, first_octet=0x21).hex()
        assert (await sender.submit(pdu)).startswith("+CMGS: ")
    for place in range(len(parts)):
        await recipient.until(rb'\+CMTI: "SM",%d\r\n' % place)
    await sender.command("AT")
    listing = await recipient.command("AT+CMGL=4")
    assert "".join(part or "" for part in text_of(listing)) == text
    assert [seen.concat for seen in bank.network.ledger] == [tpdu.Concat(9, 3, n) for n in (1, 2, 3)]
    assert bank.network.outside == []
    assert [seen.sender for seen in bank.network.inbound] == [bank.cards[0].msisdn] * 3
    assert [(seen.mr, seen.status) for seen in bank.network.reports] == [(0, 0), (1, 0), (2, 0)]


@pytest.mark.parametrize("number", ["+15550000002", "15550000002", "5550000002", "0015550000002"])
async def test_numbers_inside_the_bank_are_found_in_every_form(
    make_bank: MakeBank, attach: Attach, number: str
) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    await port.submit(tpdu.encode_submit(number, tpdu.encode_user_data("x"), first_octet=1).hex())
    await port.command("AT")
    assert [seen.imsi for seen in bank.network.inbound] == [bank.cards[1].imsi]


async def test_parts_in_any_order_missing_and_repeated(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    await receiving(bank, attach)
    pdus = bank.network.inject(bank.cards[0].msisdn, "ж" * 200, "Sender", order=[3, 1, 1], reference=0)
    found = [tpdu.decode_user_data(bytes.fromhex(pdu)).concat() for pdu in pdus]
    assert found == [tpdu.Concat(0, 3, 3), tpdu.Concat(0, 3, 1), tpdu.Concat(0, 3, 1)]
    assert [seen.pdu_hex for seen in bank.network.inbound] == pdus


async def test_raw_pdus_arrive_as_they_are(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach)
    for number, raw in enumerate(("00", "07FF", "0004D0", "ZZ"), 1):
        bank.network.inject(bank.cards[0].msisdn, pdu=raw)
        await port.until(rb'\+CMTI: "SM",%d\r\n' % number)
        assert (await port.command(f"AT+CMGR={number}")).split("\n")[1] == raw
    assert [seen.text for seen in bank.network.inbound] == [None] * 4


async def test_direct_delivery_without_acknowledgement(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach, "2,2,0,1,0")
    (pdu,) = bank.network.inject(bank.cards[0].msisdn, "now")
    length = tpdu.tpdu_length(bytes.fromhex(pdu))
    assert await port.until(rb"[0-9A-F]{20,}\r\n") == f"\r\n+CMT: ,{length}\r\n{pdu}\r\n".encode()
    assert await port.command("AT+CMGL=4") == "OK"
    assert await port.command("AT+CNMA") == "+CMS ERROR: 340"
    assert [seen.where for seen in bank.network.inbound] == ["direct"]


@pytest.mark.parametrize("form", ["AT+CNMA", "AT+CNMA=0", "AT+CNMA=1", "AT+CNMA=1,2"])
async def test_direct_delivery_waits_for_its_acknowledgement(make_bank: MakeBank, attach: Attach, form: str) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach, "2,2,0,1,0")
    assert await port.command("AT+CSMS=1") == "+CSMS: 1,1,1\nOK"
    assert await port.command("AT+CSMS?") == "+CSMS: 1,1,1,1\nOK"
    bank.network.inject(bank.cards[0].msisdn, "one")
    bank.network.inject(bank.cards[0].msisdn, "two")
    await port.until(rb"\+CMT: [^\r]+\r\n[0-9A-F]+\r\n")
    assert await port.command("AT") == "OK"  # the second one waits in the network
    assert bank.network.inbound == []
    port.send(form + "\r")
    if "," in form:
        await port.until(rb"> ")
        port.send("0000\x1a")
    await port.until(rb"OK\r\n(?s:.*)\+CMT: [^\r]+\r\n[0-9A-F]+\r\n")
    assert [seen.text for seen in bank.network.inbound] == ["one"]
    assert await port.command("AT+CNMA=0") == "OK"
    assert await port.command("AT+CNMA=0") == "+CMS ERROR: 340"
    assert [seen.text for seen in bank.network.inbound] == ["one", "two"]


async def test_without_acknowledgement_routing_ends_and_nothing_is_lost(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach, "2,2,0,1,0")
    await port.command("AT+CSMS=1")
    (pdu,) = bank.network.inject(bank.cards[0].msisdn, "one")
    await port.until(rb"\+CMT: [^\r]+\r\n[0-9A-F]+\r\n")
    bank.advance(16)
    assert await port.command("AT+CNMI?") == "+CNMI: 2,0,0,0,0\nOK"
    assert pdu in await port.command("AT+CMGL=4")
    assert [seen.where for seen in bank.network.inbound] == ["SM"]


async def test_an_unacknowledged_message_survives_the_modem(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await receiving(bank, attach, "2,2,0,1,0")
    await port.command("AT+CSMS=1")
    bank.network.inject(bank.cards[0].msisdn, "one")
    await port.until(rb"\+CMT: [^\r]+\r\n[0-9A-F]+\r\n")
    modem.replug()
    await modem.wait_running()
    again = await attach(modem)
    await again.command("AT")
    assert text_of(await again.command("AT+CMGL=4")) == ["one"]


@pytest.mark.parametrize(("dialect", "urc"), [("huawei", rb'\^SMMEMFULL: "SM"'), ("simcom", rb"\+SMS FULL")])
async def test_a_full_card_is_told_once_and_drained_later(
    make_bank: MakeBank, attach: Attach, dialect: str, urc: bytes
) -> None:
    bank = await make_bank(dialect=dialect, sim_slots=3, chatter=False)
    modem = bank.modems[0]
    port = await receiving(bank, attach)
    for number in range(5):
        bank.network.inject(modem.sim.msisdn, f"message {number}")
    await port.until(urc)
    assert await port.command("AT+CPMS?") == '+CPMS: "SM",3,3,"SM",3,3,"SM",3,3\nOK'
    assert len(bank.network.inbound) == 3
    assert len(modem.sim.waiting) == 2
    assert await port.command("AT+CMGD=0") == "OK"
    await port.until(rb'\+CMTI: "SM",0')
    await port.until(urc)
    assert await port.command("AT+CMGD=0,4") == "OK"
    await port.until(rb'\+CMTI: "SM",0')
    assert [seen.text for seen in bank.network.inbound] == [f"message {number}" for number in range(5)]
    assert not modem.sim.waiting


async def test_cmti_may_name_the_wrong_memory(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(caps=DIALECTS["quectel"].but(cmti_memory="SM"))
    port = await receiving(bank, attach)
    bank.network.inject(bank.cards[0].msisdn, "where am I")
    await port.until(rb'\+CMTI: "SM",0\r\n')
    assert (await port.command("AT+CPMS?")).startswith('+CPMS: "ME",1,180')


async def test_mode_0_buffers_and_mode_change_flushes(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach, "0,1,0,0,0")
    bank.network.inject(bank.cards[0].msisdn, "later")
    assert await port.command("AT") == "OK"
    port.send("AT+CNMI=2,1,0,1,0\r")
    await port.until(rb'(?s)\+CMTI: "SM",1.*OK|OK.*\+CMTI: "SM",1')


async def test_without_routing_messages_are_stored_in_silence(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.network.inject(bank.cards[0].msisdn, "quiet")
    assert await port.command("AT") == "OK"
    assert text_of(await port.command("AT+CMGL=4")) == ["quiet"]


async def test_messages_wait_for_coverage_and_for_the_card(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    number = modem.sim.msisdn
    port = await receiving(bank, attach)
    bank.network.cell(False)
    bank.network.inject(number, "one")
    assert await port.command("AT") == "OK"
    bank.network.cell(True)
    await port.until(rb'\+CMTI: "SM",1')
    modem.unplug()
    bank.network.inject(number, "two")
    assert len(bank.network.inbound) == 1
    bank.modems[1].replug(sim=bank.cards[0])
    await bank.modems[1].wait_running()
    other = await attach(bank.modems[1])
    await other.command("AT")
    assert text_of(await other.command("AT+CMGL=4")) == ["one", "two"]  # the first one lies on the card


async def test_validity_ends_while_the_recipient_is_away(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach)
    bank.modems[1].unplug()
    data = tpdu.encode_user_data("five minutes")
    pdu = tpdu.encode_submit(bank.cards[1].msisdn, data, first_octet=0x31, validity=b"\x00").hex()
    await port.submit(pdu)
    await port.command("AT")
    bank.advance(301)
    await port.until(rb"\+CDS: 25\r\n[0-9A-F]+46\r\n")
    bank.modems[1].replug()
    await bank.modems[1].wait_running()
    assert bank.network.inbound == []


async def test_urcs_wait_for_the_final_result_where_the_model_does_so(make_bank: MakeBank, attach: Attach) -> None:
    for dialect, waits in (("simcom", True), ("quectel", False)):
        bank = await make_bank(dialect=dialect, chatter=False)
        port = await attach(bank.modems[0])
        port.send("AT+CMGS=18\r")
        await port.until(rb"> ")
        bank.modems[0].urc("RING")
        port.send("\x1b")
        octets = await port.until(rb"(?s)(OK.*RING|RING.*OK)")
        assert (octets.index(b"OK") < octets.index(b"RING")) == waits


async def test_text_mode_listing(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach)
    await port.command("AT+CMGF=1")
    bank.network.inject(bank.cards[0].msisdn, "plain", "+15551112222")
    bank.network.inject(bank.cards[0].msisdn, "ж", "Shop")
    await port.until(rb'"SM",2\r\n')
    assert (await port.command("AT+CMGR=1")).startswith('+CMGR: "REC UNREAD","+15551112222",,"')
    listing = await port.command('AT+CMGL="ALL"')
    assert '+CMGL: 1,"REC READ","+15551112222"' in listing
    assert "\nplain\n" in listing
    assert listing.endswith("0436\nOK")
    assert await port.command('AT+CMGL="NONSENSE"') == "+CMS ERROR: 305"


async def test_delete_flags(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await receiving(bank, attach)
    for text in ("read", "unread"):
        bank.network.inject(bank.cards[0].msisdn, text)
    await port.command("AT+CMGR=1")
    assert await port.command("AT+CMGD=?") == "+CMGD: (1,2),(0-4)\nOK"
    assert await port.command("AT+CMGD=1,1") == "OK"
    assert text_of(await port.command("AT+CMGL=4")) == ["unread"]
    assert await port.command("AT+CMGD=99") == "+CMS ERROR: 321"
    poor = await make_bank(dialect="poor")
    assert await (await attach(poor.modems[0])).command("AT+CMGD=1,4") == "ERROR"


async def test_memories_must_exist(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank()).modems[0])
    assert await port.command('AT+CPMS="XX"') == "+CMS ERROR: 302"
    assert await port.command('AT+CPMS="ME","SM"') == "+CPMS: 0,100,0,20,0,20\nOK"
    assert await port.command("AT+CPMS?") == '+CPMS: "ME",0,100,"SM",0,20,"SM",0,20\nOK'


# Line faults


async def test_noise_at_each_byte_of_an_answer(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    clean = b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n"
    for position in range(1, len(clean)):
        modem.faults.noise_at(position, b"<noise>")
        port.send("AT+CSQ\r")
        octets = await port.until(b"(?s).{%d}" % (len(clean) + 7))
        assert octets == clean[:position] + b"<noise>" + clean[position:]
    assert await port.command("AT+CSQ") == "+CSQ: 20,99\nOK"


@given(octets=st.binary(min_size=1, max_size=60), chance=st.floats(0, 1), seed=st.integers(0, 9))
def test_noise_only_adds(octets: bytes, chance: float, seed: int) -> None:
    faults = Faults(Random(seed))
    faults.noise(chance, b"\xff\xfe")
    spoiled = faults.spoil(octets)
    rest = iter(spoiled)
    assert all(octet in rest for octet in octets)
    assert (len(spoiled) - len(octets)) % 2 == 0


async def test_random_bytes_are_the_same_for_the_same_seed(make_bank: MakeBank, attach: Attach) -> None:
    seen = []
    for _ in range(2):
        bank = await make_bank(seed=7)
        port = await attach(bank.modems[0])
        bank.modems[0].faults.noise(0.5)
        before = bank.modems[0].terminal.sent
        port.send("AT+CSQ\r")
        await port.swallowed()
        await port.until(b"(?s).{%d}" % (bank.modems[0].terminal.sent - before))
        seen.append(bank.modems[0].terminal.sent - before)
    assert seen[0] == seen[1] > 21


async def test_a_flood_without_line_end_passes_whole(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.noise_at(2, b"x" * 65536)
    port.send("AT\r")
    octets = await port.until(rb"OK\r\n")
    assert octets == b"\r\n" + b"x" * 65536 + b"OK\r\n"


async def test_bytes_one_at_a_time(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].terminal.pace(1, 0.0001)
    assert await port.command("AT+CSQ") == "+CSQ: 20,99\nOK"
    assert (await port.submit()).startswith("+CMGS: 0")
    bank.modems[0].heal()
    assert await port.command("AT+CSQ") == "+CSQ: 20,99\nOK"


async def test_a_modem_that_stops_reading_blocks_the_host(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.terminal.pause_reading()
    written = 0
    while taken := port.try_send(b"x" * 1024):
        written += taken
        assert written < 1 << 20
    received = modem.terminal.received
    assert modem.terminal.received == received
    modem.terminal.resume_reading()
    async with asyncio.timeout(10):
        while modem.terminal.received < received + written:
            await asyncio.sleep(0)
    port.send("\r")
    assert await port.command("AT") == "OK"


async def test_a_host_that_does_not_read_loses_bytes_but_no_memory(make_bank: MakeBank) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    for _ in range(3000):
        modem.urc("x" * 1000)
    assert modem.terminal.queued <= (1 << 20) + 2000
    assert modem.terminal.sent > 0


# The port itself


async def test_the_port_can_be_closed_and_opened_again(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    for _ in range(3):
        port = await attach(bank.modems[0])
        assert (await port.submit()).startswith("+CMGS: ")
        port.close()
    assert len(bank.network.ledger) == 3


async def test_a_replugged_modem_has_another_name(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    for _ in range(5):
        before = modem.pts
        assert str(modem.path.resolve()) == before
        port = await attach(modem)
        modem.unplug()
        await port.gone()
        assert not modem.path.exists()
        assert modem.pts is None
        modem.replug()
        await modem.wait_running()
        assert modem.pts != before


async def test_a_bank_leaves_nothing_behind(make_bank: MakeBank, tmp_path: Any) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    async with Bank(BankConfig(modems=16, link_dir=tmp_path / "links")) as bank:
        assert len(list((tmp_path / "links").iterdir())) == 16
        bank.modems[3].unplug()
        bank.modems[4].reset()
    assert list((tmp_path / "links").iterdir()) == []
    assert open_files() == before
