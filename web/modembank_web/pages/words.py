"""The words of pages that several share: the states of messages, each with its tone, and what a SIM is called."""

from __future__ import annotations

from collections.abc import Mapping

from modembank.sim import Sim

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


def sim_words(sim: Sim) -> str:
    """Return what a SIM is called where its slot says nothing new: its label, else its number, else its ICCID's end."""
    return sim.label or sim.msisdn or f"SIM …{sim.iccid[-6:]}"
