"""Commands form by form: test, read, set, what is refused and how (3GPP TS 27.005, TS 27.007, ITU-T V.250)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modembank_emulator import DIALECTS, Fixed, LatencyModel, Stat
from modembank_emulator import pdu as tpdu

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]

# (command, how many values its test form lists, a set form, the read form after it)
SETTINGS = [
    ("+CMEE", "(0-2)", "=2", "2"),
    ("+CMGF", "(0,1)", "=1", "1"),
    ("+CMGF", "(0,1)", "=0", "0"),
    ("+CMMS", "(0-2)", "=2", "2"),
    ("+CREG", "(0-2)", "=1", "1,1"),
    ("+CGREG", "(0-2)", "=1", "1,1"),
    ("+CEREG", "(0-2)", "=0", "0,1"),
    ("+CFUN", "(0,1,4),(0,1)", "=4", "4"),
    ("+CGSMS", "(0-3)", "=1", "3"),
    ("+CSCS", '("GSM","IRA","UCS2")', '="UCS2"', '"UCS2"'),
    ("+CSMS", "(0,1)", "=1", "1,1,1,1"),
    ("+CUSD", "(0-2)", "=1", "1"),
    ("+CNMI", "(0-2),(0-3),(0,2),(0-2),(0,1)", "=2,1,0,1,1", "2,1,0,1,1"),
    ("+CPMS", '("SM","ME"),("SM","ME"),("SM","ME")', '="ME","ME","ME"', '"ME",0,100,"ME",0,100,"ME",0,100'),
]


@pytest.mark.parametrize(("name", "offer", "setting", "read"), SETTINGS, ids=[row[0] + row[2] for row in SETTINGS])
async def test_test_set_and_read(
    make_bank: MakeBank, attach: Attach, name: str, offer: str, setting: str, read: str
) -> None:
    port = await attach((await make_bank()).modems[0])
    assert await port.command(f"AT{name}=?") == f"{name}: {offer}\nOK"
    assert (await port.command(f"AT{name}{setting}")).endswith("OK")
    assert await port.command(f"AT{name}?") == f"{name}: {read}\nOK"
    assert (await port.command(f"at{name.lower()}?")).endswith("OK")  # commands know no case (V.250 5.2.1)
    assert await port.command("ATZ") == "OK"
    assert await port.command("AT+CMEE?") == "+CMEE: 0\nOK"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("AT+CREG=9", "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ("AT+CFUN=7", "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ("AT+COPS=9", "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ('AT+CSCS="KOI8"', "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ('AT+CLCK="XX",2', "+CME ERROR: 4", "+CME ERROR: operation not supported"),
        ('AT+CLCK="SC",1', "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ("AT+CPIN=", "+CME ERROR: 50", "+CME ERROR: incorrect parameters"),
        ('AT+CPIN="1234"', "+CME ERROR: 3", "+CME ERROR: operation not allowed"),
    ],
)
async def test_what_is_refused_and_in_which_form(
    make_bank: MakeBank, attach: Attach, line: str, code: str, words: str
) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    before = bank.modems[0].settings, bank.cards[0].pin
    for level, answer in ((0, "ERROR"), (1, code), (2, words)):
        await port.command(f"AT+CMEE={level}")
        assert await port.command(line) == answer
    assert bank.modems[0].radio.stat is Stat.HOME
    assert (bank.modems[0].settings, bank.cards[0].pin) == before


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("AT+CMGF=2", 303),
        ("AT+CSMS=7", 302),
        ("AT+CMGS=6", 304),
        ("AT+CMGS=200", 304),
        ("AT+CMGS?", 302),
        ("AT+CMGL=5", 304),
        ("AT+CMGR=0", 321),
        ("AT+CMGR=21", 321),
        ("AT+CMGR", 321),
        ("AT+CMGD=0", 321),
        ("AT+CMSS=1", 321),
        ('AT+CPMS="SM","SM","SM","SM"', 302),
        ('AT+CPMS="SR"', 302),
        ("AT+CNMI=1,2,3,4,5,6", 303),
        ("AT+CNMI=2,1,9,1,0", 303),
        ("AT+CNMA", 340),
        ('AT+CSCA="nobody"', 304),
    ],
)
async def test_message_commands_fail_with_their_own_codes(
    make_bank: MakeBank, attach: Attach, line: str, code: int
) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    for level in (0, 1):
        await port.command(f"AT+CMEE={level}")
        assert await port.command(line) == f"+CMS ERROR: {code}"
    await port.command("AT+CMEE=2")
    answer = await port.command(line)
    assert answer.startswith("+CMS ERROR: ")
    assert not answer.endswith(str(code))
    assert bank.network.ledger == []


@pytest.mark.parametrize("line", ["AT+CREG=one", "AT+NOSUCH", "AT+", "AT=", "AT?", "AT+CMGD=1,9", "ATD123;", "AT+CRC?"])
async def test_lines_that_are_plain_errors_at_every_level(make_bank: MakeBank, attach: Attach, line: str) -> None:
    port = await attach((await make_bank()).modems[0])
    for level in (0, 1, 2):
        await port.command(f"AT+CMEE={level}")
        assert await port.command(line) == "ERROR"
    assert await port.command("AT") == "OK"


# Memory of the card


async def test_slots_are_filled_from_the_lowest_and_used_again(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(sim_slots=4)
    card = bank.cards[0]
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,0,0")
    for place in (1, 2, 3, 4):
        bank.network.inject(card.msisdn, f"first {place}")
        await port.until(rb'\+CMTI: "SM",%d\r\n' % place)
    for place in (3, 1):
        assert await port.command(f"AT+CMGD={place}") == "OK"
    for place in (1, 3):
        bank.network.inject(card.msisdn, f"second {place}")
        await port.until(rb'\+CMTI: "SM",%d\r\n' % place)
    bank.network.inject(card.msisdn, "no room")
    assert (await port.command("AT+CPMS?")).startswith('+CPMS: "SM",4,4')
    listed = await port.command("AT+CMGL=4")
    pdus = [line for line in listed.split("\n") if len(line) > 30]
    texts = [tpdu.decode_user_data(bytes.fromhex(pdu)).text() for pdu in pdus]
    assert texts == ["second 1", "first 2", "second 3", "first 4"]
    assert len(card.waiting) == 1


async def test_what_waits_longest_comes_before_what_comes_next(make_bank: MakeBank) -> None:
    bank = await make_bank(sim_slots=2)
    card, modem = bank.cards[0], bank.modems[0]
    for text in ("one", "two", "three", "four"):
        bank.network.inject(card.msisdn, text)
    card.store.slots.clear()
    modem.reception.make_room()  # the network is told; before it acts another message arrives
    bank.network.inject(card.msisdn, "five")
    card.store.slots.clear()
    bank.network.flush(card)
    card.store.slots.clear()
    bank.network.flush(card)
    assert [seen.text for seen in bank.network.inbound] == ["one", "two", "three", "four", "five"]


async def test_a_listing_marks_as_read_what_it_shows(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    for text in ("one", "two"):
        bank.network.inject(bank.cards[0].msisdn, text)
    assert (await port.command("AT+CMGR=2")).startswith("+CMGR: 0,")
    assert "+CMGL: 1,0," in (unread := await port.command("AT+CMGL=0"))
    assert "+CMGL: 2," not in unread
    assert await port.command("AT+CMGL=0") == "OK"
    assert (await port.command("AT+CMGL=1")).count("+CMGL: ") == 2
    assert await port.command("AT+CMGD=1,1") == "OK"
    assert await port.command("AT+CMGL=4") == "OK"


# PIN and PUK of the card


async def test_a_pin_is_set_asked_for_and_taken_away(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem, card = bank.modems[0], bank.cards[0]
    port = await attach(modem)
    await port.command("AT+CMEE=1")
    assert await port.command('AT+CLCK="SC",2') == "+CLCK: 0\nOK"
    assert await port.command('AT+CLCK="SC",1,"2468"') == "OK"
    assert await port.command("AT+CPIN?") == "+CPIN: READY\nOK"  # from the next start on
    modem.reset(reenumerate=False)
    await modem.wait_running()
    await port.command("ATE0")
    await port.command("AT+CMEE=1")
    assert await port.command("AT+CPIN?") == "+CPIN: SIM PIN\nOK"
    assert await port.command("AT+CREG?") == "+CREG: 0,0\nOK"
    assert await port.command('AT+CPIN="1111"') == "+CME ERROR: 16"
    assert card.pin_tries == 2
    assert await port.command('AT+CPIN="2468"') == "OK"
    assert card.pin_tries == 3
    assert await port.command("AT+CREG?") == "+CREG: 0,1\nOK"
    assert await port.command('AT+CLCK="SC",0,"2468"') == "OK"
    modem.reset(reenumerate=False)
    await modem.wait_running()
    assert "+CPIN: READY" in await port.command("AT+CPIN?")


async def test_ten_wrong_puks_end_the_card(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    card = bank.cards[0]
    bank.modems[0].require_pin("1234")
    port = await attach(bank.modems[0])
    await port.command("AT+CMEE=1")
    for _ in range(3):
        await port.command('AT+CPIN="0"')
    for left in range(9, -1, -1):
        assert await port.command('AT+CPIN="00000000","1234"') == "+CME ERROR: 16"
        assert card.puk_tries == left
    assert await port.command(f'AT+CPIN="{card.puk}","1234"') == "+CME ERROR: 16"  # also the right one
    assert await port.command("AT+CPINR") == "+CPINR: SIM PIN,0,3\n+CPINR: SIM PUK,0,10\nOK"


# Registration


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_registration_codes_by_mode(make_bank: MakeBank, attach: Attach, dialect: str, mode: int) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await attach(bank.modems[0])
    await port.command(f"AT+CREG={mode}")
    port.buffer.clear()
    bank.network.cell(False)
    bank.network.cell(False)  # nothing changes: nothing is said
    bank.network.cell(True)
    bank.modems[0].radio.set_verdict(Stat.ROAMING)
    await port.command("AT+CGSN")
    asked = await port.command("AT+CREG?")
    bank.modems[0].radio.set_verdict(Stat.DENIED)
    bank.modems[0].urc("END")
    said = (await port.until(rb"END")).decode()
    assert asked.startswith(f"+CREG: {mode},5")
    assert ('"04CA"' in asked or "4CA" in asked) is (mode == 2)
    assert said.count("+CREG: 3") == (mode > 0)
    assert ("4CA" in said) is False  # no cell without a network


async def test_a_modem_without_network_refuses_to_send_and_says_why(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    for stat in (Stat.SEARCHING, Stat.DENIED, Stat.IDLE):
        bank.modems[0].radio.set_verdict(stat)
        assert await port.submit() == "+CMS ERROR: 331"
    bank.modems[0].radio.set_verdict(Stat.ROAMING)
    assert await port.submit() == "+CMGS: 0\nOK"  # what the modem refused by itself took no reference


# Power


async def test_a_second_reset_during_the_boot_makes_one_complete_boot(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(latency=_slow(), caps=DIALECTS["generic"].but(ready_urcs=("SMS DONE",)))
    modem = bank.modems[0]
    modem.reset()
    bank.advance(5.1)  # up, but messages are not ready yet
    assert (modem.running, modem.sms_ready) == (True, False)
    port = await attach(modem)
    assert await port.command("AT+CFUN=1,1") == "OK"
    bank.advance(0.2)
    assert modem.running is False
    bank.advance(4.0)  # when the first boot would have been ready
    assert modem.sms_ready is False
    bank.advance(2.0)
    assert (modem.running, modem.sms_ready) == (True, False)
    bank.advance(3.0)
    assert modem.sms_ready is True
    assert bytes(port.buffer).count(b"SMS DONE") <= 1


async def test_what_came_while_a_modem_hung_is_there_once_it_is_well(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,1,0")
    bank.modems[0].faults.hang()
    bank.network.inject(bank.cards[0].msisdn, "while hung")
    assert len(bank.cards[0].waiting) == 1
    bank.modems[0].heal()
    await port.until(rb'\+CMTI: "SM",1\r\n')


def _slow() -> Any:
    return LatencyModel(boot=Fixed(5), sms_ready=Fixed(3))
