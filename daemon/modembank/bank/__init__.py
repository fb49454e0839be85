"""The bank of modems: slots, their workers, and the lines that can send."""

from modembank.bank.bank import Bank, BankOptions, slot_name
from modembank.bank.errors import NoSuchSlot, NotNow
from modembank.bank.line import Gate, Line, LineListener
from modembank.bank.port_power import Outlook, PortPower
from modembank.bank.view import Counters, ModemView

__all__ = [
    "Bank",
    "BankOptions",
    "Counters",
    "Gate",
    "Line",
    "LineListener",
    "ModemView",
    "NoSuchSlot",
    "NotNow",
    "Outlook",
    "PortPower",
    "slot_name",
]
