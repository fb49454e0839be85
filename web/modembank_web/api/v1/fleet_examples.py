"""The example of the OpenAPI document about the link to a hub."""

from __future__ import annotations

from typing import Any

TIMES = (
    "since", "acknowledged_at", "oldest_waiting_at", "next_try_at", "certificate_ends_at", "certificate_renews_at",
)  # fmt: skip
OF_A_HUB = (
    "mbh1_AAECAwQFBgcICQoLDA0ODwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAaHR0cHM6Ly9odWIuZXhhbXBsZS5vcmc6ODQ0MxCGoz0"
)
FLEET: dict[str, Any] = {
    "state": "online",
    "since": "2026-11-20T06:12:40.000Z",
    "why": "",
    "broker": "mqtts://hub.example.com:8883",
    "site": "kiel",
    "box": "box-1",
    "epoch": "k3f9qw7x",
    "hub": "online",
    "acknowledged_at": "2026-11-20T14:05:09.120Z",
    "events_waiting": 0,
    "results_waiting": 0,
    "oldest_waiting_at": None,
    "next_try_at": None,
    "profile": "standard",
    "privacy": "meta",
    "commands_refused": 0,
    "configuration": 41,
    "configuration_newest": 42,
    "configuration_state": "rejected",
    "enrolment": "enrolled",
    "enrolment_hub": "https://hub.example.com:8443",
    "enrolment_why": "",
    "certificate_ends_at": "2027-01-30T06:12:00.000Z",
    "certificate_renews_at": "2026-12-30T14:12:00.000Z",
}
STANDS_ALONE = FLEET | dict.fromkeys(TIMES) | {
    "state": "not_set_up", "broker": "", "site": "", "box": "", "epoch": "", "hub": "unknown", "configuration": 0,
    "configuration_newest": 0, "configuration_state": "", "enrolment": "none", "enrolment_hub": "",
}  # fmt: skip
ASKING = STANDS_ALONE | {
    "enrolment": "asking",
    "enrolment_hub": "https://hub.example.org:8443",
    "enrolment_why": "the hub at https://hub.example.org:8443 cannot be reached: All connection attempts failed",
}
