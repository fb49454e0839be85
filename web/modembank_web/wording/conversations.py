"""Words of the OpenAPI document for the fields of conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import PAGING

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ConversationsQuery": PAGING,
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
}
