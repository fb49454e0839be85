"""Words of the OpenAPI document for the fields of the dialects of smaller services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import PAGING

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
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
        "type": {"description": "The channel; `email` and `whatsapp` need a provider of theirs"},
        "recipient": {"description": "The number, or the address of an e-mail"},
        "content": {"description": "The text", "minLength": 1},
    },
    "ChannelQuery": PAGING,
    "SmsRequest": {
        "senderPhone": {"description": "The number it comes from"},
        "receiverPhone": {"description": "The number it goes to"},
        "messageText": {"description": "The text"},
        "timestamp": {"description": "When it was written: RFC 3339, or unix seconds or milliseconds; 1970 to 2100"},
        "uuid": {"description": "Names the message: it is done once"},
    },
    "SmsConversationQuery": PAGING,
}
