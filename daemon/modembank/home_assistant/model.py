"""How the link to Home Assistant's broker stands."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec


class LinkState(enum.StrEnum):
    """The connection to the site's broker."""

    NOT_SET_UP = "not_set_up"
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    """For the next try."""
    REFUSED = "refused"
    """The broker does not take the box, or what it says."""
    TAKEN_BACK = "taken_back"
    """Switched off: nothing of the box is there any more."""


class HomeAssistantView(msgspec.Struct, frozen=True):
    """The link at one moment; times are unix milliseconds."""

    state: LinkState
    since: int | None
    why: str
    """What keeps it from working, in words; empty: nothing."""
    broker: str
    node: str
    next_try_at: int | None
    entities: int
    """What Home Assistant is shown of the box."""
    announced_at: int | None
    """When it was told last what there is."""
    privacy: str
    commands: bool
    groups: Sequence[str]
    notified: int
    """Notifications that became messages, since the daemon started."""
    refused: int
    """Commands that did nothing, since the daemon started."""
    last_refusal: str
