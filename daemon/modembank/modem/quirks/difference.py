"""The shape of a vendor's quirks: what is usual, so that each vendor's file states only its difference."""

from __future__ import annotations

import enum
import re

import msgspec

from modembank.at import AtCommand, command, query
from modembank.modem.capabilities import Routing


class Acknowledge(enum.Enum):
    """How what was routed to us directly is acknowledged (3GPP TS 27.005 4.7)."""

    PLAIN = "AT+CNMA"
    POSITIVE = "AT+CNMA=1"
    NEVER = ""
    """It has no such command: CSMS stays 0."""


ROUTINGS = tuple(
    Routing(*arguments)
    for arguments in (
        (2, 1, 0, 1, 0),
        (1, 1, 0, 1, 0),
        (3, 1, 0, 1, 0),
        (2, 1, 0, 2, 0),
        (1, 1, 0, 2, 0),
        (2, 1, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (2, 2, 0, 1, 0),
        (1, 2, 0, 1, 0),
        (2, 2, 0, 0, 0),
        (1, 2, 0, 0, 0),
    )
)
"""Tried in order, each verified by reading it back.

Storing first (mt 1) survives our crash, so direct delivery (mt 2) is for modems that store nothing. Reports directly
(ds 1) before stored ones (ds 2), which some modems file where they do not say.
"""

CARD_NUMBER = (
    AtCommand("AT+CCID", prefix=("+CCID:",), bare=True),
    AtCommand("AT+ICCID", prefix=("+ICCID:", "ICCID:"), bare=True),
    AtCommand("AT+CICCID", prefix=("+ICCID:", "+CICCID:", "ICCID:"), bare=True),
    AtCommand("AT+QCCID", prefix=("+QCCID:",), bare=True),
    AtCommand("AT^ICCID?", prefix=("^ICCID:",), bare=True),
    AtCommand("AT#CCID", prefix=("#CCID:",), bare=True),
    AtCommand("AT!ICCID?", prefix=("!ICCID:",), bare=True),
)
"""Every vendor's own way to ask the ICCID, for modems of no known vendor."""


class Quirks(msgspec.Struct, frozen=True):
    """How a family of modems differs; the defaults are 3GPP TS 27.005 and 27.007 taken literally."""

    name: str = "generic"
    manufacturer: re.Pattern[str] | None = None
    """Matches what AT+CGMI says."""
    model: re.Pattern[str] | None = None
    card_number: tuple[AtCommand, ...] = CARD_NUMBER
    pin_counters: tuple[AtCommand, ...] = (AtCommand('AT+CPINR="SIM PIN"', prefix=("+CPINR:",)), query("+CPINR"))
    routings: tuple[Routing, ...] = ROUTINGS
    acknowledge: Acknowledge = Acknowledge.PLAIN
    quiet: tuple[AtCommand, ...] = ()
    """Turns off chatter that is of no use to us."""
    report_memory: str | None = None
    """Where stored reports really lie when +CDSI names another memory."""
    packed_ussd: bool = False
    """USSD codes go out as packed 7-bit hex."""
    keep_link: bool = True
    hang_up: tuple[AtCommand, ...] = (command("+CHUP"), AtCommand("ATH"))
    resets: tuple[AtCommand, ...] = ()
    """The vendor's own restarts, for when AT+CFUN=1,1 did not help."""


def says(*words: str) -> re.Pattern[str]:
    """Match any of the words, wherever it stands and whatever its case: some makes say more than their name."""
    return re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)


def first(*preferred: AtCommand) -> tuple[AtCommand, ...]:
    """The given ways to ask the card number, then the others."""
    return (*preferred, *(way for way in CARD_NUMBER if way not in preferred))
