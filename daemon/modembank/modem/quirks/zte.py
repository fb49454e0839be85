"""ZTE sticks: the counter of PIN tries has a name of its own."""

from __future__ import annotations

from modembank.at import AtCommand, query
from modembank.modem.quirks.difference import Quirks, starts

ZTE = Quirks(
    name="zte",
    manufacturer=starts("zte"),
    pin_counters=(query("+ZPINPUK"), query("+CPINR")),
    resets=(AtCommand("AT+ZRST", timeout_s=10.0),),
)
