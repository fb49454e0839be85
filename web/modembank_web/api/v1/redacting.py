"""Taking away what was said: redacting and deleting messages of both directions."""

from __future__ import annotations

import msgspec

from modembank.accounts import Scope
from modembank.messages import InboxView, MessageView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import examples, inbox, messages
from modembank_web.operation import Call, Operation, Reply

_MESSAGE = {"id": ("The message's id", "msg_0000008000001")}
_INBOUND = {"id": ("The inbound message's id", "inb_0000008000002")}
_KEPT = (
    "The box keeps a row with its number, times and state, which delivery reports, quotas and the count of all that "
    "was accepted need; backups made before still hold the text. The audit log tells who did it."
)


class Deleted(msgspec.Struct, frozen=True):
    """What is not to be found any more."""

    id: str
    deleted: bool = True


async def redact_message(call: Call) -> Answer:
    """Take the text of a message away."""
    return json_answer(await call.app.messages.redact(call.caller, call.path("id")))


async def delete_message(call: Call) -> Answer:
    """Let a message vanish."""
    await call.app.messages.delete(call.caller, call.path("id"))
    return json_answer(Deleted(call.path("id")))


async def redact_inbox_message(call: Call) -> Answer:
    """Take the content of an inbound message away."""
    return json_answer(await call.app.inbox.redact(call.caller, call.path("id")))


async def delete_inbox_message(call: Call) -> Answer:
    """Let an inbound message vanish."""
    await call.app.inbox.delete(call.caller, call.path("id"))
    return json_answer(Deleted(call.path("id")))


OPERATIONS = (
    Operation(
        id="redactMessage",
        method="POST",
        path=f"{messages.PATH}/{{id}}/redact",
        tag="Messages",
        summary="Take the text of a message away",
        description=(
            "For good: `text` is empty from then on and `redacted` is true; all else stays to be seen. Works when the "
            "message was sent or has ended; while the text may still be sent it answers 409. Twice is as good as once."
        ),
        run=redact_message,
        needs=(Scope.MESSAGES_SEND,),
        parameters=_MESSAGE,
        replies=(Reply(200, "The redacted message", MessageView, examples.REDACTED),),
        raises=("conflict",),
    ),
    Operation(
        id="deleteMessage",
        method="DELETE",
        path=f"{messages.PATH}/{{id}}",
        tag="Messages",
        summary="Delete a message",
        description=(
            "For good: no list and no look-up shows it to anybody any more, and its text and reference are gone. Works "
            f"when the message was sent or has ended; before, it answers 409: cancel it first. {_KEPT}"
        ),
        run=delete_message,
        needs=(Scope.MESSAGES_SEND,),
        parameters=_MESSAGE,
        replies=(Reply(200, "It is deleted", Deleted, examples.DELETED),),
        raises=("conflict",),
    ),
    Operation(
        id="redactInboxMessage",
        method="POST",
        path=f"{inbox.PATH}/{{id}}/redact",
        tag="Inbox",
        summary="Take the content of an inbound message away",
        description=(
            "For good, also for parts of it that still come: `text` is empty from then on and `redacted` is true. What "
            "the modem read is forgotten within three days of its coming."
        ),
        run=redact_inbox_message,
        needs=(Scope.MESSAGES_SEND,),
        parameters=_INBOUND,
        replies=(Reply(200, "The redacted message", InboxView, examples.INBOX_REDACTED),),
    ),
    Operation(
        id="deleteInboxMessage",
        method="DELETE",
        path=f"{inbox.PATH}/{{id}}",
        tag="Inbox",
        summary="Delete an inbound message",
        description=(
            "For good: no list and no look-up shows it to anybody any more, and its content is gone. An opt-out that "
            f"it said stays in force. {_KEPT}"
        ),
        run=delete_inbox_message,
        needs=(Scope.MESSAGES_SEND,),
        parameters=_INBOUND,
        replies=(Reply(200, "It is deleted", Deleted, examples.INBOX_DELETED),),
    ),
)
