"""Every dialect of the emulator is initialised, sends and receives."""

from __future__ import annotations

import pytest

from fakes.modem_hosts import eventually, go, running, submit_pdu
from modembank.modem import AttemptOutcome, Feature, Routing, Via
from modembank_emulator import DIALECTS, Bank, BankConfig


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_registers_and_sends(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect)) as bank, running(bank.modems[0]) as rig:
        validity = dialect != "poor"
        result = await rig.modem.submit(*submit_pdu("+15559990001", "hi", validity=validity), go)
        assert result.outcome is AttemptOutcome.ACCEPTED, (result, rig.modem.transcript.lines(20))
        assert result.tp_mr == 0
        assert [seen.text for seen in bank.network.ledger] == ["hi"]
        assert result.evidence.final == "+CMGS: 0"
        assert result.evidence.prompt_s is not None


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_receives_and_frees_the_memory(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect)) as bank, running(bank.modems[0]) as rig:
        sent = bank.network.inject(bank.cards[0].msisdn, "one")
        await eventually(lambda: rig.sink.pdus() == sent)
        direct = dialect == "poor"
        assert rig.sink.stored[0].via is (Via.DIRECT if direct else Via.STORED)
        if not direct:
            await eventually(lambda: rig.sink.freed == [1])
            assert not bank.cards[0].store.slots
            assert not bank.modems[0].stores["ME"].slots


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_reports_arrive(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect)) as bank, running(bank.modems[0]) as rig:
        for turn in (1, 2):
            pdu = submit_pdu("+15559990001", "hi", validity=dialect != "poor", report=True)
            assert (await rig.modem.submit(*pdu, go)).outcome is AttemptOutcome.ACCEPTED
            await eventually(lambda turn=turn: len(rig.sink.stored) == turn)
        await eventually(lambda: [seen.pdu_hex for seen in bank.network.reports] == rig.sink.pdus())


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_knows_who_it_is(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect)) as bank, running(bank.modems[0]) as rig:
        card, caps = bank.cards[0], DIALECTS[dialect]
        known = rig.modem.known
        assert known is not None
        assert (known.capabilities.manufacturer, known.capabilities.model) == (caps.manufacturer, caps.model)
        assert known.capabilities.firmware == caps.firmware
        assert known.capabilities.imei == bank.modems[0].imei
        assert rig.host.sims[0].imsi == card.imsi
        assert rig.host.sims[0].msisdn == card.msisdn
        assert rig.host.sims[0].iccid == (None if dialect == "poor" else card.iccid)


async def test_what_a_poor_modem_lacks_is_said_in_words() -> None:
    async with Bank(BankConfig(modems=1, dialect="poor")) as bank, running(bank.modems[0]) as rig:
        assert rig.modem.known is not None
        capabilities = rig.modem.known.capabilities
        assert capabilities.lacks(Feature.KEEP_LINK)
        assert capabilities.lacks(Feature.ICCID)
        assert capabilities.lacks(Feature.STORED_MESSAGES)
        assert capabilities.routing == Routing(2, 2, 0, 1, 0)
        said = capabilities.sentences()
        assert "known by its subscriber number" in said[Feature.ICCID]
        assert "AT+CMMS" in said[Feature.KEEP_LINK]


async def test_the_larger_memory_is_preferred() -> None:
    async with Bank(BankConfig(modems=1, dialect="quectel")) as bank, running(bank.modems[0]) as rig:
        assert rig.modem.known is not None
        assert rig.modem.known.capabilities.preferred == "ME"
        assert rig.modem.known.capabilities.memories == ("ME", "SM", "SR")
