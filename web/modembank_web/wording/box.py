"""Words of the OpenAPI document for the fields of the appliance and of the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "NewEnrolment": {
        "token": {"description": "As the hub's page shows it; it is good for one box, once"},
        "address": {"description": "Where this box reaches the hub, if not where the token says: https://HOST:PORT"},
    },
    "UpdateForm": {
        "file": {"description": "The bundle, as a file", "format": "binary"},
    },
    "PostponeRequest": {
        "days": {"description": "0 to 30; 0: it may restart at any time"},
    },
    "ResetRequest": {
        "box": {"description": "The box's own name, typed to show that this box is meant"},
    },
}
