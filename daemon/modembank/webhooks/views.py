"""What a caller sees of webhooks, ready for JSON. Times are RFC 3339 UTC; a secret is in two answers only."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from modembank.clock import rfc3339
from modembank.eventlog import EVENT_ID
from modembank.ids import public_id
from modembank.webhooks.model import WEBHOOK_ID, Webhook


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and how it does."""

    id: str
    user: str
    url: str
    label: str
    events: tuple[str, ...]
    all_users: bool
    allow_private: bool
    active: bool
    state: Literal["working", "failing", "stopped"]
    stopped_why: str | None
    """Why it is stopped, when nobody asked for it."""
    told_up_to: str
    """The id of the event up to which everything was told, or waits to be tried again."""
    delivered: int
    given_up: int
    retries: int
    """Events that were refused and wait to be tried again."""
    failing_since: str | None
    failures: int
    next_try_at: str | None
    last_at: str | None
    last_status: int | None
    last_error: str | None
    secrets: int
    """With how many secrets posts are signed: two while one is being replaced."""
    created_at: str


class NewSecretView(WebhookView, frozen=True, kw_only=True):
    """A webhook with its secret, which is shown only this once."""

    secret: str


class TestView(msgspec.Struct, frozen=True):
    """What an endpoint answered to a test."""

    __test__ = False

    ok: bool
    status: int | None
    ms: int
    error: str | None
    event: str


def webhook_view(webhook: Webhook, now: int) -> WebhookView:
    """Return a webhook as it is shown."""
    return WebhookView(**_fields(webhook, now))


def new_secret_view(webhook: Webhook, now: int) -> NewSecretView:
    """Return a webhook with its newest secret."""
    return NewSecretView(**_fields(webhook, now), secret=webhook.secrets[0].secret)


def _fields(webhook: Webhook, now: int) -> dict[str, Any]:
    why = webhook.stopped_why
    if webhook.active and not webhook.owner_active:
        why = f"the user {webhook.user} is not active"
    return {
        "id": public_id(WEBHOOK_ID, webhook.id),
        "user": webhook.user,
        "url": webhook.url,
        "label": webhook.label,
        "events": webhook.events,
        "all_users": webhook.all_users,
        "allow_private": webhook.allow_private,
        "active": webhook.active,
        "state": "stopped" if not webhook.runs else "failing" if webhook.failing_since is not None else "working",
        "stopped_why": why,
        "told_up_to": public_id(EVENT_ID, webhook.place),
        "delivered": webhook.delivered,
        "given_up": webhook.given_up,
        "retries": webhook.retries,
        "failing_since": _moment(webhook.failing_since),
        "failures": webhook.failures,
        "next_try_at": _moment(webhook.next_try_at),
        "last_at": _moment(webhook.last_at),
        "last_status": webhook.last_status,
        "last_error": webhook.last_error,
        "secrets": len(webhook.signing(now)),
        "created_at": rfc3339(webhook.created_at),
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
