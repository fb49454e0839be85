"""Words of the OpenAPI document about conversations and the dialects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIALECT_TAGS: Mapping[str, str] = {
    "Mailing gateway": "For clients of a mailing gateway: tasks with `task_id`, `task_status` and `task_result`.",
    "Messaging service": "For clients of a messaging service with several channels; here, `sms` has a provider.",
    "SMS service": "For clients of an SMS service that names both numbers and a `uuid`.",
}

_CURSOR = {"description": "Where to go on, from `next` of the page before", "example": "eyJpZCI6MX0"}
_LIMIT = {"description": "How many items at most", "example": 50}
_PAGING: Mapping[str, Mapping[str, Any]] = {"cursor": _CURSOR, "limit": _LIMIT}

TALK_FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ConversationsQuery": _PAGING,
    "ConversationView": {
        "user": {"description": "Whose it is; null: nobody had written to the number"},
        "last_id": {"description": "Of the newest inbound message"},
        "last_text": {"description": "The first 160 characters of its text"},
        "unread": {"description": "Inbound messages after the last one that was marked as read"},
        "opted_out": {"description": "The number wants no messages of this box"},
        "last_sent_id": {"description": "Of the newest message to the number, if there is one"},
        "last_sent_status": {"description": "Its state"},
    },
    "ReplyRequest": {"text": {"description": "The text", "minLength": 1}},
    "ReadRequest": {"up_to": {"description": "The last inbound message that was read; all when left out"}},
    "ReadView": {
        "unread": {"description": "Inbound messages that are still unread, counted up to 1,000 for each user"}
    },
    "SendingRequest": {
        "number": {"description": "E.164, national, or an operator's short code"},
        "text": {"description": "The text", "minLength": 1},
    },
    "MailingRequest": {
        "numbers": {"description": "Up to 10,000 numbers"},
        "text": {"description": "The text, the same for all", "minLength": 1},
    },
    "Task": {
        "task_status": {"description": "`PENDING`, `STARTED`, `SUCCESS` or `FAILURE`"},
        "task_result": {"description": "One object for one number, a list for a list of numbers"},
    },
    "TaskResult": {
        "status": {"description": "The message's state, or `refused`"},
        "URL": {"description": "The message's own address; empty when the number was refused"},
        "detail": {"description": "Why it was refused"},
    },
    "ChannelRequest": {
        "type": {"description": "The channel; only `sms` has a provider"},
        "recipient": {"description": "The number"},
        "content": {"description": "The text", "minLength": 1},
    },
    "ChannelQuery": _PAGING,
    "SmsRequest": {
        "senderPhone": {"description": "The number it comes from"},
        "receiverPhone": {"description": "The number it goes to"},
        "messageText": {"description": "The text"},
        "timestamp": {"description": "When it was written: RFC 3339, or unix seconds or milliseconds"},
        "uuid": {"description": "Names the message: it is done once"},
    },
    "SmsConversationQuery": _PAGING,
}
