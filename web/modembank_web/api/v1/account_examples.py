"""The examples of users, keys, sessions, quotas and the audit log; a test reads each back through its shape."""

from __future__ import annotations

from typing import Any

USER: dict[str, Any] = {
    "name": "ann",
    "role": "sender",
    "active": True,
    "has_password": True,
    "created_at": "2026-11-20T14:05:00.000Z",
}
NEW_USER: dict[str, Any] = {
    "sender": {"name": "bob", "role": "sender"},
    "admin": {"name": "carol", "role": "admin", "password": "teapot-gravel-october-lantern"},
}
USER_PATCH: dict[str, Any] = {
    "password": {"password": "quilt harbour nine ladders"},
    "role": {"role": "admin"},
    "disable": {"active": False},
}
KEY: dict[str, Any] = {
    "id": "4fQ2mZ0a",
    "user": "ann",
    "label": "shop",
    "scopes": ["messages:read", "messages:send"],
    "networks": ["192.0.2.0/24"],
    "created_at": "2026-11-20T14:05:00.000Z",
    "expires_at": "2036-11-20T00:00:00.000Z",
    "revoked_at": None,
}
NEW_KEY: dict[str, Any] = {
    "everything": {"user": "ann", "label": "shop"},
    "narrow": {
        "user": "ann",
        "label": "shop",
        "scopes": ["messages:send", "messages:read"],
        "networks": ["192.0.2.0/24"],
        "expires_at": "2036-11-20T00:00:00Z",
    },
}
ADDED_KEY: dict[str, Any] = {
    "key": "mb_4fQ2mZ0a_…_…",
    "api_key": KEY,
}
REVOKED_KEY: dict[str, Any] = {**KEY, "revoked_at": "2026-11-21T09:00:00.000Z"}
SESSION: dict[str, Any] = {
    "id": "ses_8c1f0a92d7e64b35",
    "user": "ann",
    "created_at": "2026-11-20T14:05:00.000Z",
    "seen_at": "2026-11-20T14:20:00.000Z",
    "ends_at": "2026-11-20T14:50:00.000Z",
    "source": "192.0.2.7",
    "agent": "Mozilla/5.0",
    "current": True,
}
QUOTA: dict[str, Any] = {
    "user": "ann",
    "per_day": 500,
    "per_month": 0,
    "used_today": 120,
    "used_this_month": 2210,
    "day_ends_at": "2026-11-21T00:00:00.000Z",
    "month_ends_at": "2026-12-01T00:00:00.000Z",
}
QUOTA_PATCH: dict[str, Any] = {"per_day": {"per_day": 500}, "none": {"per_day": 0, "per_month": 0}}
ACCOUNT: dict[str, Any] = {
    "user": "ann",
    "role": "sender",
    "scopes": ["messages:read", "messages:send"],
    "session": None,
    "expires_at": None,
    "networks": [],
    "quota": QUOTA,
}
LOGGED_IN: dict[str, Any] = {
    **ACCOUNT,
    "scopes": ["mailings", "messages:read", "messages:send", "opt-outs", "webhooks"],
    "session": "ses_8c1f0a92d7e64b35",
}
AUDIT_ENTRY: dict[str, Any] = {
    "id": "aud_0000000000042",
    "at": "2026-11-20T14:05:00.000Z",
    "clock_ok": True,
    "actor": "alice",
    "source": "192.0.2.7",
    "action": "user.change",
    "subject": "ann",
    "detail": {"active": [True, False], "sessions_ended": 1},
    "hash": "5f0c1d2e3b4a5968778695a4b3c2d1e0f0e1d2c3b4a5968778695a4b3c2d1e0f",
}
VERDICT: dict[str, Any] = {
    "ok": True,
    "checked": 42,
    "head": AUDIT_ENTRY["hash"],
    "first_bad": None,
    "why": "",
}
