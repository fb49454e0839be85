"""The only place that opens a tty."""

from modembank.port.holders import Holder, holder_of, holders_of
from modembank.port.opening import open_port
from modembank.port.types import OnData, OnLost, Port, PortConfig, PortError, PortFailure
from modembank.port.uhubctl import PROGRAM, HubError, HubStatus, Uhubctl
from modembank.port.usb_place import SYSFS, UsbPlace, UsbTree

__all__ = [
    "PROGRAM",
    "SYSFS",
    "Holder",
    "HubError",
    "HubStatus",
    "OnData",
    "OnLost",
    "Port",
    "PortConfig",
    "PortError",
    "PortFailure",
    "Uhubctl",
    "UsbPlace",
    "UsbTree",
    "holder_of",
    "holders_of",
    "open_port",
]
