"""The emulated mobile network: takes SUBMITs, delivers inside the bank, writes delivery reports, keeps the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from modembank_emulator import pdu as tpdu
from modembank_emulator.card import SimCard
from modembank_emulator.latency import LatencyModel
from modembank_emulator.ledger import Inbound, ItemKind, SeenInbound, SeenReport, SeenSubmit
from modembank_emulator.reports import EXPIRED, PLANS, ReportPlan, Step, When
from modembank_emulator.schedule import Schedule

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem


class RefusedError(Exception):
    """The network refused a SUBMIT with this cause (+CMS ERROR code)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with cause {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class UssdAnswer:
    """What the network says to a USSD request; `more` asks for a reply (CUSD code 1)."""

    text: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A taken SUBMIT: its TP-MR and the reports that must stand around its final result."""

    mr: int
    early: tuple[tuple[When, Inbound], ...] = ()


@dataclass(slots=True)
class Network:
    """One operator; times in emulated seconds of `schedule`."""

    schedule: Schedule
    latency: LatencyModel
    random: Random
    country_code: str = "1"
    cards: dict[str, SimCard] = field(default_factory=dict)  # by MSISDN
    modems: list[EmulatedModem] = field(default_factory=list)  # with a card or without
    ledger: list[SeenSubmit] = field(default_factory=list)
    outside: list[SeenSubmit] = field(default_factory=list)
    inbound: list[SeenInbound] = field(default_factory=list)
    reports: list[SeenReport] = field(default_factory=list)
    default_plan: ReportPlan | None = None  # None: a report when the message is delivered
    decide: Callable[[str], int | None] | None = None  # a cause to refuse a number with, or None to accept
    ussd: dict[str, UssdAnswer] = field(default_factory=lambda: {"*100#": UssdAnswer("Balance 12.50 EUR")})
    _plans: dict[str, ReportPlan] = field(default_factory=dict)
    _refusals: dict[str, int] = field(default_factory=dict)
    _subscribers: dict[str, SimCard] = field(default_factory=dict)  # by IMSI
    _reference: int = 0

    def add(self, card: SimCard) -> None:
        """Make a subscriber reachable under its number."""
        self.cards[card.msisdn] = card
        self._subscribers[card.imsi] = card

    def find(self, number: str) -> SimCard | None:
        """The SIM with this number, written internationally or nationally."""
        return self.cards.get(self.canonical(number))

    def canonical(self, number: str) -> str:
        """The number with '+', as far as this network knows it."""
        for guess in (number, f"+{number}", f"+{self.country_code}{number}", f"+{number.removeprefix('00')}"):
            if guess in self.cards:
                return guess
        return number

    def plan_reports(self, number: str, plan: ReportPlan | str) -> None:
        """Set the delivery reports for messages to this number; KeyError for an unknown plan name."""
        self._plans[self.canonical(number)] = PLANS[plan] if isinstance(plan, str) else plan

    def refuse(self, number: str, code: int | None) -> None:
        """Refuse messages to this number with a cause; None accepts them again."""
        if code is None:
            self._refusals.pop(self.canonical(number), None)
        else:
            self._refusals[self.canonical(number)] = code

    def submit(self, card: SimCard, submit: tpdu.Submit, pdu_hex: str) -> Accepted:
        """Take one SUBMIT of a registered SIM; RefusedError carries the cause."""
        mr = card.next_reference()
        to = self.canonical(submit.destination)
        code = self._decide(to) if card.credit else card.no_credit_code
        outcome = "accepted" if code is None else f"refused:{code}"
        seen = SeenSubmit(
            self.schedule.now(), card.imsi, card.iccid, submit.destination, mr, pdu_hex, outcome, submit.wants_report
        )
        self.ledger.append(seen)
        if code is not None:
            raise RefusedError(code)
        plan = self._plans.get(to, self.default_plan)
        self._forward(card, seen, submit, self.cards.get(to), natural=plan is None)
        if not submit.wants_report or plan is None:
            return Accepted(mr)
        return Accepted(mr, tuple(self._follow(card, seen, plan)))

    def inject(
        self,
        to: str,
        text: str | None = None,
        from_: str = "+15551230000",
        *,
        pdu: str | None = None,
        order: Sequence[int] | None = None,
        reference: int | None = None,
        wide: bool = False,
        flash: bool = False,
    ) -> list[str]:
        """Send a text, or a raw PDU as hex with its SMSC address, to a SIM; returns the PDUs as hex in sending order.

        `order` names the parts of a long text (from 1) to send, in that order; leaving one out loses it, naming one
        twice repeats it. `wide` uses 16-bit references, `from_` may be alphanumeric. KeyError for an unknown number.
        """
        card = self.cards[self.canonical(to)]
        if pdu is not None:
            pdus = [pdu.upper()]
        else:
            parts = self._parts(card, text or "", from_, reference, wide=wide, flash=flash)
            pdus = [parts[number - 1] for number in order or range(1, len(parts) + 1)]
        for octets in pdus:
            self.offer(card, Inbound(ItemKind.MESSAGE, octets, _length_of(octets), from_))
        return pdus

    def cell(self, up: bool, modems: Iterable[int] | None = None) -> None:
        """Lose or restore the radio cell, for all modems or for some by index."""
        chosen = None if modems is None else set(modems)
        for modem in self.modems:
            if chosen is None or modem.index in chosen:
                modem.radio.set_coverage(up)

    def offer(self, card: SimCard, item: Inbound) -> None:
        """Hand an item to the modem that holds the SIM, behind what waits; what it cannot take waits here."""
        if card.queue_of(item.kind):
            self.hold(card, item)
            self.flush(card)
        elif not self._hand_over(card, item):
            self.hold(card, item)

    def take_back(self, card: SimCard, item: Inbound) -> None:
        """The modem gives back an item that its host did not acknowledge: it is the next one again."""
        self.hold(card, item, first=True)
        self.flush(card)

    def hold(self, card: SimCard, item: Inbound, *, first: bool = False) -> None:
        """Keep an item until the SIM can take it or its validity ends; `first` when it was handed over once."""
        queue = card.queue_of(item.kind)
        if first:
            queue.appendleft(item)
        else:
            queue.append(item)
        if item.expires is not None:
            remaining = max(0.001, item.expires - self.schedule.now())
            self.schedule.after(remaining, partial(self._expire_waiting, card, item))

    def flush(self, card: SimCard) -> None:
        """Offer everything that waits again: the SIM is reachable or has room."""
        for queue in (card.waiting_reports, card.waiting):
            while queue:
                item = queue.popleft()
                if not self._hand_over(card, item):
                    queue.appendleft(item)
                    break

    def received(self, card: SimCard, item: Inbound, where: str) -> None:
        """Record that a modem holds an item; a message then earns its sender a report."""
        now = self.schedule.now()
        if item.kind is ItemKind.REPORT:
            seen = SeenReport(now, card.imsi, card.iccid, item.party, item.mr, item.status, item.pdu_hex, where)
            self.reports.append(seen)
            return
        self.inbound.append(SeenInbound(now, card.imsi, card.iccid, item.party, item.pdu_hex, where))
        if item.source is not None and item.source.wants_report:
            self._report_later(item.source, Step(), self.latency.report.draw(self.random))

    def _decide(self, to: str) -> int | None:
        code = self._refusals.get(to)
        return self.decide(to) if code is None and self.decide is not None else code

    def _hand_over(self, card: SimCard, item: Inbound) -> bool:
        modem = card.modem
        return modem is not None and modem.radio.attached and modem.reception.receive(item)

    def _forward(
        self, card: SimCard, seen: SeenSubmit, submit: tpdu.Submit, recipient: SimCard | None, *, natural: bool
    ) -> None:
        delay = self.latency.delivery.draw(self.random)
        if recipient is None:
            self.outside.append(seen)
            if natural and seen.wants_report:
                self._report_later(seen, Step(), delay + self.latency.report.draw(self.random))
            return
        octets = tpdu.encode_deliver(
            submit.smsc or card.smsc, card.msisdn, submit.data, self.schedule.wall(), pid=submit.pid
        )
        item = Inbound(ItemKind.MESSAGE, octets.hex().upper(), tpdu.tpdu_length(octets), card.msisdn)
        item.source = seen if natural else None
        validity = submit.validity_s()
        item.expires = None if validity is None else self.schedule.now() + validity
        self.schedule.after(delay, partial(self.offer, recipient, item))

    def _follow(self, card: SimCard, seen: SeenSubmit, plan: ReportPlan) -> Iterable[tuple[When, Inbound]]:
        elapsed = 0.0
        for step in plan.steps:
            if step.when is When.LATER:
                drawn = self.latency.delivery.draw(self.random) + self.latency.report.draw(self.random)
                elapsed += drawn if step.delay is None else step.delay
                self._report_later(seen, step, elapsed, national=plan.national)
            else:
                yield step.when, self._report(card, seen, step.status, national=plan.national)

    def _report_later(self, seen: SeenSubmit, step: Step, delay: float, *, national: bool = False) -> None:
        card = self._subscribers[seen.imsi]
        self.schedule.after(delay, partial(self._send_report, card, seen, step.status, national=national))

    def _send_report(self, card: SimCard, seen: SeenSubmit, status: int, *, national: bool) -> None:
        self.offer(card, self._report(card, seen, status, national=national))

    def _report(self, card: SimCard, seen: SeenSubmit, status: int, *, national: bool) -> Inbound:
        sent, now = self.schedule.wall_at(seen.at), self.schedule.wall()
        recipient = seen.destination
        if national:
            recipient = recipient.removeprefix(f"+{self.country_code}")
        octets = tpdu.encode_report(card.smsc, seen.mr, recipient, sent, now, status=status)
        length = tpdu.tpdu_length(octets)
        return Inbound(ItemKind.REPORT, octets.hex().upper(), length, recipient, mr=seen.mr, status=status)

    def _parts(
        self, card: SimCard, text: str, sender: str, reference: int | None, *, wide: bool, flash: bool
    ) -> list[str]:
        pieces = tpdu.split_text(text, wide=wide)
        if reference is None:
            self._reference = (self._reference + 1) % (65536 if wide else 256)
            reference = self._reference
        pdus = []
        for sequence, piece in enumerate(pieces, 1):
            concat = tpdu.Concat(reference, len(pieces), sequence) if len(pieces) > 1 else None
            data = tpdu.encode_user_data(piece, concat=concat, wide=wide, flash=flash)
            octets = tpdu.encode_deliver(card.smsc, sender, data, self.schedule.wall())
            pdus.append(octets.hex().upper())
        return pdus

    def _expire_waiting(self, card: SimCard, item: Inbound) -> None:
        if item not in card.waiting:
            return
        card.waiting.remove(item)
        if item.source is not None and item.source.wants_report:
            self._report_later(item.source, Step(EXPIRED), 0.0)


def _length_of(pdu_hex: str) -> int:
    try:
        return tpdu.tpdu_length(bytes.fromhex(pdu_hex))
    except ValueError:  # a test may send what is not even hex
        return max(0, len(pdu_hex) // 2 - 1)
