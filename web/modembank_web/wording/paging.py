"""Words of the OpenAPI document for what all lists have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CURSOR: Mapping[str, Any] = {"description": "Where to go on, from `next` of the page before", "example": "eyJpZCI6MX0"}
LIMIT: Mapping[str, Any] = {"description": "How many items at most", "example": 50}
PAGING: Mapping[str, Mapping[str, Any]] = {"cursor": CURSOR, "limit": LIMIT}
