"""What a check and a remedy are: one file each in ``checks/`` and ``remedies/``, declaring one of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

import msgspec

from modembank.accounts.model import Actor
from modembank.events import Event
from modembank.health.model import Finding, Issue
from modembank.health.surroundings import Surroundings

Standing: TypeAlias = Mapping[str, Issue]
"""The open issues of a check's own kind, by subject: for what is raised at one figure and cleared at another."""
Look: TypeAlias = Callable[[Surroundings, Standing], Awaitable[Iterable[Finding]]]


class Check(msgspec.Struct, frozen=True):
    """Looks at one kind of trouble. An issue lasts as long as ``look`` finds it again; what it raises is shown too."""

    kind: str
    when: str
    """When it is an issue, for the documentation; this and the next two."""
    severity: str
    todo: str
    look: Look
    every_s: float = 60.0
    on: tuple[type[Event], ...] = ()
    """Events after which to look at once."""
    remedies: tuple[str, ...] = ()
    settle_s: float = 0.0
    """How long it must be gone before the issue is cleared: what comes and goes is one issue and not a hundred."""


class Remedy(msgspec.Struct, frozen=True):
    """Something a person can have done about an issue."""

    name: str
    does: str
    run: Callable[[Surroundings, Issue, Actor], Awaitable[str]]
    """Returns what was done; raises Conflict with the reason when it does not apply now, Forbidden for some actors."""
