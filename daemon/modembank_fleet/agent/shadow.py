"""The configuration that the hub wants: taken, judged, tried, and kept or rolled back; told whenever the box is born.

Every step is written down before it is done. After a crash in the middle the last good configuration is laid over
again: it ends applied, rejected or rolled back, and says which, never half.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from modembank.accounts import Actor, Role, Scope
from modembank.audit import record
from modembank.clock import to_ms
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.eventlog import Entry, append
from modembank.fleet import Life
from modembank.fleet import shadow as rows
from modembank.fleet.shadow import SETTLED, Owned, Shadow, State
from modembank.sim import Sim, SimChange
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.commands import Trust
from modembank_fleet.agent.owning import PAUSED, Owning, named
from modembank_fleet.agent.streams import stamp
from modembank_fleet.link import Incoming
from modembank_fleet.wire import (
    CfgDesired,
    CfgDocument,
    CfgReported,
    ReportedError,
    WireError,
    decode,
    document_of,
    hash_of,
    judge,
    parse,
    verify,
)

_log = structlog.get_logger()
_READY = frozenset({"registered"})
_PLACE = ("cfg", "desired")
_MOST_LOCAL = 500


class Trial(msgspec.Struct, frozen=True):
    """How a new configuration proves itself: within ``health_s`` the box must have been well for ``steady_s``."""

    health_s: float = 120.0
    steady_s: float = 30.0
    look_s: float = 1.0


class ConfigShadow(msgspec.Struct):
    """The box's side of the configuration shadow."""

    owning: Owning
    trust: Trust
    life: Life
    time: Timekeeper
    trial: Trial
    refused: Callable[[str, str], Awaitable[None]]
    """Notes one security event: code and topic."""
    linked: Callable[[], bool]
    """Whether the connection to the broker stands."""
    tell: Callable[[], None]
    """There is something new to report."""
    _now: Shadow = msgspec.field(default_factory=Shadow)
    _document: CfgDocument = msgspec.field(default_factory=CfgDocument)
    _local: list[str] = msgspec.field(default_factory=list)
    _ready_before: int = 0
    _news: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _taking: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    _noted: tuple[int, str] = (0, "")

    @property
    def in_force(self) -> int:
        """The version that holds; 0: nothing is the hub's."""
        return self._now.in_force[0]

    # -- at the start

    async def resume(self) -> None:
        """Take up what the last run left: what had begun is rolled back; and guard what is the hub's."""
        self._now = await self.owning.app.store.read(rows.load)
        if self._now.state in {"applying", "trial"}:
            why = ReportedError(path="", code="interrupted", detail="the box was restarted before it had proved itself")
            await self._move(replace(self._now, state="rolling_back", errors=_written([why])))
        if self._now.state == "staged":  # it begins when all runs; until then the last good one holds
            await self._lay_over(self._now)
        else:
            await self._step()
        self.owning.app.sims.guard(self._look)

    # -- what comes

    async def take(self, incoming: Incoming) -> None:
        """Judge a message, keep what it wants, and only then acknowledge it. Raises StoreError."""
        try:
            wanted = self._believe(incoming)
            if wanted.ep == self.life.epoch:  # the broker may have kept what was for the life before
                await self._keep(wanted, document_of(wanted), incoming.topic)
        except WireError as error:
            await self.refused(error.code, incoming.topic)
        incoming.ack()

    def _believe(self, incoming: Incoming) -> CfgDesired:
        topic = parse(incoming.topic)
        if topic.address != self.trust.address or topic.direction != "down" or topic.parts != _PLACE:
            raise WireError(code="foreign_box", detail="for another box")
        kid, signature = incoming.user.get("kid", ""), incoming.user.get("sig", "")
        verify(self.trust.keys, kid, signature, incoming.topic, incoming.payload, self.time.now())
        return decode(CfgDesired, incoming.payload, incoming.user.get("ce", ""))

    async def _keep(self, wanted: CfgDesired, given: Any, topic: str) -> None:
        named_by, (document, errors) = hash_of(given), judge(given)
        async with self._taking:
            known = self._now
            if (wanted.ver, named_by) == (known.ver, known.hash):
                self.tell()
                return
            if wanted.ver <= known.ver:
                await self._refuse_old(wanted.ver, named_by, topic)
                return
            errors = errors or list(self.owning.problems(document))[:50]
            state: State = "staged" if not errors else "rejected" if known.state in SETTLED else "rejecting"
            self._note_ready()
            new = replace(
                known, ver=wanted.ver, hash=named_by, doc=json.dumps(given), issuer=wanted.by[:64],
                state=state, errors=_written(errors),
            )  # fmt: skip
            await self._move(new)

    async def _refuse_old(self, ver: int, named_by: str, topic: str) -> None:
        """Leave one event of what comes again, however often that is: a broker repeats what it keeps."""
        self.tell()
        if self._noted != (ver, named_by):
            self._noted = (ver, named_by)
            await self.refused("old_version" if ver < self._now.ver else "version_reused", topic)

    # -- what becomes of it

    async def run(self) -> None:
        """Carry out what was taken, and lay over what is in force where a SIM is new, for ever."""
        while True:
            self._news.clear()
            await self._step()
            if self._now.state in SETTLED:
                await self._news.wait()

    def poke(self) -> None:
        """Something is new: a document, or a SIM."""
        self._news.set()

    async def again(self) -> dict[str, Any]:
        """Try the newest once more if it is not in force, and lay over what is; return how it stands."""
        async with self._taking:
            now = self._now
            if now.state in {"rejected", "rolled_back"}:
                document, errors = judge(json.loads(now.doc))
                errors = errors or list(self.owning.problems(document))
                if not errors:
                    self._note_ready()
                    await self._move(replace(now, state="staged", errors="[]"))
        self.poke()
        return {"ver": self._now.ver, "state": self._now.told, "in_force": self.in_force}

    async def _step(self) -> None:
        """Do what the state wants, once."""
        now = self._now
        match now.state:
            case "staged":
                await self._advance(now, replace(now, state="applying"))
            case "applying":
                if await self._lay_over(now, fresh=True):
                    await self._advance(now, replace(now, state="trial"))
            case "trial":
                await self._try(now)
            case "rolling_back":
                if await self._lay_over(now):
                    await self._advance(now, replace(now, state="rolled_back"))
            case "rejecting":
                if await self._lay_over(now):
                    await self._advance(now, replace(now, state="rejected"))
            case _:
                await self._lay_over(now)
        await self._look_at_local()

    async def _try(self, now: Shadow) -> None:
        """Wait until the box has been well for long enough, or for too long not; another document ends the trial."""
        clock = self.owning.app.clock
        began = well_since = clock.monotonic()
        why: ReportedError | None = None
        while self._now is now:
            at = clock.monotonic()
            why = self._unwell()
            if why is not None:
                well_since = at
            if why is None and at - well_since >= self.trial.steady_s:
                await self._advance(now, replace(now, state="applied", good_ver=now.ver, good_doc=now.doc))
                return
            if at - began >= self.trial.health_s:
                why = why or ReportedError(path="", code="unsteady", detail="the box was not well for long enough")
                await self._advance(now, replace(now, state="rolling_back", errors=_written([why])))
                return
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.trial.look_s):
                    await self._news.wait()
            if self._now is now and self._news.is_set():
                await self._lay_over(now)
                await self._look_at_local()

    def _unwell(self) -> ReportedError | None:
        if not self.linked():
            return ReportedError(path="", code="link_lost", detail="the connection to the broker did not come back")
        ready = self._ready()
        if ready < self._ready_before:
            detail = f"{ready} modems are ready, before it were {self._ready_before}"
            return ReportedError(path="", code="fewer_modems", detail=detail)
        return None

    async def _lay_over(self, now: Shadow, *, fresh: bool = False) -> bool:
        """Lay over what is in force; what cannot be done of a new one rolls it back. Returns whether it was done."""
        ver, text = now.in_force
        document, _ = judge(json.loads(text))
        self._document = document
        try:
            await self.owning.lay_over(document, ver, self._actor(now), fresh=fresh)
        except (InvalidRequest, NotFound) as error:
            _log.warning("config_not_laid_over", ver=ver, error=str(error))
            if now.state in {"applying", "trial"}:
                why = ReportedError(path="", code=error.key, detail=str(error)[:200])
                await self._advance(now, replace(now, state="rolling_back", errors=_written([why])))
                return False
        return True

    async def _advance(self, before: Shadow, after: Shadow) -> None:
        """Go on, unless another document has come meanwhile."""
        async with self._taking:
            if self._now is before:
                await self._move(after)

    async def _move(self, new: Shadow) -> None:
        app, now = self.owning.app, to_ms(self.owning.app.clock.now())
        errors = json.loads(new.errors)
        body = {"ver": new.ver, "in_force": new.in_force[0], "codes": sorted({one["code"] for one in errors})}

        def move(conn: sqlite3.Connection) -> None:
            rows.keep(conn, new)
            if new.state == "applied":
                rows.answered(conn, new.ver)
            if new.state in SETTLED:
                append(conn, [Entry(now, f"config.{new.state}", None, None, json.dumps(body))])
            if new.state in SETTLED | {"applying"}:
                word = {"applying": "apply", "applied": "keep", "rejected": "reject", "rolled_back": "roll_back"}
                record(conn, self._actor(new), f"config.{word[new.state]}", str(new.ver), now, body)

        await app.store.write(move)
        self._now = new
        _log.info("config", ver=new.ver, state=new.state, codes=body["codes"])
        if new.state in SETTLED:
            app.events.wake()
        await self._look_at_local()
        self.tell()
        self.poke()

    # -- what is told

    def reported(self) -> CfgReported:
        """Return how the box stands to the hub's configuration."""
        now = self._now
        errors = [ReportedError(**one) for one in json.loads(now.errors)]
        return CfgReported(
            **stamp(self.time, self.life),
            ver=now.ver,
            st=now.told,
            hash=now.hash,
            eff=self.in_force,
            errs=[] if now.state == "applied" else errors,
            local=self._local,
        )

    async def _look_at_local(self) -> None:
        """See which keys of the hub the site wants otherwise."""
        wanted = [one for one in await self.owning.app.store.read(rows.owned) if one.wanted is not None]
        named_by = [(sim, one.key) for one in wanted if (sim := self._sim_of(one)) is not None]
        found = sorted(f"sims.{self._name_of(sim)}.{key}" for sim, key in named_by)[:_MOST_LOCAL]
        if found != self._local:
            self._local = found
            self.tell()

    def _sim_of(self, one: Owned) -> Sim | None:
        with contextlib.suppress(NotFound):
            return self.owning.app.sims.get(one.sim)
        return None

    def _name_of(self, sim: Sim) -> str:
        full = self.owning.app.config.mqtt.privacy == "full"
        return sim.iccid if full else self.owning.names.of(sim.iccid) or ""

    # -- what the site wants otherwise

    async def _look(self, sim: Sim, change: SimChange) -> None:
        """Let pass what is the site's, what the hub wants too, and every pause; the rest is put to the hub.

        Raises Conflict.
        """
        hubs = self.owning.wanted_of(self._document, sim)
        asked = {key: value for key, value in named(change).items() if key in hubs}
        if not asked:
            return
        agreed = [key for key, value in asked.items() if value == hubs[key]]
        other = {key: value for key, value in asked.items() if key not in agreed}
        app, now, ver = self.owning.app, to_ms(self.owning.app.clock.now()), self._now.ver

        def note(conn: sqlite3.Connection) -> None:
            for one in rows.owned(conn):
                if self._sim_of(one) is not sim:
                    continue
                if one.key in agreed:
                    rows.want_no_more(conn, one.sim, [one.key])
                elif one.key in other and rows.want(conn, one.sim, one.key, other[one.key], ver):
                    append(conn, [Entry(now, "config.proposed", None, sim.id, self._proposal(sim, one.key, other))])

        await app.store.write(note)
        app.events.wake()
        await self._look_at_local()
        if refused := sorted(key for key in other if not (key == PAUSED and other[key])):
            why = f"{', '.join(refused)}: set by the hub (configuration {self.in_force}); your wish was put to it"
            raise Conflict(why=f"{why}. What the hub may set is in hub_settings of [mqtt]")

    def _proposal(self, sim: Sim, key: str, wanted: dict[str, rows.Value]) -> str:
        value = wanted[key]
        body: dict[str, Any] = {"ver": self.in_force, "sim": sim.iccid, "key": key}
        return json.dumps(body | ({"text": value} if isinstance(value, str) else {"value": value}))

    def _note_ready(self) -> None:
        """Note how many modems are ready before anything is tried: what a trial has done to them does not count."""
        if self._now.state in SETTLED:
            self._ready_before = self._ready()

    def _ready(self) -> int:
        return sum(view.state.value in _READY for view in self.owning.app.bank.modems())

    def _actor(self, now: Shadow) -> Actor:
        return Actor(0, f"hub: {now.issuer}"[:64], Role.ADMIN, frozenset(Scope), "hub")


def _written(errors: list[ReportedError]) -> str:
    return msgspec.json.encode(errors).decode()
