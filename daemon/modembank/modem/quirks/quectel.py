"""Quectel EC2x, EG9x, EP06 and kin: stored reports lie in SR whatever +CDSI says."""

from __future__ import annotations

from modembank.at import AtCommand
from modembank.modem.quirks.difference import Quirks, first, says

QUECTEL = Quirks(
    name="quectel",
    manufacturer=says("quectel"),
    card_number=first(AtCommand("AT+QCCID", prefix=("+QCCID:",), bare=True)),
    pin_counters=(AtCommand('AT+QPINC="SC"', prefix=("+QPINC:",)),),
    report_memory="SR",
    # No reset of its own: AT+QPOWD switches off, and boards without a wired power key then stay off.
)
