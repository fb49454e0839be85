"""One modem's side of sending: CMGS from the command line to the final result, with the faults of each stage."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from modembank_emulator import pdu as tpdu
from modembank_emulator.at_line import AtError, CmsError
from modembank_emulator.dialogue import error_of
from modembank_emulator.dialogue_entry import Entry
from modembank_emulator.faults import MUTED_BY, Fault, FaultKind, Stage
from modembank_emulator.ledger import Inbound
from modembank_emulator.network import RefusedError
from modembank_emulator.reports import When

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem
    from modembank_emulator.schedule import Timer

_BEGINNINGS_KEPT = 10_000
_ERRORS = {FaultKind.CMS_ERROR, FaultKind.CME_ERROR, FaultKind.PLAIN_ERROR}
_ENDINGS = {*MUTED_BY, FaultKind.RESET, FaultKind.UNPLUG}


class Submission:
    """Counts and times the CMGS exchanges of a modem; `busy_s` is the time from command line to final result."""

    def __init__(self, modem: EmulatedModem) -> None:
        self._modem = modem
        self._fault: Fault | None = None
        self._length = 0
        self._started: float | None = None
        self._timer: Timer | None = None
        self.count = 0
        self.finished = 0
        self.busy_s = 0.0
        self.began: deque[float] = deque(maxlen=_BEGINNINGS_KEPT)
        """When the latest exchanges began, on the machine's monotonic clock."""

    def begin(self, length: int) -> None:
        """Open the prompt for a PDU of `length` octets without SMSC; CmsError when the modem cannot send at all."""
        self._start()
        self._length = length
        self._prompt(self._pdu_entered)

    def begin_text(self, number: str) -> None:
        """Open the prompt for a text to `number` (text mode)."""
        self._start()
        self._prompt(lambda text: self._text_entered(number, text))

    def send_stored(self, octets: bytes) -> None:
        """Send a PDU that lies in memory (CMSS)."""
        self._start()
        self._take(octets)

    def ended(self) -> None:
        """The final result left, or never will."""
        if self._started is not None:
            self.busy_s += self._modem.world.schedule.now() - self._started
            self._started = None
            self.finished += 1

    def abort(self) -> None:
        """Power went away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.ended()

    def _start(self) -> None:
        modem = self._modem
        self.count += 1
        self.began.append(time.monotonic())
        self._started = modem.world.schedule.now()
        self._fault = modem.dialogue.fault
        modem.check_sim_for_messages()

    def _prompt(self, accept: Callable[[str], None]) -> None:
        modem, fault = self._modem, self._fault
        if fault is not None and fault.stage is Stage.COMMAND:
            if fault.kind in _ERRORS:
                raise error_of(fault)
            if modem.dialogue.strike(fault):
                self.ended()
                return
        times = 1
        if fault is not None:
            times = {FaultKind.NO_PROMPT: 0, FaultKind.PROMPT_TWICE: 2}.get(fault.kind, 1)
        entry = Entry(accept, self._cancelled, self._touched if fault else None)
        wait = modem.world.latency.prompt.draw(modem.random)
        if wait <= 0:
            modem.dialogue.ask(entry, times=times)
        else:
            self._timer = modem.world.schedule.after(wait, lambda: modem.dialogue.ask(entry, times=times))

    def _touched(self) -> bool:
        return self._strikes_at(Stage.PROMPT)

    def _strikes_at(self, stage: Stage) -> bool:
        fault = self._fault
        if fault is None or fault.stage is not stage or fault.kind not in _ENDINGS:
            return False
        self._modem.dialogue.strike(fault)
        self.ended()
        return True

    def _cancelled(self) -> None:
        dialogue = self._modem.dialogue
        if self._modem.caps.escape_answer is None:
            dialogue.fault = Fault(FaultKind.DROP_FINAL)
        dialogue.complete()

    def _text_entered(self, number: str, text: str) -> None:
        first, validity, pid, _ = self._modem.settings.csmp
        period = bytes([validity]) if first & 0x18 == 0x10 else b""
        data = tpdu.encode_user_data(text.replace("\r", "\n").strip("\n"))
        try:
            octets = tpdu.encode_submit(number, data, first_octet=first, pid=pid, validity=period)
        except ValueError:
            self._modem.dialogue.complete(CmsError(305))
            return
        self._length = len(octets) - 1
        self._take(octets)

    def _pdu_entered(self, text: str) -> None:
        digits = text.lstrip("\r\n")  # the line end of the command may still be under way; nothing else is let pass
        try:
            octets = bytes.fromhex(digits)
        except ValueError:
            octets = b""
        if len(octets) * 2 != len(digits):
            self._modem.dialogue.complete(CmsError(304))
            return
        if tpdu.tpdu_length(octets) != self._length:
            self._modem.dialogue.complete(CmsError(304))
            return
        self._take(octets)

    def _take(self, octets: bytes) -> None:
        try:
            submit = tpdu.decode_submit(octets)
        except tpdu.PduError:
            self._modem.dialogue.complete(CmsError(304))
            return
        if self._strikes_at(Stage.CTRL_Z):
            return
        world = self._modem.world
        wait = world.latency.submit.draw(self._modem.random)
        if wait <= 0:
            self._transmit(submit, octets)
        else:
            self._timer = world.schedule.after(wait, lambda: self._transmit(submit, octets))

    def _transmit(self, submit: tpdu.Submit, octets: bytes) -> None:
        self._timer = None
        modem, fault = self._modem, self._fault
        failing = fault is not None and fault.kind in _ERRORS
        if fault is not None and failing and not fault.sent:
            modem.dialogue.complete(error_of(fault))
            return
        try:
            card = modem.check_can_send(submit)
            accepted = modem.world.network.submit(card, submit, octets.hex().upper())
        except RefusedError as refusal:
            modem.dialogue.complete(CmsError(refusal.code))
            return
        except AtError as error:
            modem.dialogue.complete(error)
            return
        if self._strikes_at(Stage.SENT):
            return
        if fault is not None and failing:
            modem.dialogue.complete(error_of(fault))
            return
        self._confirm(accepted.mr, accepted.early)

    def _confirm(self, reference: int, early: tuple[tuple[When, Inbound], ...]) -> None:
        modem = self._modem
        for when, report in early:
            if when is When.BEFORE_CMGS:
                self._early_report(report)
        if any(when is not When.BEFORE_CMGS for when, _ in early):
            modem.dialogue.batch()
        for when, report in early:
            if when is When.GLUED_BEFORE:
                self._early_report(report)
        late = [report for when, report in early if when is When.GLUED_AFTER]
        modem.dialogue.info(f"+CMGS: {reference}")
        if late:
            modem.dialogue.then(partial(self._early_reports, late))
        modem.dialogue.complete()

    def _early_reports(self, reports: list[Inbound]) -> None:
        for report in reports:
            self._early_report(report)

    def _early_report(self, report: Inbound) -> None:
        modem = self._modem
        if modem.sim is not None and not modem.reception.receive(report, now=True):
            modem.world.network.hold(modem.sim, report)
