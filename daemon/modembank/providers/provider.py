"""One provider while the daemon runs: its adapter, its limits, and how it did lately."""

from __future__ import annotations

from collections import deque

import msgspec

from modembank.modem.outcome import AttemptOutcome
from modembank.providers.model import Adapter, Channel, ReceiptStatus
from modembank.providers.rows import ProviderRow
from modembank.sim import Ledger

LATELY = 100
"""How many of the latest tries say how a provider does."""


class Tally(msgspec.Struct):
    """How a provider did lately, in memory."""

    tries: deque[tuple[AttemptOutcome, float]] = msgspec.field(default_factory=lambda: deque(maxlen=LATELY))
    """Outcome and seconds."""
    receipts: deque[bool] = msgspec.field(default_factory=lambda: deque(maxlen=LATELY))
    """Final receipts: whether it arrived."""
    last_failure: str | None = None
    last_failure_at: int | None = None
    last_success_at: int | None = None
    failures: int = 0
    """In a row."""

    @property
    def success_rate(self) -> float | None:
        """Of the latest tries, the share that was taken; None when there was none."""
        taken = sum(outcome is AttemptOutcome.ACCEPTED for outcome, _ in self.tries)
        return taken / len(self.tries) if self.tries else None

    @property
    def delivery_rate(self) -> float | None:
        """Of the latest final receipts, the share that says it arrived; None when there was none."""
        return sum(self.receipts) / len(self.receipts) if self.receipts else None

    @property
    def latency_s(self) -> float | None:
        """The median of the latest tries that were taken; None when there was none."""
        taken = sorted(seconds for outcome, seconds in self.tries if outcome is AttemptOutcome.ACCEPTED)
        return taken[len(taken) // 2] if taken else None

    def tried(self, outcome: AttemptOutcome, seconds: float, cause: str | None, now: int) -> None:
        """Count a try."""
        self.tries.append((outcome, seconds))
        if outcome is AttemptOutcome.ACCEPTED:
            self.failures, self.last_success_at = 0, now
        else:
            self.failures += 1
            self.last_failure, self.last_failure_at = cause, now

    def told(self, status: ReceiptStatus) -> None:
        """Count a receipt."""
        if status is not ReceiptStatus.PENDING:
            self.receipts.append(status is ReceiptStatus.DELIVERED)


class Provider:
    """Stands among SIMs under a negative id."""

    def __init__(self, row: ProviderRow, adapter: Adapter | None, ledger: Ledger) -> None:
        """``adapter`` is None for one that cannot be made any more; ``broken`` says why."""
        self.row = row
        self.adapter = adapter
        self.ledger = ledger
        self.tally = Tally()
        self.broken = ""

    @property
    def id(self) -> int:
        """Negative: by which rows name it where they name SIMs."""
        return -self.row.id

    @property
    def name(self) -> str:
        """What admins called it."""
        return self.row.name

    @property
    def channel(self) -> Channel:
        """What it carries."""
        return Channel(self.row.channel)

    @property
    def paused(self) -> bool:
        """Whether it may not be used until somebody enables it."""
        return not self.row.enabled or self.row.removed_at is not None

    @property
    def paused_reason(self) -> str | None:
        """Why it may not be used."""
        if self.row.removed_at is not None:
            return "it was removed"
        return None if self.row.enabled else self.row.why or "an admin disabled it"

    def not_ready(self) -> str | None:
        """Return why it takes nothing now, or None."""
        if self.adapter is None:
            return self.broken
        return self.paused_reason or self.adapter.not_ready()
