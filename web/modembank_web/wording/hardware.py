"""Words of the OpenAPI document for the fields of modems and SIMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "UssdRequest": {
        "code": {"description": "What one would dial, such as `*100#`"},
    },
    "SimPatch": {
        "label": {"description": "For people, and the name of the pool it belongs to"},
        "limits": {"description": "Only the limits to change; null goes back to the box's default, 0 means none"},
        "paused": {"description": "true: sends nothing until false"},
        "paused_reason": {"description": "Shown while it is paused"},
    },
}
