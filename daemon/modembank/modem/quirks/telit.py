"""Telit: its own commands start with a number sign."""

from __future__ import annotations

from modembank.at import AtCommand
from modembank.modem.quirks.difference import Quirks, first, says

TELIT = Quirks(
    name="telit",
    manufacturer=says("telit"),
    card_number=first(AtCommand("AT#CCID", prefix=("#CCID:",), bare=True)),
    pin_counters=(AtCommand("AT#PCT", prefix=("#PCT:",)),),
    resets=(AtCommand("AT#REBOOT", timeout_s=10.0),),
)
