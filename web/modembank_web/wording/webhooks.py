"""Words of the OpenAPI document for the fields of webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "NewWebhook": {
        "url": {"description": "https or http, on port 80, 443 or from 1024 on; no user name, no fragment"},
        "events": {"description": "Kinds of events: `message.delivered`, `issue.*`, `*`", "minItems": 1},
        "label": {"description": "For people, up to 100 characters"},
        "all_users": {"description": "Hear of everybody's events; needs an admin's key and an admin as its user"},
        "allow_private": {
            "description": "Let the address lead into private networks or to the box itself; needs an admin's key"
        },
        "secret": {"description": "`whsec_` and 24 to 64 octets in base64; better left out: the box makes one"},
        "user": {"description": "Whose it is, when an admin makes it for somebody else"},
    },
    "WebhookPatch": {
        "url": {"description": "Where to post from now on"},
        "events": {"description": "What to tell from now on"},
        "label": {"description": "For people, up to 100 characters"},
        "all_users": {"description": "Hear of everybody's events, or of its user's alone"},
        "allow_private": {"description": "Taken back when somebody else than an admin changes the address"},
        "active": {"description": "false: told nothing; it goes on where it was with true"},
    },
    "RotateRequest": {
        "keep_old_for_s": {"description": "For how long the secret before signs too", "minimum": 0, "maximum": 604_800},
    },
    "ReplayRequest": {
        "since": {"description": "Tell again what happened at this time or later; RFC 3339"},
        "after": {"description": "Tell again what happened after this event"},
    },
}
