"""Providers: whoever takes messages beside the bank of modems."""

from modembank.providers.model import (
    Adapter,
    Arrival,
    Call,
    Channel,
    Outbound,
    Receipt,
    ReceiptStatus,
    Reply,
    Result,
    Sink,
)
from modembank.providers.provider import Provider
from modembank.providers.rules import BANK, Rule
from modembank.providers.service import Change, Draft, Providers, Sinks
from modembank.providers.sharing import Limits, Sharing

__all__ = [
    "BANK",
    "Adapter",
    "Arrival",
    "Call",
    "Change",
    "Channel",
    "Draft",
    "Limits",
    "Outbound",
    "Provider",
    "Providers",
    "Receipt",
    "ReceiptStatus",
    "Reply",
    "Result",
    "Rule",
    "Sharing",
    "Sink",
    "Sinks",
]
