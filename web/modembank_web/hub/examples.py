"""Examples of the hub's API, which its tests run."""

from __future__ import annotations

from typing import Any

BOX: dict[str, Any] = {
    "name": "leeds/b1",
    "site": "leeds",
    "box": "b1",
    "label": "Cellar of Leeds",
    "standing": "online",
    "shut_out": False,
    "why": "birth",
    "seen_at": "2026-11-20T14:05:00.000Z",
    "first_at": "2026-10-01T08:00:00.000Z",
    "version": "1.2.0",
    "epoch": "k3f9",
    "problems": 0,
    "skew_s": 0.2,
    "modems_ready": 15,
    "modems": 16,
    "waiting": 120,
    "unknown": 0,
    "outbox": 0,
}
DETAIL = BOX | {
    "birth": {"v": 1, "ep": "k3f9", "bs": 17, "sw": {"version": "1.2.0", "schema": 11}},
    "telemetry": {"v": 1, "seq": 4711, "q": {"ready": 100, "delayed": 20, "inflight": 2, "unknown": 0}},
    "modem_table": [{"slot": "slot-01", "st": "ready", "rssi": -71}],
    "configuration": None,
    "update": None,
    "gaps": [
        {"stream": "ev", "first": 40, "last": 52, "why": "full", "at": "2026-11-19T03:00:00.000Z"},
    ],
}
EVENT = {
    "seq": 4711,
    "type": "modem.state",
    "severity": "info",
    "at": "2026-11-20T14:04:58.000Z",
    "received_at": "2026-11-20T14:04:59.100Z",
    "subject": "slot-03",
    "data": {"to": "ready"},
}
STRETCH = {
    "at": "2026-11-20T14:00:00.000Z",
    "reports": 5,
    "modems_ready": 15,
    "waiting": 120,
    "sent": 412,
    "delivered": 398,
    "failed": 2,
    "received": 7,
    "cpu": 0.31,
    "memory": 0.42,
    "disk_left_gb": 21.4,
    "temperature": 51.5,
}
COMMAND: dict[str, Any] = {
    "id": "019abcde123f00d1e5a7b9c3d2e4",
    "box": "leeds/b1",
    "verb": "sim.pause",
    "args": {"iccid": "8944110068256270054", "reason": "bill"},
    "by": "anna",
    "issued_at": "2026-11-20T14:05:00.000Z",
    "ttl_s": 300,
    "state": "done",
    "code": "",
    "percent": None,
    "data": {},
    "sends": 1,
    "sent_at": "2026-11-20T14:05:00.030Z",
    "accepted_at": "2026-11-20T14:05:00.140Z",
    "running_at": None,
    "ended_at": "2026-11-20T14:05:00.200Z",
}
WAITING = COMMAND | {
    "state": "waiting", "sends": 0, "sent_at": None, "accepted_at": None, "ended_at": None,
}  # fmt: skip
CANCELLED = WAITING | {"state": "cancelled", "ended_at": "2026-11-20T14:06:00.000Z"}
VERB = {
    "name": "ping",
    "most_ttl_s": 3600,
    "signed": False,
    "possible": True,
    "args": {"$ref": "#/$defs/Nothing"},
}
TOTALS = {
    "boxes": 3,
    "online": 2,
    "stale": 0,
    "offline": 1,
    "problems": 1,
    "modems_ready": 30,
    "modems": 48,
    "waiting": 240,
    "unknown": 0,
    "sent": 12_400,
    "delivered": 12_010,
    "failed": 31,
    "received": 88,
    "quarantined": 0,
    "versions": [["1.2.0", 2], ["1.1.4", 1]],
}
QUARANTINED = {
    "id": "17",
    "at": "2026-11-20T14:05:00.000Z",
    "topic": "modembank/v1/leeds/b1/up/ev",
    "code": "malformed",
    "reason": "JSON is malformed: invalid character (byte 0)",
    "octets": 3,
    "payload": "eHh4",
}
