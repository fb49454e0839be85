"""USSD: one code out, one answer back, and the session closed whatever happens (3GPP TS 27.007 7.15)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from modembank.at import Str, Urc, UssdReport, command, pack_gsm7, parse_cusd
from modembank.errors import ModembankError
from modembank.modem.channel import AtChannel
from modembank.modem.quirks import Quirks
from modembank.modem.timings import Timings
from modembank.modem.troubles import ChannelError

_DCS_DEFAULT = 15
_STATES = {
    0: "done",
    1: "asks",
    2: "ended",
    3: "answered_elsewhere",
    4: "not_supported",
    5: "network_timeout",
}
_ALLOWED = frozenset("0123456789*#+")
MAX_CODE = 182


class UssdFailed(ModembankError):
    """The code was not answered."""

    key = "ussd_failed"
    template = "USSD on {slot} failed: {why}"


class UssdAnswer(msgspec.Struct, frozen=True):
    """The network's words: ``text`` may be empty; ``state`` is done, asks, ended, answered_elsewhere, not_supported or
    network_timeout.
    """

    text: str
    state: str


class Ussd:
    """One modem's USSD sessions, one at a time."""

    def __init__(self, channel: AtChannel, timings: Timings, quirks: Quirks, slot: str) -> None:
        """Start with none open."""
        self._channel = channel
        self._timings = timings
        self._quirks = quirks
        self._slot = slot
        self._answer: asyncio.Future[UssdReport] | None = None

    def heard(self, urc: Urc) -> None:
        """Take an answer; what nobody asked for is dropped."""
        report = parse_cusd(urc.raw)
        if report is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(report)

    async def ask(self, code: str) -> UssdAnswer:
        """Send a code such as ``*100#`` and return the answer. Raises UssdFailed."""
        if not code or len(code) > MAX_CODE or not set(code) <= _ALLOWED:
            raise UssdFailed(slot=self._slot, why="a code holds digits, * and # only")
        if self._answer is not None:
            raise UssdFailed(slot=self._slot, why="another code is being asked")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            return await self._ask(code, self._answer)
        except ChannelError as error:
            raise UssdFailed(slot=self._slot, why=str(error)) from error
        finally:
            self._answer = None

    async def _ask(self, code: str, answer: asyncio.Future[UssdReport]) -> UssdAnswer:
        text = (pack_gsm7(code) or code) if self._quirks.packed_ussd else code
        result = await self._channel.execute(command("+CUSD", 1, Str(text), _DCS_DEFAULT, timeout_s=15.0))
        if not result.ok:
            raise UssdFailed(slot=self._slot, why=f"the modem refused it ({result.status.value} {result.code or ''})")
        report: UssdReport | None = None
        ends: list[asyncio.Future[Any]] = [answer, self._channel.lost]
        try:
            await asyncio.wait(ends, timeout=self._timings.ussd_s, return_when=asyncio.FIRST_COMPLETED)
            report = answer.result() if answer.done() else None
        finally:
            if report is None or report.state == 1:
                # An open session blocks the next one, and on many networks short messages too.
                await self._channel.execute(command("+CUSD", 2, timeout_s=10.0))
        if report is None:
            raise UssdFailed(slot=self._slot, why="the network did not answer in time")
        return UssdAnswer(report.text or "", _STATES.get(report.state, "done"))
