"""Accounts of the dialect: what is stored, asked for, and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from modembank.accounts import Actor, Role, Scope
from modembank.accounts.model import ROLE_SCOPES
from modembank.clock import rfc3339
from modembank.couriers import Retry

MOST = 200
"""Accounts of a box."""
SCOPES = frozenset({Scope.MESSAGES_SEND, Scope.MESSAGES_READ})
"""What a sid and its token are good for, whoever the user is."""


@dataclass(frozen=True, slots=True)
class Account:
    """A row; times are unix milliseconds."""

    sid: str
    user_id: int
    user: str
    role: Role
    active: bool
    """Of its user."""
    auth_token: str = field(repr=False)
    sms_url: str | None
    status_callback: str | None
    allow_private: bool
    place: int
    """The event up to which it has been told, or which waits to be tried again."""
    failing_since: int | None
    """While one of its endpoints takes nothing."""
    given_up: int
    given_up_at: int | None
    """When an event was given up last."""
    waiting: int
    """Events that were not taken and wait to be tried again."""
    last_at: int | None
    last_status: int | None
    last_error: str | None
    created_at: int

    def actor(self, source: str = "") -> Actor:
        """Return on whose behalf its requests run: its user's, with fewer scopes than the user may have."""
        return Actor(self.user_id, self.user, self.role, SCOPES & ROLE_SCOPES[self.role], source)


class Waiting(msgspec.Struct, frozen=True):
    """An event that was not taken, as it waits."""

    subject: int
    """Row of the message."""
    url: str
    retry: Retry


class Done(msgspec.Struct):
    """What a round of a courier came to."""

    place: int
    """Of the log, up to which it was told or is kept."""
    kept: list[Waiting] = msgspec.field(default_factory=list)
    dropped: list[int] = msgspec.field(default_factory=list)
    given_up: int = 0
    last: tuple[int, int | None, str | None] | None = None
    """How the last post ended: unix ms, status, error."""
    stuck: set[int] = msgspec.field(default_factory=set)
    """Messages of which nothing more may be told in this round."""


class NewTwilioAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to be made for a user."""

    user: str
    sms_url: str | None = None
    status_callback: str | None = None
    allow_private: bool = False


class TwilioAccountPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of an account; what is left out stays."""

    sms_url: str | UnsetType | None = UNSET
    status_callback: str | UnsetType | None = UNSET
    allow_private: bool | UnsetType = UNSET
    rotate_token: bool = False


class TwilioAccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the Twilio dialect, and how its endpoints do."""

    sid: str
    user: str
    sms_url: str | None
    status_callback: str | None
    allow_private: bool
    waiting: int
    """Posts that were not taken and wait to be tried again."""
    failing_since: str | None
    given_up: int
    last_at: str | None
    last_status: int | None
    last_error: str | None
    created_at: str


class TwilioAccountWithToken(TwilioAccountView, frozen=True, kw_only=True):
    """An account with its token, for admins alone."""

    auth_token: str


def account_view(account: Account) -> TwilioAccountView:
    """Return an account as lists show it."""
    return TwilioAccountView(**_fields(account))


def account_with_token(account: Account) -> TwilioAccountWithToken:
    """Return an account with what signs for it."""
    return TwilioAccountWithToken(**_fields(account), auth_token=account.auth_token)


def _fields(account: Account) -> dict[str, Any]:
    return {
        "sid": account.sid,
        "user": account.user,
        "sms_url": account.sms_url,
        "status_callback": account.status_callback,
        "allow_private": account.allow_private,
        "waiting": account.waiting,
        "failing_since": None if account.failing_since is None else rfc3339(account.failing_since),
        "given_up": account.given_up,
        "last_at": None if account.last_at is None else rfc3339(account.last_at),
        "last_status": account.last_status,
        "last_error": account.last_error,
        "created_at": rfc3339(account.created_at),
    }
