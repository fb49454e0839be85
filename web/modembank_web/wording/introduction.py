"""Words of the OpenAPI document that belong to no single field: the introduction and the tags."""

from __future__ import annotations

from collections.abc import Mapping

DESCRIPTION = """\
Send and receive SMS through the modems of this box, and messages of other channels through providers.

**Authentication.** An API key in `Authorization: Bearer <key>`, in `API-Key: <key>`, or as the password of HTTP Basic.
`Authorization` counts when both come. Never in the address: such a request is refused with 400. A key carries scopes;
an admin's key with `admin` may all. Pages log in instead (`POST /api/v1/session`) and carry a cookie.

**Durable.** A 202 is answered after the message is on the disk. Repeat a request whose answer was lost with the same
`Idempotency-Key` and nothing is sent twice.

**States** of a message: `accepted scheduled queued sending sent delivered undelivered expired failed cancelled
unknown`. They never go backwards. `unknown` means that a part may or may not have been sent; it is neither a failure
nor a success and is never sent again unless the message says `on_unknown: resend`. A delivery report may prove it to be
`sent`, or `delivered`.

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
    "Mailing gateway": "For clients of a mailing gateway: tasks with `task_id`, `task_status` and `task_result`.",
    "Messaging service": "For clients of a messaging service with several channels.",
    "SMS service": "For clients of an SMS service that names both numbers and a `uuid`.",
    "Modems": "The modems in their slots.",
    "SIMs": "The SIM cards, wherever they sit: limits belong to them.",
    "Providers": "Whoever takes messages beside the modems, and which messages go to whom.",
    "Events": "What happens, as it happens: followed by a client, or posted to webhooks.",
    "Webhooks": "Addresses that events are posted to.",
    "Fleet": "The link to a hub.",
    "Home Assistant": "The link to the site's own broker, where Home Assistant finds the box.",
    "Account": "Logging in, and who one is.",
    "Users": "Who may come in, and how much each may send.",
    "API keys": "What programs come in with.",
    "Audit": "Who changed what.",
    "Twilio dialect": "What clients of the Twilio Messages API say, and the accounts that they log in with.",
    "Health": "What needs a person, with evidence and remedies, and whether the books add up.",
    "Box": "The appliance image that the box was started from.",
    "Alerts": "What monitoring systems post.",
    "Status": "For load balancers, watchdogs and Prometheus.",
    "Documentation": "This document and its pages.",
}
