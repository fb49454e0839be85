"""Alerts as faces see them: the list, an acknowledgement, rules, and silences."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.store import Store
from modembank_hub.alerting import rows
from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.rows import AlertRow, SilenceRow, StepRow, Wanted
from modembank_hub.alerting.rules import Rule, default_rule, problems_of
from modembank_hub.events import AlertsChanged
from modembank_hub.fleet import Page
from modembank_hub.metrics import HubMetrics

MOST_NOTE = 1000
MOST_SILENCE_S = 366 * 86_400
MOST_SILENCES, MOST_RULES = 500, 1000
_log = structlog.get_logger()


class Shown(msgspec.Struct, frozen=True):
    """An alert, and what silences it now."""

    row: AlertRow
    silence: SilenceRow | None = None


class Summary(msgspec.Struct, frozen=True):
    """How many alerts stand, at a glance."""

    open: int
    acknowledged: int
    critical: int
    """Of those that are open."""
    pending: int
    """Conditions that have not held for long enough."""
    kinds: Mapping[str, int]
    """Open ones by kind."""


class Alerts:
    """Reads, and what people do."""

    def __init__(self, store: Store, clock: Clock, bus: Bus) -> None:
        """Over the hub's store."""
        self._store = store
        self._clock = clock
        self._bus = bus

    # -- alerts

    async def listed(self, actor: Actor, wanted: Wanted, *, cursor: str | None = None, limit: int = 50) -> Page[Shown]:
        """Return alerts, that first which opened last; raises InvalidRequest (cursor), Forbidden."""
        actor.require(Scope.MODEMS)
        before, now = None if cursor is None else _place(cursor), self._now()

        def read(conn: sqlite3.Connection) -> list[Shown]:
            silenced = rows.silenced_now(conn, now)
            found = rows.page(conn, wanted, before, limit + 1)
            return [Shown(row, None if row.state == rows.ENDED else silenced.of(row)) for row in found]

        found = await self._store.read(read)
        last = found[limit - 1].row if len(found) > limit else None
        return Page(found[:limit], None if last is None else f"{last.opened_at}.{last.id}")

    async def get(self, actor: Actor, alert: int) -> tuple[Shown, Sequence[StepRow]]:
        """Return one with its way; raises NotFound, Forbidden."""
        actor.require(Scope.MODEMS)
        now = self._now()

        def read(conn: sqlite3.Connection) -> tuple[Shown, Sequence[StepRow]]:
            row = _there(rows.get(conn, alert), alert)
            return Shown(row, rows.silenced_now(conn, now).of(row)), rows.steps(conn, alert)

        return await self._store.read(read)

    async def acknowledge(self, actor: Actor, alert: int, note: str) -> Shown:
        """Say that somebody looks after it, with a note; again: with another one.

        Raises NotFound, Conflict when it has ended, InvalidRequest, Forbidden.
        """
        actor.require(Scope.ADMIN)
        note, now = _clean(note), self._now()
        if len(note) > MOST_NOTE:
            raise InvalidRequest(FieldProblem("/note", f"has at most {MOST_NOTE} characters"))

        def put(conn: sqlite3.Connection) -> Shown:
            row = _there(rows.get(conn, alert), alert)
            if row.state == rows.ENDED:
                raise Conflict(why="the alert has ended: there is nothing to acknowledge")
            rows.acknowledge(conn, alert, actor.name, note, now)
            audit.record(conn, actor, "alert.acknowledge", str(alert), now, {"kind": row.kind, "of": row.subject})
            row = _there(rows.get(conn, alert), alert)
            return Shown(row, rows.silenced_now(conn, now).of(row))

        done = await self._store.write(put)
        self._changed()
        return done

    async def summary(self, actor: Actor) -> Summary:
        """Return how many stand."""
        actor.require(Scope.MODEMS)
        found = await self._store.read(rows.counts)
        kinds: dict[str, int] = {}
        for kind, state, _, count in found:
            if state == rows.OPEN:
                kinds[kind] = kinds.get(kind, 0) + count
        return Summary(
            open=sum(kinds.values()),
            acknowledged=sum(count for _, state, _, count in found if state == rows.ACKNOWLEDGED),
            critical=sum(count for _, state, how, count in found if state == rows.OPEN and how == "critical"),
            pending=sum(count for _, state, _, count in found if state == "pending"),
            kinds=kinds,
        )

    async def sites(self, actor: Actor) -> list[str]:
        """Return the sites of all boxes."""
        actor.require(Scope.MODEMS)
        return await self._store.read(rows.sites)

    async def observe(self, metrics: HubMetrics) -> None:
        """Bring the gauge of alerts up to date."""
        counted: dict[tuple[str, str], int] = {}
        for kind, state, _, count in await self._store.read(rows.counts):
            counted[kind, state] = counted.get((kind, state), 0) + count
        for kind in KINDS:
            for state in ("pending", rows.OPEN, rows.ACKNOWLEDGED):
                metrics.alerts.labels(kind, state).set(counted.get((kind, state), 0))

    # -- rules

    async def rules(self, actor: Actor) -> list[Rule]:
        """Return every rule: the program's by kind, each followed by those that somebody has set for it."""
        actor.require(Scope.MODEMS)
        changed = await self._store.read(rows.rules)
        return [
            rule
            for kind in KINDS.values()
            for rule in (default_rule(kind), *(one for one in changed if one.kind == kind.name))
        ]

    async def set_rule(self, actor: Actor, wanted: Rule) -> Rule:
        """Set a rule for a place; it holds from the next look on. Raises InvalidRequest, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._now()
        rule = msgspec.structs.replace(wanted, actor=actor.name, at=now)

        def put(conn: sqlite3.Connection) -> Rule:
            problems = problems_of(rule, rows.places(conn))
            if problems:
                raise InvalidRequest(problems[0], *problems[1:])
            if len(rows.rules(conn)) >= MOST_RULES:
                raise Conflict(why=f"there are {MOST_RULES} rules: set one for a group instead of many for boxes")
            rows.put_rule(conn, rule)
            told = {"active": rule.active, "hold_s": rule.hold_s, "threshold": rule.threshold}
            audit.record(conn, actor, "alert.rule", f"{rule.kind} {rule.place}", now, told)
            return rule

        done = await self._store.write(put)
        self._changed()
        return done

    async def reset_rule(self, actor: Actor, kind: str, place: str) -> None:
        """Forget a rule that somebody set; raises NotFound, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._now()

        def drop(conn: sqlite3.Connection) -> None:
            if not rows.drop_rule(conn, kind, place):
                raise NotFound(what="rule", which=f"for {kind[:40]} at {place[:60]} that somebody has set")
            audit.record(conn, actor, "alert.rule_reset", f"{kind} {place}", now)

        await self._store.write(drop)
        self._changed()

    # -- silences

    async def silences(self, actor: Actor) -> list[SilenceRow]:
        """Return those that last or are to come, by their end."""
        actor.require(Scope.MODEMS)
        now = self._now()
        return await self._store.read(lambda conn: rows.silences(conn, now, begun=False))

    async def silence(
        self, actor: Actor, place: str, *, until: int, begin: int | None = None, kind: str = "", reason: str = ""
    ) -> SilenceRow:
        """Tell nobody of what opens at a place until a time (unix milliseconds); what is still open then is told.

        ``begin`` is now where it is not given; ``kind`` is one alone. Raises InvalidRequest, Conflict, Forbidden.
        """
        actor.require(Scope.ADMIN)
        now = self._now()
        since = max(now, begin or now)
        row = SilenceRow(0, kind, place, since, until, _clean(reason), actor.name, now)

        def put(conn: sqlite3.Connection) -> SilenceRow:
            problems = _silence_problems(row, now)
            if (problem := rows.places(conn).problem(place)) is not None:
                problems.append(problem)
            if problems:
                raise InvalidRequest(problems[0], *problems[1:])
            if len(rows.silences(conn, now, begun=False)) >= MOST_SILENCES:
                raise Conflict(why=f"there are {MOST_SILENCES} silences: end some, or name a site or a group")
            made = rows.add_silence(conn, row)
            told = {"kind": kind, "place": place, "until": until}
            audit.record(conn, actor, "alert.silence", str(made.id), now, told)
            return made

        made = await self._store.write(put)
        self._changed()
        return made

    async def end_silence(self, actor: Actor, silence: int) -> SilenceRow:
        """End one now; raises NotFound, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._now()

        def end(conn: sqlite3.Connection) -> SilenceRow:
            found = rows.end_silence(conn, silence, now)
            if found is None:
                raise NotFound(what="silence", which=f"{silence} that has not ended")
            audit.record(conn, actor, "alert.silence_end", str(silence), now, {"place": found.place})
            return found._replace(until_at=now)

        done = await self._store.write(end)
        self._changed()
        return done

    def _changed(self) -> None:
        self._bus.publish(AlertsChanged(self._now()))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _silence_problems(row: SilenceRow, now: int) -> list[FieldProblem]:
    found = []
    if row.kind and row.kind not in KINDS:
        found.append(FieldProblem("/kind", f"{row.kind[:40]!a} is no kind of alert: one of {', '.join(KINDS)}"))
    if row.until_at <= row.from_at:
        found.append(FieldProblem("/until", "must be after its beginning, and after now"))
    elif row.until_at > now + MOST_SILENCE_S * 1000:
        found.append(FieldProblem("/until", "must be within a year: switch the rule off for what is for ever"))
    if len(row.reason) > MOST_NOTE:
        found.append(FieldProblem("/reason", f"has at most {MOST_NOTE} characters"))
    return found


def _clean(text: str) -> str:
    """Return what a person wrote without what nobody can see."""
    return "".join(char for char in text.replace("\r\n", "\n") if char.isprintable() or char == "\n").strip()


def _there(row: AlertRow | None, alert: int) -> AlertRow:
    if row is None:
        raise NotFound(what="alert", which=str(alert))
    return row


def _place(cursor: str) -> tuple[int, int]:
    at, _, alert = cursor.partition(".")
    if not (at.isdecimal() and alert.isdecimal() and at.isascii() and alert.isascii() and len(cursor) < 36):
        raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
    return int(at), int(alert)
