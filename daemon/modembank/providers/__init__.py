"""Providers: whoever takes messages beside the bank of modems."""

from modembank.providers.kinds import KindView, kind_view, kind_views
from modembank.providers.model import (
    Adapter,
    Arrival,
    BadCall,
    Call,
    Channel,
    NotAuthentic,
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
from modembank.providers.sharing import ProviderLimits as Limits
from modembank.providers.sharing import Sharing
from modembank.providers.views import ProviderView, SecretView

__all__ = [
    "BANK",
    "Adapter",
    "Arrival",
    "BadCall",
    "Call",
    "Change",
    "Channel",
    "Draft",
    "KindView",
    "Limits",
    "NotAuthentic",
    "Outbound",
    "Provider",
    "ProviderView",
    "Providers",
    "Receipt",
    "ReceiptStatus",
    "Reply",
    "Result",
    "Rule",
    "SecretView",
    "Sharing",
    "Sink",
    "Sinks",
    "kind_view",
    "kind_views",
]
