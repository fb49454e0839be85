"""Users, quotas and API keys, each call as steps: one source for both clients. An admin's key is needed for most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from modembank.client import shapes
from modembank.client.calls import ask, pages, path_of, plain
from modembank.client.exchange import Items, Request, Retry, Steps, json_request


def users(retry: Retry, /) -> Items[shapes.User]:
    """Go through all users."""
    return pages(retry, path_of("users"), shapes.User)


def user(retry: Retry, /, name: str) -> Steps[shapes.User]:
    """Look up one user."""
    return (yield from ask(retry, Request("GET", path_of("users", name)), shapes.User))


def add_user(retry: Retry, /, name: str, role: str, *, password: str | None = None) -> Steps[shapes.User]:
    """Add a user: ``admin`` or ``sender``; without a password it has API keys only."""
    content = {"name": name, "role": role} | ({} if password is None else {"password": password})
    return (yield from ask(retry, json_request("POST", path_of("users"), content), shapes.User))


def change_user(retry: Retry, /, name: str, **changes: Any) -> Steps[shapes.User]:
    """Change a user: ``role``, ``active``, ``password``, and ``current_password`` for the own one."""
    return (yield from ask(retry, json_request("PATCH", path_of("users", name), changes), shapes.User))


def quotas(retry: Retry, /) -> Items[shapes.Quota]:
    """Go through the quotas of all users, and what of them is used."""
    return pages(retry, path_of("quotas"), shapes.Quota)


def change_quota(
    retry: Retry, /, user: str, *, per_day: int | None = None, per_month: int | None = None
) -> Steps[shapes.Quota]:
    """Set how many segments a user may have accepted; 0 is no quota, None leaves it as it is."""
    wanted = {"per_day": per_day, "per_month": per_month}
    content = {name: value for name, value in wanted.items() if value is not None}
    return (yield from ask(retry, json_request("PATCH", path_of("quotas", user), content), shapes.Quota))


def keys(retry: Retry, /) -> Items[shapes.Key]:
    """Go through the API keys that this key may see, those that ended included."""
    return pages(retry, path_of("api-keys"), shapes.Key)


def add_key(
    retry: Retry,
    /,
    *,
    user: str | None = None,
    label: str = "",
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] = (),
    expires_at: datetime | str | None = None,
) -> Steps[shapes.NewKey]:
    """Make an API key for a user, or for whom this key belongs to; ``key`` in the answer is told this once."""
    wanted = {"user": user, "scopes": None if scopes is None else list(scopes), "expires_at": plain(expires_at)}
    content = {"label": label, "networks": list(networks)} | {
        name: value for name, value in wanted.items() if value is not None
    }
    return (yield from ask(retry, json_request("POST", path_of("api-keys"), content), shapes.NewKey))


def revoke_key(retry: Retry, /, id: str) -> Steps[shapes.Key]:  # noqa: A002 - as the API calls it
    """End an API key; it counts at once."""
    return (yield from ask(retry, Request("DELETE", path_of("api-keys", id)), shapes.Key))
