"""The initialisation as data: what is sent, whether the modem may refuse it, and what an OK proves.

No ATZ or AT&F: they reset the routing and can drop buffered codes. Never AT&W. One command a line: compound lines fail
as a whole.
"""

from __future__ import annotations

import enum

import msgspec

from modembank.at import AtCommand, capability, command, query
from modembank.modem.capabilities import Feature


class Need(enum.Enum):
    """What a refusal means."""

    MANDATORY = "mandatory"
    OPTIONAL = "optional"


class Step(msgspec.Struct, frozen=True):
    """Ways tried in order until one is answered OK."""

    feature: Feature
    ways: tuple[AtCommand, ...]
    need: Need = Need.OPTIONAL
    patient: bool = False
    """Asked again while the SIM loads."""


BASICS: tuple[Step, ...] = (
    Step(Feature.ECHO_OFF, (AtCommand("ATE0"),)),
    Step(Feature.VERBOSE_RESULTS, (AtCommand("ATV1"),)),
    Step(Feature.NUMERIC_ERRORS, (command("+CMEE", 1), command("+CMEE", 2))),
)
"""Before anything is asked: the form of the dialogue."""

SERVICE: tuple[Step, ...] = (
    Step(Feature.PDU_MODE, (command("+CMGF", 0),), Need.MANDATORY, patient=True),
    Step(Feature.SERVICE_CENTRE, (query("+CSCA", timeout_s=10.0),), patient=True),
)
"""Once the SIM is ready."""

EXTRAS: tuple[Step, ...] = (
    Step(Feature.KEEP_LINK, (capability("+CMMS"),)),
    Step(Feature.REGISTRATION_CS, (command("+CREG", 2), command("+CREG", 1))),
    Step(Feature.REGISTRATION_PS, (command("+CGREG", 2), command("+CGREG", 1))),
    Step(Feature.REGISTRATION_EPS, (command("+CEREG", 2), command("+CEREG", 1))),
    Step(Feature.CALLER_ID, (command("+CLIP", 1, timeout_s=10.0),)),
    Step(Feature.SERVICE_NOTES_OFF, (command("+CSSN", 0, 0),)),
    Step(Feature.USSD, (command("+CUSD", 1, timeout_s=10.0),)),
    Step(Feature.OPERATOR_NAME, (command("+COPS", 3, 2, timeout_s=10.0),)),
    Step(Feature.EXTENDED_SIGNAL, (AtCommand("AT+CESQ", prefix=("+CESQ:",)),)),
)
"""After memory and routing: what makes service better and may all be refused."""

REGISTRATIONS = {
    Feature.REGISTRATION_CS: "+CREG",
    Feature.REGISTRATION_PS: "+CGREG",
    Feature.REGISTRATION_EPS: "+CEREG",
}
RADIO = query("+CFUN")
RADIO_ON = command("+CFUN", 1, timeout_s=30.0)
