"""The examples of the appliance in the OpenAPI document; a test reads each back through its shape."""

from __future__ import annotations

from typing import Any

BOX: dict[str, Any] = {
    "appliance": True,
    "name": "modembank",
    "up_s": 86_412,
    "release": {"version": "1.2.0", "build": "20261101", "slot": "a", "architecture": "amd64"},
    "data": {
        "state": "clean",
        "reason": "",
        "grown": True,
        "octets": 58_000_000_000,
        "problems": [],
        "last_trouble": {"state": "repaired", "reason": "inode 12 was wrong", "at": "2026-11-02T06:00:00.000Z"},
    },
    "first_file": {
        "applied": False,
        "file": "box.toml",
        "kept": ["network"],
        "mistakes": [
            {
                "line": 7,
                "field": "network.address",
                "reason": "192.168.1.300 is no address",
                "way_out": "write it as 192.168.1.30/24",
            }
        ],
    },
    "update": {
        "state": "installing",
        "percent": 40,
        "from_version": "1.2.0",
        "version": "1.3.0",
        "reason": "",
        "by": "ada",
        "at": "2026-11-20T14:05:00.000Z",
    },
    "certificate": {
        "fingerprint": "5E:1C:0B:77:…",
        "names": ["modembank.local", "192.0.2.10"],
        "not_after": "2036-11-01T00:00:00.000Z",
        "own": False,
        "problem": "",
    },
    "upload": None,
    "order": None,
    "unreadable": [],
}
ASKED: dict[str, Any] = {
    **BOX,
    "update": None,
    "order": {"verb": "update", "by": "ada", "at": "2026-11-20T14:05:00.000Z"},
}
FORMS: dict[str, Any] = {"a bundle": {"file": "hsqs and what follows"}}
