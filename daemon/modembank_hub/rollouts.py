"""Roll-outs: a group's document, or a version of the software, brought to its boxes in steps, a share of them first.

It stops where too many fail.

Where one is, is in the rows alone: after a restart it goes on from there.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Sequence

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.store import Store
from modembank_hub import rows_of_config as configs
from modembank_hub import rows_of_rollouts as rows
from modembank_hub.configs import Configs, group_named, members
from modembank_hub.fleet import Page
from modembank_hub.rows_of_config import GroupRow
from modembank_hub.rows_of_rollouts import ABORTED, DONE, PAUSED, RUNNING, STOPPED, Counts, RolloutBox, RolloutRow
from modembank_hub.software import TTL_S, By, Release, order_cancel, order_release

STEPS = (10, 100)
LIMIT_PERCENT = 10
WAIT_S = 900
_log = structlog.get_logger()


class Progress(msgspec.Struct, frozen=True):
    """A roll-out and its boxes."""

    row: RolloutRow
    counts: Counts
    boxes: Sequence[RolloutBox]


class Rollouts:
    """Begins them, moves them on, and stops them."""

    def __init__(self, store: Store, clock: Clock, configs_: Configs, commands_due: Callable[[], None]) -> None:
        """Over the hub's store; ``commands_due`` is called when there may be commands to send."""
        self._store = store
        self._commands_due = commands_due
        self._clock = clock
        self._configs = configs_

    async def begin(
        self,
        actor: Actor,
        group: str,
        *,
        steps: Sequence[int] = STEPS,
        limit_percent: int = LIMIT_PERCENT,
        wait_s: int = WAIT_S,
    ) -> Progress:
        """Bring a group's newest document to its boxes of now. Raises NotFound, Conflict, InvalidRequest, Forbidden."""
        return await self._begin(actor, group, None, steps, limit_percent, wait_s)

    async def begin_software(
        self,
        actor: Actor,
        group: str,
        release: Release,
        *,
        steps: Sequence[int] = STEPS,
        limit_percent: int = LIMIT_PERCENT,
        wait_s: int = TTL_S,
    ) -> Progress:
        """Bring a version to those boxes of a group that install updates and have a file in it. Raises as begin()."""
        if not release.files:
            raise InvalidRequest(FieldProblem("/files", "must have a file for amd64 or arm64"))
        return await self._begin(actor, group, release, steps, limit_percent, wait_s)

    async def _begin(
        self,
        actor: Actor,
        group: str,
        release: Release | None,
        steps: Sequence[int],
        limit_percent: int,
        wait_s: int,
    ) -> Progress:
        actor.require(Scope.ADMIN)
        if not self._configs.possible:
            raise Conflict(why="what is rolled out must be signed, and this hub has no key ([signing] key_file)")
        _check(steps, limit_percent, wait_s)
        now = self._now()

        def begin(conn: sqlite3.Connection) -> Progress:
            found = group_named(conn, group)
            mine = _boxes_for(conn, found, release)
            under_way = _under_way(conn, {box_id for box_id, _ in mine})
            if under_way is not None:
                raise Conflict(why=f"roll-out {under_way} has boxes of {group}: let it end, or abort it")
            revision = found.revision if release is None else 0
            software = "" if release is None else msgspec.json.encode(release).decode()
            new = rows.NewRollout(found.id, revision, actor.name, steps, limit_percent, wait_s, software)
            rollout_id = rows.add(conn, new, mine, now)
            what = {"revision": revision} if release is None else {"version": release.version}
            told = {"group": group, **what, "boxes": len(mine), "steps": list(steps)}
            audit.record(conn, actor, "rollout.begin", str(rollout_id), now, told)
            _advance(conn, _found(conn, rollout_id), now)
            return _progress(conn, rollout_id)

        begun = await self._store.write(begin)
        _log.info("rollout_begun", rollout=begun.row.id, group=group, boxes=begun.counts.boxes, actor=actor.name)
        self._changed()
        return begun

    async def pause(self, actor: Actor, rollout_id: int) -> Progress:
        """Give it to no further box until it is continued; raises NotFound, Conflict, Forbidden."""
        return await self._order(actor, rollout_id, "pause", {RUNNING}, PAUSED)

    async def go_on(self, actor: Actor, rollout_id: int) -> Progress:
        """Go on with one that was paused, or has stopped by itself; raises NotFound, Conflict, Forbidden."""
        return await self._order(actor, rollout_id, "continue", {PAUSED, STOPPED}, RUNNING)

    async def abort(self, actor: Actor, rollout_id: int) -> Progress:
        """End it; boxes that have it keep it. One of software is ended too where boxes have not begun to install it.

        Raises NotFound, Conflict, Forbidden.
        """
        return await self._order(actor, rollout_id, "abort", {RUNNING, PAUSED, STOPPED}, ABORTED)

    async def get(self, actor: Actor, rollout_id: int) -> Progress:
        """Return one with its boxes; raises NotFound, Forbidden."""
        actor.require(Scope.MODEMS)
        return await self._store.read(lambda conn: _progress(conn, rollout_id))

    async def list(
        self, actor: Actor, *, group: str | None = None, cursor: int | None = None, limit: int = 50
    ) -> Page[Progress]:
        """Return them, newest first."""
        actor.require(Scope.MODEMS)

        def read(conn: sqlite3.Connection) -> list[Progress]:
            return [_progress(conn, row.id) for row in rows.page(conn, cursor, limit + 1, group)]

        found = await self._store.read(read)
        return Page(found[:limit], str(found[limit - 1].row.id) if len(found) > limit else None)

    async def advance(self) -> None:
        """Move on those that run, as far as what boxes have said lets them."""
        now = self._now()

        def advance(conn: sqlite3.Connection) -> bool:
            moved = [_advance(conn, row, now) for row in rows.open_ones(conn, RUNNING)]
            return any(moved)

        if await self._store.read(lambda conn: bool(rows.open_ones(conn, RUNNING))) and await self._store.write(
            advance
        ):
            self._changed()

    async def welcome(self) -> None:
        """Give boxes that are new what was rolled out to the whole of their group: the first one by name."""
        now = self._now()
        due = await self._store.read(lambda conn: bool(rows.settled(conn) and rows.newcomers(conn)))
        if due and await self._store.write(lambda conn: _welcome(conn, now) > 0):
            self._configs.changed()

    async def _order(self, actor: Actor, rollout_id: int, word: str, allowed: set[str], state: str) -> Progress:
        actor.require(Scope.ADMIN)
        now = self._now()

        def order(conn: sqlite3.Connection) -> Progress:
            found = _found(conn, rollout_id)
            if found.state not in allowed:
                raise Conflict(why=f"the roll-out is {found.state}")
            rows.move(conn, rollout_id, state, "", now)
            if state == RUNNING:  # what it had stopped for is known: only what comes now counts
                rows.forgive(conn, rollout_id, now)
                _advance(conn, _found(conn, rollout_id), now)
            if state == ABORTED and found.software:
                _call_off(conn, found, By(actor.name, now, TTL_S))
            audit.record(conn, actor, f"rollout.{word}", str(rollout_id), now, {"group": found.group})
            return _progress(conn, rollout_id)

        done = await self._store.write(order)
        self._changed()
        return done

    def _changed(self) -> None:
        self._configs.changed()
        self._commands_due()

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _check(steps: Sequence[int], limit_percent: int, wait_s: int) -> None:
    problems = []
    rising = all(before < after for before, after in itertools.pairwise(steps))
    if not 1 <= len(steps) <= 10 or not rising or steps[0] < 1 or steps[-1] != 100:
        problems.append(FieldProblem("/steps", "must be 1 to 10 rising shares in percent that end with 100"))
    if not 1 <= limit_percent <= 100:
        problems.append(FieldProblem("/limit_percent", "must be 1 to 100"))
    if not 10 <= wait_s <= 7 * 86_400:
        problems.append(FieldProblem("/wait_s", "must be 10 to 604800 seconds"))
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])


def _found(conn: sqlite3.Connection, rollout_id: int) -> RolloutRow:
    found = rows.get(conn, rollout_id)
    if found is None:
        raise NotFound(what="roll-out", which=rollout_id)
    return found


def _progress(conn: sqlite3.Connection, rollout_id: int) -> Progress:
    found, boxes = _found(conn, rollout_id), rows.boxes_of(conn, rollout_id)
    return Progress(found, rows.counts_of(boxes), boxes)


def _under_way(conn: sqlite3.Connection, box_ids: set[int]) -> int | None:
    for row in rows.open_ones(conn):
        if any(box.box_id in box_ids for box in rows.boxes_of(conn, row.id)):
            return row.id
    return None


def _advance(conn: sqlite3.Connection, row: RolloutRow, now: int) -> bool:
    """Do what is next of one that runs; return whether anything was."""
    boxes = rows.boxes_of(conn, row.id)
    fresh = [box for box in boxes if box.step == row.step and not box.given]
    if _failing(conn, row, boxes, now):
        return True
    if fresh:
        for box in fresh:
            _give(conn, row, box.box_id, now, len(fresh))
        return True
    given = [box for box in boxes if box.step == row.step]
    counts = rows.counts_of(given)
    waited = now - row.step_at >= row.wait_s * 1000
    if counts.silent and not waited:
        return False
    if counts.silent and not counts.applied:
        rows.move(conn, row.id, STOPPED, f"none of the {len(given)} boxes of step {row.step + 1} has taken it", now)
        return True
    if any(box.step > row.step for box in boxes):
        following = min(box.step for box in boxes if box.step > row.step)
        rows.begin_step(conn, row.id, following, now)
        return _advance(conn, _found(conn, row.id), now)
    rows.move(conn, row.id, DONE, "", now)
    return True


def _give(conn: sqlite3.Connection, row: RolloutRow, box_id: int, now: int, together: int) -> None:
    """Let a box be to have it from now on: a document, or the command for a version (``together`` get it now)."""
    if row.software:
        release = msgspec.json.decode(row.software, type=Release)
        by = By(row.actor, now, max(row.wait_s, TTL_S))
        command = order_release(conn, release, box_id, _job(row), by, together)
        rows.note_command(conn, row.id, box_id, command)
        return
    known = configs.stands(conn, box_id)
    why = f"roll-out {row.id} of {row.group}"
    ver = configs.give(
        conn, box_id, own_rev=known.own_rev, group_rev=row.revision, actor=row.actor, why=why, now_ms=now
    )
    rows.note_given(conn, row.id, box_id, ver)


def _job(row: RolloutRow) -> str:
    return f"rollout-{row.id}"


def _call_off(conn: sqlite3.Connection, row: RolloutRow, by: By) -> None:
    """Have boxes end what they were told to install and have not said the end of; who has begun to, goes on."""
    for box in rows.boxes_of(conn, row.id):
        if box.command is not None and not box.outcome:
            order_cancel(conn, box.box_id, _job(row), by)


def _boxes_for(conn: sqlite3.Connection, group: GroupRow, release: Release | None) -> list[tuple[int, str]]:
    """Return the boxes that it is for: row id and name. Raises Conflict when there are none."""
    mine = members(conn, group)
    if not mine:
        raise Conflict(why=f"no box belongs to {group.name} ({group.pattern})")
    if release is None:
        return mine
    births = dict(conn.execute("SELECT id, birth FROM boxes").fetchall())
    fitting = [(box_id, name) for box_id, name in mine if release.fits(births[box_id])]
    if not fitting:
        raise Conflict(why=f"no box of {group.name} installs updates and is of a machine that has a file in this one")
    return fitting


def _failing(conn: sqlite3.Connection, row: RolloutRow, boxes: Sequence[RolloutBox], now: int) -> bool:
    """Stop where too many of those that have it failed; return whether that is so."""
    counts = rows.counts_of([box for box in boxes if not box.forgiven])
    if not counts.failed or counts.failed * 100 < row.limit_percent * counts.given:
        return False
    how = "did not end with it" if row.software else "rejected it or rolled it back"
    why = f"{counts.failed} of {counts.given} boxes {how}"
    rows.move(conn, row.id, STOPPED, why, now)
    return True


def _welcome(conn: sqlite3.Connection, now: int) -> int:
    settled = rows.settled(conn)
    if not settled:
        return 0
    groups = [group for group in configs.groups(conn) if group.id in settled]
    welcomed = 0
    for box_id, name, label in rows.newcomers(conn):
        group = next((group for group in groups if group.has(name, label)), None)
        if group is not None:
            why = f"new in {group.name}"
            configs.give(conn, box_id, own_rev=None, group_rev=settled[group.id], actor="hub", why=why, now_ms=now)
            welcomed += 1
    return welcomed
