"""Looking after a modem in service: registration, signal, SIM, routing, memories, and calls that hold up the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from modembank.at import (
    AtCommand,
    AtResult,
    FinalStatus,
    PinState,
    RegistrationReport,
    Urc,
    UrcKind,
    parse_cnmi,
    parse_cops,
    parse_cpin,
    parse_cpms,
    parse_csq,
    parse_imsi,
    parse_registration,
    query,
)
from modembank.modem.channel import AtChannel
from modembank.modem.dialogue import NO_SIM_CME, SIM_FAILURE_CME
from modembank.modem.identity import IMSI
from modembank.modem.initialization import Initialized
from modembank.modem.memories import USE
from modembank.modem.reading import Storage
from modembank.modem.routing import READ_BACK
from modembank.modem.timings import Timings
from modembank.modem.troubles import Hung, NoReply, Trouble

_T = TypeVar("_T")
SIM = query("+CPIN")
_SIGNAL = AtCommand("AT+CSQ", prefix=("+CSQ:",))
OPERATOR = query("+COPS", timeout_s=20.0)
REGISTRATION_KINDS = {
    UrcKind.CREG: "+CREG",
    UrcKind.CGREG: "+CGREG",
    UrcKind.CEREG: "+CEREG",
    UrcKind.C5GREG: "+C5GREG",
}


class Restarted(Exception):
    """The modem lost its settings, or has another SIM: initialise again."""

    def __init__(self, *, detail: str, sim_changed: bool = False) -> None:
        """Keep how it was noticed."""
        super().__init__(detail)
        self.detail = detail
        self.sim_changed = sim_changed


class Radio(msgspec.Struct):
    """What is known of the network side."""

    reports: dict[str, RegistrationReport]
    signal_dbm: int | None = None
    operator: str | None = None

    @property
    def registered(self) -> bool:
        """Whether any domain carries short messages."""
        return any(report.sms_allowed for report in self.reports.values())

    @property
    def denied(self) -> bool:
        """Whether the network refused (state 3)."""
        return any(report.stat == 3 for report in self.reports.values())

    def describe(self) -> str:
        """Return one word per domain, for people."""
        return ", ".join(f"{name[1:]} {_STATS.get(report.stat, '?')}" for name, report in self.reports.items())


class Watch:
    """One modem's heartbeat; ``run`` it as a task. ``registration_changed`` is called when being registered changes."""

    def __init__(
        self, channel: AtChannel, timings: Timings, initialized: Initialized,
        registration_changed: Callable[[bool], None],
    ) -> None:  # fmt: skip
        """Start with everything due."""
        self._channel = channel
        self._timings = timings
        self._capabilities = initialized.capabilities
        self._quirks = initialized.quirks
        self._imsi = initialized.sim.imsi
        self._changed = registration_changed
        self._wake = asyncio.Event()
        self._wake.set()
        self._verified_at = channel.time()
        self._given_up = channel.given_up
        self._ringing = False
        self._told: bool | None = None
        self.radio = Radio({})
        self.storage: dict[str, Storage] = {}
        self.calls_refused = 0

    def heard(self, urc: Urc) -> None:
        """Note a registration that came by itself; never blocks."""
        report = parse_registration(urc.raw)
        if report is not None:
            self.radio.reports[REGISTRATION_KINDS[urc.kind]] = report
            if self._told and not self.radio.registered:
                self._tell()
            elif self.radio.registered and not self._told:
                self._wake.set()  # told after the SIM has been looked at: a card can be swapped while off the network

    def ringing(self) -> None:
        """A call comes in; it is refused as soon as the line is free."""
        self._ringing = True
        self._wake.set()

    def look_closely(self) -> None:
        """Something hints at a restart or a changed SIM: check everything now."""
        self._verified_at = -self._timings.verify_s
        self._wake.set()

    async def run(self) -> None:
        """Beat until cancelled. Raises Hung, Restarted or ChannelError."""
        while True:
            period = self._timings.beat_s if self.radio.registered else self._timings.search_s
            try:
                async with asyncio.timeout(period):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._ringing:
                await self._hang_up()
            await self._beat()

    async def _beat(self) -> None:
        await self._check_sim()
        for name in self._capabilities.registrations:
            result = await self._ask(query(name))
            report = _first(result, name, parse_registration)
            if report is not None:
                self.radio.reports[name] = report
        if self.radio.registered and not self._told:
            await self._check_subscriber()
        self._tell()
        signal = _first(await self._ask(_SIGNAL), "+CSQ:", parse_csq)
        if signal is not None:
            self.radio.signal_dbm = signal.rssi_dbm
        now = self._channel.time()
        mute = self._channel.given_up != self._given_up
        due = mute or now - self._verified_at >= self._timings.verify_s
        if due or (self.radio.registered and self.radio.operator is None):
            self._given_up = self._channel.given_up
            self._verified_at = now
            await self._verify()

    async def _verify(self) -> None:
        """Check what a restart without a word would have reset, and how full the memories are."""
        routing = self._capabilities.routing
        if routing is not None:
            result = await self._ask(READ_BACK)
            if result is not None and result.ok and result.lines:
                now = parse_cnmi(result.lines[0])
                if len(now) >= 4 and now[:4] != routing.arguments[:4]:
                    raise Restarted(detail=f"the routing was reset to {now}")
        await self._check_subscriber()
        result = await self._ask(USE)
        for use in parse_cpms(result.lines[0]) if result is not None and result.ok and result.lines else ():
            if use.memory is not None:
                self.storage[use.memory] = Storage(use.memory, use.used, use.total)
        if self.radio.registered:
            found = _first(await self._ask(OPERATOR), "+COPS:", parse_cops)
            self.radio.operator = _clean(found.name) if found is not None and found.name else ""

    async def _check_sim(self) -> None:
        result = await self._ask(SIM)
        if result is None:
            return
        if result.ok and result.lines:
            state = parse_cpin(result.lines[-1])
            if state is not PinState.READY and state is not PinState.OTHER:
                raise Restarted(detail=f"the SIM is no longer ready: {state.value}", sim_changed=True)
        elif result.status is FinalStatus.CME_ERROR:
            if result.code in SIM_FAILURE_CME:
                raise Hung(Trouble.SIM_DROPPED, f"+CME ERROR {result.code}")
            if result.code in NO_SIM_CME:
                raise Restarted(detail="no SIM", sim_changed=True)

    async def _check_subscriber(self) -> None:
        result = await self._ask(IMSI)
        found = next(
            (imsi for line in (result.lines if result and result.ok else ()) if (imsi := parse_imsi(line))), None
        )
        if found is not None and self._imsi is not None and found != self._imsi:
            raise Restarted(detail="another SIM is in the modem", sim_changed=True)

    async def _hang_up(self) -> None:
        """A ringing line delays sending; nobody answers calls here."""
        self._ringing = False
        self.calls_refused += 1
        for way in self._quirks.hang_up:
            result = await self._ask(way)
            if result is not None and result.ok:
                return

    def _tell(self) -> None:
        registered = self.radio.registered
        if registered is not self._told:
            self._told = registered
            self._changed(registered)

    async def _ask(self, order: AtCommand) -> AtResult | None:
        try:
            return await self._channel.execute(order)
        except NoReply as silence:
            if silence.trouble is not None:
                raise
            return None


_STATS = {
    0: "off", 1: "home", 2: "searching", 3: "denied", 4: "unknown", 5: "roaming", 6: "home, SMS only",
    7: "roaming, SMS only", 8: "emergency only", 9: "home, no CSFB", 10: "roaming, no CSFB",
}  # fmt: skip


def _first(result: AtResult | None, prefix: str, parse: Callable[[str], _T | None]) -> _T | None:
    if result is None or not result.ok:
        return None
    return next((parse(line) for line in result.lines if line.startswith(prefix)), None)


def _clean(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:64]
