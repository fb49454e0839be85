"""CMGS through ptys: results, ledgers, delivery reports in every order, and every fault of a send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modembank_emulator import DIALECTS, Fixed, LatencyModel, Mute, ReportPlan, Stage, Stat, Step, When
from modembank_emulator import pdu as tpdu

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]
OUTSIDE = "+491701234567"


def submit(text: str = "hello", to: str = OUTSIDE, *, report: bool = False, concat: tpdu.Concat | None = None) -> str:
    data = tpdu.encode_user_data(text, concat=concat)
    return tpdu.encode_submit(to, data, first_octet=0x21 if report else 0x01).hex().upper()


@pytest.mark.parametrize("dialect", ["quectel", "huawei", "simcom", "generic", "poor"])
async def test_a_message_leaves_and_is_in_the_ledger(make_bank: MakeBank, attach: Attach, dialect: str) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await attach(bank.modems[0])
    port.send("AT+CMGS=18\r")
    assert await port.until(rb"> ") == b"\r\n> "
    pdu = submit()
    assert len(pdu) // 2 - 1 == 18
    port.send(pdu + "\x1a")
    eol = bank.modems[0].caps.eol.encode()
    assert await port.until(rb"OK\r+\n") == eol + b"+CMGS: 0" + eol + eol + b"OK" + eol
    (seen,) = bank.network.ledger
    assert (seen.imsi, seen.destination, seen.mr, seen.outcome) == (bank.cards[0].imsi, OUTSIDE, 0, "accepted")
    assert (seen.pdu_hex, seen.text, seen.concat) == (pdu, "hello", None)
    assert bank.network.outside == [seen]
    assert bank.modems[0].cmgs_count == 1


async def test_the_pdu_is_echoed_while_the_echo_is_on(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0], quiet=False)
    port.send("AT+CMGS=18\r")
    await port.until(rb"AT\+CMGS=18\r\r\n> ")
    port.send(submit() + "\x1a")
    assert (await port.until(rb"OK\r\n")).startswith(submit().encode() + b"\r\n+CMGS: 0")


async def test_type_ahead_works_as_on_a_serial_line(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    port.send("AT+CMGS=18\r" + submit() + "\x1aAT+CSQ\r")
    assert b"+CMGS: 0" in await port.until(rb"\+CSQ: 20,99\r\n\r\nOK\r\n")


async def test_escape_cancels_with_ok_and_nothing_is_sent(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    port.send(submit()[:10] + "\x1b")
    assert await port.until(rb"OK\r\n") == b"\r\nOK\r\n"
    assert bank.network.ledger == []
    poor = await make_bank(dialect="poor")
    port = await attach(poor.modems[0])
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    await port.silent("\x1b")
    assert await port.command("AT") == "OK"


@pytest.mark.parametrize(
    ("length", "pdu"), [(17, submit()), (18, "xx"), (18, submit()[:-2]), (18, "00" + "04" + submit()[4:])]
)
async def test_malformed_pdus_are_refused(make_bank: MakeBank, attach: Attach, length: int, pdu: str) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    port.send(f"AT+CMGS={length}\r")
    await port.until(rb"> ")
    port.send(pdu + "\x1a")
    assert b"+CMS ERROR: 304" in await port.until(rb"\d\r\n")
    assert bank.network.ledger == []


async def test_what_the_modem_refuses_by_itself(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.radio.set_verdict(Stat.DENIED)
    assert await port.submit() == "+CMS ERROR: 331"
    modem.radio.set_verdict(Stat.HOME)
    modem.sim.smsc = ""
    assert await port.submit() == "+CMS ERROR: 330"
    with_smsc = tpdu.encode_smsc("+15559990000").hex() + submit()[2:]
    assert (await port.submit(with_smsc)).startswith("+CMGS: ")
    modem.remove_sim()
    assert await port.command("AT+CMGS=18") == "+CMS ERROR: 310"
    assert [seen.outcome for seen in bank.network.ledger] == ["accepted"]


async def test_validity_is_refused_by_poor_modems(make_bank: MakeBank, attach: Attach) -> None:
    port = await attach((await make_bank(dialect="poor")).modems[0])
    assert await port.submit() == "+CMS ERROR: 304"
    assert (await port.submit(submit())).startswith("+CMGS: ")


async def test_refusals_of_the_network_count_a_reference_each(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.network.refuse(OUTSIDE, 30)
    assert await port.submit(submit()) == "+CMS ERROR: 30"
    bank.network.refuse(OUTSIDE, None)
    bank.modems[0].sim.credit = False
    assert await port.submit(submit()) == "+CMS ERROR: 38"
    bank.modems[0].sim.credit = True
    bank.network.decide = lambda number: 42 if number == OUTSIDE else None
    assert await port.submit(submit()) == "+CMS ERROR: 42"
    bank.network.decide = None
    assert await port.submit(submit()) == "+CMGS: 3\nOK"
    outcomes = [(seen.mr, seen.outcome) for seen in bank.network.ledger]
    assert outcomes == [(0, "refused:30"), (1, "refused:38"), (2, "refused:42"), (3, "accepted")]


async def test_references_belong_to_the_card_and_wrap(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    first = await attach(bank.modems[0])
    bank.cards[0].last_reference = 254
    assert await first.submit(submit()) == "+CMGS: 255\nOK"
    assert await first.submit(submit()) == "+CMGS: 0\nOK"
    bank.modems[1].replug(sim=bank.cards[0])
    await bank.modems[1].wait_running()
    second = await attach(bank.modems[1])
    assert await second.submit(submit()) == "+CMGS: 1\nOK"
    assert await first.command("AT+CMGS=18") == "+CMS ERROR: 310"


async def test_time_inside_cmgs_is_added_up(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(latency=LatencyModel(prompt=Fixed(2), submit=Fixed(30)))
    modem = bank.modems[0]
    port = await attach(modem)
    await port.silent("AT+CMGS=18\r")
    bank.advance(2)
    await port.until(rb"> ")
    await port.silent(submit() + "\x1a")
    bank.advance(30)
    await port.until(rb"\+CMGS: 0\r\n\r\nOK\r\n")
    assert modem.cmgs_busy_s == pytest.approx(32, abs=5)


async def test_input_during_a_send_waits_its_turn(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(latency=LatencyModel(submit=Fixed(30)))
    port = await attach(bank.modems[0])
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    await port.silent(submit() + "\x1a")
    await port.silent("AT+CSQ\r")
    bank.advance(30)
    assert (await port.until(rb"\+CSQ[^\r]+\r\n\r\nOK\r\n")).startswith(b"\r\n+CMGS: 0\r\n\r\nOK\r\n\r\n+CSQ")


async def test_text_mode(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    await port.command("AT+CMGF=1")
    assert await port.command("AT+CSMP=49,167,0,0") == "OK"
    port.send(f'AT+CMGS="{OUTSIDE}"\r')
    await port.until(rb"> ")
    port.send("text mode\x1a")
    await port.until(rb"\+CMGS: 0\r\n\r\nOK\r\n")
    (seen,) = bank.network.ledger
    assert (seen.text, seen.destination, seen.wants_report) == ("text mode", OUTSIDE, True)


async def test_write_then_send_from_memory(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    port.send("AT+CMGW=18\r")
    await port.until(rb"> ")
    port.send(submit() + "\x1a")
    await port.until(rb"\+CMGW: 1\r\n\r\nOK\r\n")
    assert await port.command("AT+CMGR=1") == f"+CMGR: 2,,18\n{submit()}\nOK"
    assert await port.command("AT+CMSS=1") == "+CMGS: 0\nOK"
    assert await port.command("AT+CMSS=2") == "+CMS ERROR: 321"


async def test_the_card_goes_while_the_prompt_is_open(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    for command, answer in (("AT+CMGS=18", "310"), ("AT+CMGW=18", "310")):
        bank.modems[0].insert_sim(bank.cards[0])
        port.send(command + "\r")
        await port.until(rb"> ")
        bank.modems[0].remove_sim()
        port.send(submit() + "\x1a")
        assert answer.encode() in await port.until(rb"\+CMS ERROR: \d+\r\n")
    assert bank.network.ledger == []


# Delivery reports


async def reports_on(bank: Any, attach: Attach, routing: str = "2,1,0,1,0") -> Any:
    port = await attach(bank.modems[0])
    assert await port.command(f"AT+CNMI={routing}") == "OK"
    return port


def statuses(bank: Any) -> list[tuple[int, int, str]]:
    return [(seen.mr, seen.status, seen.where) for seen in bank.network.reports]


async def test_a_report_comes_for_a_delivered_message(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await reports_on(bank, attach)
    await port.submit(submit(report=True))
    octets = await port.until(rb"\+CDS: \d+\r\n[0-9A-F]+\r\n")
    pdu = bytes.fromhex(octets.split()[-1].decode())
    assert int(octets.split()[1]) == tpdu.tpdu_length(pdu) == 25
    assert pdu[-1] == 0
    assert statuses(bank) == [(0, 0, "direct")]
    await port.submit(submit(report=False))
    assert await port.command("AT") == "OK"
    assert len(bank.network.reports) == 1


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("delivered", [0]),
        ("pending_then_delivered", [0x30, 0]),
        ("failed", [0x42]),
        ("never", []),
        ("twice", [0, 0]),
        ("after_minutes", [0]),
    ],
)
async def test_report_plans(make_bank: MakeBank, attach: Attach, plan: str, expected: list[int]) -> None:
    bank = await make_bank()
    port = await reports_on(bank, attach)
    bank.network.plan_reports(OUTSIDE, plan)
    await port.submit(submit(report=True))
    if plan == "after_minutes":
        assert statuses(bank) == []
        bank.advance(301)
    for _ in expected:
        await port.until(rb"\+CDS: 25\r\n[0-9A-F]+\r\n")
    await port.command("AT")
    assert statuses(bank) == [(0, status, "direct") for status in expected]


@pytest.mark.parametrize("dialect", ["generic", "simcom"])
@pytest.mark.parametrize("when", [When.BEFORE_CMGS, When.GLUED_BEFORE, When.GLUED_AFTER])
async def test_reports_around_the_final_result(make_bank: MakeBank, attach: Attach, when: When, dialect: str) -> None:
    bank = await make_bank(dialect=dialect, chatter=False)
    port = await reports_on(bank, attach)
    bank.network.plan_reports(OUTSIDE, ReportPlan((Step(when=when),)))
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    port.send(submit(report=True) + "\x1a")
    octets = await port.until(rb"(?s)(\+CDS.*OK\r+\n|OK\r+\n.*\+CDS: 25\r+\n[0-9A-F]+\r+\n)")
    report_first = octets.index(b"+CDS") < octets.index(b"+CMGS")
    assert report_first == (when is not When.GLUED_AFTER)


async def test_a_report_may_name_the_number_nationally(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await reports_on(bank, attach)
    bank.network.plan_reports("+15557654321", "national")
    await port.submit(submit(to="+15557654321", report=True))
    octets = bytes.fromhex((await port.until(rb"\+CDS: \d+\r\n[0-9A-F]+\r\n")).split()[-1].decode())
    start = 1 + octets[0] + 2
    assert octets[start : start + 2] == bytes([10, 0x81])


async def test_quectel_says_sm_while_the_report_lies_in_sr(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank(dialect="quectel", chatter=False)
    port = await reports_on(bank, attach, "2,1,0,2,0")
    await port.submit(submit(report=True))
    await port.until(rb'\+CDSI: "SM",0\r\n')
    assert await port.command("AT+CMGR=0") == "OK"
    await port.command('AT+CPMS="SR"')
    assert (await port.command("AT+CMGR=0")).startswith("+CMGR: 0,,25\n")
    assert statuses(bank) == [(0, 0, "SR")]


async def test_reports_nobody_asked_for_are_discarded_and_counted(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await reports_on(bank, attach, "2,1,0,0,0")
    await port.submit(submit(report=True))
    await port.command("AT")
    assert statuses(bank) == [(0, 0, "discarded")]


# Faults


@pytest.mark.parametrize(
    ("kind", "answer"), [("cms_error", "+CMS ERROR: 512"), ("cme_error", "+CME ERROR: 512"), ("plain_error", "ERROR")]
)
@pytest.mark.parametrize("sent", [False, True])
async def test_an_error_with_and_without_having_sent(
    make_bank: MakeBank, attach: Attach, kind: str, answer: str, sent: bool
) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    await port.command("AT+CMEE=1")
    bank.modems[0].faults.arm(kind, nth=2, code=512, sent=sent)
    assert await port.submit(submit("one")) == "+CMGS: 0\nOK"
    assert await port.submit(submit("two")) == answer
    assert (await port.submit(submit("three"))).startswith("+CMGS: ")
    texts = [seen.text for seen in bank.network.ledger]
    assert texts == (["one", "two", "three"] if sent else ["one", "three"])


async def test_an_error_instead_of_the_prompt(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("cms_error", code=302, stage="command")
    assert await port.command("AT+CMGS=18") == "+CMS ERROR: 302"


async def test_a_dropped_final_result(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("drop_final")
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    await port.silent(submit() + "\x1a")
    assert len(bank.network.ledger) == 1
    assert await port.command("AT") == "OK"


async def test_a_late_final_result(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("late_final", seconds=200)
    port.send("AT+CMGS=18\r")
    await port.until(rb"> ")
    await port.silent(submit() + "\x1a")
    await port.silent("AT\r")
    bank.advance(201)
    assert await port.until(rb"OK\r\n\r\nOK\r\n") == b"\r\n+CMGS: 0\r\n\r\nOK\r\n\r\nOK\r\n"
    assert bank.modems[0].cmgs_busy_s == pytest.approx(200, abs=5)


async def test_an_answer_that_comes_with_the_next_command(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("answer_with_next", command="+CSQ")
    await port.silent("AT+CSQ\r")
    port.send("AT+CGSN\r")
    octets = await port.until(rb"OK\r\n(?s:.*)OK\r\n")
    assert octets.index(b"+CSQ: 20,99") < octets.index(bank.modems[0].imei.encode())


async def test_no_prompt_until_escape(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("no_prompt")
    await port.silent("AT+CMGS=18\r")
    await port.silent("AT\r")
    port.send("\x1b")
    await port.until(rb"OK\r\n")
    assert await port.command("AT") == "OK"
    assert bank.network.ledger == []


async def test_prompt_twice(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("prompt_twice")
    port.send("AT+CMGS=18\r")
    assert await port.until(rb"> (?s:.*)> ") == b"\r\n> \r\n> "
    port.send(submit() + "\x1a")
    await port.until(rb"\+CMGS: 0")


@pytest.mark.parametrize("kind", ["hang", "hang_urcs_flow", "echo_only"])
@pytest.mark.parametrize("stage", list(Stage))
async def test_a_modem_that_hangs_at_each_stage(make_bank: MakeBank, attach: Attach, kind: str, stage: Stage) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.faults.arm(kind, stage=stage)
    port.send("AT+CMGS=18\r")
    if stage is not Stage.COMMAND:
        await port.until(rb"> ")
        port.send(submit() + "\x1a")
    await port.swallowed()
    assert modem.faults.mute is not Mute.NOT
    assert len(bank.network.ledger) == (stage is Stage.SENT)
    if kind == "echo_only":
        port.send("AT\r")
        await port.until(rb"AT\r$")
    else:
        await port.silent("AT\r\x1b\rAT\r")
    port.buffer.clear()
    before = modem.terminal.sent
    modem.urc("RING")
    if kind == "hang":
        assert modem.terminal.sent == before
    else:
        await port.until(rb"RING")
    modem.reset()
    await modem.wait_running()
    port.buffer.clear()
    assert (await port.command("AT")).endswith("OK")


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_reset_in_mid_send(make_bank: MakeBank, attach: Attach, stage: Stage) -> None:
    bank = await make_bank(caps=DIALECTS["quectel"].but(chatter_chance=0.0))
    port = await attach(bank.modems[0])
    await port.command("AT+CNMI=2,1,0,1,0")
    bank.modems[0].faults.arm("reset", stage=stage)
    port.send("AT+CMGS=18\r")
    if stage is not Stage.COMMAND:
        await port.until(rb"> ")
        port.send(submit() + "\x1a")
    octets = await port.until(rb"SMS DONE\r\n")
    assert b"RDY" in octets
    assert b"+CMGS:" not in octets
    assert len(bank.network.ledger) == (stage is Stage.SENT)
    assert "+CNMI: 0,0,0,0,0" in await port.command("AT+CNMI?")


@pytest.mark.parametrize("stage", list(Stage))
async def test_the_device_is_pulled_out_in_mid_send(make_bank: MakeBank, attach: Attach, stage: Stage) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.faults.arm("unplug", stage=stage)
    port.send("AT+CMGS=18\r")
    if stage is not Stage.COMMAND:
        await port.until(rb"> ")
        port.send(submit() + "\x1a")
    await port.gone()
    assert len(bank.network.ledger) == (stage is Stage.SENT)
    assert not modem.path.is_symlink()
    modem.replug()
    await modem.wait_running()
    assert (await (await attach(modem)).submit(submit())).startswith("+CMGS: ")


async def test_standing_faults_last_until_cleared(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("cms_error", code=500, times=None)
    assert [await port.submit(submit()) for _ in range(3)] == ["+CMS ERROR: 500"] * 3
    bank.modems[0].heal()
    assert (await port.submit(submit())).startswith("+CMGS: ")


async def test_a_fault_with_a_chance_strikes_its_share(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    port = await attach(bank.modems[0])
    bank.modems[0].faults.arm("cms_error", code=500, times=None, chance=0.3)
    answers = [(await port.submit(submit())).startswith("+CMS ERROR: 500") for _ in range(100)]
    assert 10 < sum(answers) < 60
    assert answers != sorted(answers)


async def test_unknown_faults_are_refused(make_bank: MakeBank) -> None:
    faults = (await make_bank()).modems[0].faults
    with pytest.raises(ValueError, match="explode"):
        faults.arm("explode")
    with pytest.raises(ValueError, match="later"):
        faults.arm("hang", stage="later")
