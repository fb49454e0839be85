"""Words of the OpenAPI document for the fields of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "Notification": {
        "alerts": {"description": "Each alert of the group"},
        "groupKey": {
            "description": "Names the group; with an alert's fingerprint, status and start it names a message"
        },
    },
    "TakenAlert": {"id": {"description": "The message's id, the same when the alert was told before"}},
    "AlertsTaken": {
        "refused": {"description": "Alerts or recipients for which there is no message, and why"},
        "ignored": {"description": "Resolved alerts, when `[alerts] resolved` is false"},
    },
}
