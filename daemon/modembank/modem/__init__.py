"""One AT modem: initialisation, state machine, send exchange, receiving, watching and recovery."""

from modembank.modem.capabilities import LACKS, Capabilities, Feature, Finding, Has, Routing, SimSeen
from modembank.modem.channel import AtChannel, Opener
from modembank.modem.host import ModemHost, ModemSettings
from modembank.modem.inbound import InboundSink, RawInbound, Via
from modembank.modem.initialization import Learnt, SimAccess
from modembank.modem.modem import Modem
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass, Evidence, SubmitResult
from modembank.modem.pin import FAILED_PINS, KEEP_OF_TYPED, KEEP_TRIES, TYPED_PINS, OutOfService, PinRecord, TypedPins
from modembank.modem.reading import Storage
from modembank.modem.recovery import POWER_S, Climb, PowerSwitch, Recovery, Rung, RungResult
from modembank.modem.states import (
    TRANSITIONS,
    AdminState,
    FailedReason,
    ModemEvent,
    ModemState,
    StateChange,
    StateChangeReason,
    StateMachine,
    mermaid,
)
from modembank.modem.timings import Timings
from modembank.modem.transcript import Transcript, TranscriptLine
from modembank.modem.troubles import ChannelError, Hung, NoReply, PortLost, Trouble
from modembank.modem.ussd import UssdAnswer, UssdFailed

__all__ = [
    "FAILED_PINS",
    "KEEP_OF_TYPED",
    "KEEP_TRIES",
    "LACKS",
    "POWER_S",
    "TRANSITIONS",
    "TYPED_PINS",
    "AdminState",
    "AtChannel",
    "AttemptOutcome",
    "Capabilities",
    "Cause",
    "CauseClass",
    "ChannelError",
    "Climb",
    "Evidence",
    "FailedReason",
    "Feature",
    "Finding",
    "Has",
    "Hung",
    "InboundSink",
    "Learnt",
    "Modem",
    "ModemEvent",
    "ModemHost",
    "ModemSettings",
    "ModemState",
    "NoReply",
    "Opener",
    "OutOfService",
    "PinRecord",
    "PortLost",
    "PowerSwitch",
    "RawInbound",
    "Recovery",
    "Routing",
    "Rung",
    "RungResult",
    "SimAccess",
    "SimSeen",
    "StateChange",
    "StateChangeReason",
    "StateMachine",
    "Storage",
    "SubmitResult",
    "Timings",
    "Transcript",
    "TranscriptLine",
    "Trouble",
    "TypedPins",
    "UssdAnswer",
    "UssdFailed",
    "Via",
    "mermaid",
]
