"""Traits that real modems have one by one: each ends in a modem that sends, receives and reports."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakes.modem_hosts import CALM, QUICK, Rig, eventually, go, running, submit_pdu
from modembank.modem import AttemptOutcome, Feature, ModemState
from modembank_emulator import DIALECTS, NULS, URC_NOISE, Bank, BankConfig, CregForm, FaultKind, UssdForm

NUMBER = "+15559990001"

TRAITS: dict[str, dict[str, Any]] = {
    "carriage returns only": {"eol": "\r", "prompt": "\r> "},
    "line feeds only": {"eol": "\n", "prompt": "\n> "},
    "doubled carriage returns": {"eol": "\r\r\n"},
    "no echo at start": {"echo_at_start": False},
    "escape is not answered": {"escape_answer": None},
    "escape is answered with ERROR": {"escape_answer": "ERROR"},
    "codes wait for the final result": {"urcs_wait_for_final": True},
    "no CNMA": {"cnma": False},
    "service 0 only": {"csms_levels": (0,)},
    "CSMS? without the service": {"csms_read_with_service": False},
    "no CMMS": {"cmms": False},
    "refuses reports directly": {
        "cnmi_dss": frozenset({0, 2}),
        "memory_lists": (("SM", "ME", "SR"), ("SM", "ME"), ("SM", "ME")),
    },
    "reports directly only": {"cnmi_dss": frozenset({0, 1})},
    "CNMI mode 1 only": {"cnmi_modes": frozenset({0, 1}), "cnmi_error": None},
    "CNMI mode 3 only": {"cnmi_modes": frozenset({3}), "cnmi_test": "(3),(0,1),(0),(0,1),(0)"},
    "no CNMI test answer": {"cnmi_test": ""},
    "direct messages only": {"cnmi_mts": frozenset({0, 2}), "cnmi_test": "(0-2),(0,2),(0),(0-2),(0)"},
    "CPMS without brackets": {"cpms_brackets": False},
    "SIM memory only": {"memory_lists": (("SM",), ("SM",), ("SM",)), "me_size": 0, "sr_size": 0},
    "ME for reading only": {"memory_lists": (("SM", "ME"), ("SM",), ("SM",))},
    "three different lists": {"memory_lists": (("SM", "ME", "MT"), ("SM", "ME"), ("ME", "SM"))},
    "lists no PDUs": {"cmgl_pdu": False},
    "an empty list is an error": {"cmgl_empty_code": 321},
    "an empty slot is an error": {"cmgr_empty_code": 321},
    "no alpha field": {"alpha_field": False},
    "index from 0": {"index_base": 0},
    "quoted card number": {"iccid_quoted": True},
    "card number by file only": {"iccid_commands": frozenset()},
    "no card number at all": {"iccid_commands": frozenset(), "crsm": False},
    "bare registration": {"creg_form": CregForm.BARE},
    "quoted registration": {"creg_form": CregForm.QUOTED},
    "no LTE": {"eps": False, "cesq": False},
}


@pytest.mark.parametrize("trait", sorted(TRAITS))
async def test_one_trait(trait: str) -> None:
    caps = DIALECTS["generic"].but(**TRAITS[trait])
    async with Bank(BankConfig(modems=1, caps=caps)) as bank, running(bank.modems[0]) as rig:
        result = await rig.modem.submit(*submit_pdu(NUMBER, "out", report=True), go)
        assert result.outcome is AttemptOutcome.ACCEPTED, (result, rig.modem.transcript.lines(20))
        incoming = bank.network.inject(bank.cards[0].msisdn, "in")
        await eventually(lambda: set(incoming) <= set(rig.sink.pdus()))
        await eventually(
            lambda: [seen.pdu_hex for seen in bank.network.reports if seen.pdu_hex in rig.sink.pdus()] != []
        )
        assert len(rig.sink.stored) == 2


@pytest.mark.parametrize("form", list(UssdForm))
async def test_every_form_of_ussd(form: UssdForm) -> None:
    caps = DIALECTS["generic"].but(ussd_form=form)
    async with Bank(BankConfig(modems=1, caps=caps)) as bank, running(bank.modems[0]) as rig:
        assert (await rig.modem.ussd("*100#")).text == "Balance 12.50 EUR"


async def test_one_byte_at_a_time() -> None:
    async with Bank(BankConfig(modems=1, dialect="quectel")) as bank:
        bank.modems[0].terminal.pace(1, 0.0001)
        timings = CALM.scaled(command_s=3.0, probe_s=2.0, prompt_s=3.0, final_s=5.0)
        async with running(bank.modems[0], timings) as rig:
            assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
            incoming = bank.network.inject(bank.cards[0].msisdn, "slowly")
            await eventually(lambda: rig.sink.pdus() == incoming)


@pytest.mark.parametrize("payload", [*URC_NOISE, NULS[:3]], ids=["rssi", "ring", "voltage", "time", "nul"])
async def test_story_16_a_code_at_every_byte_of_an_exchange(payload: bytes) -> None:
    """Prompt, reference and OK have some 25 bytes. Whatever stands between them, nothing false is said."""
    async with Bank(BankConfig(modems=1, dialect="generic")) as bank, running(bank.modems[0]) as rig:
        await eventually(lambda: rig.modem.serving is not None and rig.modem.serving.receiving.idle)
        accepted = 0
        for position in range(0, 26, 2):
            await eventually(lambda: rig.modem.in_service)
            bank.modems[0].faults.noise_at(position, payload)
            text = f"at {position}"
            result = await rig.modem.submit(*submit_pdu(NUMBER, text), go)
            left = [seen for seen in bank.network.ledger if seen.text == text]
            assert len(left) <= 1
            if result.outcome is AttemptOutcome.ACCEPTED:
                accepted += 1
                assert result.tp_mr in {None, left[0].mr} or position > 6  # noise inside the digits can hide one
            if result.outcome is AttemptOutcome.NOT_SENT:
                assert not left
            bank.modems[0].heal()
        assert accepted >= 4


@pytest.mark.parametrize("command", ["+CSMS", "+CMGF", "+CPMS", "+CNMI", "+CSCA", "+CIMI", "+CPIN", "+CREG"])
async def test_a_step_that_is_refused_at_first_is_no_disaster(command: str) -> None:
    async with Bank(BankConfig(modems=1, dialect="generic")) as bank:
        bank.modems[0].faults.arm(FaultKind.CMS_ERROR, command=command, code=302)
        async with running(bank.modems[0], QUICK) as rig:
            assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED


@pytest.mark.parametrize("command", ["+CSMS", "+CMGF", "+CPMS", "+CNMI", "+CPIN", "+CGMI"])
async def test_a_hang_while_initialising_is_recovered(command: str) -> None:
    async with Bank(BankConfig(modems=1, dialect="generic")) as bank:
        bank.modems[0].faults.arm(FaultKind.HANG, command=command)
        rig = Rig(bank.modems[0], QUICK)
        await rig.start()
        try:
            await eventually(lambda: rig.modem.state in {ModemState.RECOVERING, ModemState.FAILED})
            bank.modems[0].heal()
            await eventually(lambda: rig.modem.in_service)
            assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        finally:
            await rig.stop()


async def test_a_modem_unplugged_while_initialising_comes_back() -> None:
    async with Bank(BankConfig(modems=1, dialect="huawei")) as bank:
        bank.modems[0].faults.arm(FaultKind.UNPLUG, command="+CPMS")
        rig = Rig(bank.modems[0], QUICK)
        await rig.start()
        try:
            await rig.reach(ModemState.GONE)
            bank.modems[0].replug()
            await eventually(lambda: rig.modem.in_service)
        finally:
            await rig.stop()


async def test_what_one_modem_taught_is_tried_first_on_its_twin() -> None:
    async with Bank(BankConfig(modems=2, dialect="huawei")) as bank, running(bank.modems[0]) as first:
        assert first.modem.known is not None
        twin = Rig(bank.modems[1])
        await twin.start()
        try:
            await twin.reach()
            assert twin.modem.known is not None
            assert twin.modem.known.capabilities.routing == first.modem.known.capabilities.routing
            assert twin.modem.known.capabilities.has(Feature.DIRECT_REPORTS)
        finally:
            await twin.stop()


async def test_sending_and_receiving_at_full_tilt_lose_nothing() -> None:
    async with Bank(BankConfig(modems=2, dialect="quectel", seed=5)) as bank, running(bank.modems[0]) as sender:
        receiver = Rig(bank.modems[1])
        await receiver.start()
        try:
            await receiver.reach()
            to = bank.cards[1].msisdn
            references = []
            for number in range(120):
                result = await sender.modem.submit(*submit_pdu(to, f"message {number}", report=True), go)
                assert result.outcome is AttemptOutcome.ACCEPTED
                references.append(result.tp_mr)
            assert references == [number % 256 for number in range(120)]
            await eventually(lambda: len(receiver.sink.stored) == 120, 40)
            await eventually(lambda: len(sender.sink.stored) == 120, 40)
            assert len(set(receiver.sink.pdus())) == 120
            await eventually(lambda: not bank.modems[1].stores["ME"].slots)
            await eventually(lambda: len(receiver.sink.freed) == 120)
        finally:
            await receiver.stop()
            await asyncio.sleep(0)
