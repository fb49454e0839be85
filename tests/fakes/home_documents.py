"""Device documents of boxes of every kind, as Home Assistant is to be shown them."""

from __future__ import annotations

from typing import Any

from modembank_home_assistant.discovery import Shown, ShownGroup, ShownModem, ShownSim, document, without
from modembank_home_assistant.topics import Topics

TOPICS = Topics("homeassistant", "modembank", "box-1")
GROUPS = (ShownGroup("on-call", "On call"), ShownGroup("family", "family"))


def modems(count: int) -> tuple[ShownModem, ...]:
    """Return so many modems."""
    return tuple(ShownModem(slot, slot) for slot in (f"slot-{number + 1:02d}" for number in range(count)))


def documents() -> dict[str, dict[str, Any]]:
    """Return a document of each kind by what is particular about it."""
    sims = (ShownSim(1, "main"), ShownSim(7, "slot-02"))
    whole = Shown("0.1.0", True, True, modems(2), sims, GROUPS)
    odd = tuple(ShownModem(slot, slot) for slot in ("usb-1-1.4", "usb-1-1_4", "left.hand", "läuft +/#"))
    kept = dict(list(document(TOPICS, Shown("0.1.0", False, False, modems(3)))["components"].items())[-4:])
    return {
        "bare": document(TOPICS, Shown("0.1.0", False, False)),
        "whole": document(TOPICS, whole),
        "odd names": document(TOPICS, Shown("0.1.0", False, True, odd)),
        "large": document(TOPICS, Shown("0.1.0", True, True, modems(64), sims, GROUPS)),
        "with one that is away": document(TOPICS, Shown("0.1.0", False, True, modems(2)), kept),
        "with one that goes": without(document(TOPICS, Shown("0.1.0", False, True, modems(2))), kept),
        "elsewhere": document(Topics("discovery/ha", "site/sms", "modembank"), whole),
    }
