"""Words of the OpenAPI document for the fields of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "EventsQuery": {
        "types": {
            "description": "Kinds of events, separated by commas: `message.delivered`, `issue.*`, `*`",
            "example": "message.*",
        },
        "last_event_id": {
            "description": "As the header `Last-Event-ID`, for tools that cannot send one",
            "example": "evt_0000000000042",
        },
        "for_s": {
            "description": "End after so many seconds; 0: after what is there already. Without it, it goes on",
            "example": 0,
        },
    },
}
