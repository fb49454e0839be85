"""Providers that take nothing for a while, or refuse most of what they are handed."""

from __future__ import annotations

from itertools import islice

from modembank.events import ProvidersChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.modem.outcome import AttemptOutcome
from modembank.providers import Provider

NOT_READY_MS = 300_000
TRIES = 20
"""The latest so many are looked at; fewer say nothing."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:
    """Find providers that are enabled and not ready for a while, and those of whose latest tries most failed."""
    used = [each for each in around.providers.all() if not each.paused]
    around.memory.note_not_ready({each.name for each in used if each.not_ready() is not None}, around.now_ms)
    found = (_not_ready(around, each, standing) or _refusing(each) for each in used)
    return [finding for finding in found if finding is not None]


def _not_ready(around: Surroundings, provider: Provider, standing: Standing) -> Finding | None:
    why, since = provider.not_ready(), around.memory.not_ready_since(provider.name)
    if why is None or since is None:
        return None
    if around.now_ms - since < NOT_READY_MS:  # as after a start: what was an issue before goes on being one
        return standing[provider.name].as_found() if provider.name in standing else None
    summary = (
        f"The provider {provider.name} has not been ready for more than five minutes: {why}. Messages go to others that"
        " may take them, or wait."
    )
    return Finding(provider.name, Severity.WARNING, summary, _facts(provider) | {"why": why})


def _refusing(provider: Provider) -> Finding | None:
    latest = [outcome for outcome, _ in islice(reversed(provider.tally.tries), TRIES)]
    failed = sum(outcome is not AttemptOutcome.ACCEPTED for outcome in latest)
    if len(latest) < TRIES or failed * 2 <= TRIES:
        return None
    last = provider.tally.last_failure or "no reason was given"
    summary = (
        f"More than half of the last {TRIES} tries to hand messages to the provider {provider.name} failed, the last:"
        f" {last}."
    )
    return Finding(provider.name, Severity.WARNING, summary, _facts(provider) | {"last_failure": last})


def _facts(provider: Provider) -> dict[str, str]:
    return {"kind": provider.row.kind, "channel": provider.channel.value}


CHECK = Check(
    kind="provider_failing",
    when="A provider that is enabled has not been ready for five minutes, or more than half of its last 20 tries"
    " failed",
    severity="warning",
    todo="See to the provider as the sentence says: its address, account and secrets; send a test from its page, or"
    " disable it",
    look=look,
    on=(ProvidersChanged,),
    remedies=("disable_provider",),
)
