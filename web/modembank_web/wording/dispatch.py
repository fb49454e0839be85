"""Words of the OpenAPI document for the fields of what waits after an outage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "DecideRequest": {
        "decision": {"description": "`send`: back into the queue; `expire`: given up"},
        "older_than_s": {"description": "Only those that have been due for longer"},
        "newer_than_s": {"description": "Only those that have been due for less long"},
    },
}
