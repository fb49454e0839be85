"""SIMCom SIM7x00 and A76xx: nothing can be acknowledged."""

from __future__ import annotations

from modembank.at import AtCommand
from modembank.modem.quirks.difference import Acknowledge, Quirks, first, says

SIMCOM = Quirks(
    name="simcom",
    manufacturer=says("simcom"),
    card_number=first(
        AtCommand("AT+CICCID", prefix=("+ICCID:", "+CICCID:", "ICCID:"), bare=True),
        AtCommand("AT+ICCID", prefix=("+ICCID:", "ICCID:"), bare=True),
    ),
    pin_counters=(AtCommand("AT+SPIC", prefix=("+SPIC:",)),),
    acknowledge=Acknowledge.NEVER,
    resets=(AtCommand("AT+CRESET", timeout_s=10.0),),
)
