"""The only place that opens a tty."""

from modembank.port.holders import Holder, holder_of
from modembank.port.opening import open_port
from modembank.port.types import OnData, OnLost, Port, PortConfig, PortError, PortFailure

__all__ = [
    "Holder",
    "OnData",
    "OnLost",
    "Port",
    "PortConfig",
    "PortError",
    "PortFailure",
    "holder_of",
    "open_port",
]
