"""The surface: one frozen object holding the services, the only thing a face sees."""

from __future__ import annotations

from dataclasses import dataclass

from modembank.accounts import Accounts
from modembank.bank import Bank
from modembank.bus import Bus
from modembank.clock import Clock
from modembank.config import Config
from modembank.dispatch import Dispatcher
from modembank.messages import Inbox, Messages
from modembank.metrics import Metrics
from modembank.sim import Sims
from modembank.store import Store


@dataclass(frozen=True, slots=True)
class App:
    """What faces call. Built by the process, never reached for from below."""

    config: Config
    clock: Clock
    bus: Bus
    metrics: Metrics
    store: Store
    accounts: Accounts
    messages: Messages
    inbox: Inbox
    sims: Sims
    bank: Bank
    dispatcher: Dispatcher
