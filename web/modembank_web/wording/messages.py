"""Words of the OpenAPI document for the fields of messages, sent and received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import CURSOR, LIMIT

WORDS: Mapping[str, Any] = {"description": "Words that the text must have", "example": '"table for two" confirm*'}
UNSEARCHED: Mapping[str, Any] = {
    "description": "Only with `q`: how many messages, still to be indexed, were not looked at; left out when all were"
}

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "SubmitRequest": {
        "to": {
            "description": "One number, or a list of up to 10,000; E.164, national, or an operator's short code; with"
            " the channel `email` addresses"
        },
        "text": {"description": "The text, without the placeholders of a template", "minLength": 1},
        "channel": {"description": "By which it goes; `email` and `whatsapp` need a provider of theirs on the box"},
        "subject": {
            "description": "Of an e-mail; without one it is the beginning of the text",
            "maxLength": 200,
        },
        "reference": {"description": "Your own name for it, 1 to 255 characters; need not be unique"},
        "sim": {"description": "Only through this SIM: its ICCID, its slot, or a label that only it has"},
        "pool": {"description": "Only through the SIMs with this label"},
        "providers": {
            "description": "Only through these, the first that can: providers, `bank`, SIMs or pools. SIMs and pools"
            " side by side have no order among themselves"
        },
        "priority": {"description": "9 goes first", "minimum": 0, "maximum": 9},
        "valid_for_s": {"description": "Seconds, from `send_at` or now, after which it is not worth sending any more"},
        "send_at": {"description": "Not before this time; up to a year ahead"},
        "window": {"description": "`HH:MM-HH:MM` in the box's time, outside of which it waits"},
        "delivery_report": {"description": "Ask the network for a report"},
        "encoding": {"description": "`auto` takes the cheapest that loses nothing"},
        "flash": {"description": "Shown at once and not stored (class 0)"},
        "max_segments": {"description": "Refuse a text that needs more, 1 to 255; the box has a default"},
        "on_unknown": {"description": "When a part may have been sent: `hold` (never twice) or `resend` (never lost)"},
        "dry_run": {"description": "Check all, also opt-outs and the quota, and store nothing"},
        "partial": {"description": "Leave out recipients that can get no message instead of refusing all of them"},
    },
    "Receipt": {
        "messages": {"description": "One per recipient, in the order given; the same number twice gets one message"},
        "batch": {"description": "Names them together; only with several recipients"},
        "notes": {"description": "What is no error but worth knowing"},
        "dry_run": {"description": "Nothing was stored"},
        "refused": {"description": "How many of `messages` are `refused`, when `partial` was asked for"},
        "id": {"description": "Of the only message, when `to` was one number; likewise the next four"},
    },
    "Accepted": {
        "id": {"description": "Empty in a dry run, and when `refused`"},
        "to": {"description": "The number in its one form; as you wrote it when `refused`"},
        "status": {"description": "The message's state, or `refused`: there is no message"},
        "reason": {"description": "Why it was refused: `bad_number`, `not_permitted` or `opted_out`"},
        "detail": {"description": "The same in a sentence"},
    },
    "PreviewRequest": {
        "text": {"description": "The text to look at"},
        "encoding": {"description": "As in sending"},
    },
    "MessagesQuery": {
        "status": {"description": "States, separated by commas", "example": "sent,delivered"},
        "to": {"description": "The recipient's number", "example": "+447900900123"},
        "since": {"description": "Created at or after this time", "example": "2026-11-20T00:00:00Z"},
        "until": {"description": "Created before this time", "example": "2026-11-21T00:00:00Z"},
        "batch": {"description": "The batch's id", "example": "bat_0000008000001"},
        "reference": {"description": "Your own name for it", "example": "order-4711"},
        "sim": {"description": "ICCID of the SIM that sent it, or tried last", "example": "8944110068256270054"},
        "provider": {"description": "Name of the provider that took it, or tried last", "example": "smpp-1"},
        "q": WORDS,
        "cursor": CURSOR,
        "limit": LIMIT,
    },
    "InboxQuery": {
        "from": {"description": "The sender's number or name", "example": "+447900900123"},
        "q": WORDS,
        "cursor": CURSOR,
        "limit": LIMIT,
    },
    "MessagesPage": {"unsearched": UNSEARCHED},
    "InboxPage": {"unsearched": UNSEARCHED},
    "SettleRequest": {
        "as": {"description": "What became of it, as far as you know"},
        "note": {"description": "How you know, up to 200 characters; it stands in the message's `cause`"},
    },
    "SettleManyRequest": {
        "as": {"description": "What became of them, as far as you know"},
        "older_than_s": {"description": "Only those accepted longer ago than so many seconds"},
        "note": {"description": "How you know, up to 200 characters; it stands in each message's `cause`"},
    },
}
