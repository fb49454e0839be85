"""Every kind of alert, with the rule that holds where nobody has set another one."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec


class Severity(enum.StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Greater is worse."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Judged(enum.Enum):
    """When a kind can be judged at all; when it cannot, what is open stays open and nothing opens."""

    ALWAYS = "always"
    """By what the hub has written down."""
    SEEING = "seeing"
    """While the hub hears the boxes."""
    ONLINE = "online"
    """While the box is online: what an absent one told last is old."""


class Kind(msgspec.Struct, frozen=True):
    """A kind of alert, and its rule by default; times are seconds."""

    name: str
    title: str
    """What it is called in a list, after the subject."""
    when: str
    """Under what condition it opens."""
    severity: Severity
    hold_s: int
    """How long the condition must hold before it opens."""
    clear_s: int
    """How long it must be gone before it ends."""
    judged: Judged = Judged.ALWAYS
    threshold: int = 0
    unit: str = ""
    """Of the threshold; empty: there is none."""

    @property
    def of_hub(self) -> bool:
        """Whether it is about the hub itself."""
        return self.name.startswith("hub.")


_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
OFFLINE, STALE, ISSUE, MODEMS = "box.offline", "box.stale", "box.issue", "box.modems"
QUEUE, STUCK, CONFIG, GAP, CLOCK = "box.queue", "box.stuck", "box.config", "box.gap", "box.clock"
BOX_CERTIFICATE = "box.certificate"
BROKER, DATABASE, QUARANTINE = "hub.broker", "hub.database", "hub.quarantine"
CHANNEL, CERTIFICATE = "hub.channel", "hub.certificate"

_ALL = (
    Kind(OFFLINE, "is offline", "the box is not connected", _CRITICAL, 300, 60, Judged.SEEING),
    Kind(STALE, "has fallen silent", "the box is connected and says nothing", _WARNING, 300, 60, Judged.SEEING),
    Kind(ISSUE, "has a critical issue", "a critical issue is open", _CRITICAL, 60, 60, Judged.ONLINE),
    Kind(MODEMS, "has no modem ready", "it has modems, and none is ready", _CRITICAL, 600, 120, Judged.ONLINE),
    Kind(
        QUEUE, "has a long queue", "so many messages wait to be sent",
        _WARNING, 900, 300, Judged.ONLINE, 1000, "messages",
    ),
    Kind(
        STUCK, "sends nothing", "messages wait, and none was sent in the last ten minutes",
        _WARNING, 7200, 60, Judged.ONLINE,
    ),
    Kind(
        CONFIG, "has not taken its configuration", "it rejected its configuration, or rolled it back", _WARNING, 0, 0
    ),
    Kind(
        GAP, "has a gap in what it told", "something that it had to tell was lost, in so many hours",
        _WARNING, 0, 0, threshold=24, unit="hours",
    ),
    Kind(CLOCK, "has a wrong clock", "its clock is off by so much", _WARNING, 600, 300, Judged.ONLINE, 5, "seconds"),
    Kind(
        BOX_CERTIFICATE, "has not renewed its certificate",
        "the latest certificate that it was given ends in so many days", _WARNING, 0, 0, threshold=14, unit="days",
    ),
    Kind(BROKER, "has no broker", "a connection to the broker does not stand", _CRITICAL, 60, 30),
    Kind(DATABASE, "cannot write", "the database takes nothing", _CRITICAL, 30, 60),
    Kind(
        QUARANTINE, "cannot read what comes", "so many messages in an hour could not be read",
        _WARNING, 0, 600, threshold=10, unit="messages",
    ),
    Kind(CHANNEL, "cannot tell of alerts", "a channel takes nothing", _WARNING, 900, 0),
    Kind(
        CERTIFICATE, "has a certificate that ends soon", "one of the hub's certificates ends in so many days",
        _WARNING, 0, 0, threshold=14, unit="days",
    ),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
