"""What admins see of providers: immutable views, ready for JSON. Times are RFC 3339 UTC; secrets are only named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from modembank.clock import rfc3339
from modembank.providers.model import SecretMissing
from modembank.providers.provider import Provider, Tally
from modembank.providers.sharing import Sharing
from modembank.sim import LimitName

_IN_TEMPLATE = re.compile(r"\{secret:([A-Za-z0-9][A-Za-z0-9._-]{0,63})\}", re.ASCII)
State = Literal["ready", "not_ready", "disabled"]


class SecretView(msgspec.Struct, frozen=True):
    """A secret that settings name; never what it is."""

    name: str
    there: bool
    why: str | None
    """What is wrong with it, with the way out."""


class LatelyView(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider did since the daemon started, in its latest hundred tries and receipts."""

    tries: int
    success_rate: float | None
    """Of the tries, the share that it took; null when there was none."""
    delivery_rate: float | None
    """Of the final receipts, the share that says it arrived; null when there was none."""
    latency_s: float | None
    """The median of the tries that it took."""
    failures: int
    """In a row."""
    last_failure: str | None
    last_failure_at: str | None
    last_success_at: str | None


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, and how it does."""

    name: str
    kind: str
    channel: Literal["sms", "email", "whatsapp"]
    settings: Mapping[str, Any]
    """As its kind describes them; secrets are named, never told."""
    sharing: Sharing
    enabled: bool
    state: State
    why: str | None
    """Why nothing can be handed to it now."""
    secrets: tuple[SecretView, ...]
    callback_url: str | None
    """Where it is to bring receipts; null while ``[providers] public_url`` is empty."""
    callback_path: str
    lately: LatelyView
    used: Mapping[str, int]
    """Segments of its rolling windows, by the names of its limits."""
    created_at: str
    changed_at: str


def provider_view(provider: Provider, now_ms: int, callback_url: str, secret: Callable[[str], str]) -> ProviderView:
    """Return a provider as it is shown; ``secret`` is asked whether the secrets that it names are there."""
    row, why = provider.row, provider.not_ready()
    used = provider.ledger.usage(now_ms)
    return ProviderView(
        name=row.name,
        kind=row.kind,
        channel=provider.channel.value,
        settings=row.settings,
        sharing=row.sharing,
        enabled=row.enabled,
        state="disabled" if not row.enabled else "ready" if why is None else "not_ready",
        why=why,
        secrets=tuple(_secret_view(name, secret) for name in dict.fromkeys(secret_names(row.settings))),
        callback_url=callback_url or None,
        callback_path=callback_path(row.name),
        lately=_lately(provider.tally),
        used={name.value: n for name, n in used.items() if name is not LimitName.RECIPIENTS_PER_MONTH},
        created_at=rfc3339(row.created_at),
        changed_at=rfc3339(row.changed_at),
    )


def callback_path(name: str) -> str:
    """Return the path at which a provider calls the box."""
    return f"/hooks/providers/{name}"


def secret_names(settings: object, *, named: bool = False) -> Iterator[str]:
    """Yield the secrets that settings name, by convention of all kinds.

    They stand below fields whose names end with ``secret`` or ``secrets``, or in templates as ``{secret:NAME}``.
    ``named``: all of it stands below such a field.
    """
    if isinstance(settings, str):
        yield from [settings] if named and settings else _IN_TEMPLATE.findall(settings)
    elif isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from secret_names(value, named=named or str(name).endswith(("secret", "secrets")))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from secret_names(value, named=named)


def _secret_view(name: str, secret: Callable[[str], str]) -> SecretView:
    try:
        secret(name)
    except SecretMissing as error:
        return SecretView(name, False, str(error))
    return SecretView(name, True, None)


def _lately(tally: Tally) -> LatelyView:
    return LatelyView(
        tries=len(tally.tries),
        success_rate=_rounded(tally.success_rate),
        delivery_rate=_rounded(tally.delivery_rate),
        latency_s=_rounded(tally.latency_s),
        failures=tally.failures,
        last_failure=tally.last_failure,
        last_failure_at=_moment(tally.last_failure_at),
        last_success_at=_moment(tally.last_success_at),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
