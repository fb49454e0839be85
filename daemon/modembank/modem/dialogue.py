"""Asking a modem while it starts: patience with a SIM that still loads, and evidence for every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from modembank.at import AtCommand, AtResult, FinalStatus
from modembank.modem.capabilities import Feature, Finding, Has
from modembank.modem.channel import AtChannel
from modembank.modem.timings import Timings
from modembank.modem.troubles import NoReply

NOT_YET_CMS = frozenset({314, 515})
"""While the SIM loads: SIM busy, initialisation in progress."""
NOT_YET_CME = frozenset({14, 515})
NOT_ALLOWED_CMS = 302
"""Operation not allowed: "not yet" of a message service that starts, "never" of one that has shown itself ready."""
NO_SIM_CME = frozenset({10})
SIM_FAILURE_CME = frozenset({13, 15})


class Dialogue:
    """Commands, findings and waiting on one channel."""

    def __init__(self, channel: AtChannel, timings: Timings, sms_ready: asyncio.Event) -> None:
        """``sms_ready`` is set by the unsolicited codes that say so, and shortens waits."""
        self.channel = channel
        self.timings = timings
        self.sms_ready = sms_ready
        self.findings: dict[Feature, Finding] = {}
        self.settled = False
        """Whether the message service is ready, or has been waited for long enough: what is refused now is lacking."""

    async def ask(self, command: AtCommand) -> AtResult | None:
        """Return the answer, or None when there was none though the modem lives. Raises NoReply only in trouble."""
        try:
            return await self.channel.execute(command)
        except NoReply as silence:
            if silence.trouble is not None:
                raise
            return None

    async def ask_patiently(self, command: AtCommand) -> AtResult | None:
        """As ``ask``, again and again while the modem says "not yet"."""
        result = await self.ask(command)
        for _ in range(self.timings.not_ready_tries):
            if result is None or not not_yet(result, settled=self.settled):
                return result
            await self.wait_for_sms()
            result = await self.ask(command)
        return result

    async def wait_for_sms(self) -> None:
        """Wait a little, or until the modem says that its message service is ready."""
        self.sms_ready.clear()
        try:
            async with asyncio.timeout(self.timings.not_ready_s):
                await self.sms_ready.wait()
        except TimeoutError:
            return

    async def first_ok(self, ways: Iterable[AtCommand], *, patiently: bool = False) -> tuple[AtResult | None, str]:
        """Try each way until one is answered OK; return that answer (or None) and the evidence of the last."""
        evidence = "not asked"
        for way in ways:
            result = await (self.ask_patiently(way) if patiently else self.ask(way))
            evidence = said(way, result)
            if result is not None and result.ok:
                return result, evidence
        return None, evidence

    def note(self, feature: Feature, has: bool | None, evidence: str) -> None:
        """Record a finding."""
        state = Has.UNKNOWN if has is None else Has.YES if has else Has.NO
        self.findings[feature] = Finding(state, evidence[:120])


def not_yet(result: AtResult, *, settled: bool = False) -> bool:
    """Whether the answer means that the SIM or the message service still loads; a plain ERROR never does."""
    if result.status is FinalStatus.CMS_ERROR:
        return result.code in NOT_YET_CMS or (result.code == NOT_ALLOWED_CMS and not settled)
    return result.status is FinalStatus.CME_ERROR and result.code in NOT_YET_CME


def said(command: AtCommand, result: AtResult | None) -> str:
    """Return command and answer in one short phrase; no numbers of people are in these commands."""
    if result is None:
        return f"{command.text}: no answer"
    if result.ok:
        return f"{command.text}: {result.lines[0][:80]}" if result.lines else f"{command.text}: OK"
    code = "" if result.code is None else f" {result.code}"
    return f"{command.text}: {result.status.name.replace('_', ' ')}{code}"
