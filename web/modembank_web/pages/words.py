"""The states of messages as pages show them: a word for people, and its tone."""

from __future__ import annotations

from collections.abc import Mapping

STATUS: Mapping[str, tuple[str, str]] = {
    "accepted": ("waiting", ""),
    "scheduled": ("scheduled", ""),
    "queued": ("waiting", ""),
    "sending": ("sending", "info"),
    "sent": ("sent", "info"),
    "delivered": ("delivered", "ok"),
    "undelivered": ("not delivered", "bad"),
    "unknown": ("not known if sent", "warn"),
    "expired": ("expired", "bad"),
    "failed": ("failed", "bad"),
    "cancelled": ("cancelled", ""),
}
"""By the word of the API: what is shown, and the tone of its badge."""
OPEN = frozenset({"accepted", "scheduled", "queued", "sending"})
"""What is not sent yet."""
STATES = [
    ("", "any"),
    *((word, "waiting (accepted)" if word == "accepted" else shown) for word, (shown, _) in STATUS.items()),
]
"""What a list can be restricted to."""
