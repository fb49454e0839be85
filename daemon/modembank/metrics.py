"""The box's metrics, declared once; faces expose them, layers count them."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# A time series per counter that only says when the daemon started would double what a scrape stores.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one daemon in a registry of its own, so that two daemons in one test do not mix."""

    def __init__(self) -> None:
        """Declare every metric once."""
        self.registry = CollectorRegistry()
        self.accepted = Counter("modembank_messages_accepted", "Outbound messages made durable", registry=self.registry)
        self.received = Counter(
            "modembank_messages_received", "Inbound messages completed", ["kind"], registry=self.registry
        )
        self.messages = Gauge("modembank_messages", "Outbound messages by state", ["state"], registry=self.registry)
        self.held = Gauge(
            "modembank_messages_held", "Messages that wait for an admin's decision", registry=self.registry
        )
        self.outages = Counter(
            "modembank_outages", "Times in which nothing could be sent for long, by route", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self.attempts = Counter("modembank_attempts", "Segments handed to a modem", ["outcome"], registry=self.registry)
        self.reports = Counter(
            "modembank_delivery_reports", "Delivery reports by match", ["match"], registry=self.registry
        )
        self._declare_providers()
        self.modems = Gauge("modembank_modems", "Modems by state", ["state"], registry=self.registry)
        self.signal = Gauge("modembank_signal_dbm", "Received signal strength", ["slot"], registry=self.registry)
        self.sim_segments = Gauge(
            "modembank_sim_segments", "Segments in the window", ["sim", "window"], registry=self.registry
        )
        self.at_commands = Counter(
            "modembank_at_commands", "AT commands by result", ["slot", "result"], registry=self.registry
        )
        self.recovery_rungs = Counter(
            "modembank_recovery_rungs",
            "Rungs of the recovery ladder by what came of them",
            ["slot", "rung", "trouble", "result"],
            registry=self.registry,
        )
        self.commit_s = Histogram(
            "modembank_commit_seconds",
            "Duration of a group commit",
            buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 2.0),
            registry=self.registry,
        )
        self.backups = Counter(
            "modembank_backups", "Backups made by the clock, by result", ["result"], registry=self.registry
        )
        self.backup_age_s = Gauge(
            "modembank_backup_age_seconds", "Since the last good scheduled backup; NaN: none", registry=self.registry
        )
        self.backup_age_s.set(math.nan)
        self.commit_writes = Counter("modembank_commit_writes", "Write functions committed", registry=self.registry)
        self.accepted_ever = Gauge(
            "modembank_messages_accepted_ever", "Outbound messages ever accepted by this box", registry=self.registry
        )
        self.open = Gauge("modembank_messages_open", "Outbound messages that have not ended", registry=self.registry)
        self.terminal = Gauge("modembank_messages_terminal", "Outbound messages that have", registry=self.registry)
        self.breach = Gauge(
            "modembank_conservation_breach", "1 while accepted is not terminal + open", registry=self.registry
        )
        self.webhook_deliveries = Counter(
            "modembank_webhook_deliveries", "Posts of events to webhooks, by result", ["result"], registry=self.registry
        )
        self.mails_forwarded = Counter(
            "modembank_mails_forwarded", "Inbound messages told by mail, by result", ["result"], registry=self.registry
        )
        self.mails_taken = Counter(
            "modembank_mails_taken", "Mails that were to become messages, by result", ["result"], registry=self.registry
        )
        self.twilio_posts = Counter(
            "modembank_twilio_posts",
            "Posts to clients of the Twilio dialect, by result",
            ["result"],
            registry=self.registry,
        )
        self.issues = Gauge("modembank_issues", "What needs a person", ["kind", "severity"], registry=self.registry)
        self.loop_lag_s = Histogram(
            "modembank_loop_lag_seconds",
            "How late the event loop was, sampled ten times a second",
            buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0),
            registry=self.registry,
        )

    def _declare_providers(self) -> None:
        self.provider_attempts = Counter(
            "modembank_provider_attempts",
            "Messages handed to a provider, by outcome",
            ["provider", "outcome"],
            registry=self.registry,
        )
        self.provider_receipts = Counter(
            "modembank_provider_receipts", "Receipts of a provider", ["provider", "status"], registry=self.registry
        )
        self.provider_s = Histogram(
            "modembank_provider_seconds",
            "Duration of handing a message to a provider",
            ["provider"],
            buckets=(0.05, 0.2, 0.5, 1.0, 3.0, 10.0, 30.0, 120.0),
            registry=self.registry,
        )
        self.provider_ready = Gauge(
            "modembank_provider_ready", "1 while a provider can take messages", ["provider"], registry=self.registry
        )
