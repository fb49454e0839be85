"""All providers: stored, made, held running, asked by those who send, and changed by admins."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from msgspec.structs import replace

from modembank import audit
from modembank.accounts.model import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import ProvidersConfig
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.events import ProvidersChanged
from modembank.metrics import Metrics
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import rows
from modembank.providers.kinds import kind_of, read_settings
from modembank.providers.model import Adapter, Call, Channel, Means, Reply, Sink
from modembank.providers.provider import Provider
from modembank.providers.rows import ProviderRow
from modembank.providers.rules import BANK, Rule, check_rules
from modembank.providers.secrets import Secrets
from modembank.providers.sharing import Sharing
from modembank.providers.views import ProviderView, callback_path, provider_view
from modembank.sim import Ledger
from modembank.sim.usage import load_usage
from modembank.sim.window import Bucket
from modembank.store import Store
from modembank.supervision import Supervisor

MOST = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_log = structlog.get_logger()


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider as an admin writes it."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    sharing: Sharing = msgspec.field(default_factory=Sharing)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a provider; what is left out stays."""

    settings: Mapping[str, Any] | None = None
    sharing: Sharing | None = None


class Sinks(Protocol):
    """Whoever takes what comes back from providers."""

    def of(self, provider: Provider) -> Sink:
        """Return where one provider's adapter brings it."""


class Providers:
    """Whoever takes messages beside the bank; each change is durable before it counts."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, metrics: Metrics, config: ProvidersConfig) -> None:
        """Know nothing until load()."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._config = config
        self._secrets = Secrets(config.secrets)
        self._providers: dict[int, Provider] = {}
        self._removed: dict[int, ProviderRow] = {}
        self._users: dict[int, str] = {}
        self._reading: asyncio.Task[None] | None = None
        self._children = Supervisor()
        self._sinks: Sinks | None = None
        self.rules: tuple[Rule, ...] = ()
        self.key = ""
        """Of this box and no other in the world: begins the idempotency keys that providers are given."""
        self.version = 0
        """Grows with every change: what was worked out before may be wrong."""

    async def load(self) -> None:
        """Read all; call it once, after the journal's rest was folded, before any sending."""

        def read(conn: sqlite3.Connection) -> tuple[list[ProviderRow], tuple[Rule, ...], dict[int, list[Bucket]]]:
            return rows.all_rows(conn), rows.read_rules(conn), load_usage(conn)

        found, self.rules, buckets = await self._store.read(read)
        self._users = await self._store.read(rows.user_names)
        for row in found:
            if row.removed_at is not None:
                self._removed[row.id] = row
                continue
            ledger = Ledger(row.sharing.limits.rates())
            ledger.load(self._now(), buckets.get(-row.id, ()), None)
            self._providers[row.id] = Provider(row, None, ledger)
        if self._providers:
            self.key = await self._store.write(rows.key, reserve=False)

    def start(self, sinks: Sinks) -> None:
        """Make the adapters and hold them running; what comes back goes to ``sinks``."""
        self._sinks = sinks
        for provider in self._providers.values():
            self._launch(provider)
        self._changed()

    async def stop(self) -> None:
        """End all sessions."""
        await self._children.stop_all()

    def all(self) -> tuple[Provider, ...]:
        """Return every provider that was not removed."""
        return tuple(self._providers.values())

    def named(self, name: str) -> Provider | None:
        """Return the provider of that name, or None."""
        return next((each for each in self._providers.values() if each.name == name), None)

    def get(self, carrier: int) -> Provider:
        """Return the provider that rows name by this negative id; raises NotFound."""
        found = self._providers.get(-carrier)
        if found is None:
            raise NotFound(what="provider", which=str(-carrier))
        return found

    def of(self, channel: Channel) -> tuple[Provider, ...]:
        """Return the providers of a channel."""
        return tuple(each for each in self._providers.values() if each.channel is channel)

    def name_of(self, carrier: int) -> str:
        """Return what a provider is or was called that rows name by this negative id."""
        found = self._providers.get(-carrier)
        row = self._removed.get(-carrier) if found is None else found.row
        return f"provider {-carrier}" if row is None else row.name

    def user_name(self, user_id: int) -> str:
        """Return a user's name, for rules."""
        if user_id not in self._users and self._reading is None and self._sinks is not None:
            self._reading = asyncio.create_task(self._read_users(user_id))
        return self._users.get(user_id, "")

    async def _read_users(self, wanted: int) -> None:
        """Learn of users that were made since; one that is not there is nobody, and not asked for again."""
        try:
            self._users = {wanted: ""} | await self._store.read(rows.user_names)
        finally:
            self._reading = None
        self._changed()

    def shown(self, actor: Actor) -> tuple[ProviderView, ...]:
        """Return every provider as an admin sees it, in the order in which they were made. Raises Forbidden."""
        actor.require(Scope.ADMIN)
        return tuple(self._view(each) for each in self._providers.values())

    def show(self, actor: Actor, name: str) -> ProviderView:
        """Return one provider as an admin sees it. Raises Forbidden, NotFound."""
        return self._view(self.find(actor, name))

    async def add(self, actor: Actor, draft: Draft) -> Provider:
        """Make a provider. Raises Forbidden, InvalidRequest, Conflict."""
        actor.require(Scope.ADMIN)
        if not _NAME.fullmatch(draft.name) or draft.name == BANK:
            what = "must be 1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit, and not bank"
            raise InvalidRequest(FieldProblem("/name", what))
        kind = kind_of(draft.kind)
        settings, now = read_settings(kind, draft.settings), self._now()
        if self.named(draft.name) is not None:
            raise Conflict(why=f"there is a provider {draft.name} already: take another name")
        if len(self._providers) >= MOST:
            raise Conflict(why=f"there are {MOST} providers: remove one first")
        channel = kind.channel(settings).value
        row = ProviderRow(0, draft.name, draft.kind, channel, dict(draft.settings), draft.sharing, True, None, now, now)

        def write(conn: sqlite3.Connection) -> ProviderRow:
            made = replace(row, id=rows.insert(conn, row))
            audit.record(conn, actor, "provider.create", row.name, now, {"kind": row.kind})
            return made

        made = await self._store.write(write, reserve=False)
        self.key = await self._store.write(rows.key, reserve=False)
        provider = self._providers[made.id] = Provider(made, None, Ledger(made.sharing.limits.rates()))
        self._launch(provider)
        self._changed()
        return provider

    async def change(self, actor: Actor, name: str, change: Change) -> Provider:
        """Change settings or sharing. Raises Forbidden, NotFound, InvalidRequest."""
        provider = self.find(actor, name)
        row = provider.row
        if change.settings is not None:
            kind = kind_of(row.kind)
            settings = read_settings(kind, change.settings)
            if kind.channel(settings).value != row.channel:
                wrong = f"would carry another channel than {row.channel}: make another provider"
                raise InvalidRequest(FieldProblem("/settings/channel", wrong))
            row = replace(row, settings=dict(change.settings))
        row = replace(row, sharing=change.sharing or row.sharing)
        changed = [part for part in ("settings", "sharing") if getattr(change, part) is not None]
        await self._save(actor, provider, row, "provider.change", {"changed": changed})
        provider.ledger.limits = row.sharing.limits.rates()
        if change.settings is not None:
            await self._children.stop(_task(provider))
            self._launch(provider)
        return provider

    async def enable(self, actor: Actor, name: str) -> Provider:
        """Let a provider be used again. Raises Forbidden, NotFound."""
        provider = self.find(actor, name)
        await self._save(actor, provider, replace(provider.row, enabled=True, why=None), "provider.enable", {})
        return provider

    async def disable(self, actor: Actor, name: str, why: str = "") -> Provider:
        """Give a provider nothing more; what it has goes on. Raises Forbidden, NotFound."""
        provider = self.find(actor, name)
        row = replace(provider.row, enabled=False, why=why[:200] or f"{actor.name} disabled it")
        await self._save(actor, provider, row, "provider.disable", {"why": row.why})
        return provider

    async def remove(self, actor: Actor, name: str) -> None:
        """Remove a provider that no rule names. Raises Forbidden, NotFound, Conflict."""
        provider = self.find(actor, name)
        if any(name in rule.providers for rule in self.rules):
            raise Conflict(why=f"a routing rule names {name}: change the rules first")
        row = replace(provider.row, removed_at=self._now(), enabled=False)
        await self._save(actor, provider, row, "provider.remove", {})
        del self._providers[row.id]
        self._removed[row.id] = row
        await self._children.stop(_task(provider))
        self._changed()

    async def route(self, actor: Actor, rules: Sequence[Rule], known: Callable[[str], bool]) -> None:
        """Put rules in the place of those that are; ``known`` says whether SIMs have a name.

        Raises Forbidden, InvalidRequest.
        """
        actor.require(Scope.ADMIN)
        check_rules(rules)
        problems = [
            FieldProblem(f"/{place}/providers/{at}", f"there is no provider, SIM or pool named {name[:80]!a}")
            for place, rule in enumerate(rules)
            for at, name in enumerate(rule.providers)
            if name != BANK and self.named(name) is None and not known(name)
        ]
        users = frozenset((await self._store.read(rows.user_names)).values())
        problems += [
            FieldProblem(f"/{place}/users/{at}", f"there is no user named {name[:80]!a}")
            for place, rule in enumerate(rules)
            for at, name in enumerate(rule.users)
            if name not in users
        ]
        if problems:
            raise InvalidRequest(*problems)
        now = self._now()

        def write(conn: sqlite3.Connection) -> dict[int, str]:
            rows.write_rules(conn, rules)
            audit.record(conn, actor, "routing.change", "rules", now, {"rules": len(rules)})
            return rows.user_names(conn)

        self._users = await self._store.write(write, reserve=False)
        self.rules = tuple(rules)
        self._changed()

    async def called(self, name: str, call: Call) -> Reply:
        """Take a call of a provider's. Raises NotFound, NotAuthentic, BadCall."""
        provider = self.named(name)
        if provider is None or provider.adapter is None:
            raise NotFound(what="provider", which=ascii(name[:40]))
        return await provider.adapter.called(call)

    def tried(self, provider: Provider, outcome: AttemptOutcome, seconds: float, cause: Cause | None) -> None:
        """Count a try; a message that nobody would take says nothing of the provider."""
        if cause is None or cause.klass is not CauseClass.RECIPIENT:
            provider.tally.tried(outcome, seconds, None if cause is None else cause.text, self._now())
        self._metrics.provider_attempts.labels(provider.name, outcome.name.lower()).inc()
        self._metrics.provider_s.labels(provider.name).observe(seconds)

    def observe(self) -> None:
        """Bring the gauges up to date."""
        for provider in self._providers.values():
            self._metrics.provider_ready.labels(provider.name).set(provider.not_ready() is None)

    def find(self, actor: Actor, name: str) -> Provider:
        """Return a provider for an admin. Raises Forbidden, NotFound."""
        actor.require(Scope.ADMIN)
        provider = self.named(name)
        if provider is None:
            raise NotFound(what="provider", which=ascii(name[:40]))
        return provider

    async def _save(
        self, actor: Actor, provider: Provider, row: ProviderRow, action: str, detail: dict[str, object]
    ) -> None:
        row = replace(row, changed_at=self._now())

        def write(conn: sqlite3.Connection) -> None:
            rows.update(conn, row)
            audit.record(conn, actor, action, row.name, row.changed_at, detail)

        await self._store.write(write, reserve=False)
        provider.row = row
        self._changed()

    def _launch(self, provider: Provider) -> None:
        if self._sinks is None:
            return
        try:
            adapter = self._made(provider, self._sinks)
        except InvalidRequest as error:
            provider.adapter, provider.broken = None, f"its settings are not understood any more: {error}"
            _log.error("provider_broken", provider=provider.name, problem=str(error))
            return
        provider.adapter = adapter
        self._children.start(_task(provider), adapter.run)

    def _made(self, provider: Provider, sinks: Sinks) -> Adapter:
        kind = kind_of(provider.row.kind)
        settings = read_settings(kind, provider.row.settings)
        means = Means(
            self._clock, sinks.of(provider), self._secrets, self._config.allow_private, self._callback_url(provider)
        )
        return kind.make(settings, means)

    def _callback_url(self, provider: Provider) -> str:
        base = self._config.public_url.rstrip("/")
        return f"{base}{callback_path(provider.name)}" if base else ""

    def _view(self, provider: Provider) -> ProviderView:
        return provider_view(provider, self._now(), self._callback_url(provider), self._secrets)

    def _changed(self) -> None:
        self.version += 1
        self._bus.publish(ProvidersChanged(self._now()))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _task(provider: Provider) -> str:
    return f"provider[{provider.name}]"
