"""Commands to boxes: given by a person, kept until the box has answered, sent again until it has or its time is up."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.store import Store
from modembank_fleet import wire
from modembank_fleet.link import NO_SUBSCRIBERS, LinkRefused, Session
from modembank_fleet.wire import Address, Signer, Verb
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_commands as rows
from modembank_hub.due import Due
from modembank_hub.events import CommandsChanged
from modembank_hub.metrics import HubMetrics
from modembank_hub.rows_of_commands import CommandRow

VERBS: Mapping[str, Verb] = {verb.name: verb for verb in wire.VERBS if verb.parts[0] == "cmd"}
"""What a person may order; messages are no person's business here."""
DEFAULT_TTL_S = 300
GRACE_MS = 120_000
"""So long after its time a box that took a command may still end it."""
_log = structlog.get_logger()


class Page(msgspec.Struct, frozen=True):
    """Commands, newest first, and where to go on."""

    items: list[CommandRow]
    cursor: int | None


class Orders:
    """Gives commands, and brings them to the boxes."""

    def __init__(
        self, store: Store, clock: Clock, bus: Bus, metrics: HubMetrics, signer: Signer | None, resend_s: float
    ) -> None:
        """Without ``signer`` only verbs that need no signature can be given."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._metrics = metrics
        self._signer = signer
        self._resend_ms = round(resend_s * 1000)
        self._due = Due(store, clock, rows.due, rows.next_due)

    def wake(self) -> None:
        """Something is due, or may be."""
        self._due.wake()

    def may(self, verb: Verb) -> bool:
        """Whether this hub can give it at all."""
        return self._signer is not None or not verb.signed

    async def give(
        self, actor: Actor, site: str, box: str, verb_name: str, args: Mapping[str, Any], ttl_s: int | None = None
    ) -> CommandRow:
        """Order something of a box; raises NotFound, InvalidRequest, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        verb = VERBS.get(verb_name)
        if verb is None:
            raise InvalidRequest(FieldProblem("/verb", f"must be one of {', '.join(VERBS)}"))
        if not self.may(verb):
            raise Conflict(why=f"{verb.name} must be signed, and this hub has no key ([signing] key_file)")
        ttl = min(DEFAULT_TTL_S, verb.most_ttl_s) if ttl_s is None else ttl_s
        if not 1 <= ttl <= verb.most_ttl_s:
            raise InvalidRequest(FieldProblem("/ttl_s", f"must be 1 to {verb.most_ttl_s} for {verb.name}"))
        checked = _checked(verb, args)
        now = to_ms(self._clock.now())
        command_id = f"{now:011x}{secrets.token_hex(8)}"

        def add(conn: sqlite3.Connection) -> CommandRow:
            known = boxes.get(conn, site, box, now)
            if known is None:
                raise NotFound(what="box", which=f"{site}/{box}"[:80])
            _check_box(known, verb)
            new = rows.NewCommand(command_id, known.id, verb.name, checked, known.epoch, actor.name, now, ttl)
            rows.add(conn, new)
            told = {"id": command_id, "verb": verb.name, "ttl_s": ttl, "args": json.loads(checked)}
            audit.record(conn, actor, "command.give", known.name, now, told)
            return _found(conn, command_id)

        given = await self._store.write(add, reserve=False)
        _log.info("command_given", command=command_id, verb=verb.name, box=f"{site}/{box}", actor=actor.name)
        self._changed()
        return given

    async def cancel(self, actor: Actor, command_id: str) -> CommandRow:
        """Take a command back that no box has been sent; raises NotFound, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())

        def cancel(conn: sqlite3.Connection) -> CommandRow:
            found = _found(conn, command_id)
            if not rows.cancel(conn, command_id, now):
                raise Conflict(why=f"the command is {found.state} already")
            audit.record(conn, actor, "command.cancel", f"{found.site}/{found.box}", now, {"id": command_id})
            return _found(conn, command_id)

        cancelled = await self._store.write(cancel)
        self._changed()
        return cancelled

    async def get(self, actor: Actor, command_id: str) -> CommandRow:
        """Return a command; raises NotFound, Forbidden."""
        actor.require(Scope.MODEMS)
        return await self._store.read(lambda conn: _found(conn, command_id))

    async def list(
        self, actor: Actor, *, box_id: int | None = None, cursor: int | None = None, limit: int = 50
    ) -> Page:
        """Return a page of commands."""
        actor.require(Scope.MODEMS)
        found = await self._store.read(lambda conn: rows.page(conn, box_id, cursor, limit + 1))
        return Page(found[:limit], found[limit - 1].n if len(found) > limit else None)

    async def log(self, actor: Actor, command_id: str) -> Sequence[str]:
        """Return the lines of a box's log that a command brought so far; raises NotFound, Forbidden."""
        actor.require(Scope.ADMIN)

        def read(conn: sqlite3.Connection) -> Sequence[str]:
            _found(conn, command_id)
            return rows.log_of(conn, command_id)

        return [line for piece in await self._store.read(read) for line in json.loads(piece)]

    async def serve(self, session: Session) -> None:
        """Send what is due on a connection until it is lost; raises LinkError, StoreError."""
        while True:
            for one in await self._due.next():
                await self._send(session, one)
            self._changed(wake=False)

    async def end_overdue(self) -> None:
        """End what never left in its time, and what no box has ended long after it; connected or not."""
        now = to_ms(self._clock.now())
        late = await self._store.read(lambda conn: rows.unanswered_since(conn, now, GRACE_MS, 500))
        if late:
            await self._store.write(lambda conn: _end_all(conn, late, now))
            self._changed()

    async def _send(self, session: Session, command: CommandRow) -> None:
        now = to_ms(self._clock.now())
        left_ms = command.issued_at + command.ttl_s * 1000 - now
        again_at = now + min(self._resend_ms, max(left_ms, 1))
        if left_ms <= 0:
            await self._store.write(lambda conn: rows.end_unanswered(conn, command.id, now))
            return
        address, verb = Address(command.site, command.box), VERBS[command.verb]
        topic, payload = address.down(*verb.parts), _payload(command)
        user = {"sv": str(wire.VERSION)}
        if self._signer is not None:
            user |= {"kid": self._signer.kid, "sig": self._signer.sign(topic, payload)}
        try:
            code = await session.publish(
                topic,
                payload,
                expiry_s=left_ms / 1000,
                user=user,
                response_topic=address.up("res"),
                correlation=command.id.encode(),
            )
        except LinkRefused as error:
            _log.warning("command_refused", command=command.id, box=address.common_name, error=str(error))
            code = error.code
        if code in {0, None}:
            self._metrics.sent.inc()
            await self._store.write(lambda conn: rows.note_sent(conn, command.id, now, again_at))
        else:  # nobody listens there, or the broker would not: the box's next word makes it due, or the clock
            if code != NO_SUBSCRIBERS:
                _log.warning("command_not_sent", command=command.id, box=address.common_name, code=code)
            await self._store.write(lambda conn: rows.put_off(conn, command.id, again_at))

    def _changed(self, *, wake: bool = True) -> None:
        self._bus.publish(CommandsChanged(to_ms(self._clock.now())))
        if wake:
            self.wake()


def _end_all(conn: sqlite3.Connection, late: Sequence[str], now_ms: int) -> None:
    for command_id in late:
        rows.end_unanswered(conn, command_id, now_ms)


def _found(conn: sqlite3.Connection, command_id: str) -> CommandRow:
    found = rows.get(conn, command_id)
    if found is None:
        raise NotFound(what="command", which=repr(command_id[:80]))
    return found


def _check_box(known: boxes.BoxRow, verb: Verb) -> None:
    if known.out_at is not None:
        raise Conflict(why=f"{known.name} is shut out: enrol it with a new token first")
    if not known.epoch or known.birth is None:
        raise Conflict(why=f"{known.name} has not said yet what it can do: wait for its birth")
    if verb.name not in json.loads(known.birth)["verbs"]:
        raise Conflict(why=f"{known.name} does not carry out {verb.name}: it is closed there, or not known to it")


def _checked(verb: Verb, args: Mapping[str, Any]) -> str:
    """Return arguments as they are sent; raises InvalidRequest."""
    unknown = set(args) - {field.encode_name for field in msgspec.structs.fields(verb.args)}
    if unknown:
        name = min(unknown)[:40]
        raise InvalidRequest(FieldProblem(f"/args/{name}", f"is nothing that {verb.name} takes"))
    try:
        return msgspec.json.encode(msgspec.convert(args, verb.args)).decode()
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        pointer = "/args" + where.rstrip("`").replace(".", "/")
        raise InvalidRequest(FieldProblem(pointer, what[:200])) from error


def _payload(command: CommandRow) -> bytes:
    return wire.encode(
        wire.Command(
            v=wire.VERSION,
            id=command.id,
            iat=command.issued_at / 1000,
            ttl=command.ttl_s,
            ep=command.epoch,
            by=command.actor[:100],
            args=msgspec.Raw(command.args.encode()),
        )
    )
