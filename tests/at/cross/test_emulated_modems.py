"""Thousands of commands to emulated modems of every dialect: each answer belongs to its own command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from fakes.wires import Wire
from modembank.at import (
    AtCommand,
    AtResult,
    FinalStatus,
    Str,
    UrcReceived,
    command,
    parse_cmgr,
    parse_cnmi,
    parse_csca,
    parse_imei,
    parse_imsi,
    parse_message_reference,
    parse_registration,
    query,
)
from modembank_emulator import DIALECTS, Bank, BankConfig, EmulatedModem
from modembank_emulator import pdu as tpdu

NAMES = sorted(DIALECTS)
Check = Callable[[AtResult], None]


class Asker:
    """Picks commands whose right answers differ from moment to moment, and knows each answer."""

    def __init__(self, bank: Bank, modem: EmulatedModem, random: Random) -> None:
        self.bank = bank
        self.modem = modem
        self.random = random
        self.count = 0

    def pick(self) -> tuple[AtCommand, Check]:
        self.count += 1
        about = (self.switch, self.read_switch, self.centre, self.who, self.routing, self.nothing, self.registration)
        messages = (self.slot, self.listing, self.delete, self.send, self.send, self.refused)
        return self.random.choice((*about, *messages))()

    def switch(self) -> tuple[AtCommand, Check]:
        name, values = self.random.choice((("+CMEE", (0, 1)), ("+CREG", (0, 1, 2)), ("+CLIP", (0, 1)), ("E", (0, 1))))
        value = self.random.choice(values)
        sent = AtCommand(f"ATE{value}") if name == "E" else command(name, value)
        return sent, self.is_ok()

    def read_switch(self) -> tuple[AtCommand, Check]:
        settings = self.modem.settings
        name, value = self.random.choice((("+CMEE", settings.cmee), ("+CMGF", settings.cmgf), ("+CSDH", settings.csdh)))
        return query(name), self.is_ok(f"{name}: {value}")

    def centre(self) -> tuple[AtCommand, Check]:
        if self.random.random() < 0.5:
            number = f"+1555{self.random.randrange(10**7):07}"
            return command("+CSCA", Str(number), 145), self.is_ok()
        number = self.modem.card().smsc

        def check(result: AtResult) -> None:
            centre = parse_csca(result.lines[0])
            assert centre is not None
            assert (result.ok, len(result.lines), centre.number, centre.toa) == (True, 1, number, 145)

        return query("+CSCA"), check

    def who(self) -> tuple[AtCommand, Check]:
        card = self.modem.card()
        name, parse, value = self.random.choice(
            (("+CGSN", parse_imei, self.modem.imei), ("+CIMI", parse_imsi, card.imsi))
        )

        def check(result: AtResult) -> None:
            assert (result.ok, [parse(line) for line in result.lines]) == (True, [value])

        return AtCommand(f"AT{name}", bare=True), check

    def routing(self) -> tuple[AtCommand, Check]:
        caps = self.modem.caps
        if self.random.random() < 0.5:
            wanted = (
                self.pick_of(caps.cnmi_modes - {0}),
                self.pick_of(caps.cnmi_mts),
                0,
                self.pick_of(caps.cnmi_dss),
                0,
            )
            return command("+CNMI", *wanted), self.is_ok()
        expected = self.modem.settings.cnmi

        def check(result: AtResult) -> None:
            assert [parse_cnmi(line) for line in result.lines] == [expected]

        return query("+CNMI"), check

    def registration(self) -> tuple[AtCommand, Check]:
        mode = self.modem.settings.registration_reports.get("+CREG", 0)

        def check(result: AtResult) -> None:
            (line,) = result.lines
            report = parse_registration(line)
            assert report is not None
            assert (report.mode, report.stat, report.cell is None) == (mode, 1, mode < 2)

        return query("+CREG"), check

    def nothing(self) -> tuple[AtCommand, Check]:
        def check(result: AtResult) -> None:
            assert result.status in {FinalStatus.ERROR, FinalStatus.CME_ERROR}
            assert result.lines == ()

        return command(f"+NOSUCH{self.count}"), check

    def slot(self) -> tuple[AtCommand, Check]:
        """Read a slot that may be empty."""
        store = self.modem.store(self.modem.settings.memories[0])
        place = self.random.randrange(store.capacity)
        stored = store.slots.get(place)

        def check(result: AtResult) -> None:
            if stored is None:
                expected = (
                    (FinalStatus.OK, None) if self.modem.caps.cmgr_empty_code is None else (FinalStatus.CMS_ERROR, 321)
                )
                assert (result.status, result.code, result.lines) == (*expected, ())
                return
            header, body = result.lines
            parsed = parse_cmgr(header)
            assert parsed is not None
            assert (parsed.length, body) == (stored.length, stored.pdu_hex)

        return command("+CMGR", place + self.modem.caps.index_base, prefix=("+CMGR:",), follows=True), check

    def listing(self) -> tuple[AtCommand, Check]:
        number = self.modem.card().msisdn
        if self.random.random() < 0.7:
            self.bank.network.inject(number, f"inbound {self.count}", "+15551112222")
        store = self.modem.store(self.modem.settings.memories[0])
        expected = [stored.pdu_hex for _, stored in sorted(store.slots.items())]

        def check(result: AtResult) -> None:
            assert list(result.lines[1::2]) == expected
            assert all(line.startswith("+CMGL: ") for line in result.lines[::2])
            empty = self.modem.caps.cmgl_empty_code
            assert (result.status, result.code) == (
                (FinalStatus.CMS_ERROR, empty) if not expected and empty else (FinalStatus.OK, None)
            )

        return command("+CMGL", 4, prefix=("+CMGL:",), follows=True), check

    def delete(self) -> tuple[AtCommand, Check]:
        store = self.modem.store(self.modem.settings.memories[0])
        place = self.random.choice([*store.slots, 0])
        return command("+CMGD", place + self.modem.caps.index_base), self.is_ok()

    def send(self) -> tuple[AtCommand, Check]:
        ledger, text = self.bank.network.ledger, f"text {self.count}"
        before = len(ledger)

        def check(result: AtResult) -> None:
            (line,) = result.lines
            seen = ledger[-1]
            assert result.ok
            assert (len(ledger), seen.text, seen.mr) == (before + 1, text, parse_message_reference(line))

        return self.submit("+447700900123", text), check

    def refused(self) -> tuple[AtCommand, Check]:
        code = self.random.choice((8, 21, 28, 30, 38, 42, 69, 127))
        number = f"+4477008{self.count:05}"
        self.bank.network.refuse(number, code)

        def check(result: AtResult) -> None:
            assert (result.status, result.code, result.lines) == (FinalStatus.CMS_ERROR, code, ())

        return self.submit(number, "refused"), check

    def submit(self, number: str, text: str) -> AtCommand:
        octets = tpdu.encode_submit(number, tpdu.encode_user_data(text), first_octet=0x01)
        length = tpdu.tpdu_length(octets)
        return command("+CMGS", length, prefix=("+CMGS:",), payload=octets.hex().upper())

    def pick_of(self, values: frozenset[int]) -> int:
        return self.random.choice(sorted(values))

    @staticmethod
    def is_ok(*lines: str) -> Check:
        def check(result: AtResult) -> None:
            assert (result.status, result.lines) == (FinalStatus.OK, lines)

        return check


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dialect", NAMES)
async def test_every_answer_belongs_to_its_command(dialect: str, seed: int) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect, seed=seed, sim_slots=10)) as bank:
        modem, random = bank.modems[0], Random(f"{dialect} {seed}")
        wire, asker = Wire(modem, random), Asker(bank, modem, random)
        for _ in range(1500):
            sent, check = asker.pick()
            result = wire.run(sent)
            assert result is not None, sent.text
            try:
                check(result)
            except (AssertionError, ValueError, IndexError) as error:
                raise AssertionError((sent.text, result)) from error
            await asyncio.sleep(0)
        assert wire.added > 200
        codes = [event for event in wire.codes if isinstance(event, UrcReceived)]
        assert len(codes) >= wire.added


@pytest.mark.parametrize("dialect", NAMES)
async def test_after_lost_and_late_answers_the_next_one_is_right(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect, sim_slots=10)) as bank:
        modem, random = bank.modems[0], Random(dialect)
        wire, asker = Wire(modem, random), Asker(bank, modem, random)
        lost = 0
        for _ in range(800):
            sent, check = asker.pick()
            kind = random.choice((None, None, "drop_final", "late_final", "answer_with_next"))
            if kind is not None:
                modem.faults.arm(kind, command="", seconds=30)
            result = wire.run(sent)
            if result is not None:
                check(result)
                continue
            lost += 1
            wire.engine.abandon()
            late = kind == "late_final"
            for marker in range(10):
                if late and random.random() < 0.2 + marker / 5:
                    bank.advance(31)
                    late = False
                answer = wire.find_beat()
                if answer is not None:
                    break
            else:
                pytest.fail(f"the beat was not found again after {kind} of {sent.text}")
            assert answer.ok
            assert len(answer.lines) == 1
            modem.faults.clear()
            await asyncio.sleep(0)
        assert lost > 250


@pytest.mark.parametrize("dialect", NAMES)
async def test_results_in_digits(dialect: str) -> None:
    async with Bank(BankConfig(modems=1, dialect=dialect, sim_slots=10)) as bank:
        modem, random = bank.modems[0], Random(dialect)
        wire, asker = Wire(modem, random, strays=0.0), Asker(bank, modem, random)
        assert wire.run(AtCommand("ATV0")) == AtResult(FinalStatus.OK)
        for _ in range(150):
            sent, check = asker.pick()
            result = wire.run(sent)
            assert result is not None, sent.text
            check(result)
            await asyncio.sleep(0)
