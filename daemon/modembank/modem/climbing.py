"""Carrying out the rungs of the recovery ladder on an open channel, and watching what they do."""

from __future__ import annotations

import asyncio
import enum
from typing import Any

import structlog

from modembank.at import AtCommand, command
from modembank.modem.channel import AtChannel
from modembank.modem.quirks import Quirks
from modembank.modem.recovery import POWER_S, PowerSwitch, Rung
from modembank.modem.timings import Timings
from modembank.modem.troubles import ChannelError, Trouble

_log = structlog.get_logger()
RADIO_OFF = command("+CFUN", 0, timeout_s=10.0)
RADIO_ON = command("+CFUN", 1, timeout_s=15.0)
RESTART = command("+CFUN", 1, 1, timeout_s=5.0)
MUTE = frozenset({Trouble.SILENT, Trouble.DEAF, Trouble.ECHO_ONLY, Trouble.WRITE_STUCK, Trouble.CONFUSED})
"""Troubles in which no answer is to be expected: commands are written blindly."""


class Effect(enum.Enum):
    """What was seen to follow from a rung."""

    NOT_THERE = "not_there"
    """This modem has no such rung; nothing was done."""
    STAYED = "stayed"
    """Done, and the port still stands: initialise again."""
    NO_SIGN = "no_sign"
    """Done, and nothing was seen of it: open the port afresh and ask; whatever is silent then was not helped."""
    WENT_DOWN = "went_down"
    """The port went away or the modem says that it starts: it needs time to come back."""


class Climber:
    """Climbs rungs for one slot."""

    def __init__(self, slot: str, power: PowerSwitch | None, timings: Timings) -> None:
        """``power`` None: the rung of port power is never there."""
        self._slot = slot
        self._timings = timings
        self._power = power
        self._booted = asyncio.Event()

    def booted(self) -> None:
        """The modem said that it starts."""
        self._booted.set()

    async def seen(self) -> None:
        """The port is open."""
        if self._power is not None:
            await self._power.seen(self._slot)

    async def bring_back(self) -> bool:
        """Cycle the power of a port from which the modem vanished; return whether that was possible."""
        cycled = await self._cycle()
        if cycled:
            _log.warning("recovery_rung", modem=self._slot, rung=Rung.POWER.value, trouble=Trouble.VANISHED.value)
        return cycled

    async def climb(self, rung: Rung, trouble: Trouble, channel: AtChannel, quirks: Quirks) -> Effect:
        """Carry it out; return what was seen of it. Whatever the modem does here is no error."""
        self._booted.clear()
        effect = await self._carry_out(rung, trouble, channel, quirks)
        level = _log.debug if effect is Effect.NOT_THERE else _log.warning
        level("recovery_rung", modem=self._slot, rung=rung.value, trouble=trouble.value, effect=effect.value)
        return effect

    async def _carry_out(self, rung: Rung, trouble: Trouble, channel: AtChannel, quirks: Quirks) -> Effect:
        match rung:
            case Rung.REINITIALIZE:
                return Effect.STAYED
            case Rung.RADIO_CYCLE:
                cycled = await _tell(channel, RADIO_OFF) and await _tell(channel, RADIO_ON)
                return Effect.STAYED if cycled else Effect.NO_SIGN
            case Rung.RESTART:
                return await self._order(channel, (RESTART,), trouble)
            case Rung.VENDOR_RESET:
                return await self._order(channel, quirks.resets, trouble)
            case Rung.POWER:
                return await self._watch(channel) if await self._cycle() else Effect.NOT_THERE
            case _:
                return Effect.NO_SIGN

    async def _order(self, channel: AtChannel, orders: tuple[AtCommand, ...], trouble: Trouble) -> Effect:
        """Give the orders until one shows; they are alternatives, and there may be none."""
        effect = Effect.NOT_THERE
        for order in orders:
            if trouble in MUTE:
                await _blindly(channel, order, self._timings.blind_s)
            else:
                await _tell(channel, order)
            effect = await self._watch(channel)
            if effect is Effect.WENT_DOWN:
                break
        return effect

    async def _cycle(self) -> bool:
        if self._power is None:
            return False
        try:
            async with asyncio.timeout(POWER_S):
                return await self._power.cycle(self._slot)
        except TimeoutError:
            return False

    async def _watch(self, channel: AtChannel) -> Effect:
        """Wait for a sign. A modem answers OK first and goes down later: asked too early it would still serve."""
        booted = asyncio.ensure_future(self._booted.wait())
        signs: list[asyncio.Future[Any]] = [channel.lost, booted]
        try:
            await asyncio.wait(signs, timeout=self._timings.down_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            booted.cancel()
        return Effect.WENT_DOWN if channel.lost.done() or self._booted.is_set() else Effect.NO_SIGN


async def _tell(channel: AtChannel, order: AtCommand) -> bool:
    """Send an order; a port that goes away meanwhile, or silence, belongs to it."""
    try:
        return (await channel.execute(order)).ok
    except ChannelError:
        return False


async def _blindly(channel: AtChannel, order: AtCommand, pause_s: float) -> None:
    try:
        # ESC first: at a forgotten prompt the order would become message text. Never Ctrl-Z, which would send it.
        channel.write(b"\x1b\r")
        await asyncio.wait([channel.lost], timeout=pause_s)
        channel.write(order.text.encode("ascii") + b"\r")
        await asyncio.wait([channel.lost], timeout=pause_s)
    except ChannelError:
        return
