"""Words of the OpenAPI document for the fields of errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "Problem": {
        "type": {"description": "Where this kind of error is described"},
        "error_code": {"description": "What programs switch on"},
        "message": {"description": "The same as `detail`"},
        "details": {"description": "The facts of the sentence, by name"},
        "tracking_id": {"description": "Finds the request in the box's log"},
        "errors": {"description": "Each field that is wrong"},
    },
}
