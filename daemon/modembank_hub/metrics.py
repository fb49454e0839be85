"""What the hub counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from modembank.metrics import Metrics


class HubMetrics(Metrics):
    """The store's own metrics and the hub's, in one registry."""

    def __init__(self) -> None:
        """Declare every metric once."""
        super().__init__()
        self.taken = Counter("modembank_hub_messages_taken", "Messages of boxes made durable", registry=self.registry)
        self.quarantined = Counter(
            "modembank_hub_quarantined", "Messages that could not be read", registry=self.registry
        )
        self.dropped = Counter(
            "modembank_hub_telemetry_dropped", "Reports for which there was no room", registry=self.registry
        )
        self.sent = Counter("modembank_hub_commands_sent", "Commands handed to the broker", registry=self.registry)
        self.connected = Gauge(
            "modembank_hub_connections", "Connections to the broker that stand", registry=self.registry
        )
        self.configurations = Gauge(
            "modembank_hub_configurations", "Boxes by how they stand to theirs", ["state"], registry=self.registry
        )
        self.alerts = Gauge(
            "modembank_hub_alerts", "Alerts by kind and state; pending: not for long enough yet", ["kind", "state"],
            registry=self.registry,
        )  # fmt: skip
        self.letters = Counter(
            "modembank_hub_alert_letters", "Notifications of alerts by what came of a try", ["means", "result"],
            registry=self.registry,
        )  # fmt: skip
        self.boxes = Gauge("modembank_hub_boxes", "Boxes by how they stand", ["standing"], registry=self.registry)
