"""The only place that opens a tty."""

from modembank.port.at_ports import Role, is_adapter, is_known, is_vendor_of_modems, role_of, taking_at
from modembank.port.holders import Holder, holder_of, holders_of
from modembank.port.opening import open_port
from modembank.port.types import OnData, OnLost, Port, PortConfig, PortError, PortFailure
from modembank.port.uhubctl import PROGRAM, HubError, HubStatus, Uhubctl
from modembank.port.usb_authority import UsbAuthority
from modembank.port.usb_place import DEV, SYSFS, UsbDevice, UsbInterface, UsbPlace, UsbTree, UsbTty, in_order, place_in
from modembank.port.usb_port import SETTLE_S, UsbPorts

__all__ = [
    "DEV",
    "PROGRAM",
    "SETTLE_S",
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
    "Role",
    "Uhubctl",
    "UsbAuthority",
    "UsbDevice",
    "UsbInterface",
    "UsbPlace",
    "UsbPorts",
    "UsbTree",
    "UsbTty",
    "holder_of",
    "holders_of",
    "in_order",
    "is_adapter",
    "is_known",
    "is_vendor_of_modems",
    "open_port",
    "place_in",
    "role_of",
    "taking_at",
]
