"""What comes back from providers: receipts into the journal of sending, inbound messages into the inbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import structlog

from modembank.clock import Clock, to_ms
from modembank.messages.inbound_content import Content, clean_text
from modembank.messages.inbound_rows import Shown, show
from modembank.messages.model import ReceiptFacts, ReportMatch
from modembank.messages.outbox import Outbox
from modembank.messages.receiving import Receiving
from modembank.messages.taking import MAX_TEXT
from modembank.metrics import Metrics
from modembank.providers import Arrival, Provider, Receipt, ReceiptStatus, Sink
from modembank.store import Store
from modembank.tpdu import ContentKind

STATUSES = {
    ReceiptStatus.DELIVERED: 0x00,
    ReceiptStatus.PENDING: 0x30,
    ReceiptStatus.FAILED: 0x63,
    ReceiptStatus.EXPIRED: 0x46,
}
"""As TP-ST (3GPP TS 23.040 9.2.3.15), so that one table says what follows."""
MOST_DETAIL = 200
MOST_KEY = 200
MOST_SENDER = 254
_log = structlog.get_logger()


class Returning:
    """Makes a sink for each provider."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        outbox: Outbox,
        receiving: Receiving,
        number_of: Callable[[str], str],
    ) -> None:
        """``number_of`` (``Admission.sender``) is how senders are written."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._outbox = outbox
        self._receiving = receiving
        self._number_of = number_of

    def of(self, provider: Provider) -> Sink:
        """Return where one provider's adapter brings what comes back."""
        return _Returned(self, provider)

    async def receipt(self, provider: Provider, receipt: Receipt) -> None:
        """Make a receipt durable; raises StoreError when it could not be: the provider is to repeat it."""
        now = to_ms(self._clock.now())
        facts = ReceiptFacts(
            receipt.reference[:MOST_KEY], STATUSES[receipt.status], now, _short(receipt.detail), receipt.at_ms
        )
        match = await self._outbox.receipt(provider.row.id, facts)
        if match in (ReportMatch.MATCHED, ReportMatch.PROVED):
            provider.tally.told(receipt.status)
        self._metrics.provider_receipts.labels(provider.name, receipt.status.value).inc()
        _log.info("receipt", provider=provider.name, status=receipt.status.value, match=match.value)

    async def arrival(self, provider: Provider, arrival: Arrival) -> None:
        """Make an inbound message durable, once for each key; raises StoreError when it could not be."""
        now, new_id = to_ms(self._clock.now()), self._store.ids.take()
        sender = self._number_of(arrival.sender[:MOST_SENDER])
        text = clean_text(arrival.text[:MAX_TEXT])
        content = Content(ContentKind.TEXT, text, None, 1, (), arrival.sent_at_ms)

        def write(conn: sqlite3.Connection) -> Shown | None:
            known = conn.execute(
                "INSERT INTO provider_arrivals (provider_id, key, inbox_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (provider.row.id, arrival.key[:MOST_KEY], new_id),
            )
            if not known.rowcount:
                return None
            return show(conn, new_id, content, sim_id=provider.id, sender=sender, received_at=now)

        if await self._receiving.take_in(write, now, may_opt_in=True) is None:
            _log.info("arrival_known", provider=provider.name)


class _Returned:
    """The sink of one provider."""

    def __init__(self, returning: Returning, provider: Provider) -> None:
        self._returning = returning
        self._provider = provider

    async def receipt(self, receipt: Receipt) -> None:
        await self._returning.receipt(self._provider, receipt)

    async def arrival(self, arrival: Arrival) -> None:
        await self._returning.arrival(self._provider, arrival)


def _short(detail: str) -> str:
    return "".join(each if each.isprintable() else " " for each in detail[:MOST_DETAIL]).strip()
