"""Words of the OpenAPI document for the fields of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "AuditQuery": {
        "actor": {"description": "Only what this user did", "example": "alice"},
        "action": {"description": "Only this action, or all of this noun", "example": "key.revoke"},
        "since": {"description": "At or after this time", "example": "2026-11-20T00:00:00Z"},
        "cursor": {"description": "Where to go on, from `next` of the page before", "example": "aud_0000000000042"},
        "limit": {"description": "How many items at most", "example": 50},
    },
}
