"""Words of the OpenAPI document for the fields of providers and routing rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "NewProvider": {
        "name": {"description": "1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit; not `bank`"},
        "kind": {"description": "Of `GET /api/v1/provider-kinds`"},
        "settings": {"description": "As its kind describes them; secrets are only named"},
        "sharing": {"description": "What it costs, whether it is used unasked, and its limits"},
    },
    "ProviderPatch": {
        "settings": {"description": "All of them: what is left out within has its default again"},
        "sharing": {"description": "All of it: what is left out within has its default again"},
    },
    "Sharing": {
        "automatic": {"description": "Used when neither the message nor a rule names anybody"},
        "limits": {"description": "Messages wait when they are reached, or go to the next in turn"},
    },
    "ProviderLimits": {
        "min_interval_s": {"description": "Seconds between the starts of two messages"},
        "per_minute": {"description": "Segments in 60 seconds; an e-mail is one"},
        "per_hour": {"description": "Segments in 60 minutes"},
        "per_day": {"description": "Segments in 24 hours"},
        "per_month": {"description": "Segments in 31 days"},
    },
    "ProviderView": {
        "state": {"description": "`ready`, `not_ready` (for the time being), or `disabled` by an admin"},
        "why": {"description": "Why nothing can be handed to it now"},
        "callback_url": {"description": "To be given to the provider; null while `[providers] public_url` is empty"},
        "used": {"description": "Segments in its rolling windows"},
    },
    "LatelyView": {
        "tries": {"description": "At most 100, since the daemon started"},
        "success_rate": {"description": "The share of them that it took"},
        "delivery_rate": {"description": "The share of its last 100 final receipts that says it arrived"},
        "latency_s": {"description": "Median of the tries that it took, in seconds"},
        "failures": {"description": "In a row"},
    },
    "DisableRequest": {"why": {"description": "For people; shown wherever the provider is"}},
    "ProviderTestRequest": {
        "to": {"description": "A number, or an address for e-mail"},
        "text": {"description": "The text"},
    },
    "RoutingRules": {"rules": {"description": "In order, at most 200"}},
    "Rule": {
        "providers": {"description": "In order: names of providers, `bank`, ICCIDs, slots or labels of SIMs"},
        "channel": {"description": "Only messages of this channel"},
        "prefixes": {"description": "Only to numbers that begin so"},
        "domains": {"description": "Only to addresses there"},
        "operators": {"description": "Only to numbers first given to these operators; ported ones are not known"},
        "users": {"description": "Only messages of these users"},
        "priority_from": {"description": "Only messages of this priority or a higher one"},
        "priority_to": {"description": "Only messages of this priority or a lower one"},
        "hours": {"description": "`HH:MM-HH:MM` in the box's time: only then"},
    },
    "RoutePreviewRequest": {
        "to": {"description": "The recipient"},
        "channel": {"description": "By which it goes"},
        "user": {"description": "Whose message it is; empty: nobody whom a rule names"},
        "priority": {"description": "As in sending"},
        "at": {"description": "When it may go; now when left out"},
    },
    "Foreseen": {
        "to": {"description": "The recipient in its one form"},
        "place": {"description": "Of the rule that fits, from 0; null: none does, and the cheapest go first"},
        "stages": {"description": "Who may take it, in order; those within a stage are alike"},
    },
}
