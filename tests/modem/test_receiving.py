"""Inbound messages: stored, then read, made durable, deleted; and whatever else modems do with them."""

from __future__ import annotations

import asyncio

import pytest

from fakes.modem_hosts import CALM, QUICK, Rig, eventually, go, running, submit_pdu
from modembank.modem import AttemptOutcome, Feature, ModemState, Via
from modembank.modem.watching import Restarted
from modembank_emulator import DIALECTS, Bank, BankConfig, FaultKind, LatencyModel
from modembank_emulator import Fixed as FixedWait
from modembank_emulator.card import StoredMessage
from modembank_emulator.dialects.quectel import QUECTEL_EP06, QUECTEL_REFUSES_DS1

NUMBER = "+15559990001"


def one(dialect: str = "generic", **more: object) -> Bank:
    return Bank(BankConfig(modems=1, dialect=dialect, **more))  # type: ignore[arg-type]


def custom(dialect: str, **traits: object) -> Bank:
    return Bank(BankConfig(modems=1, caps=DIALECTS[dialect].but(**traits)))


@pytest.mark.parametrize("dialect", ["generic", "huawei", "quectel", "simcom"])
async def test_what_came_while_nobody_listened_is_swept_up(dialect: str) -> None:
    async with one(dialect) as bank:
        modem, card = bank.modems[0], bank.cards[0]
        modem.settings.memories[2] = "SM"
        sent = [*bank.network.inject(card.msisdn, "in SM")]
        modem.settings.memories[2] = "ME"
        sent += bank.network.inject(card.msisdn, "in ME")
        async with running(modem) as rig:
            await eventually(lambda: sorted(rig.sink.pdus()) == sorted(sent))
            await eventually(lambda: not card.store.slots and not modem.stores["ME"].slots)
            assert {(raw.memory, raw.via) for raw in rig.sink.stored} == {("SM", Via.STORED), ("ME", Via.STORED)}


async def test_story_22_the_memory_that_cmti_names_is_read() -> None:
    async with custom("generic") as bank, running(bank.modems[0]) as rig:
        modem, card = bank.modems[0], bank.cards[0]
        assert modem.settings.memories[0] == "ME"
        modem.settings.memories[2] = "SM"  # as a modem does with messages of class 2
        sent = bank.network.inject(card.msisdn, "to the card")
        await eventually(lambda: rig.sink.pdus() == sent and not card.store.slots)
        assert rig.sink.stored[0].memory == "SM"
        await eventually(lambda: modem.settings.memories[0] == "ME")


async def test_story_22_a_cmti_that_names_the_wrong_memory() -> None:
    async with custom("generic", cmti_memory="SM") as bank, running(bank.modems[0]) as rig:
        sent = bank.network.inject(bank.cards[0].msisdn, "it lies in ME")
        await eventually(lambda: rig.sink.pdus() == sent and not bank.modems[0].stores["ME"].slots)


async def test_story_21_a_full_memory_is_drained_and_reception_goes_on() -> None:
    async with one("huawei", sim_slots=5) as bank:
        modem, card = bank.modems[0], bank.cards[0]
        modem.settings.memories[2] = "SM"
        for number in range(5):
            bank.network.inject(card.msisdn, f"early {number}")
        waiting = bank.network.inject(card.msisdn, "waits in the network")
        assert card.store.full
        async with running(modem) as rig:
            await eventually(lambda: len(rig.sink.stored) == 6)
            assert waiting[0] in rig.sink.pdus()


@pytest.mark.parametrize("dialect", ["huawei", "simcom"])
async def test_story_21_memory_full_codes_start_a_sweep(dialect: str) -> None:
    async with custom(dialect, me_size=4) as bank, running(bank.modems[0], CALM) as rig:
        rig.sink.broken = True
        for number in range(6):
            bank.network.inject(bank.cards[0].msisdn, f"number {number}")
        await eventually(lambda: rig.sink.refused > 0)
        rig.sink.broken = False
        await eventually(lambda: len(rig.sink.stored) == 6)
        assert len(set(rig.sink.pdus())) == 6


async def test_a_negative_index_means_look() -> None:
    async with one("simcom") as bank, running(bank.modems[0]) as rig:
        modem = bank.modems[0]
        modem.settings.cnmi = (modem.settings.cnmi[0], 0, 0, 1, 0)  # stored without a word
        sent = bank.network.inject(bank.cards[0].msisdn, "unannounced")
        modem.urc('+CMTI: "ME",-1')
        await eventually(lambda: rig.sink.pdus() == sent)


async def test_a_slot_that_is_filled_again_at_once_is_read_again() -> None:
    async with one() as bank, running(bank.modems[0], timings=CALM) as rig:
        number, note = bank.cards[0].msisdn, rig.sink.deleted

        async def deleted(ledger_id: int) -> None:
            """The slot is free: the network fills it, and says so before anybody has taken it off a list."""
            await note(ledger_id)
            if len(rig.sink.freed) < 3:
                sent.extend(bank.network.inject(number, f"again {ledger_id}"))
                announced = '+CMTI: "ME",1'
                wanted = len(rig.sink.freed) + 1
                await eventually(lambda: [one.text for one in rig.modem.transcript.lines()].count(announced) >= wanted)

        rig.sink.deleted = deleted  # type: ignore[method-assign]
        sent = bank.network.inject(number, "first")
        await eventually(lambda: rig.sink.pdus() == sent and len(sent) == 3)
        await eventually(lambda: not bank.modems[0].stores["ME"].slots)


async def test_a_store_that_fails_leaves_the_copy_and_is_asked_again() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        rig.sink.broken = True
        sent = bank.network.inject(bank.cards[0].msisdn, "keep me")
        await eventually(lambda: rig.sink.refused >= 2)
        assert bank.modems[0].stores["ME"].slots
        rig.sink.broken = False
        await eventually(lambda: rig.sink.pdus() == sent and not bank.modems[0].stores["ME"].slots)


async def test_a_direct_report_is_acknowledged_only_when_durable() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        rig.sink.broken = True
        await rig.modem.submit(*submit_pdu(NUMBER, report=True), go)
        await eventually(lambda: rig.sink.refused >= 2)
        assert not bank.network.reports  # not acknowledged
        rig.sink.broken = False
        await eventually(lambda: len(bank.network.reports) == 1)
        assert bank.network.reports[0].pdu_hex in rig.sink.pdus()


async def test_a_refused_acknowledgement_goes_back_to_service_0() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        for _ in range(4):
            bank.modems[0].faults.arm(FaultKind.CMS_ERROR, command="+CNMA", code=300)
        await rig.modem.submit(*submit_pdu(NUMBER, report=True), go)
        await eventually(lambda: bank.modems[0].settings.csms == 0)
        assert bank.modems[0].settings.cnmi[3] == 1


async def test_modems_that_file_reports_elsewhere_lose_none_and_touch_no_stranger() -> None:
    async with Bank(BankConfig(modems=1, caps=QUECTEL_REFUSES_DS1)) as bank, running(bank.modems[0]) as rig:
        assert rig.modem.known is not None
        assert rig.modem.known.capabilities.lacks(Feature.DIRECT_REPORTS)
        await eventually(lambda: rig.modem.serving is not None and rig.modem.serving.receiving.idle)
        modem, card = bank.modems[0], bank.cards[0]
        stranger = submit_pdu(NUMBER, "a stranger in SM 0")[0]
        card.store.put(StoredMessage(0, stranger, 20))
        await rig.modem.submit(*submit_pdu(NUMBER, report=True), go)
        await eventually(lambda: len(bank.network.reports) == 1 and len(rig.sink.stored) >= 1)
        await eventually(lambda: bank.network.reports[0].pdu_hex in rig.sink.pdus())
        # The stranger's message, which +CDSI: "SM",0 pointed at, is still there and was never taken for a report.
        assert [entry.pdu_hex for entry in card.store.slots.values()] == [stranger]
        await eventually(lambda: not modem.stores["SR"].slots)


async def test_a_modem_that_refuses_cmgl_is_read_one_by_one() -> None:
    async with Bank(BankConfig(modems=1, caps=QUECTEL_EP06)) as bank:
        sent = [pdu for number in range(3) for pdu in bank.network.inject(bank.cards[0].msisdn, f"number {number}")]
        async with running(bank.modems[0]) as rig:
            await eventually(lambda: sorted(rig.sink.pdus()) == sorted(sent))
            await eventually(lambda: not bank.modems[0].stores["ME"].slots)
            assert rig.modem.known is not None
            assert rig.modem.known.capabilities.lacks(Feature.LIST_PDUS)


async def test_drafts_on_the_card_are_left_alone() -> None:
    async with one() as bank:
        bank.cards[0].store.put(StoredMessage(2, submit_pdu(NUMBER)[0], submit_pdu(NUMBER)[1]))
        sent = bank.network.inject(bank.cards[0].msisdn, "real")
        async with running(bank.modems[0]) as rig:
            await eventually(lambda: rig.sink.pdus() == sent)
            assert len(bank.cards[0].store.slots) == 1


async def test_receiving_never_holds_up_an_exchange() -> None:
    async with one(latency=LatencyModel(submit=FixedWait(0.02))) as bank, running(bank.modems[0]) as rig:
        outcomes = []

        async def send() -> None:
            for number in range(20):
                outcomes.append((await rig.modem.submit(*submit_pdu(NUMBER, f"out {number}"), go)).outcome)

        async def receive() -> list[str]:
            sent = []
            for number in range(20):
                sent += bank.network.inject(bank.cards[0].msisdn, f"in {number}")
                await asyncio.sleep(0.01)
            return sent

        _, sent = await asyncio.gather(send(), receive())
        assert outcomes == [AttemptOutcome.ACCEPTED] * 20
        await eventually(lambda: sorted(rig.sink.pdus()) == sorted(sent))


async def test_messages_in_the_middle_of_everything() -> None:
    async with one("quectel") as bank:
        rig = Rig(bank.modems[0])
        sent = bank.network.inject(bank.cards[0].msisdn, "before")
        await rig.start()
        try:
            while rig.modem.state is not ModemState.REGISTERED:
                sent += bank.network.inject(bank.cards[0].msisdn, f"during {len(sent)}")
                await asyncio.sleep(0.02)
            await eventually(lambda: sorted(set(rig.sink.pdus())) == sorted(sent))
        finally:
            await rig.stop()


async def test_storage_is_shown_with_a_warning_at_70_percent() -> None:
    async with custom("generic", me_size=30) as bank, running(bank.modems[0], QUICK) as rig:
        rig.sink.broken = True
        for number in range(21):
            bank.network.inject(bank.cards[0].msisdn, f"number {number}")

        def fills() -> dict[str, bool]:
            serving = rig.modem.serving
            return {name: fill.filling for name, fill in serving.watch.storage.items()} if serving else {}

        await eventually(lambda: fills().get("ME", False))
        rig.sink.broken = False
        await eventually(lambda: not fills().get("ME", True))


async def test_a_call_is_refused() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].radio.ring("+15550001111", times=1)
        await eventually(lambda: rig.modem.serving is not None and rig.modem.serving.watch.calls_refused >= 1)
        assert any(line.text == "AT+CHUP" for line in rig.modem.transcript.lines())


@pytest.mark.parametrize("dialect", ["generic", "huawei", "quectel", "simcom"])
async def test_ussd(dialect: str) -> None:
    async with one(dialect) as bank, running(bank.modems[0]) as rig:
        answer = await rig.modem.ussd("*100#")
        assert (answer.text, answer.state) == ("Balance 12.50 EUR", "done")
        assert (await rig.modem.ussd("*999#")).state == "not_supported"


async def test_direct_messages_are_made_durable_when_the_service_ends() -> None:
    async with one("poor") as bank:
        rig = Rig(bank.modems[0])
        await rig.start()
        await rig.reach()
        await eventually(lambda: rig.modem.serving is not None and rig.modem.serving.receiving.idle)
        rig.sink.broken = True
        sent = bank.network.inject(bank.cards[0].msisdn, "no copy but ours")
        await eventually(lambda: rig.sink.refused > 0)
        rig.sink.broken = False
        await rig.stop()
        assert rig.sink.pdus() == sent


async def test_a_long_exchange_survives_a_new_initialisation() -> None:
    async with one(latency=LatencyModel(submit=FixedWait(0.5))) as bank, running(bank.modems[0], QUICK) as rig:
        task = asyncio.create_task(rig.modem.submit(*submit_pdu(NUMBER), go))
        await eventually(lambda: "<Ctrl-Z>" in rig.modem.transcript.lines()[-1].text)
        bank.modems[0].urc("+CPIN: READY")
        assert rig.modem.serving is not None
        rig.modem.serving.end(Restarted(detail="for the test"))
        assert (await task).outcome is AttemptOutcome.ACCEPTED
        await eventually(lambda: rig.modem.in_service)
        assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
