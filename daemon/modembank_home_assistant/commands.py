"""What Home Assistant may ask: that a group of people is told something, and that a SIM is paused or resumed.

Everything else has no effect, and leaves an event. A broker tells nobody who published what, so nothing that comes from
there chooses a recipient.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec
import structlog

from modembank.accounts import Actor, QuotaExceeded, Role, Scope
from modembank.alerts.wording import cut
from modembank.app import App
from modembank.clock import to_ms
from modembank.config import NotifyConfig
from modembank.errors import Conflict, Forbidden, InvalidRequest, ModembankError, NotFound
from modembank.eventlog import Entry, append
from modembank.ids import random_token
from modembank.messages import IdempotencyKey, IdempotencyMismatch, SubmitRequest, UnknownProvider
from modembank.sim import Sim, SimChange
from modembank.store import StoreError
from modembank_fleet.link import Incoming, LinkError
from modembank_home_assistant.discovery import OFF, ON

MOST_OCTETS = 4096
"""Of one command; the longest text that ten segments hold is shorter."""
MOST_EVENTS = 60
"""Events about refusals in an hour; what is beyond is counted in the next."""
_MOST_MARKS = 100
"""Notifications without an id of which it is remembered in which packet they came."""
_HOUR_S = 3600.0
_WHO = "home assistant"
_ID = re.compile(r"[\x21-\x7e]{1,100}")
_UNFIT = re.compile(r"[^!-~]")
_log = structlog.get_logger()


class Refusal(ModembankError):
    """The box does not do this; the code is for machines."""

    key = "home_assistant_refused"
    template = "{code}"

    def __init__(self, code: str) -> None:
        """Say why."""
        super().__init__(code=code)
        self.code = code


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A notification, as the discovery document has Home Assistant write it."""

    message: str
    id: str = ""
    """The same however often it comes; empty: only the packet tells."""


class Commands:
    """Judges and carries out what came below ``cmd/``."""

    def __init__(self, app: App, told: Callable[[], None]) -> None:
        """``told`` is called when something is to be told at once."""
        self._app = app
        self._told = told
        self._groups = {entry.group: entry for entry in app.config.home_assistant.notify}
        self._marks: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._noted: deque[float] = deque()
        self._unnoted = 0

    def forget_packets(self) -> None:
        """The broker has forgotten the session: its packets' numbers begin anew."""
        self._marks.clear()

    async def take(self, parts: tuple[str, ...], incoming: Incoming) -> None:
        """Carry out a command, or leave an event of it; raises LinkError where it should come again."""
        try:
            if incoming.retain:
                raise Refusal(code="retained")
            if len(incoming.payload) > MOST_OCTETS:
                raise Refusal(code="too_large")
            match parts:
                case ("notify", group):
                    await self._notify(group, incoming)
                case ("sim", number):
                    await self._switch(number, incoming.payload)
                case _:
                    raise Refusal(code="no_such_command")
        except StoreError as error:
            raise LinkError(why=f"a command could not be stored: {error}") from error
        except Refusal as refusal:
            await self._note(refusal.code, _UNFIT.sub("?", "/".join(parts)[:40]))

    # -- people are told

    async def _notify(self, group: str, incoming: Incoming) -> None:
        entry = self._groups.get(group)
        if entry is None:
            raise Refusal(code="no_such_group")
        notice = _notice(incoming.payload)
        request = SubmitRequest(
            to=entry.to,
            text=cut(notice.message, entry.max_segments),
            priority=entry.priority,
            max_segments=entry.max_segments,
            partial=True,
        )
        if not request.text:
            raise Refusal(code="empty")
        key = IdempotencyKey.of(self._key(group, notice, incoming), notice.message.encode("utf-8", "replace"))
        try:
            receipt = await self._app.messages.submit(await self._actor(entry), request, key)
        except IdempotencyMismatch:
            raise Refusal(code="id_reused") from None
        except QuotaExceeded:
            raise Refusal(code="quota_exceeded") from None
        except (InvalidRequest, UnknownProvider, Forbidden) as error:
            _log.warning("home_assistant_not_told", group=group, error=error.key)
            raise Refusal(code="not_accepted") from None
        if receipt.replayed:
            return
        self._app.home_assistant.notified += 1
        count = len(receipt.messages)
        _log.info("home_assistant_notified", group=group, messages=count - receipt.refused, refused=receipt.refused)

    async def _actor(self, entry: NotifyConfig) -> Actor:
        """Return the user whose messages they are."""
        try:
            user = await self._app.accounts.user(_ADMIN, entry.user)
        except NotFound:
            raise Refusal(code="no_such_user") from None
        if not user.active:
            raise Refusal(code="user_inactive")
        return Actor(user.id, user.name, user.role, frozenset({Scope.MESSAGES_SEND}), _WHO)

    def _key(self, group: str, notice: Notice, incoming: Incoming) -> str:
        """Return what makes a notification one: its id, else its packet while that is not acknowledged."""
        if notice.id:
            return f"home-{group}-{notice.id}"
        known = self._marks.get(incoming.number)
        if incoming.again and known is not None and known[0] == incoming.payload:
            return known[1]
        key = f"home-{group}-{random_token(12)}"
        self._marks[incoming.number] = incoming.payload, key
        while len(self._marks) > _MOST_MARKS:
            self._marks.popitem(last=False)
        return key

    # -- SIMs

    async def _switch(self, number: str, payload: bytes) -> None:
        app = self._app
        if not app.config.home_assistant.commands:
            raise Refusal(code="gate_closed")
        on, off = ON.encode(), OFF.encode()
        if payload not in {on, off}:
            raise Refusal(code="malformed")
        sim = next((sim for sim in app.sims.all() if str(sim.id) == number), None)
        if sim is None:
            raise Refusal(code="no_such_sim")
        try:
            if sim.paused is not (payload == off):
                await self._set(sim, paused=payload == off)
        finally:  # whatever came of it, it is said how it is now: the switch was moved already
            self._told()

    async def _set(self, sim: Sim, *, paused: bool) -> None:
        app = self._app
        change = SimChange(pause="paused by Home Assistant") if paused else SimChange(resume=True)
        entry = app.audit.entry(_ADMIN, "sim.change", sim.iccid, {"paused": paused})
        try:
            await app.sims.change(sim.id, change, entry)
        except Conflict:
            raise Refusal(code="owned_by_the_hub") from None

    # -- what was refused

    async def _note(self, code: str, what: str) -> None:
        """Leave one event of something that was refused."""
        app, now = self._app, self._app.clock.monotonic()
        app.home_assistant.note_refused(code)
        while self._noted and now - self._noted[0] >= _HOUR_S:
            self._noted.popleft()
        if len(self._noted) >= MOST_EVENTS:
            self._unnoted += 1
            return
        self._noted.append(now)
        body = json.dumps({"code": code, "kind": what, "count": self._unnoted + 1})
        self._unnoted = 0
        entry = Entry(to_ms(app.clock.now()), "home_assistant.refused", None, None, body)

        def write(conn: sqlite3.Connection) -> None:
            append(conn, [entry])

        await app.store.write(write)
        _log.warning("home_assistant_refused", code=code, kind=what)
        app.events.wake()


_ADMIN = Actor(0, _WHO, Role.ADMIN, frozenset(Scope), _WHO)
"""On whose behalf the box looks users up, and SIMs are switched."""


def _notice(payload: bytes) -> Notice:
    """Return a notification; raises Refusal."""
    try:
        notice = msgspec.json.decode(payload, type=Notice)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(code="malformed") from None
    if notice.id and not _ID.fullmatch(notice.id):
        raise Refusal(code="malformed")
    return notice
