"""The network as a book-keeper: whatever happens to the modems, each message has one fate and the books say which."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modembank_emulator import Bank, BankConfig, EmulatedModem, Fixed, LatencyModel, ReportPlan, Stat, Step
from modembank_emulator import pdu as tpdu
from modembank_emulator.network import RefusedError

EXPIRED = 0x46


def submit(bank: Bank, sender: int, to: str, text: str, *, report: bool = True, validity: int | None = None) -> int:
    """A SUBMIT as the modem of card `sender` hands it over; returns its reference."""
    first = 0x01 | (0x20 if report else 0) | (0x10 if validity is not None else 0)
    period = b"" if validity is None else bytes([validity])
    octets = tpdu.encode_submit(to, tpdu.encode_user_data(text), first_octet=first, validity=period)
    return bank.network.submit(bank.cards[sender], tpdu.decode_submit(octets), octets.hex().upper()).mr


def want_reports(bank: Bank) -> None:
    for modem in bank.modems:
        modem.settings.cnmi = (2, 1, 0, 1, 0)


def empty(modem: EmulatedModem) -> None:
    """The host reads and deletes everything."""
    if modem.sim is not None and modem.sms_ready:
        modem.sim.store.slots.clear()
        modem.reception.make_room()


async def breathe() -> None:
    """Let what is to happen "at once" happen: readiness, then room, then delivery."""
    for _ in range(5):
        await asyncio.sleep(0)


async def settle(bank: Bank) -> None:
    """Everything in order again, and time for all that is under way."""
    for index, modem in enumerate(bank.modems):
        if not modem.plugged:
            modem.replug()
        modem.heal()
        if modem.sim is None:
            modem.insert_sim(bank.cards[index])
        modem.radio.set_verdict(Stat.HOME)
    bank.network.cell(True)
    for _ in range(12):
        bank.advance(400)
        await asyncio.sleep(0)
        want_reports(bank)
        for modem in bank.modems:
            empty(modem)
            await asyncio.sleep(0)


def upset(bank: Bank, random: Random) -> None:
    modem = random.choice(bank.modems)
    match random.randrange(9):
        case 0:
            modem.unplug()
        case 1:
            if not modem.plugged:
                modem.replug()
        case 2:
            modem.reset(reenumerate=random.random() < 0.5)
        case 3:
            bank.network.cell(random.random() < 0.5, [modem.index])
        case 4:
            modem.radio.set_verdict(random.choice((Stat.HOME, Stat.DENIED, Stat.ROAMING)))
        case 5:
            modem.faults.hang(urcs=random.random() < 0.5)
        case 6:
            modem.heal()
        case 7:
            bank.advance(random.choice((1, 30, 200)))
        case _:
            empty(modem)


@pytest.mark.parametrize("seed", range(12))
async def test_every_message_has_one_fate_and_one_last_report(seed: int) -> None:
    random = Random(seed)
    latency = LatencyModel(delivery=Fixed(20), report=Fixed(5), boot=Fixed(10), registration=Fixed(3))
    async with Bank(BankConfig(modems=4, dialect="generic", seed=seed, latency=latency, sim_slots=3)) as bank:
        network = bank.network
        bank.advance(5)
        want_reports(bank)
        validities: dict[str, float] = {}
        for number in range(80):
            sender, to = random.randrange(4), random.choice(bank.cards).msisdn
            short = random.random() < 0.3
            submit(bank, sender, to, f"m{number}", validity=0 if short else 255)
            validities[f"m{number}"] = 300 if short else 63 * 7 * 86400
            for _ in range(random.randrange(3)):
                upset(bank, random)
            await asyncio.sleep(0)
            want_reports(bank)
        await settle(bank)

        assert all(seen.accepted for seen in network.ledger)
        arrived = Counter(seen.text for seen in network.inbound)
        assert set(arrived.values()) <= {1}, "a message was delivered twice"
        fates = {seen.text: seen for seen in network.ledger}
        last = Counter((seen.imsi, seen.mr) for seen in network.reports)
        assert set(last.values()) <= {1}, "a message was reported twice"
        status = {(seen.imsi, seen.mr): seen.status for seen in network.reports}
        for text, seen in fates.items():
            assert status[seen.imsi, seen.mr] == (0 if text in arrived else EXPIRED), text
        late = {text for text in fates if text not in arrived}
        assert all(validities[text or ""] == 300 for text in late)
        assert bank.stats()["waiting"] == 0


@pytest.mark.parametrize("seed", range(4))
async def test_references_run_through_and_wrap_for_each_card(seed: int) -> None:
    random = Random(seed)
    async with Bank(BankConfig(modems=3, dialect="generic")) as bank:
        bank.network.refuse("+4999", 30)
        given_out: dict[str, list[int]] = {card.imsi: [] for card in bank.cards}
        for _ in range(1000):
            index = random.randrange(3)
            if random.random() < 0.1:
                with pytest.raises(RefusedError, match="30"):
                    submit(bank, index, "+4999", "x", report=False)
                reference = bank.network.ledger[-1].mr
            else:
                reference = submit(bank, index, "+4912345", "x", report=False)
            given_out[bank.cards[index].imsi].append(reference)
        for references in given_out.values():
            assert references == [number % 256 for number in range(len(references))]
        assert [seen.mr for seen in bank.network.ledger if seen.imsi == bank.cards[0].imsi] == given_out[
            bank.cards[0].imsi
        ]
        assert bank.network.inbound == bank.network.reports == []
        assert len(bank.network.outside) == sum(seen.accepted for seen in bank.network.ledger)


@pytest.mark.parametrize(
    ("octet", "seconds"), [(0, 300), (1, 600), (143, 43200), (144, 45000), (167, 86400), (168, 172800)]
)
async def test_validity_ends_to_the_second(octet: int, seconds: int) -> None:
    async with Bank(BankConfig(modems=2, dialect="generic")) as bank:
        want_reports(bank)
        bank.modems[1].unplug()
        submit(bank, 0, bank.cards[1].msisdn, "soon", validity=octet)
        await breathe()
        bank.advance(seconds - 2)
        assert (len(bank.cards[1].waiting), bank.network.reports) == (1, [])
        bank.advance(3)
        await breathe()
        assert len(bank.cards[1].waiting) == 0
        assert [seen.status for seen in bank.network.reports] == [EXPIRED]
        bank.modems[1].replug()
        await bank.modems[1].wait_running()
        assert bank.network.inbound == []


async def test_without_a_validity_a_message_waits_for_ever() -> None:
    async with Bank(BankConfig(modems=2, dialect="generic")) as bank:
        bank.modems[1].unplug()
        submit(bank, 0, bank.cards[1].msisdn, "patience")
        bank.advance(500 * 86400)
        bank.modems[1].replug()
        bank.advance(10)
        await breathe()
        assert [seen.text for seen in bank.network.inbound] == ["patience"]


async def test_a_late_report_names_when_it_was_sent_and_when_it_was_done() -> None:
    async with Bank(BankConfig(modems=2, dialect="generic")) as bank:
        want_reports(bank)
        bank.modems[1].unplug()
        submit(bank, 0, bank.cards[1].msisdn, "x")
        sent = bank.schedule.wall()
        bank.advance(7200)
        bank.modems[1].replug()
        bank.advance(10)
        await breathe()
        (report,) = bank.network.reports
        octets = bytes.fromhex(report.pdu_hex)
        stamp, done = octets[-15:-8], octets[-8:-1]
        assert stamp == tpdu.encode_time(sent)
        assert done in {tpdu.encode_time(bank.schedule.wall_at(bank.schedule.now() - back)) for back in range(12)}


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from((0x00, 0x30, 0x42, 0x46, 0x63)), st.integers(0, 900)), max_size=5),
    national=st.booleans(),
)
def test_a_plan_is_followed_to_the_letter(steps: list[tuple[int, int]], national: bool) -> None:
    async def follow() -> None:
        async with Bank(BankConfig(modems=1, dialect="generic")) as bank:
            want_reports(bank)
            plan = ReportPlan(tuple(Step(status, delay=float(delay)) for status, delay in steps), national)
            bank.network.plan_reports("+15557654321", plan)
            submit(bank, 0, "+15557654321", "x")
            submit(bank, 0, "+15557654321", "no report wanted", report=False)
            await breathe()
            bank.advance(sum(delay for _, delay in steps) + 1)
            await breathe()
            assert [(seen.mr, seen.status) for seen in bank.network.reports] == [(0, status) for status, _ in steps]
            assert {seen.recipient for seen in bank.network.reports} <= {"5557654321" if national else "+15557654321"}

    asyncio.run(follow())


async def test_a_card_moved_to_another_modem_takes_its_mail_along() -> None:
    async with Bank(BankConfig(modems=2, dialect="generic")) as bank:
        want_reports(bank)
        card = bank.cards[0]
        bank.modems[0].unplug()
        submit(bank, 1, card.msisdn, "follow me")
        bank.modems[1].replug(sim=card)
        bank.advance(1)
        await breathe()
        assert [(seen.imsi, seen.text) for seen in bank.network.inbound] == [(card.imsi, "follow me")]
        assert bank.modems[0].sim is None
        assert bank.cards[1].modem is None
        # The sender's card lies on the table: its report waits for it.
        assert bank.network.reports == []
        assert len(bank.cards[1].waiting_reports) == 1


async def test_another_card_in_a_running_modem_gets_its_mail_at_once() -> None:
    async with Bank(BankConfig(modems=1, dialect="generic")) as bank:
        other = bank.new_card()
        bank.network.inject(other.msisdn, "for the other one")
        assert len(other.waiting) == 1
        bank.modems[0].insert_sim(other)
        await breathe()
        assert [seen.imsi for seen in bank.network.inbound] == [other.imsi]
