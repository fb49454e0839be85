"""Configurations: what boxes are to have, written by people, published until each box has said that it has it.

A box is to have its own document over its group's. The rows are the truth; what the broker keeps is only on its way. At
each birth, at each report and every five minutes it is compared, and published again.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.store import Store
from modembank_fleet import wire
from modembank_fleet.link import LinkRefused, Session
from modembank_fleet.wire import Address, Signer
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_config as rows
from modembank_hub import rows_of_rollouts as rollouts
from modembank_hub.due import Due
from modembank_hub.events import ConfigsChanged
from modembank_hub.fleet import Page
from modembank_hub.rows_of_config import GroupRow, StandsRow, VersionRow

MOST_GROUPS = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_log = structlog.get_logger()


class OfBox(NamedTuple):
    """A box with what it is to have: its own document, its group's, and what its site wants otherwise, by key."""

    stands: StandsRow
    own: dict[str, Any]
    of_group: dict[str, Any]
    wishes: dict[str, Any]


class Configs:
    """Keeps what boxes are to have, and brings it to them."""

    def __init__(self, store: Store, clock: Clock, bus: Bus, signer: Signer | None) -> None:
        """Without ``signer`` nothing can be set: boxes believe nothing that is not signed."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._signer = signer
        self._due = Due(store, clock, rows.due, rows.next_due)

    @property
    def possible(self) -> bool:
        """Whether this hub can set anything at all."""
        return self._signer is not None

    def wake(self) -> None:
        """Something is due, or may be."""
        self._due.wake()

    # -- one box

    async def listed(
        self, actor: Actor, *, behind: bool = False, cursor: str | None = None, limit: int = 50
    ) -> Page[StandsRow]:
        """Return how boxes stand, by site and name; with ``behind`` those that are not as they are to be."""
        actor.require(Scope.MODEMS)
        site, _, box = (cursor or "/").partition("/")
        found = await self._store.read(lambda conn: rows.all_stand(conn, (site, box), limit + 1, behind=behind))
        return Page(found[:limit], found[limit - 1].name if len(found) > limit else None)

    async def get(self, actor: Actor, site: str, box: str) -> OfBox:
        """Return how a box stands, with its documents and its site's wishes; raises NotFound, Forbidden."""
        actor.require(Scope.MODEMS)

        def read(conn: sqlite3.Connection) -> OfBox:
            found = self._found(conn, site, box)
            local = json.loads(found.local or "[]")
            told = rows.wishes(conn, found.box_id) if local else {}
            own, of_group = rows.document_of(conn, found.own_rev), rows.document_of(conn, found.group_rev)
            return OfBox(found, own, of_group, {key: told.get(key) for key in local})

        return await self._store.read(read)

    async def versions(
        self, actor: Actor, site: str, box: str, *, cursor: int | None = None, limit: int = 50
    ) -> Page[VersionRow]:
        """Return what a box was to have, newest first; raises NotFound, Forbidden."""
        found = (await self.get(actor, site, box)).stands
        page = await self._store.read(lambda conn: rows.versions(conn, found.box_id, cursor, limit + 1))
        return Page(page[:limit], str(page[limit - 1].ver) if len(page) > limit else None)

    async def set_own(
        self, actor: Actor, site: str, box: str, document: Mapping[str, Any], looked_at: int | None = None
    ) -> StandsRow:
        """Give a box a document of its own, over its group's; it is published at once.

        ``looked_at`` is the version that was edited: another one by now is a Conflict. Raises NotFound,
        InvalidRequest (the document, with each key's pointer), Forbidden.
        """
        actor.require(Scope.ADMIN)
        self._must_sign()
        text, now = checked(document), to_ms(self._clock.now())

        def put(conn: sqlite3.Connection) -> StandsRow:
            found = self._found(conn, site, box)
            if looked_at is not None and looked_at != (found.ver or 0):
                raise Conflict(why=f"{found.name} is at version {found.ver or 0}, no more at {looked_at}: look again")
            revision = rows.add_revision(conn, text, actor.name, now, box_id=found.box_id)
            ver = rows.give(
                conn, found.box_id, own_rev=revision, group_rev=found.group_rev, actor=actor.name,
                why="its own document", now_ms=now,
            )  # fmt: skip
            audit.record(conn, actor, "config.set", found.name, now, {"version": ver, "revision": revision})
            return rows.stands(conn, found.box_id)

        given = await self._store.write(put)
        _log.info("config_set", box=given.name, ver=given.ver, actor=actor.name)
        self.changed()
        return given

    # -- groups

    async def groups(self, actor: Actor) -> list[GroupRow]:
        """Return the groups by name."""
        actor.require(Scope.MODEMS)
        return await self._store.read(rows.groups)

    async def group(self, actor: Actor, name: str) -> tuple[GroupRow, list[str]]:
        """Return a group and the names of its boxes; raises NotFound, Forbidden."""
        actor.require(Scope.MODEMS)

        def read(conn: sqlite3.Connection) -> tuple[GroupRow, list[str]]:
            found = group_named(conn, name)
            return found, [box for _, box in members(conn, found)]

        return await self._store.read(read)

    async def set_group(
        self, actor: Actor, name: str, pattern: str, document: Mapping[str, Any], looked_at: int | None = None
    ) -> GroupRow:
        """Make a group or change it; no box has its document before a roll-out brings it there.

        ``looked_at`` is the revision that was edited: another one by now is a Conflict. Raises InvalidRequest.
        """
        actor.require(Scope.ADMIN)
        problems = []
        if not _NAME.fullmatch(name):
            problems.append(FieldProblem("/name", "must be 1 to 32 lower-case letters, digits and hyphens"))
        if not 1 <= len(pattern) <= 120 or not pattern.isprintable() or not _is_pattern(pattern):
            detail = "must be a pattern of site/name such as kiel/*, or of the label such as label:*cellar*"
            problems.append(FieldProblem("/pattern", detail))
        if problems:
            raise InvalidRequest(problems[0], *problems[1:])
        text, now = checked(document), to_ms(self._clock.now())

        def put(conn: sqlite3.Connection) -> GroupRow:
            known = next(iter(rows.groups(conn, name)), None)
            if looked_at is not None and looked_at != (known.revision if known else 0):
                raise Conflict(why=f"{name} is at another revision than {looked_at} by now: look again")
            if known is None and len(rows.groups(conn)) >= MOST_GROUPS:
                raise Conflict(why=f"there are {MOST_GROUPS} groups: delete one first")
            group_id = rows.put_group(conn, name, pattern, now)
            if known is None or json.loads(known.doc) != json.loads(text):
                rows.add_revision(conn, text, actor.name, now, group_id=group_id)
            found = group_named(conn, name)
            audit.record(conn, actor, "config.group", name, now, {"pattern": pattern, "revision": found.revision})
            return found

        made = await self._store.write(put)
        self.changed()
        return made

    async def delete_group(self, actor: Actor, name: str) -> None:
        """Forget a group and its roll-outs; what boxes are to have stays. Raises NotFound, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())

        def delete(conn: sqlite3.Connection) -> bool:
            found = group_named(conn, name)
            if any(one.group == name for one in rollouts.open_ones(conn)):
                raise Conflict(why=f"{name} is being rolled out: abort that first")
            rows.drop_group(conn, found.id)
            audit.record(conn, actor, "config.group_delete", name, now, {"revision": found.revision})
            return True

        await self._store.write(delete)
        self.changed()

    # -- publishing

    async def serve(self, session: Session) -> None:
        """Publish what is due on a connection until it is lost; raises LinkError, StoreError."""
        while True:
            for one in await self._due.next():
                await self._publish(session, one)
            self.changed(wake=False)

    async def compare(self) -> None:
        """Make due what boxes do not have, whatever was published before."""
        now = to_ms(self._clock.now())
        if await self._store.write(lambda conn: rows.compare_all(conn, now)):
            self.wake()

    async def _publish(self, session: Session, one: StandsRow) -> None:
        now, sent = to_ms(self._clock.now()), False
        if self._signer is not None and one.epoch and one.ver and one.doc is not None:
            topic = Address(one.site, one.box).down("cfg", "desired")
            payload = wire.desired(
                json.loads(one.doc), ver=one.ver, ep=one.epoch, by=(one.actor or "")[:64], at=(one.at or now) / 1000
            )
            user = {"sv": str(wire.VERSION), "kid": self._signer.kid, "sig": self._signer.sign(topic, payload)}
            try:
                await session.publish(topic, payload, retain=True, user=user)
                sent = True
            except LinkRefused as error:
                _log.warning("config_refused", box=one.name, error=str(error))
        ver = one.ver or 0  # what has no epoch waits for its birth
        await self._store.write(lambda conn: rows.note_published(conn, one.box_id, ver, now, sent=sent))

    def changed(self, *, wake: bool = True) -> None:
        """Tell pages, and whoever publishes."""
        self._bus.publish(ConfigsChanged(to_ms(self._clock.now())))
        if wake:
            self.wake()

    def _must_sign(self) -> None:
        if self._signer is None:
            raise Conflict(why="a configuration must be signed, and this hub has no key ([signing] key_file)")

    def _found(self, conn: sqlite3.Connection, site: str, box: str) -> StandsRow:
        known = boxes.get(conn, site, box, to_ms(self._clock.now()))
        if known is None:
            raise NotFound(what="box", which=f"{site}/{box}"[:80])
        return rows.stands(conn, known.id)


def checked(document: object) -> str:
    """Return a document as it is kept; raises InvalidRequest with a pointer to each key that is wrong."""
    _, errors = wire.judge(document)
    problems = [FieldProblem(_pointer(error.path), f"{error.detail} ({error.code})") for error in errors]
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])
    try:
        return wire.canonical(document).decode()
    except wire.WireError as error:
        raise InvalidRequest(FieldProblem("/doc", error.detail)) from error


def group_named(conn: sqlite3.Connection, name: str) -> GroupRow:
    """Return a group; raises NotFound."""
    found = rows.groups(conn, name)
    if not found:
        raise NotFound(what="group", which=repr(name[:40]))
    return found[0]


def members(conn: sqlite3.Connection, group: GroupRow) -> list[tuple[int, str]]:
    """Return the boxes of a group: row id and name."""
    known = conn.execute("SELECT id, site || '/' || box, label FROM boxes ORDER BY site, box")
    return [(box_id, name) for box_id, name, label in known if group.has(name, label)]


def _is_pattern(pattern: str) -> bool:
    if pattern.startswith(rows.LABEL):
        return bool(pattern.removeprefix(rows.LABEL).strip())
    return re.fullmatch(r"[a-z0-9*?\[\]!-]+/[a-z0-9*?\[\]!-]+", pattern) is not None


def _pointer(path: str) -> str:
    return "/doc" + "".join(f"/{part}" for part in path.split(".") if part)
