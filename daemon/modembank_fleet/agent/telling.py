"""What the hub is told of an event: by lists of what may leave the box; what is new stays until it is listed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from modembank.eventlog import BY_NAME, Told
from modembank_fleet.wire import Event

Privacy: TypeAlias = Literal["counts", "meta", "full"]
Say: TypeAlias = Callable[["Pseudonyms", Any], Any]
_WORDS = {"message.received": "sms.in", "fleet.refused": "auth.fail", "clock.stepped": "clock.step"}
_CONFIG = "config."
"""Kinds that are called ``cfg.`` on the wire."""
_SECURITY = frozenset({"fleet.refused", "home_assistant.refused"})
_ERRORS = frozenset({"modem.failed", "message.failed", "mailing.failed", "config.rejected", "config.rolled_back"})
_WARNINGS = frozenset(
    {"modem.recovering", "modem.locked", "modem.gone", "message.unknown", "message.undelivered", "issue.raised"}
)


class Pseudonyms:
    """Names for numbers that are the same each time, and tell nobody without the box's secret which number it is."""

    def __init__(self, secret: bytes) -> None:
        """Use the box's secret."""
        self._secret = secret

    def of(self, text: object) -> str | None:
        """Return the name of something that is nobody's business."""
        if text is None:
            return None
        return hmac.new(self._secret, str(text).encode(), hashlib.sha256).hexdigest()[:16]

    def of_number(self, number: object) -> dict[str, str | None] | None:
        """Return a number's name and its last two digits."""
        if number is None:
            return None
        return {"h": self.of(number), "last": str(number)[-2:]}


def _plain(_: Pseudonyms, value: Any) -> Any:
    return value


def _hidden(names: Pseudonyms, value: Any) -> Any:
    return names.of(value)


def _number(names: Pseudonyms, value: Any) -> Any:
    return names.of_number(value)


_MODEM: Mapping[str, Say] = {"slot": _plain, "state": _plain, "before": _plain, "reason": _plain}
_MESSAGE: Mapping[str, Say] = {
    "id": _plain, "status": _plain, "to": _number, "from": _number, "segments": _plain, "sim": _hidden, "kind": _plain,
    "cause": _plain, "created_at": _plain, "sent_at": _plain, "received_at": _plain,
}  # fmt: skip
LEAVES: Mapping[str, Mapping[str, Say]] = {
    "modem": _MODEM,
    "message": _MESSAGE,
    "optout": {},
    "mailing": {"id": _plain, "state": _plain},
    "sim": {"iccid": _hidden, "slot": _plain, "paused": _plain},
    "box": {},
    "clock": {"up": _plain, "utc": _plain, "set_by": _plain, "bs": _plain},
    "home_assistant": {"code": _plain, "count": _plain},
    "fleet": {"code": _plain, "kind": _plain, "count": _plain},
    "config": {"ver": _plain, "in_force": _plain, "codes": _plain, "sim": _hidden, "key": _plain, "value": _plain},
    "issue": {"id": _plain, "kind": _plain, "severity": _plain},
}
"""By noun: what of an event's data may leave the box where ``privacy`` is meta, and how it is said."""


def event_of(told: Told, privacy: Privacy, names: Pseudonyms, *, dated: bool) -> Event | None:
    """Return what the hub is told of an event; None: nothing.

    ``dated`` is whether the box knows what time it is.
    """
    if privacy == "counts" and not BY_NAME[told.kind].of_the_box:
        return None
    noun = BY_NAME[told.kind].noun
    if privacy == "full":
        data = dict(told.data)
    else:
        data = {name: say(names, told.data[name]) for name, say in LEAVES[noun].items() if name in told.data}
    return Event(
        seq=told.row,
        type=_word(told.kind),
        sev=_severity(told.kind),
        at=told.at / 1000 if dated else None,
        data=data,
    )


def _word(kind: str) -> str:
    return f"cfg.{kind.removeprefix(_CONFIG)}" if kind.startswith(_CONFIG) else _WORDS.get(kind, kind)


def _severity(kind: str) -> Literal["info", "warning", "error", "security"]:
    if kind in _SECURITY:
        return "security"
    return "error" if kind in _ERRORS else "warning" if kind in _WARNINGS else "info"
