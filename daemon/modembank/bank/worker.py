"""One slot: its modem, the SIM in it, what the operator wants of it, and the line that comes and goes."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from modembank.bank.claims import Claims
from modembank.bank.line import Gate, LineListener
from modembank.bank.view import ModemView, SlotFacts, view_of
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import ModembankError
from modembank.events import ModemStateChanged
from modembank.ids import mask_number
from modembank.modem import (
    AdminState,
    Capabilities,
    FailedReason,
    InboundSink,
    Modem,
    ModemSettings,
    ModemState,
    OutOfService,
    SimSeen,
    StateChange,
    SubmitResult,
)
from modembank.sim import SimIdentity, Sims

_log = structlog.get_logger()
_HOLDING = frozenset({ModemState.INITIALIZING, ModemState.SEARCHING, ModemState.REGISTERED})
"""States in which a slot keeps its claim on the SIM it identified."""


class SlotSurroundings(msgspec.Struct, frozen=True):
    """What all slots of a bank share."""

    sims: Sims
    sink: InboundSink
    listener: LineListener
    claims: Claims
    bus: Bus
    clock: Clock


class SimLine:
    """A Line: one SIM in one registered modem."""

    __slots__ = ("_modem", "_sim_id", "_slot")

    def __init__(self, sim_id: int, slot: str, modem: Modem) -> None:
        """Stand for the SIM until the listener is told that the line is down."""
        self._sim_id = sim_id
        self._slot = slot
        self._modem = modem

    @property
    def sim_id(self) -> int:
        """The SIM's row id."""
        return self._sim_id

    @property
    def slot(self) -> str:
        """The name of the slot the modem sits in."""
        return self._slot

    async def submit(self, pdu: str, length: int, gate: Gate, *, more_follow: bool = False) -> SubmitResult:
        """Send one segment; see ``Line``."""
        return await self._modem.submit(pdu, length, gate, more_follow=more_follow)


class SlotWorker:
    """Runs one slot's modem and speaks for it; implements ``ModemHost``."""

    def __init__(self, settings: ModemSettings, around: SlotSurroundings, start_after_s: float) -> None:
        """``start_after_s`` staggers the first opening, so that a bank does not transmit all at once."""
        self._settings = settings
        self._around = around
        self._start_after_s = start_after_s
        self.slot = settings.slot
        self.modem = Modem(settings, self, around.sink, around.clock)
        self.admin = AdminState.ENABLED
        self._since = to_ms(around.clock.now())
        self._sim_id: int | None = None
        self._line: SimLine | None = None
        self._log = _log.bind(modem=settings.slot)

    @property
    def sim_id(self) -> int | None:
        """The SIM that is or was last served here."""
        return self._sim_id

    @property
    def at_work(self) -> bool:
        """Whether the modem must not lose its power: it serves or is about to, or the operator keeps us off it."""
        if self.admin is AdminState.DISABLED or self.modem.state in {ModemState.SEARCHING, ModemState.REGISTERED}:
            return True
        return self.modem.state is ModemState.INITIALIZING and not self.modem.recovery.climbing

    async def run(self) -> None:
        """Live until cancelled."""
        wait_s, self._start_after_s = self._start_after_s, 0.0
        await asyncio.sleep(wait_s)
        await self.modem.run()

    def view(self) -> ModemView:
        """Return a snapshot."""
        facts = SlotFacts(
            self.slot, self._settings.port.path, self.admin, self._since, self._sim_id, self._line is not None
        )
        return view_of(facts, self.modem)

    def wish(self, admin: AdminState) -> None:
        """Take a new wish of the operator's; the line follows at once."""
        self.admin = admin
        self.reconsider()

    # -- ModemHost

    def state_changed(self, change: StateChange) -> None:
        """Publish the change; bring the line up or down with it."""
        now = to_ms(self._around.clock.now())
        if change.new is not change.old:
            self._since = now
        reason = change.failed.value if change.failed is not None else change.reason.value
        level = self._log.warning if change.failed is not None else self._log.info
        level("modem_state", state=change.new.value, was=change.old.value, reason=reason, detail=change.detail)
        if change.new not in _HOLDING:
            self._around.claims.release(self.slot)
        self.reconsider(reason)
        event = ModemStateChanged(now, self.slot, change.old.value, change.new.value, reason, change.detail)
        self._around.bus.publish(event)

    async def identified(self, sim: SimSeen, capabilities: Capabilities) -> int:
        """Book the SIM and claim it. Raises OutOfService when another slot serves it, or it cannot be booked."""
        identity = SimIdentity(sim.iccid, sim.imsi, sim.msisdn, sim.operator)
        try:
            known = await self._around.sims.identify(identity, self.slot)
        except ModembankError as error:
            raise OutOfService(FailedReason.SIM_REFUSED, str(error)) from error
        holder = self._around.claims.claim(known.id, self.slot)
        if holder is not None:
            raise OutOfService(FailedReason.SIM_REFUSED, f"{holder} reports the same SIM {known.iccid[-6:]}")
        if self._sim_id is not None and self._sim_id != known.id:
            self._log.info("sim_swapped", sim=known.id, was=self._sim_id)
        self._sim_id = known.id
        self._log.info(
            "modem_identified", sim=known.id, model=capabilities.model, imei=mask_number(capabilities.imei)
        )  # fmt: skip
        return known.id

    # -- the line

    def reconsider(self, why: str = "") -> None:
        """Bring the line up or down as state, wish and the SIM's pause ask; idempotent."""
        obstacle = self._obstacle(why)
        if obstacle is None and self._line is None and self._sim_id is not None:
            self._line = SimLine(self._sim_id, self.slot, self.modem)
            self._log.info("line_up", sim=self._sim_id)
            self._around.listener.line_up(self._line)
        elif self._line is not None and (obstacle is not None or self._line.sim_id != self._sim_id):
            down, self._line = self._line, None
            self._log.info("line_down", sim=down.sim_id, why=obstacle or "another SIM")
            self._around.listener.line_down(down.sim_id, obstacle or "another SIM")
            if obstacle is None:
                self.reconsider(why)

    def _obstacle(self, why: str) -> str | None:
        """Return what keeps the SIM from being given messages, in words; None when nothing does."""
        if self.admin is not AdminState.ENABLED:
            return f"the modem is {self.admin.value}"
        if self.modem.state is not ModemState.REGISTERED or self._sim_id is None:
            return f"the modem is {self.modem.state.value}" + (f" ({why})" if why else "")
        sim = self._around.sims.get(self._sim_id)
        return f"the SIM is paused: {sim.paused_reason}" if sim.paused else None
