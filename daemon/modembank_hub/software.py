"""Software of boxes: which version, from where, and the commands that bring it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from typing import Any, Literal, TypeAlias

import msgspec

from modembank.accounts import Actor
from modembank.errors import Conflict
from modembank_fleet.wire.commands import DAY, Digest, Hours, UpdateUrl, Version
from modembank_hub import rows_of_commands
from modembank_hub.orders import Orders
from modembank_hub.rows_of_commands import CommandRow, NewCommand

UPDATE, CANCEL, ROLLBACK = "sw.update", "sw.cancel", "sw.rollback"
TTL_S = DAY
"""For so long an update may wait for its box, and be fetched, unless somebody says otherwise."""
TURN_S, MOST_SPREAD_S = 2, 3600
"""Boxes that are told together spread themselves over so many seconds for each, an hour at most."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An update for one box, as somebody asks for it; the fields are those of the command."""

    version: Version
    sha256: Digest
    url: UpdateUrl = ""
    window: Hours = ""
    force: bool = False


Architecture: TypeAlias = Literal["amd64", "arm64"]
MACHINES: tuple[Architecture, ...] = ("amd64", "arm64")
_MACHINES: dict[str, Architecture] = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
"""What boxes say of themselves in their birth."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bundle; an empty ``url`` is each box's own source."""

    sha256: Digest
    url: UpdateUrl = ""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version for many boxes: a file for each kind of machine."""

    version: Version
    files: dict[Architecture, File]
    window: Hours = ""
    force: bool = False

    def fits(self, birth: str | None) -> bool:
        """Whether a box, by its birth, carries out updates and there is a file for it."""
        return self._file(birth) is not None

    def arguments(self, birth: str | None, job: str, together: int) -> dict[str, Any]:
        """Return the arguments of the command for a box that it fits; so many are told at the same time."""
        file = self._file(birth)
        told: dict[str, Any] = {} if file is None else {"sha256": file.sha256, "url": file.url}
        told |= {"job": job, "version": self.version, "window": self.window, "force": self.force}
        told["spread"] = min(MOST_SPREAD_S, TURN_S * (together - 1))
        return {name: value for name, value in told.items() if value}

    def _file(self, birth: str | None) -> File | None:
        told = json.loads(birth) if birth else {}
        machine = _MACHINES.get(told.get("sw", {}).get("arch", ""))
        return self.files.get(machine) if machine and UPDATE in told.get("verbs", ()) else None


class By(msgspec.Struct, frozen=True):
    """Who orders something, when (unix ms), and for how many seconds it may wait."""

    actor: str
    at: int
    ttl_s: int


def order_release(conn: sqlite3.Connection, release: Release, box_id: int, job: str, by: By, together: int) -> str:
    """Give a box the command for a release, inside a write; ``together`` boxes are given it now."""
    birth = conn.execute("SELECT birth FROM boxes WHERE id = ?", (box_id,)).fetchone()[0]
    return _order(conn, box_id, UPDATE, release.arguments(birth, job, together), by)


def order_cancel(conn: sqlite3.Connection, box_id: int, job: str, by: By) -> str:
    """Have a box end a job that it has not begun to install, inside a write."""
    return _order(conn, box_id, CANCEL, {"job": job}, by)


def _order(conn: sqlite3.Connection, box_id: int, verb: str, args: dict[str, Any], by: By) -> str:
    epoch = conn.execute("SELECT epoch FROM boxes WHERE id = ?", (box_id,)).fetchone()[0]
    command_id = f"{by.at:011x}{secrets.token_hex(8)}"
    given = NewCommand(command_id, box_id, verb, json.dumps(args), epoch, by.actor, by.at, by.ttl_s)
    rows_of_commands.add(conn, given)
    return command_id


class Software:
    """Gives boxes the commands of their software."""

    def __init__(self, orders: Orders) -> None:
        """Over the commands."""
        self._orders = orders

    async def install(self, actor: Actor, site: str, box: str, wanted: Wanted, ttl_s: int | None = None) -> CommandRow:
        """Have a box install a version. Raises as Orders.give()."""
        args, ttl = arguments_of(wanted), TTL_S if ttl_s is None else ttl_s
        return await self._orders.give(actor, site, box, UPDATE, args, ttl)

    async def roll_back(self, actor: Actor, site: str, box: str) -> CommandRow:
        """Have a box go back to what its other slot holds. Raises as Orders.give()."""
        return await self._orders.give(actor, site, box, ROLLBACK, {})

    async def stop(self, actor: Actor, command_id: str) -> CommandRow:
        """Have a box end an update that it has not begun to install; return the command for that.

        Raises NotFound, Forbidden, and Conflict where it is none, or has ended.
        """
        found = await self._orders.get(actor, command_id)
        if found.verb != UPDATE or found.ended_at is not None:
            raise Conflict(why="only an update that is under way can be stopped")
        return await self._orders.give(actor, found.site, found.box, CANCEL, {"job": json.loads(found.args)["job"]})


def arguments_of(wanted: Wanted) -> dict[str, Any]:
    """Return the command's arguments, with a job of their own."""
    told = {name: getattr(wanted, name) for name in Wanted.__struct_fields__}
    return {"job": f"job-{secrets.token_hex(8)}", **{name: value for name, value in told.items() if value}}
