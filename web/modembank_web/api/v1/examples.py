"""The examples of the OpenAPI document; a test reads each back through the shape it illustrates."""

from __future__ import annotations

from typing import Any

NEXT = "/api/v1/messages?status=sent&cursor=eyJpZCI6MX0&limit=50"

SUBMIT: dict[str, Any] = {
    "one": {"to": "+447900900123", "text": "Your parcel arrives today between 10 and 12."},
    "many": {"to": ["+447900900123", "+447900900124"], "text": "The office is closed tomorrow.", "priority": 3},
    "scheduled": {
        "to": "+447900900123",
        "text": "Your appointment is at 14:30.",
        "reference": "appointment-2207",
        "send_at": "2026-11-24T07:00:00Z",
        "window": "08:00-20:00",
        "valid_for_s": 14400,
        "pool": "reminders",
        "on_unknown": "hold",
    },
    "dry_run": {"to": "+447900900123", "text": "Does this fit?", "dry_run": True},
    "email": {
        "to": "reader@clinic.example",
        "channel": "email",
        "subject": "Your appointment",
        "text": "Your appointment is tomorrow at 14:30.",
        "providers": ["mail-1"],
    },
    "first_one_then_the_bank": {
        "to": "+447900900123",
        "text": "Your appointment is at 14:30.",
        "providers": ["smpp-1", "bank"],
    },
    "partial": {"to": ["+447900900123", "+44790090012"], "text": "The office is closed tomorrow.", "partial": True},
}

_ACCEPTED = {
    "id": "msg_0000008000001",
    "to": "+447900900123",
    "status": "queued",
    "segments": 1,
    "encoding": "gsm7",
}
RECEIPT: dict[str, Any] = {"messages": [_ACCEPTED], **_ACCEPTED}
DRY_RECEIPT: dict[str, Any] = {
    "messages": [{**_ACCEPTED, "id": ""}],
    "dry_run": True,
    "to": "+447900900123",
    "status": "queued",
    "segments": 1,
    "encoding": "gsm7",
}

PREVIEW_REQUEST: dict[str, Any] = {"text": {"text": "Grüße aus Köln – bis bald"}}
PREVIEW: dict[str, Any] = {
    "encoding": "ucs2",
    "segments": 1,
    "characters_left": 45,
    "forced_by": ["–"],
    "replacements": [{"character": "–", "replacement": "-"}],
    "text_after": "Grüße aus Köln - bis bald",
    "segments_after": 1,
    "segments_saved": 0,
}

MESSAGE: dict[str, Any] = {
    "id": "msg_0000008000001",
    "direction": "outbound",
    "to": "+447900900123",
    "from": "+447900900001",
    "text": "Your parcel arrives today between 10 and 12.",
    "status": "delivered",
    "reference": "order-4711",
    "batch": None,
    "segments": 1,
    "encoding": "gsm7",
    "sim": "8944110068256270054",
    "provider": None,
    "channel": "sms",
    "subject": None,
    "priority": 5,
    "on_unknown": "hold",
    "delivery_report": True,
    "flash": False,
    "created_at": "2026-11-20T14:05:00.000Z",
    "send_at": None,
    "next_try_at": None,
    "expires_at": "2026-11-22T14:05:00.000Z",
    "window": None,
    "sent_at": "2026-11-20T14:05:03.412Z",
    "settled_at": "2026-11-20T14:05:09.000Z",
    "cause": None,
    "attempts": [
        {
            "segment": 1,
            "n": 1,
            "sim": "8944110068256270054",
            "slot": "slot-03",
            "started_at": "2026-11-20T14:05:00.530Z",
            "finished_at": "2026-11-20T14:05:03.412Z",
            "outcome": "accepted",
            "tp_mr": 17,
            "cause": None,
            "report_status": 0,
            "report_at": "2026-11-20T14:05:09.000Z",
            "verdict": "it arrived: a delivery report says so",
            "evidence": {
                "intent_durable": True,
                "prompt_seen": True,
                "octets_written": 84,
                "ctrl_z_written": True,
                "final_seen": True,
                "final": "+CMGS: 17",
                "report_seen": True,
                "prompt_s": 0.031,
                "ctrl_z_s": 0.034,
                "final_s": 2.88,
                "concat": None,
                "provider": None,
            },
        }
    ],
    "report": {"status": "delivered", "reported": 1, "segments": 1, "at": "2026-11-20T14:05:09.000Z"},
    "waiting_for": None,
    "redacted": False,
}
BY_PROVIDER: dict[str, Any] = {
    **MESSAGE,
    "id": "msg_0000008000003",
    "to": "reader@clinic.example",
    "from": None,
    "text": "Your appointment is tomorrow at 14:30.",
    "encoding": "ucs2",
    "sim": None,
    "provider": "mail-1",
    "channel": "email",
    "subject": "Your appointment",
    "attempts": [
        {
            **MESSAGE["attempts"][0],
            "segment": 0,
            "sim": None,
            "slot": "mail-1",
            "tp_mr": None,
            "verdict": "it arrived: the provider's receipt says so",
            "evidence": {
                "intent_durable": True,
                "prompt_seen": None,
                "octets_written": None,
                "ctrl_z_written": None,
                "final_seen": None,
                "final": None,
                "report_seen": True,
                "prompt_s": None,
                "ctrl_z_s": None,
                "final_s": None,
                "concat": None,
                "provider": {"answer": "250 2.0.0 OK queued as 4bQ2", "seconds": 0.41},
            },
        }
    ],
}
MESSAGES_PAGE: dict[str, Any] = {"items": [BY_PROVIDER, MESSAGE], "next": NEXT}
SETTLE: dict[str, Any] = {
    "delivered": {"as": "delivered", "note": "the patient called back"},
    "failed": {"as": "failed"},
}
SETTLE_MANY: dict[str, Any] = {"old": {"as": "failed", "older_than_s": 86400, "note": "reports are long overdue"}}
SETTLED: dict[str, Any] = {
    **MESSAGE,
    "cause": "settled: by alice: the patient called back",
    "attempts": [],
    "report": None,
    "sent_at": None,
}
REDACTED: dict[str, Any] = {**MESSAGE, "text": "", "redacted": True}
DELETED: dict[str, Any] = {"id": "msg_0000008000001", "deleted": True}
CANCELLED: dict[str, Any] = {
    **MESSAGE,
    "status": "cancelled",
    "from": None,
    "sim": None,
    "sent_at": None,
    "attempts": [],
    "report": None,
}

INBOX_MESSAGE: dict[str, Any] = {
    "id": "inb_0000008000002",
    "direction": "inbound",
    "from": "+447900900123",
    "to": "+447900900001",
    "kind": "text",
    "text": "Thank you, see you then",
    "octets": None,
    "parts": 1,
    "missing": [],
    "sim": "8944110068256270054",
    "provider": None,
    "channel": "sms",
    "sent_at": "2026-11-20T14:07:11.000Z",
    "received_at": "2026-11-20T14:07:14.020Z",
    "redacted": False,
}
INBOX_PAGE: dict[str, Any] = {"items": [INBOX_MESSAGE], "next": None}
INBOX_REDACTED: dict[str, Any] = {**INBOX_MESSAGE, "text": "", "redacted": True}
INBOX_DELETED: dict[str, Any] = {"id": "inb_0000008000002", "deleted": True}
