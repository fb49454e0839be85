"""Sierra Wireless: its own commands start with an exclamation mark."""

from __future__ import annotations

from modembank.at import AtCommand
from modembank.modem.quirks.difference import Quirks, first, says

SIERRA = Quirks(
    name="sierra",
    manufacturer=says("sierra"),
    card_number=first(AtCommand("AT!ICCID?", prefix=("!ICCID:",), bare=True)),
    resets=(AtCommand("AT!RESET", timeout_s=10.0),),
)
