"""The bank of modems: slots, their workers, and the lines that can send."""

from modembank.bank.bank import Bank, BankOptions, slot_name
from modembank.bank.errors import CannotReset, NoSuchSlot, NotNow
from modembank.bank.hard_reset import ResetLevel
from modembank.bank.line import Gate, Line, LineListener
from modembank.bank.port_power import Outlook, PortPower
from modembank.bank.view import Counters, ModemView

__all__ = [
    "Bank",
    "BankOptions",
    "CannotReset",
    "Counters",
    "Gate",
    "Line",
    "LineListener",
    "ModemView",
    "NoSuchSlot",
    "NotNow",
    "Outlook",
    "PortPower",
    "ResetLevel",
    "slot_name",
]
