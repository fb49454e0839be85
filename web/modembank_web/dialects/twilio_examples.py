"""Examples of the Twilio dialect for the OpenAPI document."""

from __future__ import annotations

from typing import Any

ACCOUNT = "AC3f2a9c51d07e4b8896a1c4e05d7b2f90"
SID = "SM3f2a9c51d07e4b010000010000000001"
_PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"

NEW: dict[str, Any] = {
    "plain": {"To": "+447900900123", "Body": "Your appointment is tomorrow at 10:30."},
    "told what becomes of it": {
        "To": "+447900900123",
        "Body": "Your parcel is on its way.",
        "StatusCallback": "https://example.com/sms/status",
        "ValidityPeriod": "3600",
    },
}
UPDATE: dict[str, Any] = {"cancel": {"Status": "canceled"}, "redact": {"Body": ""}}
MESSAGE: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "api_version": "2010-04-01",
    "body": "Your appointment is tomorrow at 10:30.",
    "date_created": "Fri, 20 Nov 2026 14:05:00 +0000",
    "date_sent": "Fri, 20 Nov 2026 14:05:04 +0000",
    "date_updated": "Fri, 20 Nov 2026 14:05:09 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": "+447900900001",
    "messaging_service_sid": None,
    "num_media": "0",
    "num_segments": "1",
    "price": None,
    "price_unit": None,
    "sid": SID,
    "status": "delivered",
    "subresource_uris": {},
    "to": "+447900900123",
    "uri": f"{_PATH}/{SID}.json",
}
PAGE: dict[str, Any] = {
    "messages": [MESSAGE],
    "page": 0,
    "page_size": 50,
    "start": 0,
    "end": 0,
    "uri": f"{_PATH}.json?PageSize=50&Page=0",
    "first_page_uri": f"{_PATH}.json?PageSize=50&Page=0",
    "next_page_uri": None,
    "previous_page_uri": None,
}

ACCOUNT_VIEW: dict[str, Any] = {
    "sid": ACCOUNT,
    "user": "shop",
    "sms_url": "https://example.com/sms",
    "status_callback": None,
    "allow_private": False,
    "waiting": 0,
    "failing_since": None,
    "given_up": 0,
    "last_at": "2026-11-20T14:05:09.000Z",
    "last_status": 200,
    "last_error": None,
    "created_at": "2026-11-20T09:00:00.000Z",
}
ACCOUNT_WITH_TOKEN: dict[str, Any] = ACCOUNT_VIEW | {"auth_token": "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}
NEW_ACCOUNT: dict[str, Any] = {"with a webhook": {"user": "ann", "sms_url": "https://example.com/sms"}}
ACCOUNT_PATCH: dict[str, Any] = {
    "another address": {"sms_url": "https://example.com/sms/v2"},
    "a new token": {"rotate_token": True},
}
