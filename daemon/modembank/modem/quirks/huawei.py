"""Huawei E and K sticks: CNMI mode 1, packed USSD, periodic ^ codes."""

from __future__ import annotations

from modembank.at import AtCommand, query
from modembank.modem.capabilities import Routing
from modembank.modem.quirks.difference import ROUTINGS, Quirks, first, says


def _mode_1_first(routing: Routing) -> bool:
    return routing.mode != 1


HUAWEI = Quirks(
    name="huawei",
    manufacturer=says("huawei"),
    card_number=first(AtCommand("AT^ICCID?", prefix=("^ICCID:",), bare=True)),
    pin_counters=(query("^CPIN"),),
    # Qualcomm firmware lists mode 2 and refuses it (oFono's comment for the same family).
    routings=tuple(sorted(ROUTINGS, key=_mode_1_first)),
    # Also silences ^RSSI and ^DSFLOWRPT; +CMTI and ^SMMEMFULL are not of that group.
    quiet=(AtCommand("AT^CURC=0", timeout_s=3.0),),
    packed_ussd=True,
    resets=(AtCommand("AT^RESET", timeout_s=10.0),),
)
