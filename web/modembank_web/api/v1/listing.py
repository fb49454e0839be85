"""What all lists have in common: opaque cursors and the address of the next page."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]
DEFAULT_LIMIT = 50


def next_address(path: str, query: Any, cursor: str | None) -> str | None:
    """Return the address of the page after this one: the same query with another cursor."""
    if cursor is None:
        return None
    given = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
    given["cursor"] = cursor
    return f"{path}?{urlencode(given)}"
