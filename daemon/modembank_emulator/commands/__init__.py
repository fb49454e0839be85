"""AT commands of the emulated modem, by subject; importing this fills the table."""

from __future__ import annotations

from modembank_emulator.commands import basic, identity, memory, messages, network, security, vendor
from modembank_emulator.commands.registry import COMMANDS

_FILLED_BY = (basic, identity, memory, messages, network, security, vendor)

__all__ = ["COMMANDS"]
