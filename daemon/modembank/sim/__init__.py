"""SIMs: identity by ICCID, limits in segments, and a persisted ledger that no window ever exceeds."""

from modembank.sim.ledger import Ledger
from modembank.sim.limits import Denied, LimitName, RateLimits
from modembank.sim.model import Sim, SimChange, SimIdentity, UnidentifiedSim, normal_iccid, normal_imsi
from modembank.sim.sims import Sims
from modembank.sim.usage import add_usage, compact_usage

__all__ = [
    "Denied",
    "Ledger",
    "LimitName",
    "RateLimits",
    "Sim",
    "SimChange",
    "SimIdentity",
    "Sims",
    "UnidentifiedSim",
    "add_usage",
    "compact_usage",
    "normal_iccid",
    "normal_imsi",
]
