"""The bank as a whole: boot, cards that move, many modems at once, books that agree, another event loop."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop

from modembank_emulator import DIALECTS, Bank, BankConfig, Fixed, LatencyModel, ReportPlan, Stage, Stat, Step
from modembank_emulator import pdu as tpdu

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]
OUTSIDE = "+491701234567"
SLOW_BOOT = LatencyModel(boot=Fixed(10), sms_ready=Fixed(5), registration=Fixed(8))


def submit(text: str, to: str = OUTSIDE, *, report: bool = True) -> str:
    data = tpdu.encode_user_data(text)
    return tpdu.encode_submit(to, data, first_octet=0x21 if report else 0x01).hex().upper()


# Boot


async def test_a_boot_goes_through_its_phases(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="quectel", latency=SLOW_BOOT, chatter=False, modems=1)
    modem = bank.modems[0]
    bank.advance(9)  # the registration of the first start
    modem.replug()
    assert modem.pts is None
    bank.advance(11)
    await modem.wait_running()
    port = await attach(modem)
    await port.command("AT+CREG=1")
    assert await port.command("AT+CPIN?") == "+CPIN: READY\nOK"
    assert await port.command("AT+CMGL=4") == "+CMS ERROR: 515"
    assert await port.command("AT+CREG?") == "+CREG: 1,2\nOK"
    bank.advance(6)
    await port.until(rb"\+QUSIM: 1\r\n\r\n\+QIND: SMS DONE\r\n\r\n\+QIND: PB DONE\r\n")
    assert await port.command("AT+CMGL=4") == "OK"
    assert await port.submit(submit("x")) == "+CMS ERROR: 331"
    bank.advance(3)
    await port.until(rb"\+CREG: 1\r\n")
    assert await port.submit(submit("x")) == "+CMGS: 0\nOK"


async def test_messages_for_a_booting_modem_wait(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(latency=SLOW_BOOT, modems=1)
    bank.advance(9)
    bank.modems[0].reset()
    bank.network.inject(bank.cards[0].msisdn, "early bird")
    assert bank.network.inbound == []
    bank.advance(11)
    assert bank.network.inbound == []
    bank.advance(14)
    port = await attach(bank.modems[0])
    await port.command("AT")
    assert [seen.text for seen in bank.network.inbound] == ["early bird"]


async def test_a_locked_card_is_locked_again_after_a_boot(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="quectel", chatter=False)
    modem = bank.modems[0]
    modem.require_pin("1234")
    port = await attach(modem)
    assert await port.command('AT+CPIN="1234"') == "OK"
    assert modem.radio.stat is Stat.HOME
    modem.reset(reenumerate=False)
    octets = await port.until(rb"RDY\r\n")
    assert b"CPIN" not in octets
    await port.until(rb"PB DONE\r\n")
    assert "SIM PIN" in await port.command("AT+CPIN?")
    assert modem.radio.stat is Stat.IDLE


async def test_settings_are_lost_and_stored_messages_are_not(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="quectel", chatter=False)
    modem = bank.modems[0]
    bank.network.inject(modem.sim.msisdn, "in the modem")
    port = await attach(modem)
    await port.command('AT+CPMS="ME","ME","SM"')
    bank.network.inject(modem.sim.msisdn, "on the card")
    modem.replug(sim=bank.new_card())
    await modem.wait_running()
    port = await attach(modem)
    await port.command("AT")
    assert (await port.command("AT+CPMS?")).startswith('+CPMS: "ME",1,180,"ME",1,180,"ME",1,180')
    assert (await port.command('AT+CPMS="SM"')).startswith("+CPMS: 0,20")


# Cards


async def test_an_empty_modem_gets_a_card(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    await port.command("AT+CREG=1")
    card = modem.sim
    modem.remove_sim()
    await port.until(rb"\+CREG: 0\r\n")
    bank.network.inject(card.msisdn, "while out")
    bank.network.cell(False)
    bank.network.cell(True)
    assert modem.radio.stat is Stat.IDLE
    modem.insert_sim(card)
    await port.until(rb"\+CREG: 1\r\n")
    await port.command("AT")
    assert [seen.text for seen in bank.network.inbound] == ["while out"]


async def test_a_card_is_in_one_modem_only(make_bank: MakeBank) -> None:
    bank = await make_bank(modems=2)
    first, second = bank.modems
    card = first.sim
    displaced = second.sim
    second.insert_sim(card)
    assert (first.sim, second.sim, card.modem, displaced.modem) == (None, card, second, None)
    assert first.radio.stat is Stat.IDLE
    assert second.radio.stat is Stat.HOME


async def test_every_card_has_numbers_of_its_own(make_bank: MakeBank) -> None:
    bank = await make_bank(modems=64, msisdn="+4917000{:05d}")
    for field in ("iccid", "imsi", "msisdn"):
        assert len({getattr(card, field) for card in bank.cards}) == 64
    assert bank.cards[63].msisdn == "+491700000064"
    assert len({modem.imei for modem in bank.modems}) == 64
    assert len({modem.pts for modem in bank.modems}) == 64


# Network


async def test_reports_are_not_held_up_by_a_full_card(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(sim_slots=1)
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,1,0")
    for text in ("one", "two", "three"):
        bank.network.inject(bank.cards[0].msisdn, text)
    bank.network.plan_reports(OUTSIDE, ReportPlan((Step(delay=60),)))
    await port.submit(submit("x"))
    bank.network.cell(False)
    bank.advance(61)
    assert len(bank.cards[0].waiting_reports) == 1
    bank.network.cell(True)
    await port.until(rb"\+CDS: 25\r\n[0-9A-F]+\r\n")
    assert [item.pdu_hex[-6:] for item in bank.cards[0].waiting] != []
    assert len(bank.cards[0].waiting) == 2


async def test_waiting_messages_come_in_order(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(sim_slots=3)
    port = await attach(bank.modems[0])
    texts = [f"number {number}" for number in range(10)]
    for text in texts:
        bank.network.inject(bank.cards[0].msisdn, text)
    while bank.cards[0].waiting:
        await port.command("AT+CMGD=1,4")
    await port.command("AT")
    assert [seen.text for seen in bank.network.inbound] == texts


async def test_delivery_and_report_take_their_time(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(latency=LatencyModel(delivery=Fixed(30), report=Fixed(10)))
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,1,0")
    await port.submit(submit("x", bank.cards[1].msisdn))
    bank.advance(20)
    assert bank.network.inbound == []
    bank.advance(15)
    assert len(bank.network.inbound) == 1
    assert bank.network.reports == []
    bank.advance(10)
    await port.until(rb"\+CDS: 25\r\n")
    sent, delivered, reported = (
        bank.network.ledger[0].at,
        bank.network.inbound[0].at,
        bank.network.reports[0].at,
    )
    assert delivered - sent == pytest.approx(30, abs=1)
    assert reported - delivered == pytest.approx(10, abs=1)


async def test_a_report_for_a_message_the_card_could_not_hold_comes_when_it_can(
    make_bank: MakeBank, attach: Attach
) -> None:
    bank = await make_bank(sim_slots=1)
    sender, recipient = await attach(bank.modems[0]), await attach(bank.modems[1])
    await sender.command("AT+CNMI=2,1,0,1,0")
    bank.network.inject(bank.cards[1].msisdn, "in the way")
    await sender.submit(submit("x", bank.cards[1].msisdn))
    await sender.command("AT")
    assert bank.network.reports == []
    await recipient.command("AT+CMGD=1")
    await sender.until(rb"\+CDS: 25\r\n")
    assert [seen.status for seen in bank.network.reports] == [0]


async def test_an_explicit_plan_speaks_even_for_numbers_of_the_bank(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    bank.network.plan_reports(bank.cards[1].msisdn, "failed")
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,1,0")
    await port.submit(submit("x", bank.cards[1].msisdn))
    await port.command("AT")
    assert [seen.status for seen in bank.network.reports] == [0x42]
    assert len(bank.network.inbound) == 1


async def test_unknown_plans_and_numbers_are_refused(make_bank: MakeBank) -> None:
    bank = await make_bank()
    with pytest.raises(KeyError):
        bank.network.plan_reports(OUTSIDE, "perhaps")
    with pytest.raises(KeyError):
        bank.network.inject("+999", "x")


# Books that agree


async def converse(bank: Bank, index: int, attach: Attach, told: Counter[tuple[str, int]], unknown: list[str]) -> None:
    """Send twenty messages, meeting whatever faults are armed, and write down what the host was told."""
    modem = bank.modems[index]
    card = modem.sim
    assert card is not None
    port = await attach(modem)
    await port.command("AT+CNMI=1,1,0,1,0")
    for number in range(20):
        text = f"{index}-{number}"
        pdu = submit(text, bank.cards[(index + number) % len(bank.cards)].msisdn)
        count = len(bank.network.ledger)
        port.buffer.clear()
        port.send(f"AT+CMGS={len(pdu) // 2 - 1}\r")
        await port.until(rb"> ")
        port.send(pdu + "\x1a")
        await port.swallowed()
        port.send("AT+CGSN\r")
        answer = await port.until(rb"\b%b\b" % modem.imei.encode())
        found = re.search(rb"\+CMGS: (\d+)", answer)
        if found:
            told[card.imsi, int(found[1])] += 1
        elif b"CMS ERROR" not in answer or len(bank.network.ledger) > count:
            unknown.append(text)


@pytest.mark.parametrize("seed", range(4))
async def test_what_hosts_were_told_and_what_the_network_saw_agree(
    make_bank: MakeBank, attach: Attach, seed: int
) -> None:
    bank = await make_bank(modems=6, dialect="mixed", seed=seed, sim_slots=200)
    random = Random(seed)
    sent_in_silence = refused = 0
    for modem in bank.modems:
        for place in random.sample(range(1, 21), 5):
            kind, sent = random.choice([("drop_final", True), ("cms_error", False), ("cms_error", True)])
            modem.faults.arm(kind, nth=place, code=random.choice([38, 500, 512]), sent=sent)
            sent_in_silence += sent
            refused += not sent
    told: Counter[tuple[str, int]] = Counter()
    unknown: list[str] = []
    for index in range(6):
        await converse(bank, index, attach, told, unknown)
    network = bank.network
    assert set(told.values()) == {1}
    assert len(network.ledger) == 6 * 20 - refused
    assert len(told) == 6 * 20 - refused - sent_in_silence
    seen = Counter((entry.imsi, entry.mr) for entry in network.ledger)
    assert set(seen.values()) == {1}
    assert not told - seen
    assert len({entry.text for entry in network.ledger}) == len(network.ledger)
    # Each accepted message was delivered once and reported once.
    assert Counter(entry.text for entry in network.inbound) == Counter(entry.text for entry in network.ledger)
    assert Counter((entry.imsi, entry.mr) for entry in network.reports) == seen


async def test_sixty_four_modems_at_once(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(modems=64, dialect="mixed", sim_slots=200)
    ports = await asyncio.gather(*(attach(modem) for modem in bank.modems))
    for _ in range(5):
        answers = await asyncio.gather(*(port.submit(submit("x")) for port in ports))
        assert all("+CMGS: " in answer for answer in answers)
    assert Counter(seen.imsi for seen in bank.network.ledger) == {card.imsi: 5 for card in bank.cards}
    stats = bank.stats()
    assert (stats["submits"], stats["accepted"], stats["outside"]) == (320, 320, 320)
    assert [modem["cmgs_count"] for modem in stats["modems"]] == [5] * 64


async def test_one_broken_modem_leaves_the_others_alone(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(modems=4)
    ports = [await attach(modem) for modem in bank.modems]
    bank.modems[0].faults.hang()
    bank.modems[1].terminal.pause_reading()
    bank.modems[2].faults.arm("unplug", stage=Stage.COMMAND)
    for port in ports[:3]:
        port.send("AT+CMGS=18\r")
    assert (await ports[3].submit(submit("x"))).startswith("+CMGS: 0")
    assert [seen.imsi for seen in bank.network.ledger] == [bank.cards[3].imsi]


async def test_the_same_seed_gives_the_same_bank(make_bank: MakeBank, attach: Attach) -> None:
    shown = []
    for _ in range(2):
        bank = await make_bank(dialect="huawei", seed=11, caps=DIALECTS["huawei"].but(chatter_chance=0.5))
        port = await attach(bank.modems[0])
        answers = [await port.command("AT+CSQ") for _ in range(20)]
        shown.append(answers)
    assert shown[0] == shown[1]
    assert len(set(shown[0])) > 1


def test_it_runs_on_uvloop_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with Bank(BankConfig(modems=2, dialect="generic", link_dir=tmp_path)) as bank:
            process = await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                f"exec 3<>{bank.modems[0].path}; printf 'AT\\r' >&3; head -c 9 <&3",
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            assert output == b"AT\r\r\nOK\r\n"
            bank.modems[0].unplug()
            bank.modems[0].replug()
            await bank.modems[0].wait_running()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
