"""How the link to the hub stands, and which life of the box this is."""

from __future__ import annotations

import enum

import msgspec


class LinkState(enum.StrEnum):
    """The connection to the broker."""

    NOT_SET_UP = "not_set_up"
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    """For the next try."""
    REFUSED = "refused"
    """The broker does not take the box, or what it says."""


class HubState(enum.StrEnum):
    """The hub behind the broker."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    OFFLINE = "offline"


class EnrolmentState(enum.StrEnum):
    """How the box stands to a hub that it was given a token of."""

    NONE = "none"
    """It was given none; or the configuration file names the hub."""
    ASKING = "asking"
    REFUSED = "refused"
    ENROLLED = "enrolled"


class Life(msgspec.Struct, frozen=True):
    """Which life of the box this is."""

    epoch: str
    starts: int
    secret: bytes
    ev_base: int
    res_base: int


class FleetView(msgspec.Struct, frozen=True):
    """The link at one moment; times are unix milliseconds."""

    state: LinkState
    since: int | None
    why: str
    """What keeps it from working, in words; empty: nothing."""
    broker: str
    site: str
    box: str
    epoch: str
    hub: HubState
    acknowledged_at: int | None
    events_waiting: int
    results_waiting: int
    oldest_waiting_at: int | None
    next_try_at: int | None
    profile: str
    privacy: str
    commands_refused: int
    """Since the daemon started."""
    configuration: int
    """The version of the hub's configuration that is in force; 0: nothing is the hub's."""
    configuration_newest: int
    configuration_state: str
    """What became of the newest: pending, applied, rejected, rolled_back; empty where there never was one."""
    enrolment: EnrolmentState
    enrolment_hub: str
    """Where it was enrolled, or asks to be; empty: nowhere."""
    enrolment_why: str
    """What keeps it from being enrolled or its certificate from being renewed, in words; empty: nothing."""
    certificate_ends_at: int | None
    certificate_renews_at: int | None
