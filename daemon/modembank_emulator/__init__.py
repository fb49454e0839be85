"""A bank of emulated modems on pseudo-terminals with a small emulated network.

It imports nothing of the product, its PDU code included, so that a bug in a codec cannot hide behind itself.
"""

from __future__ import annotations

from modembank_emulator.bank import Bank, BankConfig
from modembank_emulator.capabilities import Capabilities, CregForm, UssdForm
from modembank_emulator.card import SimCard
from modembank_emulator.client import ControlClient, ControlError, RunningBank, spawn_bank
from modembank_emulator.control import ControlServer
from modembank_emulator.dialects import DIALECTS
from modembank_emulator.faults import FLOOD, NULS, URC_NOISE, Ending, Fault, FaultKind, Faults, Mute, Stage
from modembank_emulator.latency import Fixed, LatencyModel, LogNormal
from modembank_emulator.ledger import SeenInbound, SeenReport, SeenSubmit
from modembank_emulator.modem import EmulatedModem
from modembank_emulator.network import Network, UssdAnswer
from modembank_emulator.radio import Stat
from modembank_emulator.reports import PLANS, ReportPlan, Step, When

__all__ = [
    "DIALECTS",
    "FLOOD",
    "NULS",
    "PLANS",
    "URC_NOISE",
    "Bank",
    "BankConfig",
    "Capabilities",
    "ControlClient",
    "ControlError",
    "ControlServer",
    "CregForm",
    "EmulatedModem",
    "Ending",
    "Fault",
    "FaultKind",
    "Faults",
    "Fixed",
    "LatencyModel",
    "LogNormal",
    "Mute",
    "Network",
    "ReportPlan",
    "RunningBank",
    "SeenInbound",
    "SeenReport",
    "SeenSubmit",
    "SimCard",
    "Stage",
    "Stat",
    "Step",
    "UssdAnswer",
    "UssdForm",
    "When",
    "spawn_bank",
]
