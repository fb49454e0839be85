"""What a webhook of WhatsApp's Cloud API brings: statuses as receipts, messages as arrivals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog

from modembank.providers.adapters.http_callbacks import MOST_ITEMS, MOST_TEXT, moment_ms
from modembank.providers.adapters.http_paths import decoded, find, word
from modembank.providers.adapters.whatsapp_tables import CAPTIONED, EXPIRED, STATUSES
from modembank.providers.model import Arrival, BadCall, Receipt, ReceiptStatus

_log = structlog.get_logger(__name__)


def read(body: bytes, phone_number_id: str) -> tuple[Receipt | Arrival, ...]:
    """Return what is for a phone number, in its order; an app's other numbers and news are passed over.

    Raises BadCall for what is no document of the webhook, and for a status or message without its id.
    """
    document = decoded(body)
    if word(document, "object") != "whatsapp_business_account":
        raise BadCall(why="object must be whatsapp_business_account")
    found: list[Receipt | Arrival] = []
    for value in _values(document):
        if word(value, "metadata.phone_number_id") != phone_number_id:
            _log.info("whatsapp_number_passed_over")
            continue
        to = word(value, "metadata.display_phone_number") or ""
        told = (_receipt(status) for status in _list(value, "statuses"))
        came = (_arrival(message, to) for message in _list(value, "messages"))
        found += [receipt for receipt in told if receipt is not None]
        found += [arrival for arrival in came if arrival is not None]
    if len(found) > MOST_ITEMS:
        raise BadCall(why=f"there are {len(found)} statuses and messages: at most {MOST_ITEMS} come in one call")
    return tuple(found)


def _values(document: Any) -> Iterator[Any]:
    for entry in _list(document, "entry"):
        for change in _list(entry, "changes"):
            if word(change, "field") == "messages":
                yield find(change, "value")


def _list(document: Any, path: str) -> list[Any]:
    found = find(document, path)
    return found if isinstance(found, list) else []


def _receipt(status: Any) -> Receipt | None:
    reference, said = word(status, "id"), word(status, "status")
    if not reference or said is None:
        raise BadCall(why="a status has no id or no status")
    if said not in STATUSES:
        _log.info("whatsapp_status_unlisted", status=said[:40])
        return None
    code = word(status, "errors.0.code")
    means = ReceiptStatus.EXPIRED if code == str(EXPIRED) else STATUSES[said]
    words = word(status, "errors.0.error_data.details") or word(status, "errors.0.title") or ""
    detail = f"{code}: {words}" if code else said if said in {"read", "played"} else ""
    return Receipt(reference[:200], means, detail[:200], moment_ms(word(status, "timestamp")))


def _arrival(message: Any, to: str) -> Arrival | None:
    key, sender = word(message, "id"), word(message, "from")
    if not key:
        raise BadCall(why="a message has no id")
    if not sender or not sender.isdigit():
        _log.info("whatsapp_sender_without_number")
        return None
    digits = "".join(one for one in to if one.isdigit())
    sent_at_ms = moment_ms(word(message, "timestamp"))
    return Arrival(
        key[:200], f"+{sender}"[:200], _text(message)[:MOST_TEXT], sent_at_ms, f"+{digits}" if digits else ""
    )


def _text(message: Any) -> str:
    """Return the words of a message, or a short note of what it is instead."""
    kind = word(message, "type") or "unknown"
    if kind == "text":
        return word(message, "text.body") or ""
    answers = ("button.text", "interactive.button_reply.title", "interactive.list_reply.title")
    if kind in {"button", "interactive"} and (chosen := next(filter(None, (word(message, at) for at in answers)), "")):
        return chosen
    if kind == "reaction":
        return f"[reaction {word(message, 'reaction.emoji') or 'taken back'}]"
    caption = word(message, f"{kind}.caption") if kind in CAPTIONED else None
    return f"[{kind[:40]}]{f' {caption}' if caption else ''}"
