"""Cinterion (Gemalto, Thales, Telit Cinterion): acknowledges with a number, keeps no link."""

from __future__ import annotations

from modembank.at import AtCommand
from modembank.modem.quirks.difference import Acknowledge, Quirks, says

CINTERION = Quirks(
    name="cinterion",
    manufacturer=says("cinterion", "gemalto", "thales", "siemens"),
    pin_counters=(AtCommand('AT^SPIC="SC"', prefix=("^SPIC:",)), AtCommand("AT^SPIC", prefix=("^SPIC:",))),
    acknowledge=Acknowledge.POSITIVE,
    keep_link=False,  # oFono does not send CMMS to it
    # No reset of its own: AT^SMSO switches off.
)
