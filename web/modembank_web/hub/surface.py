"""The hub behind a call: the handlers are shared with the box's faces, which know its surface by another type."""

from __future__ import annotations

from typing import cast

from modembank_hub.app import HubApp
from modembank_web.operation import Call


def hub(call: Call) -> HubApp:
    """Return the hub's services; only operations of the hub's faces ask."""
    return cast("HubApp", call.app)
