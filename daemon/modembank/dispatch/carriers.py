"""Who carries messages: SIMs, and providers under negative numbers, for those who need not know the difference."""

from __future__ import annotations

from typing import Protocol

from modembank.providers import Provider, Providers
from modembank.sim import Ledger, Sims


class Carrier(Protocol):
    """A SIM or a provider."""

    @property
    def id(self) -> int:
        """Row id; a provider's is negative."""

    @property
    def name(self) -> str:
        """What people read."""

    @property
    def paused(self) -> bool:
        """Whether nothing may be given to it until somebody says so."""

    @property
    def paused_reason(self) -> str | None:
        """Why."""


class Carriers:
    """Finds a carrier and its ledger."""

    def __init__(self, sims: Sims, providers: Providers | None = None) -> None:
        """Without providers there is the bank alone."""
        self.sims = sims
        self.providers = providers

    def get(self, carrier: int) -> Carrier:
        """Return a carrier; raises NotFound."""
        if carrier < 0 and self.providers is not None:
            return self.providers.get(carrier)
        return self.sims.get(carrier)

    def ledger(self, carrier: int) -> Ledger:
        """Return what it sent; raises NotFound."""
        if carrier < 0 and self.providers is not None:
            return self.providers.get(carrier).ledger
        return self.sims.ledger(carrier)

    def spoken(self, carrier: int) -> str:
        """Return it as in a sentence: ``SIM alpha``, ``provider smpp-1``."""
        if carrier < 0:
            return f"provider {self.providers.name_of(carrier) if self.providers else -carrier}"
        return f"SIM {self.sims.get(carrier).name}"

    def all_providers(self) -> tuple[Provider, ...]:
        """Return all providers."""
        return () if self.providers is None else self.providers.all()
