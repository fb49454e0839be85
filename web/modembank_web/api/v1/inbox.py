"""Inbound messages."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Scope
from modembank.messages import InboxView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import examples
from modembank_web.api.v1.listing import DEFAULT_LIMIT, Limit, next_address
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/inbox"


class InboxQuery(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """Which inbound messages to list."""

    sender: str | None = None
    q: str | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class InboxPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of inbound messages, newest first; ``next`` is the address of the next page, or null at the end."""

    items: Sequence[InboxView]
    next: str | None
    unsearched: int = 0


async def list_inbox(call: Call) -> Answer:
    """Return a page of inbound messages."""
    query = call.query(InboxQuery)
    page = await call.app.inbox.list(
        call.caller, sender=query.sender, words=query.q, cursor=query.cursor, limit=query.limit
    )
    return json_answer(InboxPage(page.items, next_address(PATH, query, page.cursor), page.unsearched))


async def get_inbox_message(call: Call) -> Answer:
    """Return one inbound message."""
    return json_answer(await call.app.inbox.get(call.caller, call.path("id")))


OPERATIONS = (
    Operation(
        id="listInbox",
        method="GET",
        path=PATH,
        tag="Inbox",
        summary="List inbound messages",
        description=(
            "Newest first. Long messages appear when all parts came, or were given up as incomplete. A sender's key "
            "sees what answers its own messages: an inbound message belongs to the user who had last written to its "
            "sender. An admin's key sees all. A page can be short and still have a `next`. `q` "
            "looks for words as in `listMessages`."
        ),
        run=list_inbox,
        needs=(Scope.MESSAGES_READ,),
        query=InboxQuery,
        replies=(Reply(200, "A page of inbound messages", InboxPage, examples.INBOX_PAGE),),
    ),
    Operation(
        id="getInboxMessage",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag="Inbox",
        summary="Look up one inbound message",
        description="With its content in hex when it is not text, and the parts that never came.",
        run=get_inbox_message,
        needs=(Scope.MESSAGES_READ,),
        parameters={"id": ("The inbound message's id", "inb_0000008000002")},
        replies=(Reply(200, "The message", InboxView, examples.INBOX_MESSAGE),),
    ),
)
