"""The examples of issues in the OpenAPI document; a test reads each back through its shape."""

from __future__ import annotations

from typing import Any

ISSUE: dict[str, Any] = {
    "id": "iss_0000008000001",
    "kind": "sim_without_credit",
    "subject": "8944110068256270054",
    "severity": "warning",
    "summary": "SIM reminders is paused: refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and"
    " contract. Resume it when that is settled.",
    "evidence": {
        "reason": "refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and contract",
        "since": "2026-11-20T14:05:00.000Z",
        "numbers": ["+447*******23", "+447*******24", "+447*******25"],
        "slot": "slot-03",
        "operator": "Example Mobile",
    },
    "raised_at": "2026-11-20T14:05:00.120Z",
    "changed_at": "2026-11-20T14:05:00.120Z",
    "cleared_at": None,
    "remedies": [{"name": "resume_sim", "does": "Lets the SIM send again"}],
    "remedied": [],
}
CLEARED: dict[str, Any] = {
    **ISSUE,
    "cleared_at": "2026-11-20T14:30:02.400Z",
    "remedied": [
        {
            "at": "2026-11-20T14:30:02.310Z",
            "by": "alice",
            "remedy": "resume_sim",
            "did": "SIM reminders sends again",
        }
    ],
}
_BY_STATUS = {
    "accepted": 0,
    "scheduled": 2,
    "queued": 3,
    "sending": 0,
    "sent": 3,
    "unknown": 1,
    "undelivered": 2,
    "expired": 0,
    "failed": 1,
    "cancelled": 0,
    "delivered": 388,
}
CONSERVATION: dict[str, Any] = {
    "holds": True,
    "accepted": 400,
    "terminal": 391,
    "open": 9,
    "recorded": _BY_STATUS,
    "counted": _BY_STATUS,
    "breaches": [],
    "stranded": [],
    "checked_at": "2026-11-20T14:05:00.000Z",
    "duration_s": 0.002,
}
