"""The audit log: reading and verifying it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from modembank.accounts import Scope
from modembank.audit import AuditEntry, AuditVerdict, Wanted
from modembank.clock import to_ms
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import account_examples as examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/audit"
Word = Annotated[str, msgspec.Meta(max_length=64)]


class AuditQuery(msgspec.Struct, frozen=True):
    """Which entries to list."""

    actor: Word | None = None
    action: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+(\.[a-z]+)?$", max_length=64)] | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class AuditItems(msgspec.Struct, frozen=True):
    """A page of entries, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[AuditEntry]
    next: str | None


async def list_audit(call: Call) -> Answer:
    """Return a page of entries."""
    query = call.query(AuditQuery)
    since = None if query.since is None else to_ms(query.since.timestamp())
    wanted = Wanted(query.actor, query.action, since)
    page = await call.app.audit.list(call.caller, wanted, cursor=query.cursor, limit=query.limit)
    return json_answer(AuditItems(page.items, next_address(PATH, query, page.cursor)))


async def verify_audit(call: Call) -> Answer:
    """Verify the whole log."""
    return json_answer(await call.app.audit.verify(call.caller))


OPERATIONS = (
    Operation(
        id="listAudit",
        method="GET",
        path=PATH,
        tag="Audit",
        summary="List who changed what",
        description=(
            "Newest first: users, keys, sessions, quotas, SIMs, modems, issues, outages, settled and cancelled "
            "messages. Accepted messages are their own record. `clock_ok` is false where the box's clock cannot have "
            "been right."
        ),
        run=list_audit,
        needs=(Scope.ADMIN,),
        query=AuditQuery,
        replies=(Reply(200, "A page of entries", AuditItems, {"items": [examples.AUDIT_ENTRY], "next": None}),),
    ),
    Operation(
        id="verifyAudit",
        method="POST",
        path=f"{PATH}/verify",
        tag="Audit",
        summary="Verify the audit log",
        description=(
            "Walks the chain of hashes from the first entry on and names the first that is not as it was written. "
            "Keep `head` elsewhere: it vouches for everything before it. The verification is itself recorded."
        ),
        run=verify_audit,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The verdict", AuditVerdict, examples.VERDICT),),
    ),
)
