"""Words of the OpenAPI document for the fields of issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import CURSOR, LIMIT

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "IssuesQuery": {
        "state": {"description": "Only what is open, what was cleared (in 90 days), or all", "example": "open"},
        "cursor": CURSOR,
        "limit": LIMIT,
    },
}
