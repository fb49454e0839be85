"""ZTE sticks: the counter of PIN tries has a name of its own."""

from __future__ import annotations

from modembank.at import AtCommand, capability, query
from modembank.modem.quirks.difference import Quirks, says

ZTE = Quirks(
    name="zte",
    manufacturer=says("zte"),
    pin_counters=(capability("+ZPINPUK"), query("+CPINR")),
    resets=(AtCommand("AT+ZRST", timeout_s=10.0),),
)
