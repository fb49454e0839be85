"""Commands: judged, kept, acknowledged, carried out, answered; each at most once, with one end.

What is not to be believed (unsigned, altered, retained, for another box) has no effect and no answer: an answer would
let whoever forged it speak for a command of the hub. What the hub said and the box does not do is answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from modembank.audit import record
from modembank.clock import to_ms
from modembank.errors import ModembankError
from modembank.eventlog import Entry, append
from modembank.fleet import rows
from modembank.fleet.rows import Journalled
from modembank.store import StoreError
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.pool import Pool, Prepared
from modembank_fleet.agent.updating import Job
from modembank_fleet.agent.verbs import (
    ALWAYS,
    LENDING,
    LONG,
    ON_IMAGES,
    VERBS,
    Order,
    Surroundings,
    VerbRefused,
    hub_actor,
)
from modembank_fleet.link import Incoming
from modembank_fleet.wire import (
    BY_VERB,
    ENDED,
    Address,
    Command,
    HubKey,
    Verb,
    WireError,
    arguments,
    decode,
    parse,
    verb_of,
    verify,
)

MOST_SECURITY_EVENTS = 60
"""In an hour; what is beyond is counted in the next one, so that a flood does not drown the log."""
LONGEST_S = 180.0
"""A command that takes longer has no end that anybody knows."""
MOST_UNSIGNED = 600
"""Commands without a signature in an hour."""
AHEAD_S = 300.0
"""By how much a hub's clock may be ahead of ours."""
_FOREIGN, _RETAINED, _TOO_MANY = "foreign_box", "retained", "too_many"
_log = structlog.get_logger()


class Trust(msgspec.Struct, frozen=True):
    """Whom the box believes, and what it lets the hub have done."""

    address: Address
    epoch: str
    keys: Sequence[HubKey]
    gates: frozenset[str]
    pool: bool = False
    """Whether the site lets the hub send through this box."""

    def carries_out(self, verb: str) -> bool:
        """Whether the box does this."""
        if verb in LENDING:
            return self.pool
        return verb in VERBS and (verb in ALWAYS or verb in self.gates)


class Hourly:
    """Counts to so many in an hour."""

    def __init__(self, most: int) -> None:
        """Allow ``most``."""
        self._most = most
        self._taken: deque[float] = deque()

    def takes(self, now: float) -> bool:
        """Whether one more is allowed; if so it is counted."""
        while self._taken and now - self._taken[0] >= 3600:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            return False
        self._taken.append(now)
        return True


class _Forged(Exception):
    """Not to be believed."""


class Commands(msgspec.Struct):
    """Takes what comes, and carries it out one after another."""

    trust: Trust
    around: Surroundings
    time: Timekeeper
    told: Callable[[], None]
    """There is a result for the hub."""
    pool: Pool
    _due: asyncio.Queue[tuple[Journalled, float]] = msgspec.field(default_factory=asyncio.Queue)
    _noted: Hourly = msgspec.field(default_factory=lambda: Hourly(MOST_SECURITY_EVENTS))
    _unsigned: Hourly = msgspec.field(default_factory=lambda: Hourly(MOST_UNSIGNED))
    _unnoted: int = 0

    async def resume(self) -> None:
        """Take up what the last run left: what ran may have run; what had not begun may begin if it still may."""
        for taken in await self.around.app.store.read(rows.unfinished):
            if taken.state == "running" and taken.verb in LONG:
                self._go_on(taken)
                continue
            if taken.state == "running" and not BY_VERB[taken.verb].rerun:
                await self._move(replace(taken, state="unknown", code="interrupted"))
                continue
            now = self.time.now()
            if now is None or now >= taken.ends_at or taken.verb not in VERBS:
                await self._move(replace(taken, state="expired", code="restarted"))
            else:
                self._due.put_nowait((taken, self._monotonic() + taken.ends_at - now))

    async def take(self, incoming: Incoming) -> None:
        """Judge a message and keep it if it is a command; acknowledge it once that is durable. Raises StoreError."""
        received = self._monotonic()
        try:
            verb, command, signed = self._believe(incoming)
            await self._keep(incoming, received, verb, command, signed=signed)
        except _Forged as error:
            await self.note_refused(str(error), incoming.topic)
        except WireError as error:
            await self.note_refused(error.code, incoming.topic)
        incoming.ack()

    async def run(self) -> None:
        """Carry out what was taken, for ever."""
        while True:
            taken, deadline = await self._due.get()
            await self._carry_out(taken, deadline)

    async def note_refused(self, code: str, topic: str) -> None:
        """Leave one security event of something that was refused."""
        self.around.app.fleet.refused += 1
        if not self._noted.takes(self._monotonic()):
            self._unnoted += 1
            return
        kind = topic.partition("/down/")[2][:40]
        body = json.dumps({"code": code, "kind": kind, "count": self._unnoted + 1})
        self._unnoted = 0
        entry = Entry(self._now_ms(), "fleet.refused", None, None, body)
        await self.around.app.store.write(lambda conn: append(conn, [entry]))
        _log.warning("fleet_refused", code=code, kind=kind)
        self.around.app.events.wake()

    # -- judging

    def _believe(self, incoming: Incoming) -> tuple[Verb, Command, bool]:
        """Return a command that came from the hub; raises _Forged, or WireError for what it may answer nothing to."""
        topic = parse(incoming.topic)
        if topic.address != self.trust.address or topic.direction != "down":
            raise _Forged(_FOREIGN)
        if incoming.retain:
            raise _Forged(_RETAINED)
        verb = verb_of(topic.parts)
        kid, signature = incoming.user.get("kid", ""), incoming.user.get("sig", "")
        signed = bool(kid or signature)
        if verb.signed or signed:
            verify(self.trust.keys, kid, signature, incoming.topic, incoming.payload, self.time.now())
        if not signed and not self._unsigned.takes(self._monotonic()):
            raise _Forged(_TOO_MANY)
        return verb, decode(Command, incoming.payload, incoming.user.get("ce", "")), signed

    async def _keep(self, incoming: Incoming, received: float, verb: Verb, command: Command, *, signed: bool) -> None:
        """Write down what was taken or refused, or tell again how it stands; carry it out afterwards."""
        left_s = min(float(command.ttl), float(incoming.expiry_s if incoming.expiry_s is not None else command.ttl))
        now = self.time.now()
        if now is not None and self.time.state() == "ntp":
            left_s = min(left_s, command.iat + command.ttl - now)
        taken = Journalled(
            id=command.id,
            signed=signed,
            verb=verb.name,
            digest=hashlib.sha256(incoming.topic.encode() + b"\0" + incoming.payload).digest(),
            issuer=command.by,
            args=bytes(command.args).decode("utf-8", "replace"),
            issued_at=command.iat,
            ends_at=command.iat + command.ttl,
            received_at=self._now_ms(),
            state="accepted",
        )
        refusal = self._refusal(verb, command, left_s)
        lending: Prepared | None = None
        if refusal is None and verb.name in LENDING:
            lending = await self.pool.prepare(arguments(verb, command), command.by, left_s)

        def keep(conn: sqlite3.Connection) -> str:
            return self._journal(conn, taken, refusal, lending)

        code = await self.around.app.store.write(keep)
        self.told()
        if lending is not None:
            lending.committed()
        elif not code:
            self._due.put_nowait((taken, received + left_s))
        if code and code != "again":
            await self.note_refused(code, incoming.topic)

    def _journal(
        self, conn: sqlite3.Connection, taken: Journalled, refusal: tuple[str, str] | None, lending: Prepared | None
    ) -> str:
        """Write a command down, and carry it out if that is for this very write; return why not, empty for nothing."""
        known = rows.find(conn, taken.id, signed=taken.signed)
        if known is not None and known.digest == taken.digest:
            if known.state in ENDED:
                rows.tell(conn, known, taken.received_at)
            return "again"
        if known is not None:
            rows.tell(conn, replace(taken, state="rejected", code="id_reused"), taken.received_at)
            return "id_reused"
        if refusal is None and taken.signed and taken.issued_at <= rows.horizon(conn):
            rows.journal(conn, replace(taken, state="rejected", code="replayed", args="{}"))
            return "replayed"
        if refusal is not None:
            rows.journal(conn, replace(taken, state=refusal[0], code=refusal[1], args="{}"))
            return refusal[1]
        if lending is not None:
            self._lend(conn, lending, taken)
        else:
            rows.journal(conn, taken)
        return ""

    def _lend(self, conn: sqlite3.Connection, lending: Prepared, taken: Journalled) -> None:
        """Take or give back messages and journal it as done, without what they hold."""
        counts = lending.carry_out(conn)
        rows.journal(conn, replace(taken, state="done", args="{}", data=json.dumps(counts)))
        record(conn, lending.actor, f"fleet.{taken.verb}", taken.id, taken.received_at, counts)

    def _refusal(self, verb: Verb, command: Command, left_s: float) -> tuple[str, str] | None:
        """Return how a command ends at once, if it does: state and code."""
        if command.ep != self.trust.epoch:
            return "rejected", "stale_epoch"
        if self.time.state() == "ntp" and command.iat > self.around.app.clock.now() + AHEAD_S:
            return "rejected", "from_the_future"
        if command.ttl > verb.most_ttl_s:
            return "rejected", "ttl_too_long"
        if verb.name not in VERBS and verb.name not in LENDING:
            return "rejected", "not_available"
        if not self.trust.carries_out(verb.name):
            return "rejected", "gate_closed"
        if verb.name in ON_IMAGES and not self.around.app.appliance.present:
            return "rejected", "not_an_image"
        if command.cond is not None and command.cond.cfg not in {None, self.around.config_version()}:
            return "rejected", "precondition_failed"
        try:
            arguments(verb, command)
        except WireError as error:
            return "rejected", error.code
        return ("expired", "too_late") if left_s <= 0 else None

    # -- carrying out

    async def _carry_out(self, taken: Journalled, deadline: float) -> None:
        if self._monotonic() >= deadline:
            await self._move(replace(taken, state="expired", code="too_late"))
            return
        actor = hub_actor(taken.issuer)
        running, now = replace(taken, state="running"), self._now_ms()

        def begin(conn: sqlite3.Connection) -> None:
            rows.move(conn, running, now)
            record(conn, actor, f"fleet.{taken.verb}", taken.id, now, _for_audit(taken.args))

        await self.around.app.store.write(begin)
        args = arguments(BY_VERB[taken.verb], _command(taken))
        try:
            async with asyncio.timeout(LONGEST_S):
                data = await VERBS[taken.verb](self.around, Order(running, actor, args, deadline))
        except VerbRefused as error:
            ended = replace(taken, state="failed", code=error.code, data=_reason(error.why))
        except TimeoutError:
            ended = replace(taken, state="unknown", code="took_too_long")
        except StoreError:
            raise
        except ModembankError as error:
            ended = replace(taken, state="failed", code=error.key)
        else:
            if data is None:
                return
            ended = replace(taken, state="done", data=json.dumps(data))
        await self._move(ended)

    def _go_on(self, taken: Journalled) -> None:
        """Go on with what had begun before a start of the daemon; what has not asked for anything yet may be late."""
        now = self.time.now()
        left_s = taken.ends_at - now if now is not None else taken.ends_at - taken.issued_at
        args = arguments(BY_VERB[taken.verb], _command(taken))
        self.around.updating.begin(Job(taken, hub_actor(taken.issuer), args, self._monotonic() + left_s))

    async def _move(self, taken: Journalled) -> None:
        now = self._now_ms()
        await self.around.app.store.write(lambda conn: rows.move(conn, taken, now))
        _log.info("fleet_command", verb=taken.verb, state=taken.state, code=taken.code)
        self.told()

    def _monotonic(self) -> float:
        return self.around.app.clock.monotonic()

    def _now_ms(self) -> int:
        return to_ms(self.around.app.clock.now())


def _reason(why: str) -> str:
    return json.dumps({"why": why} if why else {})


def _command(taken: Journalled) -> Command:
    return decode(
        Command,
        json.dumps(
            {
                "v": 1, "id": taken.id, "iat": taken.issued_at, "ttl": 1, "ep": "none", "by": taken.issuer,
                "args": json.loads(taken.args),
            }
        ).encode(),
    )  # fmt: skip


def _for_audit(args: str) -> dict[str, Any]:
    """Return arguments as the audit log keeps them: without what was dialled."""
    return {name: value for name, value in json.loads(args).items() if name != "code"}
