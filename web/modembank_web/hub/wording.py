"""Words of the hub's OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web import wording

_CURSOR = {"description": "Where to go on, from `next` of the page before", "example": "leeds/b1"}
_LIMIT = {"description": "How many items at most", "example": 50}
_OWN: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "AlertsQuery": {
        "state": {"description": "Only those that stand so; `active`: that have not ended", "example": "active"},
        "kind": {"description": "Only those of this kind", "example": "box.offline"},
        "site": {"description": "Only those of this site's boxes", "example": "leeds"},
        "severity": {"description": "Only those that are so bad", "example": "critical"},
        "cursor": _CURSOR | {"example": "1795183800000.4711"},
        "limit": _LIMIT,
    },
    "BoxesQuery": {
        "standing": {"description": "Only boxes that stand so", "example": "online"},
        "text": {"description": "Only boxes with this in site, name or label", "example": "leeds"},
        "version": {"description": "Only boxes that run this version", "example": "1.2.0"},
        "problems": {"description": "Only boxes with open issues or modems in error", "example": True},
        "cursor": _CURSOR,
        "limit": _LIMIT,
    },
    "CertificatesQuery": {
        "box": {"description": "Only those of this box, as site/name", "example": "leeds/b1"},
        "cursor": _CURSOR | {"example": "7"},
        "limit": _LIMIT,
    },
    "TokensQuery": {"cursor": _CURSOR | {"example": "7"}, "limit": _LIMIT},
    "ConfigsQuery": {
        "behind": {"description": "Only boxes that are not as they are to be", "example": True},
        "cursor": _CURSOR,
        "limit": _LIMIT,
    },
    "RolloutsQuery": {
        "group": {"description": "Only those of this group", "example": "cellars"},
        "cursor": _CURSOR | {"example": "7"},
        "limit": _LIMIT,
    },
    "RowsQuery": {"cursor": _CURSOR | {"example": "12.4711"}, "limit": _LIMIT},
    "PoolQuery": {
        "state": {"description": "Only messages that stand so", "example": "unknown"},
        "cursor": _CURSOR | {"example": "4711"},
        "limit": _LIMIT,
    },
    "SeriesQuery": {
        "span": {"description": "How far back: in stretches of five minutes, an hour, or a day", "example": "day"}
    },
}
TAGS = {
    "Fleet": "The boxes: how they stand, and what they tell.",
    "Pool": "Messages that any box may send, followed to their end.",
    "Alerts": "What needs a person: open, acknowledged, over by itself; rules, and silences.",
    "Alert channels": "Who is told of alerts, by webhook or e-mail.",
    "Commands": "What boxes are told to do, followed to its end.",
    "Software": "Which version a box runs: another one, and the way back.",
    "Configuration": "What boxes are to have, whether they have it, and how it is brought to many.",
    "Enrolment": "How boxes come to have certificates, and how they are shut out.",
    "Quarantine": "What came and could not be read.",
    **{name: text for name, text in wording.TAGS.items() if name in {"Account", "Users", "API keys", "Audit"}},
    **{name: text for name, text in wording.TAGS.items() if name in {"Status", "Documentation"}},
}
ABOUT = wording.About(
    title="Modembank hub",
    summary="See and command a fleet of Modembank boxes",
    description=(
        "A hub takes in what the boxes of a fleet tell over MQTT, and brings them commands. Errors are problems (RFC "
        "9457), lists go on by `next`. Reading needs a key with the scope `modems`, everything else one with `admin`."
    ),
    tags=TAGS,
    fields={**wording.FIELDS, **_OWN},
)
