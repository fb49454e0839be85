"""What a request means on its channel: who may take it, whom it goes to, and what of it cannot be said there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Protocol

from modembank.errors import ModembankError
from modembank.messages import routes
from modembank.messages.model import Stage
from modembank.messages.requests import AllProvidersDisabled, NoProviderAvailable, ProviderDisabled
from modembank.providers import BANK, Channel

MOST_CHARACTERS = {Channel.EMAIL: 100_000, Channel.WHATSAPP: 4_096}
"""Of a text: WhatsApp's own limit, and what is reasonable of a mail without attachments."""
MOST_SUBJECT = 200


class KnownProvider(Protocol):
    """A provider, as requests may name it."""

    @property
    def id(self) -> int:
        """Its row id, negative."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def channel(self) -> Channel:
        """What it carries."""

    @property
    def paused_reason(self) -> str | None:
        """Why an admin gives it nothing, or None."""

    def not_ready(self) -> str | None:
        """Return why it takes nothing now, or None."""


class ProviderDirectory(Protocol):
    """All providers, in memory."""

    def named(self, name: str) -> KnownProvider | None:
        """Return the provider of a name, or None."""

    def of(self, channel: Channel) -> Iterable[KnownProvider]:
        """Return the providers of a channel."""


class NoProviders:
    """A box that has the bank alone."""

    def named(self, name: str) -> None:
        """Return nothing."""

    def of(self, channel: Channel) -> tuple[KnownProvider, ...]:  # noqa: ARG002 - there are none
        """Return nothing."""
        return ()


class Naming:
    """Reads the names in ``providers``."""

    def __init__(self, sims: routes.SimNames, providers: ProviderDirectory) -> None:
        """Look names up live."""
        self._sims = sims
        self._providers = providers

    def available(self, channel: Channel) -> ModembankError | None:
        """Return why nobody takes a message that names nobody, or None. The bank waits for its modems."""
        if channel is Channel.SMS:
            return None
        known = list(self._providers.of(channel))
        if any(each.not_ready() is None for each in known):
            return None
        why = "; ".join(f"{each.name}: {each.not_ready()}" for each in known[:5]) or "none is configured on this box"
        return NoProviderAvailable(channel=channel.value, why=why)

    def spec(
        self,
        names: Sequence[str],
        channel: Channel,
        wrong: Callable[[int, str], None],
        absent: Callable[[int, str], None],
    ) -> tuple[str, ModembankError | None]:
        """Return the route that names make, and why all of them are of no use now.

        ``wrong`` is told of names that stand for what does not carry the channel, ``absent`` of those that nobody has.
        """
        stages: list[Stage] = []
        named: list[KnownProvider] = []
        for is_provider, group in groupby(enumerate(names), lambda one: self._providers.named(one[1]) is not None):
            some = list(group)
            if not is_provider:
                stages += self._sims_of(some, channel, wrong, absent)
                continue
            for at, name in some:
                provider = self._providers.named(name)
                if provider is None:
                    continue
                if provider.channel is not channel:
                    wrong(at, f"{name} carries {provider.channel.value}, not {channel.value}")
                named.append(provider)
                stages.append(Stage(providers=(-provider.id,)))
        if not named:
            if any(stage.bank for stage in stages):
                return routes.staged_spec(channel.value, [Stage(bank=True)]), None
            return routes.sims_spec(sim for stage in stages for sim in stage.sims), None
        return routes.staged_spec(channel.value, stages), _useless(named) if len(named) == len(names) else None

    def _sims_of(
        self,
        names: Sequence[tuple[int, str]],
        channel: Channel,
        wrong: Callable[[int, str], None],
        absent: Callable[[int, str], None],
    ) -> list[Stage]:
        sims: set[int] = set()
        bank = False
        for at, name in names:
            meant = self._sims.one(name)
            if name == BANK:
                bank = True
            elif not meant:
                absent(at, f"there is no provider, SIM or pool named {name[:80]!a}")
                continue
            sims.update(meant)
            if channel is not Channel.SMS:
                wrong(at, f"{name[:80]} carries sms, not {channel.value}")
        return [Stage(bank=bank, sims=tuple(sorted(sims)))] if bank or sims else []


def _useless(named: Sequence[KnownProvider]) -> ModembankError | None:
    reasons = [(each.name, each.not_ready()) for each in named]
    if any(why is None for _, why in reasons):
        return None
    if len(reasons) == 1:
        name, why = reasons[0]
        return ProviderDisabled(provider=name, why=why)
    return AllProvidersDisabled(why="; ".join(f"{name}: {why}" for name, why in reasons[:5]))
