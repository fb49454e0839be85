"""Words of the OpenAPI document for the fields of users, keys, sessions and quotas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PASSWORD = {
    "description": "8 to 128 characters, 15 or more recommended; any characters, but none that are tried first",
    "format": "password",
}

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "LoginRequest": {
        "name": {"description": "The user's name"},
        "password": {"description": "The user's password", "format": "password"},
    },
    "NewUser": {
        "name": {"description": "1 to 64 letters, digits or `. _ @ -`; no two differ only in case"},
        "role": {"description": "`sender`: its own messages; `admin`: runs the box"},
        "password": {**_PASSWORD, "description": f"{_PASSWORD['description']}; without one it cannot log in"},
    },
    "UserPatch": {
        "role": {"description": "Its keys are bound by it at once, its sessions end"},
        "active": {"description": "false: its keys and sessions end to work at once; true: its keys work again"},
        "password": {**_PASSWORD, "description": f"{_PASSWORD['description']}; all its sessions end"},
        "current_password": {
            "description": "Needed by whoever changes the own password",
            "format": "password",
        },
    },
    "NewApiKey": {
        "user": {"description": "Whose key it is; without it: one's own"},
        "label": {"description": "A name to know it by"},
        "scopes": {"description": "What it may be used for; without it: all that the user, or the own key, may"},
        "networks": {"description": "Where it may be used from, such as `192.0.2.0/24`; empty: anywhere"},
        "expires_at": {"description": "When it ends; null: when it is revoked"},
    },
    "QuotaPatch": {
        "per_day": {"description": "Segments a day of the box; 0: no quota", "minimum": 0},
        "per_month": {"description": "Segments a calendar month of the box; 0: no quota", "minimum": 0},
    },
}
