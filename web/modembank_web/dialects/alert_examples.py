"""Notifications as monitoring systems post them, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_LABELS = {"alertname": "HighCPU", "instance": "host1", "severity": "critical"}
ALERTMANAGER: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighCPU"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "sms",
    "groupLabels": {"alertname": "HighCPU"},
    "commonLabels": _LABELS,
    "commonAnnotations": {"summary": "CPU above 95 % for 10 minutes"},
    "externalURL": "http://alertmanager:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": _LABELS,
            "annotations": {"summary": "CPU above 95 % for 10 minutes", "sms_to": "+447900900131, +447900900132"},
            "startsAt": "2026-11-20T14:05:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "5ef77f1f8a3ecfb6",
        }
    ],
}
GRAFANA: dict[str, Any] = {
    "receiver": "sms",
    "status": "firing",
    "orgId": 1,
    "version": "1",
    "groupKey": '{}:{alertname="DiskFull"}',
    "truncatedAlerts": 0,
    "title": "[FIRING:1] DiskFull",
    "state": "alerting",
    "message": "**Firing**",
    "groupLabels": {"alertname": "DiskFull"},
    "commonLabels": {"alertname": "DiskFull"},
    "commonAnnotations": {},
    "externalURL": "http://grafana:3000/",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "grafana_folder": "Servers", "sms_to": "+447900900131"},
            "annotations": {"summary": "/var has 2 % left"},
            "startsAt": "2026-11-20T14:05:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "values": {"B": 2.1, "C": 1},
            "valueString": "[ var='B' labels={} value=2.1 ]",
            "generatorURL": "http://grafana:3000/alerting/1/edit",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "http://grafana:3000/alerting/silence/new",
            "dashboardURL": "",
            "panelURL": "",
        }
    ],
}
TAKEN: dict[str, Any] = {
    "messages": [
        {"id": "msg_0000008000001", "to": "+447900900131", "alerts": 1},
        {"id": "msg_0000008000002", "to": "+447900900132", "alerts": 1},
    ],
    "refused": [],
    "ignored": 0,
}
