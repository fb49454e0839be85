"""Examples of conversations in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from modembank_web.api.v1.examples import INBOX_MESSAGE, MESSAGE, RECEIPT

__all__ = ["PAGE", "READ", "READ_REQUEST", "RECEIPT", "REPLY", "THREAD"]

PAGE: dict[str, Any] = {
    "items": [
        {
            "number": "+447900900123",
            "user": "reception",
            "last_id": "inb_0000008000002",
            "last_text": "Thank you, see you then",
            "last_kind": "text",
            "last_at": "2026-11-20T14:07:14.020Z",
            "unread": 1,
            "opted_out": False,
            "last_sent_id": "msg_0000008000001",
            "last_sent_status": "delivered",
        }
    ],
    "next": None,
}
THREAD: dict[str, Any] = {
    "number": "+447900900123",
    "opted_out": False,
    "items": [INBOX_MESSAGE, MESSAGE],
    "next": None,
}
REPLY: dict[str, Any] = {"reply": {"text": "You are welcome."}}
READ_REQUEST: dict[str, Any] = {"all": {}, "up_to": {"up_to": "inb_0000008000002"}}
READ: dict[str, Any] = {"number": "+447900900123", "unread": 0}
