"""Words of the OpenAPI document that belong to no single operation: the introduction, the tags, and the fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web import account_wording, opt_out_wording, twilio_wording, wording_events
from modembank_web.talk_wording import DIALECT_TAGS, TALK_FIELDS
from modembank_web.wording_of_mailings import MAILING_FIELDS

DESCRIPTION = """\
Send and receive SMS through the modems of this box.

**Authentication.** An API key in `Authorization: Bearer <key>`, in `API-Key: <key>`, or as the password of HTTP Basic.
Never in the address: such a request is refused with 400. A key carries scopes; an admin's key with `admin` may all.
Pages log in instead (`POST /api/v1/session`) and carry a cookie.

**Durable.** A 202 is answered after the message is on the disk. Repeat a request whose answer was lost with the same
`Idempotency-Key` and nothing is sent twice.

**States** of a message: `accepted scheduled queued sending sent delivered undelivered expired failed cancelled
unknown`. They never go backwards. `unknown` means that a part may or may not have been sent; it is neither a failure
nor a success and is never sent again unless the message says `on_unknown: resend`.

**Times** are RFC 3339 in UTC, **numbers** E.164 (national input is completed with the box's region), **lists** have
`items` and `next`, the address of the next page or null.

**Errors** are `application/problem+json` (RFC 9457) with an `error_code` for programs; unknown fields and parameters
are refused by name.
"""

TAGS: Mapping[str, str] = {
    "Messages": "Outbound messages, one per recipient.",
    "Mailings": "Files of recipients, each with a text of its own, sent as one thing.",
    "Outage": "What grew old while nothing could be sent, and what becomes of it.",
    "Inbox": "What came in.",
    "Opt-outs": "Numbers that want no messages of this box, and what may have meant it.",
    "Conversations": "What was written to a number and what came from it.",
    **DIALECT_TAGS,
    "Modems": "The modems in their slots.",
    "SIMs": "The SIM cards, wherever they sit: limits belong to them.",
    "Events": "What happens, as it happens: followed by a client, or posted to webhooks.",
    "Webhooks": "Addresses that events are posted to.",
    "Account": "Logging in, and who one is.",
    "Users": "Who may come in, and how much each may send.",
    "API keys": "What programs come in with.",
    "Audit": "Who changed what.",
    "Twilio dialect": "What clients of the Twilio Messages API say, and the accounts that they log in with.",
    "Health": "What needs a person, with evidence and remedies, and whether the books add up.",
    "Alerts": "What monitoring systems post.",
    "Status": "For load balancers, watchdogs and Prometheus.",
    "Documentation": "This document and its pages.",
}

_CURSOR = {"description": "Where to go on, from `next` of the page before", "example": "eyJpZCI6MX0"}
_LIMIT = {"description": "How many items at most", "example": 50}

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    **wording_events.FIELDS,
    **MAILING_FIELDS,
    **twilio_wording.FIELDS,
    "SubmitRequest": {
        "to": {"description": "One number, or a list of up to 10,000; E.164, national, or an operator's short code"},
        "text": {"description": "The text, without the placeholders of a template", "minLength": 1},
        "reference": {"description": "Your own name for it, 1 to 255 characters; need not be unique"},
        "sim": {"description": "Only through this SIM: its ICCID, its slot, or a label that only it has"},
        "pool": {"description": "Only through the SIMs with this label"},
        "providers": {"description": "Only through these: SIMs or pools"},
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
        "cursor": _CURSOR,
        "limit": _LIMIT,
    },
    "InboxQuery": {
        "from": {"description": "The sender's number or name", "example": "+447900900123"},
        "cursor": _CURSOR,
        "limit": _LIMIT,
    },
    **TALK_FIELDS,
    "SettleRequest": {
        "as": {"description": "What became of it, as far as you know"},
        "note": {"description": "How you know, up to 200 characters; it stands in the message's `cause`"},
    },
    "SettleManyRequest": {
        "as": {"description": "What became of them, as far as you know"},
        "older_than_s": {"description": "Only those accepted longer ago than so many seconds"},
        "note": {"description": "How you know, up to 200 characters; it stands in each message's `cause`"},
    },
    "DecideRequest": {
        "decision": {"description": "`send`: back into the queue; `expire`: given up"},
        "older_than_s": {"description": "Only those that have been due for longer"},
        "newer_than_s": {"description": "Only those that have been due for less long"},
    },
    "IssuesQuery": {
        "state": {"description": "Only what is open, what was cleared (in 90 days), or all", "example": "open"},
        "cursor": _CURSOR,
        "limit": _LIMIT,
    },
    "Notification": {
        "alerts": {"description": "Each alert of the group"},
        "groupKey": {
            "description": "Names the group; with an alert's fingerprint, status and start it names a message"
        },
    },
    "TakenAlert": {"id": {"description": "The message's id, the same when the alert was told before"}},
    "AlertsTaken": {
        "refused": {"description": "Alerts or recipients for which there is no message, and why"},
        "ignored": {"description": "Resolved alerts, when `[alerts] resolved` is false"},
    },
    "UssdRequest": {
        "code": {"description": "What one would dial, such as `*100#`"},
    },
    "SimPatch": {
        "label": {"description": "For people, and the name of the pool it belongs to"},
        "limits": {"description": "Only the limits to change; null goes back to the box's default, 0 means none"},
        "paused": {"description": "true: sends nothing until false"},
        "paused_reason": {"description": "Shown while it is paused"},
    },
    **account_wording.FIELDS,
    "Problem": {
        "type": {"description": "Where this kind of error is described"},
        "error_code": {"description": "What programs switch on"},
        "message": {"description": "The same as `detail`"},
        "details": {"description": "The facts of the sentence, by name"},
        "tracking_id": {"description": "Finds the request in the box's log"},
        "errors": {"description": "Each field that is wrong"},
    },
    **opt_out_wording.FIELDS,
}
"""By schema and field: what is added to the schema that the types give; a query parameter also has its example here."""
