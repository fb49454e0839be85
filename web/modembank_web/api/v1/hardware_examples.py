"""The examples of modems and SIMs in the OpenAPI document; a test reads each back through its shape."""

from __future__ import annotations

from typing import Any

SIM: dict[str, Any] = {
    "iccid": "8944110068256270054",
    "label": "reminders",
    "msisdn": "+447900900001",
    "operator": "Example Mobile",
    "slot": "slot-03",
    "paused": False,
    "paused_reason": None,
    "limits": {
        "min_interval_s": 2.0,
        "per_minute": 15,
        "per_hour": 200,
        "per_day": 1000,
        "per_month": 0,
        "recipients_per_month": 0,
    },
    "overrides": {"per_day": 1000},
    "used": {"per_minute": 3, "per_hour": 41, "per_day": 388, "per_month": 6120},
    "first_seen_at": "2026-09-01T08:00:00.000Z",
    "last_seen_at": "2026-11-20T06:00:00.000Z",
}
SIM_PATCH: dict[str, Any] = {
    "limits": {"limits": {"per_day": 500, "per_hour": None}},
    "pause": {"paused": True, "paused_reason": "the invoice is being clarified"},
    "resume": {"paused": False},
    "label": {"label": "reminders"},
}
MODEM: dict[str, Any] = {
    "slot": "slot-03",
    "port": "usb:1-1.4.3",
    "tty": "/dev/ttyUSB6",
    "state": "registered",
    "admin": "enabled",
    "failed": None,
    "reason": "registered",
    "detail": "",
    "since": "2026-11-20T06:00:04.120Z",
    "able_to_send": True,
    "sim": "8944110068256270054",
    "operator": "Example Mobile",
    "registration": "home, LTE",
    "signal_dbm": -71,
    "manufacturer": "Example",
    "model": "M100",
    "firmware": "1.0.2",
    "imei": "490154203237518",
    "vendor": "generic",
    "capabilities": ["pdu_mode", "stored_messages", "direct_reports"],
    "lacks": {"keep_link": "closes the radio link after every message: long batches are slower"},
    "storage": [{"memory": "SM", "used": 2, "total": 30}],
    "accepted": 388,
    "rejected": 2,
    "unknown": 0,
    "not_sent": 1,
    "received": 41,
    "recovery": [
        {"at": "2026-11-20T05:59:41.020Z", "rung": "reopen", "trouble": "silent", "result": "in_vain"},
        {"at": "2026-11-20T05:59:48.310Z", "rung": "restart", "trouble": "silent", "result": "served"},
    ],
    "last_error": None,
}
PIN_REQUEST: dict[str, Any] = {"pin": {"pin": "4711"}}
USSD_REQUEST: dict[str, Any] = {"balance": {"code": "*100#"}}
USSD: dict[str, Any] = {"text": "Your balance is 12.40", "state": "done"}
USB: dict[str, Any] = {
    "watching": True,
    "items": [
        {
            "place": "usb:1-1.4.3",
            "id": "2c7c:0125",
            "text": "Quectel EC25",
            "standing": "served",
            "why": "",
            "slots": ["slot-03"],
            "ports": [
                {"tty": "ttyUSB4", "interface": 0, "driver": "option", "role": "diagnostics"},
                {"tty": "ttyUSB6", "interface": 2, "driver": "option", "role": "at"},
            ],
        },
        {
            "place": "usb:1-2",
            "id": "046d:c31c",
            "text": "Logitech USB Keyboard",
            "standing": "no_port",
            "why": "it has no serial port",
            "slots": [],
            "ports": [],
        },
    ],
    "next": None,
}
