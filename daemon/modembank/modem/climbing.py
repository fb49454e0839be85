"""Carrying out the rungs of the recovery ladder on an open channel."""

from __future__ import annotations

import asyncio

import structlog

from modembank.at import AtCommand, command
from modembank.modem.channel import AtChannel
from modembank.modem.quirks import Quirks
from modembank.modem.recovery import PowerSwitch, Rung
from modembank.modem.timings import Timings
from modembank.modem.troubles import ChannelError, PortLost, Trouble

_log = structlog.get_logger()
_RADIO_OFF = command("+CFUN", 0, timeout_s=30.0)
_RADIO_ON = command("+CFUN", 1, timeout_s=30.0)
_RESTART = command("+CFUN", 1, 1, timeout_s=15.0)
MUTE = frozenset({Trouble.SILENT, Trouble.DEAF, Trouble.ECHO_ONLY, Trouble.WRITE_STUCK, Trouble.CONFUSED})
"""Troubles in which no answer is to be expected: commands are written blindly."""


class Climber:
    """Climbs rungs for one slot."""

    def __init__(self, slot: str, power: PowerSwitch | None, timings: Timings) -> None:
        """``power`` None: the rung of port power is never there."""
        self._slot = slot
        self._timings = timings
        self._power = power

    async def climb(self, rung: Rung, trouble: Trouble, channel: AtChannel, quirks: Quirks) -> bool:
        """Carry it out; return whether the port must be opened afresh. Whatever the modem does here is no error."""
        _log.warning("recovery_rung", modem=self._slot, rung=rung.value, trouble=trouble.value)
        match rung:
            case Rung.REINITIALIZE:
                return False
            case Rung.RADIO_CYCLE:
                return not (await _tell(channel, _RADIO_OFF) and await _tell(channel, _RADIO_ON))
            case Rung.RESTART:
                await self._order(channel, (_RESTART,), trouble)
            case Rung.VENDOR_RESET:
                await self._order(channel, quirks.resets, trouble)
            case Rung.POWER:
                if self._power is not None:
                    await self._power.cycle(self._slot)
            case _:
                pass
        return True

    async def _order(self, channel: AtChannel, orders: tuple[AtCommand, ...], trouble: Trouble) -> None:
        for order in orders:
            if trouble in MUTE:
                await _blindly(channel, order, self._timings.blind_s)
            else:
                await _tell(channel, order)
            # It answers OK first and goes down later: a port opened afresh too early would still serve.
            await asyncio.wait([channel.lost], timeout=self._timings.down_s)


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
    except PortLost:
        return
