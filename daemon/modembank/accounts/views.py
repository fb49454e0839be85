"""What faces show of users, keys, sessions and quotas."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts.allotments import Allotment
from modembank.accounts.model import Actor, ApiKey, Role, Scope, Session, User
from modembank.accounts.quotas import Usage
from modembank.accounts.sessions import IDLE_MS, LONGEST_MS
from modembank.clock import rfc3339


class UserView(msgspec.Struct, frozen=True):
    """A user: its name, what it may do, and whether it may come in."""

    name: str
    role: Role
    active: bool
    has_password: bool
    created_at: str


class ApiKeyView(msgspec.Struct, frozen=True):
    """What may be shown of an API key; `id` is the part of it that is no secret."""

    id: str
    user: str
    label: str
    scopes: Sequence[Scope]
    networks: Sequence[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class SessionView(msgspec.Struct, frozen=True):
    """A login that lasts; `current` is the one that asks, `ends_at` when it ends if it is not used before."""

    id: str
    user: str
    created_at: str
    seen_at: str
    ends_at: str
    source: str
    agent: str
    current: bool


class QuotaView(msgspec.Struct, frozen=True):
    """What a user may have accepted, in segments (0: no quota), what of it is used, and when that begins anew."""

    user: str
    per_day: int
    per_month: int
    used_today: int
    used_this_month: int
    day_ends_at: str
    month_ends_at: str


class AccountView(msgspec.Struct, frozen=True):
    """Who asks: the user, its role, what this key or session may do, and the quota."""

    user: str
    role: Role
    scopes: Sequence[Scope]
    session: str | None
    expires_at: str | None
    networks: Sequence[str]
    quota: QuotaView


def user_view(user: User) -> UserView:
    """Return how a user is shown."""
    return UserView(user.name, user.role, user.active, user.has_password, rfc3339(user.created_at))


def key_view(key: ApiKey) -> ApiKeyView:
    """Return how a key is shown."""
    return ApiKeyView(
        id=key.public_id,
        user=key.user,
        label=key.label,
        scopes=sorted(key.scopes),
        networks=key.networks,
        created_at=rfc3339(key.created_at),
        expires_at=_time(key.expires_at),
        revoked_at=_time(key.revoked_at),
    )


def session_view(session: Session, current: str) -> SessionView:
    """Return how a session is shown to the holder of the session ``current``."""
    ends_at = min(session.seen_at + IDLE_MS, session.created_at + LONGEST_MS)
    return SessionView(
        id=session.public_id,
        user=session.user,
        created_at=rfc3339(session.created_at),
        seen_at=rfc3339(session.seen_at),
        ends_at=rfc3339(ends_at),
        source=session.source,
        agent=session.agent,
        current=session.public_id == current,
    )


def quota_view(allotment: Allotment) -> QuotaView:
    """Return how a user's quota is shown."""
    usage = allotment.usage
    return QuotaView(
        user=allotment.user,
        per_day=usage.quota_per_day,
        per_month=usage.quota_per_month,
        used_today=usage.today,
        used_this_month=usage.this_month,
        day_ends_at=rfc3339(usage.day_ends_at),
        month_ends_at=rfc3339(usage.month_ends_at),
    )


def account_view(actor: Actor, usage: Usage) -> AccountView:
    """Return how an actor is shown to itself."""
    return AccountView(
        user=actor.name,
        role=actor.role,
        scopes=sorted(actor.scopes),
        session=actor.session or None,
        expires_at=_time(actor.expires_at),
        networks=actor.networks,
        quota=quota_view(Allotment(actor.name, usage)),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
