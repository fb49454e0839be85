"""The words of webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

WEBHOOK_ID = "whk"
MOST_OF_ONE = 20
"""Webhooks of one user."""
MOST = 100
MOST_RETRIES = 1_000
"""Events of one webhook that wait to be tried again; with more, its endpoint counts as failing."""


class Secret(msgspec.Struct, frozen=True):
    """What posts are signed with; ``until`` (unix ms) when it has been replaced."""

    secret: str
    until: int | None = None

    def __repr__(self) -> str:
        """Never show it."""
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A row; times are unix milliseconds."""

    id: int
    user_id: int
    user: str
    url: str
    events: tuple[str, ...]
    secrets: tuple[Secret, ...] = field(repr=False)
    label: str
    all_users: bool
    allow_private: bool
    active: bool
    stopped_why: str | None
    place: int
    failing_since: int | None
    failures: int
    next_try_at: int | None
    delivered: int
    given_up: int
    given_up_at: int | None
    """When an event was given up last."""
    last_status: int | None
    last_error: str | None
    last_at: int | None
    created_at: int
    owner_active: bool
    owner_is_admin: bool
    retries: int
    """Events that wait to be tried again."""

    @property
    def runs(self) -> bool:
        """Whether it is told anything."""
        return self.active and self.owner_active

    def signing(self, now: int) -> tuple[str, ...]:
        """Return the secrets that are signed with now, newest first."""
        return tuple(one.secret for one in self.secrets if one.until is None or one.until > now)
