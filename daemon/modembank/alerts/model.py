"""What monitoring systems tell, in the shape that Alertmanager gave it and Grafana took over; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FIRING, RESOLVED = "firing", "resolved"


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert; fields beyond these are passed over, since what they send grows with their versions."""

    status: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    starts_at: str = ""
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.labels.get("alertname", "") or "alert"

    @property
    def place(self) -> str:
        """Where it is: the instance, or what stands for it."""
        return next((self.labels[name] for name in ("instance", "host", "node", "pod") if self.labels.get(name)), "")

    @property
    def summary(self) -> str:
        """What it says for people."""
        names = ("summary", "message", "description")
        return next((self.annotations[name] for name in names if self.annotations.get(name)), "")

    @property
    def wishes(self) -> str:
        """The recipients that it names itself, as written."""
        return self.labels.get("sms_to", "") or self.annotations.get("sms_to", "")


class Notification(msgspec.Struct, frozen=True, rename="camel"):
    """A group of alerts told at once."""

    alerts: tuple[Alert, ...]
    group_key: str = ""


class TakenAlert(msgspec.Struct, frozen=True):
    """A message for alerts: accepted now, or already when they were told before."""

    id: str
    to: str
    alerts: int
    """How many it is about."""


class RefusedAlert(msgspec.Struct, frozen=True):
    """A recipient who is not told, and why."""

    pointer: str
    """The alert, or the first of those, that would have been told."""
    to: str
    detail: str


class AlertsTaken(msgspec.Struct, frozen=True):
    """What came of a notification: all of it is durable."""

    messages: tuple[TakenAlert, ...]
    refused: tuple[RefusedAlert, ...] = ()
    ignored: int = 0
    """Resolved alerts, when the configuration does not want them told."""
