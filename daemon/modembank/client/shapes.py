"""What a box answers, typed. Fields that a newer box adds are passed over; those that an older one lacks are empty.

Times are RFC 3339 UTC strings, as the API writes them: they sort, and ``datetime.fromisoformat`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

ENDED = frozenset({"delivered", "undelivered", "expired", "failed", "cancelled"})
"""States that a message never leaves. ``unknown`` is none: a report or a person may still settle it."""


class Accepted(msgspec.Struct, frozen=True):
    """One recipient's message as it was accepted; or, when parts were asked for, why there is none."""

    id: str
    """Empty in a dry run, and for a recipient that was refused."""
    to: str
    status: str
    """A state, or ``refused``."""
    segments: int = 0
    encoding: str = ""
    reason: str = ""
    detail: str = ""


class Note(msgspec.Struct, frozen=True):
    """Something worth knowing that is no error."""

    pointer: str
    detail: str


class Receipt(msgspec.Struct, frozen=True):
    """What was accepted, per recipient in the order given."""

    messages: tuple[Accepted, ...]
    batch: str | None = None
    notes: tuple[Note, ...] = ()
    dry_run: bool = False
    refused: int = 0
    id: str = ""
    """Of the only message, when there was one recipient."""
    status: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One try of one segment."""

    segment: int
    n: int
    outcome: str
    sim: str | None = None
    slot: str = ""
    started_at: str = ""
    finished_at: str | None = None
    cause: str | None = None
    verdict: str = ""
    evidence: Mapping[str, Any] = {}


class Report(msgspec.Struct, frozen=True):
    """What the delivery reports say of the whole message."""

    status: str
    reported: int = 0
    segments: int = 0
    at: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An outbound message with its history."""

    id: str
    to: str
    status: str
    text: str | None = None
    direction: str = "outbound"
    from_: str | None = msgspec.field(name="from", default=None)
    reference: str | None = None
    batch: str | None = None
    segments: int = 0
    encoding: str = ""
    sim: str | None = None
    provider: str | None = None
    """Who took it, or last tried to, where that is not the bank."""
    channel: str = "sms"
    subject: str | None = None
    priority: int = 5
    on_unknown: str = ""
    delivery_report: bool = True
    flash: bool = False
    created_at: str = ""
    send_at: str | None = None
    next_try_at: str | None = None
    expires_at: str | None = None
    window: str | None = None
    sent_at: str | None = None
    settled_at: str | None = None
    cause: str | None = None
    attempts: tuple[Attempt, ...] = ()
    report: Report | None = None
    waiting_for: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it, unless a person decides so."""
        return self.status in ENDED or (self.status == "sent" and not self.delivery_report)


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound message."""

    id: str
    from_: str = msgspec.field(name="from")
    text: str | None = None
    direction: str = "inbound"
    to: str | None = None
    kind: str = "text"
    octets: str | None = None
    parts: int = 1
    missing: tuple[int, ...] = ()
    sim: str | None = None
    provider: str | None = None
    channel: str = "sms"
    sent_at: str | None = None
    received_at: str = ""


Said: TypeAlias = Message | Received
"""One thing in a conversation; ``direction`` tells which."""


class Replacement(msgspec.Struct, frozen=True):
    """A character that forces UCS-2 and could be written otherwise."""

    character: str
    replacement: str


class Preview(msgspec.Struct, frozen=True):
    """How a text would go out."""

    encoding: str
    segments: int
    characters_left: int = 0
    forced_by: tuple[str, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    text_after: str | None = None
    segments_after: int | None = None
    segments_saved: int = 0


class Modem(msgspec.Struct, frozen=True, kw_only=True):
    """A slot and the modem in it; what is not known is empty or None."""

    slot: str
    state: str
    port: str = ""
    admin: str = ""
    failed: str | None = None
    reason: str = ""
    detail: str = ""
    since: str = ""
    able_to_send: bool = False
    sim: str | None = None
    operator: str = ""
    registration: str = ""
    signal_dbm: int | None = None
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    imei: str = ""
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    not_sent: int = 0
    received: int = 0
    last_error: str | None = None


class Sim(msgspec.Struct, frozen=True, kw_only=True):
    """A SIM: who it is, where it sits, how much of its limits is used."""

    iccid: str
    label: str = ""
    msisdn: str | None = None
    operator: str | None = None
    slot: str | None = None
    paused: bool = False
    paused_reason: str | None = None
    limits: Mapping[str, float] = {}
    overrides: Mapping[str, float] = {}
    used: Mapping[str, int] = {}


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs, or needed, a person."""

    id: str
    kind: str
    subject: str = ""
    severity: str = ""
    summary: str = ""
    evidence: Mapping[str, Any] = {}
    raised_at: str = ""
    changed_at: str = ""
    cleared_at: str | None = None
    remedies: tuple[Mapping[str, Any], ...] = ()


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A number from which something came, with the newest of it."""

    number: str
    user: str | None = None
    last_id: str = ""
    last_text: str | None = None
    last_at: str = ""
    unread: int = 0
    opted_out: bool = False
    last_sent_id: str | None = None
    last_sent_status: str | None = None


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A number that wants no messages (``out``), or wants them again (``in``)."""

    number: str
    state: str = "out"
    changed_at: str = ""
    source: str = ""
    keyword: str | None = None
    message: str | None = None
    note: str = ""
    by: str | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that events are posted to, and how that goes."""

    id: str
    url: str
    user: str = ""
    label: str = ""
    events: tuple[str, ...] = ()
    all_users: bool = False
    allow_private: bool = False
    active: bool = True
    state: str = ""
    stopped_why: str | None = None
    delivered: int = 0
    retries: int = 0
    last_status: int | None = None
    last_error: str | None = None
    created_at: str = ""
    secret: str = ""
    """Only in the answer that made it."""


class WebhookTest(msgspec.Struct, frozen=True):
    """What an endpoint answered to a test."""

    __test__ = False

    ok: bool
    status: int | None = None
    ms: int = 0
    error: str | None = None
    event: str = ""


class User(msgspec.Struct, frozen=True):
    """A user: its name, what it may do, and whether it may come in."""

    name: str
    role: str = ""
    active: bool = True
    has_password: bool = False
    created_at: str = ""


class Quota(msgspec.Struct, frozen=True):
    """What a user may have accepted, in segments (0: no quota), what of it is used, and when that begins anew."""

    user: str
    per_day: int = 0
    per_month: int = 0
    used_today: int = 0
    used_this_month: int = 0
    day_ends_at: str = ""
    month_ends_at: str = ""


class Key(msgspec.Struct, frozen=True):
    """What may be shown of an API key; ``id`` is the part of it that is no secret."""

    id: str
    user: str = ""
    label: str = ""
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    created_at: str = ""
    expires_at: str | None = None
    revoked_at: str | None = None


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made; ``key`` is the secret."""

    key: str
    api_key: Key


class Event(msgspec.Struct, frozen=True):
    """Something that happened: from ``events()``, or from the body of a webhook's post."""

    id: str
    type: str
    timestamp: str = ""
    data: Mapping[str, Any] = {}
