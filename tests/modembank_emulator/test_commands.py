"""Every dialect answers a driver's start-up, as bytes and as text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modembank_emulator import DIALECTS, Stat, UssdAnswer, UssdForm
from modembank_emulator.dialects.quectel import QUECTEL_EP06, QUECTEL_REFUSES_DS1

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]
NAMES = sorted(DIALECTS)


@pytest.mark.parametrize(
    ("dialect", "octets"),
    [
        ("generic", b"AT\r\r\nOK\r\n"),
        ("quectel", b"AT\r\r\nOK\r\n"),
        ("huawei", b"AT\r\r\nOK\r\n"),
        ("simcom", b"AT\r\r\r\nOK\r\r\n"),
        ("poor", b"AT\r\r\nOK\r\n"),
    ],
)
async def test_echo_and_ok_byte_for_byte(make_bank: MakeBank, attach: Attach, dialect: str, octets: bytes) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await attach(bank.modems[0], quiet=False)
    port.send("AT\r")
    assert await port.until(rb"OK\r+\n") == octets


async def test_a_response_has_its_blank_line_before_ok(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="mixed", modems=4, chatter=False)
    for modem, eol in zip(bank.modems, (b"\r\n", b"\r\n", b"\r\r\n", b"\r\n"), strict=True):
        port = await attach(modem)
        port.send("AT+CSQ\r")
        assert await port.until(rb"OK\r+\n") == eol + b"+CSQ: 20,99" + eol + eol + b"OK" + eol


async def test_numeric_results(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    port.send("ATV0\r")
    assert await port.until(rb"\d\r") == b"0\r"
    port.send("AT+NOSUCH\r")
    assert await port.until(rb"\d\r") == b"4\r"
    port.send("AT+CSQ\r")
    assert await port.until(rb"\n0\r") == b"+CSQ: 20,99\r\n0\r"
    port.send("ATV1\r")
    assert await port.until(rb"OK\r\n") == b"\r\nOK\r\n"


@pytest.mark.parametrize("dialect", NAMES)
async def test_start_up_of_a_driver(make_bank: MakeBank, attach: Attach, dialect: str) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    modem = bank.modems[0]
    port = await attach(modem)
    caps = modem.caps
    assert await port.command("AT+CGMI") == f"{caps.manufacturer}\nOK"
    assert await port.command("AT+CGMM") == f"{caps.model}\nOK"
    assert caps.firmware in await port.command("AT+CGMR")
    assert await port.command("AT+CGSN") == f"{modem.imei}\nOK"
    assert await port.command("AT+CIMI") == f"{modem.sim.imsi}\nOK"
    assert await port.command("AT+CPIN?") == "+CPIN: READY\nOK"
    assert await port.command("AT+CMGF=0") == "OK"
    assert await port.command("AT+CMGF?") == "+CMGF: 0\nOK"
    assert await port.command("AT+CSCA?") == '+CSCA: "+15559990000",145\nOK'
    assert await port.command("AT+CREG?") == "+CREG: 0,1\nOK"
    assert await port.command("AT+CNUM") == f'+CNUM: "","{modem.sim.msisdn}",145\nOK'
    assert (await port.command("AT+COPS?")).startswith('+COPS: 0,0,"Emulated Mobile"')
    assert (await port.command("AT+CPMS=?")).endswith("OK")
    assert (await port.command("AT+CNMI=?")).endswith("OK")
    assert await port.command("ATZ") == "OK"


@pytest.mark.parametrize(
    ("dialect", "command", "prefix"),
    [
        ("quectel", "AT+QCCID", "+QCCID: "),
        ("huawei", "AT^ICCID?", "^ICCID: "),
        ("simcom", "AT+CICCID", "+CICCID: "),
        ("simcom", "AT+ICCID", "+ICCID: "),
        ("generic", "AT+CCID", "+CCID: "),
    ],
)
async def test_iccid_commands(make_bank: MakeBank, attach: Attach, dialect: str, command: str, prefix: str) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    for modem in bank.modems:
        answer = await (await attach(modem)).command(command)
        assert answer.removeprefix(prefix).removesuffix("\nOK").rstrip("F") == modem.sim.iccid


async def test_iccid_by_file_and_none_at_all(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    for modem in bank.modems:
        answer = await (await attach(modem)).command("AT+CRSM=176,12258,0,0,10")
        swapped = answer.split('"')[1]
        assert "".join(swapped[i + 1] + swapped[i] for i in range(0, 20, 2)).rstrip("F") == modem.sim.iccid
    poor = await make_bank(dialect="poor")
    port = await attach(poor.modems[0])
    for command in ("AT+CCID", "AT+ICCID", "AT+QCCID", "AT^ICCID?", "AT+CRSM=176,12258,0,0,10"):
        assert await port.command(command) == "ERROR"


async def test_error_forms(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    bank.modems[0].remove_sim()
    port = await attach(bank.modems[0])
    for level, answer in enumerate(("ERROR", "+CME ERROR: 10", "+CME ERROR: SIM not inserted")):
        assert await port.command(f"AT+CMEE={level}") == "OK"
        assert await port.command("AT+CPIN?") == answer
    assert await port.command("AT+CMGR=1") == "+CMS ERROR: SIM not inserted"
    assert await port.command("AT+CMEE=3") == "+CME ERROR: incorrect parameters"


async def test_compound_lines_work_or_fail_by_dialect(make_bank: MakeBank, attach: Attach) -> None:
    generic = await attach((await make_bank()).modems[0])
    assert await generic.command("ATE0+CMEE=1;+CREG=2") == "OK"
    assert await generic.command("AT+CSQ;+CREG?") == '+CSQ: 20,99\n+CREG: 2,1,"04CA","001DE445",7\nOK'
    assert await generic.command("AT+CSQ;+NOSUCH") == "+CSQ: 20,99\nERROR"
    huawei = await attach((await make_bank(dialect="huawei", chatter=False)).modems[0])
    assert await huawei.command("AT+CMEE=1;+CREG=2") == "ERROR"
    assert await huawei.command("AT+CREG?") == "+CREG: 0,1\nOK"


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("quectel", '+CREG: 2,1,"04CA","001DE445",7'),
        ("huawei", '+CREG: 2,1,"04CA","001DE445"'),
        ("poor", "+CREG: 2,1,4CA,1DE445"),
    ],
)
async def test_registration_forms(make_bank: MakeBank, attach: Attach, dialect: str, answer: str) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await attach(bank.modems[0])
    assert await port.command("AT+CREG=2") == "OK"
    assert await port.command("AT+CREG?") == f"{answer}\nOK"


async def test_registration_codes_follow_the_network(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    await port.command("AT+CREG=1")
    await port.command("AT+CEREG=2")
    bank.network.cell(False)
    await port.until(rb"\r\n\+CREG: 2\r\n\r\n\+CEREG: 2\r\n")
    assert await port.command("AT+CSQ") == "+CSQ: 99,99\nOK"
    bank.network.cell(True, [0])
    await port.until(rb'\r\n\+CREG: 1\r\n\r\n\+CEREG: 1,"04CA","001DE445",7\r\n')
    assert bank.modems[1].radio.stat is Stat.SEARCHING
    for verdict in (Stat.DENIED, Stat.ROAMING):
        modem.radio.set_verdict(verdict)
        await port.until(rb"\r\n\+CREG: %d\r\n" % verdict)


async def test_radio_off_and_on_heals_a_failing_card(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    await port.command("AT+CMEE=1")
    modem.remove_sim(13)
    assert await port.command("AT+CIMI") == "+CME ERROR: 13"
    assert await port.command("AT+CFUN=0") == "OK"
    assert await port.command("AT+CREG?") == "+CREG: 0,0\nOK"
    assert await port.command("AT+CFUN=1") == "OK"
    assert await port.command("AT+CIMI") == f"{modem.sim.imsi}\nOK"
    assert await port.command("AT+CREG?") == "+CREG: 0,1\nOK"


async def test_operator_choice(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank()).modems[0])
    assert await port.command("AT+COPS=3,2") == "OK"
    assert await port.command("AT+COPS?") == '+COPS: 0,2,"00101",7\nOK'
    assert await port.command("AT+COPS=2") == "OK"
    assert await port.command("AT+COPS?") == "+COPS: 2\nOK"
    assert await port.command("AT+COPS=0") == "OK"
    assert '"00101"' in await port.command("AT+COPS=?")


@pytest.mark.parametrize(
    ("dialect", "command", "before", "after"),
    [
        ("quectel", 'AT+QPINC="SC"', '"SC",3,10', '"SC",2,10'),
        ("huawei", "AT^CPIN?", "SIM PIN,3,10,3", "SIM PIN,2,10,2"),
        ("simcom", "AT+SPIC", "3,10", "2,10"),
        ("generic", "AT+CPINR", "SIM PIN,3,3", "SIM PIN,2,3"),
    ],
)
async def test_pin_counters(
    make_bank: MakeBank, attach: Attach, dialect: str, command: str, before: str, after: str
) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    bank.modems[0].require_pin("1234")
    port = await attach(bank.modems[0])
    await port.command("AT+CMEE=1")
    assert before in await port.command(command)
    assert await port.command('AT+CPIN="0000"') == "+CME ERROR: 16"
    assert after in await port.command(command)


async def test_pin_then_puk(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    modem.require_pin("1234")
    assert modem.radio.stat is Stat.IDLE
    port = await attach(modem)
    await port.command("AT+CMEE=1")
    assert await port.command("AT+CIMI") == "+CME ERROR: 11"
    assert await port.command("AT+CMGL=4") == "+CMS ERROR: 311"
    answers = [await port.command('AT+CPIN="1"') for _ in range(3)]
    assert answers == ["+CME ERROR: 16", "+CME ERROR: 16", "+CME ERROR: 12"]
    assert await port.command("AT+CPIN?") == "+CPIN: SIM PUK\nOK"
    assert await port.command('AT+CPIN="1234"') == "+CME ERROR: 12"
    assert await port.command('AT+CPIN="12345678","4321"') == "OK"
    assert modem.radio.stat is Stat.HOME
    assert await port.command('AT+CLCK="SC",2') == "+CLCK: 1\nOK"
    assert await port.command('AT+CLCK="SC",0,"4321"') == "OK"
    assert modem.sim.pin is None


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (UssdForm.PLAIN, '+CUSD: 0,"Balance 12.50 EUR",15'),
        (UssdForm.PLAIN_WITHOUT_DCS, '+CUSD: 0,"Balance 12.50 EUR"'),
        (UssdForm.PACKED, None),
        (UssdForm.PACKED_BARE, None),
        (UssdForm.UCS2_72, f'+CUSD: 0,"{"Balance 12.50 EUR".encode("utf-16-be").hex().upper()}",72'),
        (UssdForm.UCS2_15, f'+CUSD: 0,"{"Balance 12.50 EUR".encode("utf-16-be").hex().upper()}",15'),
    ],
)
async def test_ussd_answers(make_bank: MakeBank, attach: Attach, form: UssdForm, line: str | None) -> None:
    bank = await make_bank(caps=DIALECTS["generic"].but(ussd_form=form))
    port = await attach(bank.modems[0])
    assert await port.command('AT+CUSD=1,"*100#",15') == "OK"
    answer = (await port.until(rb"\+CUSD[^\r]+\r\n")).decode().strip()
    if line is not None:
        assert answer == line
    else:
        packed = bytes.fromhex(answer.split(",")[1].strip('"'))
        bits = int.from_bytes(packed, "little")
        assert "".join(chr(bits >> 7 * i & 127) for i in range(17)) == "Balance 12.50 EUR"


async def test_ussd_of_huawei_and_unknown_codes(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="huawei", chatter=False)
    bank.network.ussd["*101#"] = UssdAnswer("1 more", more=True)
    port = await attach(bank.modems[0])
    assert await port.command('AT+CUSD=1,"AA180C3602",15') == "OK"  # *100# packed
    await port.until(rb'\+CUSD: 0,"[0-9A-F]+",15\r\n')
    await port.command('AT+CUSD=1,"AA182C3602",15')
    await port.until(rb'\+CUSD: 1,"[0-9A-F]+",15\r\n')
    assert await port.command('AT+CUSD=1,"*100#",15') == "ERROR"
    generic = await attach((await make_bank()).modems[0])
    await generic.command('AT+CUSD=1,"*999#"')
    await generic.until(rb"\+CUSD: 4\r\n")


@pytest.mark.parametrize(
    ("dialect", "accepted", "refused"),
    [
        ("generic", "2,1,0,1,0", "3,1,0,1,0"),
        ("quectel", "2,1,0,2,0", "3,1,0,1,0"),
        ("huawei", "1,1,0,1,0", "2,1,0,1,0"),
        ("poor", "2,2,0,1,0", "2,1,0,1,0"),
    ],
)
async def test_routing_is_taken_refused_and_read_back(
    make_bank: MakeBank, attach: Attach, dialect: str, accepted: str, refused: str
) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await attach(bank.modems[0])
    assert await port.command(f"AT+CNMI={accepted}") == "OK"
    assert await port.command(f"AT+CNMI={refused}") in {"ERROR", "+CMS ERROR: 303"}
    assert await port.command("AT+CNMI?") == f"+CNMI: {accepted}\nOK"


async def test_variants_that_lie(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank(caps=QUECTEL_REFUSES_DS1)).modems[0])
    assert "(0-2),(0,1)" in await port.command("AT+CNMI=?")
    assert await port.command("AT+CNMI=2,1,0,1,0") == "+CMS ERROR: 303"
    old = await attach((await make_bank(caps=QUECTEL_EP06)).modems[0])
    assert await old.command("AT+CMGL=4") == "+CMS ERROR: 303"


async def test_poor_modems_lack_what_they_lack(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank(dialect="poor")).modems[0])
    assert await port.command("AT+CSMS=1") == "+CMS ERROR: 302"
    assert await port.command("AT+CPMS=?") == '+CPMS: "SM","SM","SM"\nOK'
    for command in ("AT+CMMS=2", "AT+CNMA", "AT+CESQ", "AT+CEREG?", "AT+CPINR"):
        assert await port.command(command) == "ERROR"


@pytest.mark.parametrize("name", ["+QINISTAT", "^SYSINFO", "+CPSI", "^GETPORTMODE"])
async def test_vendor_commands_belong_to_their_vendor(make_bank: MakeBank, attach: Attach, name: str) -> None:
    for dialect, caps in DIALECTS.items():
        port = await attach((await make_bank(dialect=dialect, chatter=False)).modems[0])
        answer = await port.command(f"AT{name}?" if name == "+CPSI" else f"AT{name}")
        assert answer.endswith("OK") == (name in caps.extras)


async def test_chatter_comes_and_stops(make_bank: MakeBank, attach: Attach) -> None:
    caps = DIALECTS["huawei"].but(chatter=("^RSSI:17",), chatter_chance=1.0)
    port = await attach((await make_bank(caps=caps)).modems[0])
    assert await port.command("AT") == "^RSSI:17\nOK"
    assert await port.command("AT^CURC=0") == "^RSSI:17\nOK"
    assert await port.command("AT") == "OK"


async def test_reset_reenumerates_usb_modems_and_forgets_settings(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="quectel", chatter=False)
    modem = bank.modems[0]
    port = await attach(modem)
    await port.command("AT+CNMI=2,1,0,1,0")
    before = modem.pts
    assert await port.command("AT+CFUN=1,1") == "OK"
    await port.gone()
    await modem.wait_running()
    assert modem.pts not in {None, before}
    again = await attach(modem, quiet=False)
    await again.until(rb"(?s)RDY\r\n.*SMS DONE.*PB DONE\r\n")
    assert "AT+CNMI?\n+CNMI: 0,0,0,0,0\nOK" in await again.command("AT+CNMI?")


async def test_a_serial_modem_keeps_its_port_in_a_reset(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(caps=DIALECTS["generic"].but(boot_urcs=("RDY",)))
    modem = bank.modems[0]
    port = await attach(modem)
    before = modem.pts
    await port.command("AT+CFUN=1,1")
    await port.until(rb"RDY\r\n")
    assert modem.pts == before
    assert not port.hung_up


async def test_lines_without_at_are_met_with_silence(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank()).modems[0])
    await port.silent("hello\r")
    await port.silent(b"\x1b\x1a\x00")
    await port.silent(b"x" * 9000)
    assert await port.command("\x1bAT") == "OK"


async def test_ringing(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    await port.command("AT+CLIP=1")
    bank.modems[0].radio.ring("+15551112222", times=2)
    await port.until(rb'RING\r\n\r\n\+CLIP: "\+15551112222",145')
    bank.advance(6)
    await port.until(rb"RING")
