"""What a provider may be used for, however it works inside."""

from __future__ import annotations

from typing import Annotated

import msgspec

from modembank.sim import RateLimits

NonNegative = Annotated[int, msgspec.Meta(ge=0)]


class ProviderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Segments per rolling window (an e-mail is one), seconds between the starts of two messages; 0 means none."""

    min_interval_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    per_minute: NonNegative = 0
    per_hour: NonNegative = 0
    per_day: NonNegative = 0
    per_month: NonNegative = 0

    def rates(self) -> RateLimits:
        """Return them as a ledger takes them."""
        return RateLimits(self.min_interval_s, self.per_minute, self.per_hour, self.per_day, self.per_month)


class Sharing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a provider stands among those of its channel."""

    cost: Annotated[float, msgspec.Meta(ge=0, le=1_000_000, description="Of a segment, in any unit")] = 1.0
    """The cheapest that can goes first. The bank costs 0."""
    automatic: bool = True
    """Used when neither a message nor a rule names anybody."""
    limits: ProviderLimits = msgspec.field(default_factory=ProviderLimits)
