"""From a notification to the messages it takes: who is told of what, and the key by which each is one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from modembank.alerts.model import FIRING, RESOLVED, Alert, Notification, RefusedAlert
from modembank.alerts.wording import words_for, words_for_many
from modembank.config import AlertsConfig

URGENT, USUAL = 9, 5
"""Priorities of what fires, which quiet hours let pass, and of what is over."""


class Planned(msgspec.Struct, frozen=True):
    """One message to be."""

    to: str
    text: str
    priority: int
    key: str
    """The same for the same recipient and alerts, whatever their words are by now."""
    pointer: str
    alerts: int


class Plan(msgspec.Struct, frozen=True):
    """All messages of a notification, and alerts for which there is nobody."""

    messages: tuple[Planned, ...]
    refused: tuple[RefusedAlert, ...]
    ignored: int


def plan(notification: Notification, config: AlertsConfig) -> Plan:
    """Decide what a notification takes; more than ``summary_above`` firing alerts for somebody are one message."""
    told: dict[tuple[str, str], list[tuple[int, Alert]]] = {}
    refused: list[RefusedAlert] = []
    ignored = 0
    for place, alert in enumerate(notification.alerts):
        if alert.status == RESOLVED and not config.resolved:
            ignored += 1
            continue
        recipients = recipients_of(alert, config.on_call)
        if not recipients:
            refused.append(RefusedAlert(f"/alerts/{place}", "", NOBODY.format(name=alert.name[:80])))
        for to in recipients:
            told.setdefault((to, alert.status), []).append((place, alert))
    messages = [
        planned
        for (to, status), alerts in told.items()
        for planned in _messages(notification.group_key, to, status, alerts, config)
    ]
    return Plan(tuple(messages), tuple(refused), ignored)


NOBODY = (
    "nobody is told of {name}: give the alert a label or an annotation sms_to with numbers separated by commas, or set"
    ' on_call = ["+44…"] under [alerts] in the configuration'
)


def recipients_of(alert: Alert, on_call: Sequence[str]) -> tuple[str, ...]:
    """Return who is told of an alert: whom it names, else who is on call; each once."""
    named = [number.strip() for number in alert.wishes.split(",") if number.strip()]
    return tuple(dict.fromkeys(named or on_call))


def _messages(
    group: str, to: str, status: str, alerts: Sequence[tuple[int, Alert]], config: AlertsConfig
) -> Iterator[Planned]:
    priority = URGENT if status == FIRING else USUAL
    if len(alerts) > config.summary_above:
        text = words_for_many([alert for _, alert in alerts], config.max_segments)
        key = _key(group, to, [alert for _, alert in alerts])
        yield Planned(to, text, priority, key, f"/alerts/{alerts[0][0]}", len(alerts))
        return
    for place, alert in alerts:
        text = words_for(alert, config.max_segments)
        yield Planned(to, text, priority, _key(group, to, [alert]), f"/alerts/{place}", 1)


def _key(group: str, to: str, alerts: Sequence[Alert]) -> str:
    """Return what names alerts for a recipient; labels stand in for a fingerprint that is missing."""
    identities = sorted(
        (alert.fingerprint or repr(sorted(alert.labels.items())), alert.status, alert.starts_at) for alert in alerts
    )
    return "alert-" + hashlib.sha256(msgspec.json.encode([group, to, identities])).hexdigest()
