"""The examples of providers and routing rules in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_SETTINGS: dict[str, Any] = {
    "host": "smpp.example.net",
    "port": 2776,
    "system_id": "shop",
    "password_secret": "smpp-1",
}
_SHARING: dict[str, Any] = {"cost": 0.06, "automatic": True, "limits": {"per_minute": 600}}
PROVIDER: dict[str, Any] = {
    "name": "smpp-1",
    "kind": "smpp",
    "channel": "sms",
    "settings": _SETTINGS,
    "sharing": _SHARING,
    "enabled": True,
    "state": "not_ready",
    "why": "no session: the connection was refused",
    "secrets": [{"name": "smpp-1", "there": True, "why": None}],
    "callback_url": "https://sms.example.org/hooks/providers/smpp-1",
    "callback_path": "/hooks/providers/smpp-1",
    "lately": {
        "tries": 100,
        "success_rate": 0.98,
        "delivery_rate": 0.955,
        "latency_s": 0.212,
        "failures": 2,
        "last_failure": "the connection was refused",
        "last_failure_at": "2026-11-20T14:05:14.230Z",
        "last_success_at": "2026-11-20T14:05:09.120Z",
    },
    "used": {"per_minute": 12, "per_hour": 340, "per_day": 2211, "per_month": 40120},
    "created_at": "2026-11-19T09:00:00.000Z",
    "changed_at": "2026-11-19T09:00:00.000Z",
}
NEW: dict[str, Any] = {"smpp": {"name": "smpp-1", "kind": "smpp", "settings": _SETTINGS, "sharing": _SHARING}}
PATCH: dict[str, Any] = {
    "dearer": {"sharing": {"cost": 0.07, "automatic": True, "limits": {"per_day": 5000}}},
    "another host": {"settings": {**_SETTINGS, "host": "smpp-2.example.net"}},
}
TEST: dict[str, Any] = {"id": "msg_0000008000001", "to": "+447900900123", "status": "queued"}
KIND: dict[str, Any] = {
    "name": "smtp",
    "summary": "E-mail through a mail server.",
    "settings": {
        "title": "Settings",
        "type": "object",
        "properties": {"host": {"type": "string", "minLength": 1, "description": "Name or IP address of the server"}},
        "required": ["host"],
        "additionalProperties": False,
    },
}
RULES: dict[str, Any] = {
    "rules": [
        {"providers": ["smpp-1", "bank"], "prefixes": ["+44", "+353"], "priority_from": 7},
        {"providers": ["mail-1"], "channel": "email", "domains": ["clinic.example"], "hours": "08:00-20:00"},
    ]
}
PREVIEW: dict[str, Any] = {
    "urgent": {"to": "+447900900123", "priority": 8},
    "a mail at night": {"to": "reader@clinic.example", "channel": "email", "at": "2026-11-20T23:00:00Z"},
}
FORESEEN: dict[str, Any] = {
    "to": "+447900900123",
    "place": 0,
    "rule": {"providers": ["smpp-1", "bank"], "prefixes": ["+44", "+353"], "priority_from": 7},
    "stages": [
        [{"name": "smpp-1", "not_ready": "no session: the connection was refused"}],
        [{"name": "bank", "not_ready": None}],
    ],
}
