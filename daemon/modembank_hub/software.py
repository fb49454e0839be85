"""Software of boxes: which version, from where, and the commands that bring it."""

from __future__ import annotations

import json
import secrets
from typing import Any

import msgspec

from modembank.accounts import Actor
from modembank.errors import Conflict
from modembank_fleet.wire.commands import DAY, Digest, Hours, UpdateUrl, Version
from modembank_hub.orders import Orders
from modembank_hub.rows_of_commands import CommandRow

UPDATE, CANCEL, ROLLBACK = "sw.update", "sw.cancel", "sw.rollback"
TTL_S = DAY
"""For so long an update may wait for its box, and be fetched, unless somebody says otherwise."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An update for one box, as somebody asks for it; the fields are those of the command."""

    version: Version
    sha256: Digest
    url: UpdateUrl = ""
    window: Hours = ""
    force: bool = False


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
