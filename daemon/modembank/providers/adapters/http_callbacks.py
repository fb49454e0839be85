"""What a provider's call brings: receipts and inbound messages, read as the settings say."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import structlog

from modembank.clock import to_ms
from modembank.providers.adapters.http_paths import ROOT, decoded, find, word
from modembank.providers.adapters.http_settings import Settings
from modembank.providers.model import Arrival, BadCall, Call, Channel, Receipt, ReceiptStatus

MOST_ITEMS = 1_000
"""Receipts and inbound messages of one call."""
MOST_FIELDS = 200
MOST_TEXT = 20_000
"""Characters of an inbound message."""
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_MS_FROM = 100_000_000_000
"""A number that large counts milliseconds: as seconds it would be in the year 5138."""
_log = structlog.get_logger(__name__)


def read(settings: Settings, call: Call) -> tuple[Receipt | Arrival, ...]:
    """Return what a call brings, in its order. Raises BadCall, naming the field."""
    document = _document(settings, call)
    found: list[Receipt | Arrival] = []
    if settings.takes_receipts:
        told = (_receipt(settings, item) for item in _items(document, settings.receipt_list))
        found += [receipt for receipt in told if receipt is not None]
    if settings.takes_arrivals:
        came = (_arrival(settings, item) for item in _items(document, settings.arrival_list))
        found += [arrival for arrival in came if arrival is not None]
    if not found:
        wanted = [("receipt_id", settings.receipt_id), ("arrival_id", settings.arrival_id)]
        places = " nor ".join(f"at {path} ({name})" for name, path in wanted if path)
        raise BadCall(why=f"nothing is {places}: this call brings neither a receipt nor a message")
    return tuple(found)


def form_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last. Raises BadCall."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadCall(why=f"the body is no form of at most {MOST_FIELDS} fields in UTF-8") from None
    return dict(pairs)


def moment_ms(written: str | None) -> int | None:
    """Return a time as unix ms: written as seconds or milliseconds since 1970, or as of RFC 3339 or RFC 9110."""
    if not written:
        return None
    try:
        number = float(written)
    except ValueError:
        return _date_ms(written)
    if not 0 <= number < 1e14:
        return None
    return round(number) if number >= _MS_FROM else to_ms(number)


def _document(settings: Settings, call: Call) -> Any:
    if settings.callback_format == "query":
        return dict(call.query)
    if settings.callback_format == "form":
        return form_of(call.body)
    document = decoded(call.body)
    if document is None:
        raise BadCall(why="the body is no JSON: look at callback_format")
    return document


def _items(document: Any, path: str) -> Iterator[Any]:
    """Yield the items of a list, or the document itself when no list is named."""
    if not path:
        yield document
        return
    found = document if path == ROOT else find(document, path)
    if isinstance(found, list):
        if len(found) > MOST_ITEMS:
            raise BadCall(why=f"there are {len(found)} entries at {path}: at most {MOST_ITEMS} come in one call")
        yield from found


def _receipt(settings: Settings, item: Any) -> Receipt | None:
    reference, status = word(item, settings.receipt_id), word(item, settings.receipt_status)
    if not reference or status is None:
        return None
    known = settings.statuses.get(status)
    if known is None:
        _log.info("provider_status_unlisted", status=status[:40])
    detail = word(item, settings.receipt_detail) or ("" if known else status)
    at_ms = moment_ms(word(item, settings.receipt_time))
    return Receipt(reference[:200], known or ReceiptStatus.PENDING, detail[:200], at_ms)


def _arrival(settings: Settings, item: Any) -> Arrival | None:
    """Return a message; what has a receipt's status instead of a text is none."""
    key, sender = word(item, settings.arrival_id), word(item, settings.arrival_from)
    text = word(item, settings.arrival_text)
    if not key or not sender or text is None:
        return None
    to = word(item, settings.arrival_to) or ""
    sent_at_ms = moment_ms(word(item, settings.arrival_time))
    return Arrival(key[:200], _number(settings, sender), text[:MOST_TEXT], sent_at_ms, _number(settings, to))


def _number(settings: Settings, written: str) -> str:
    written = written.strip()[:254]
    of_numbers = settings.channel is not Channel.EMAIL and settings.number_format == "digits"
    return f"+{written}" if of_numbers and _DIGITS.fullmatch(written) else written


def _date_ms(written: str) -> int | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(written)
        except (ValueError, TypeError, OverflowError):
            return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return to_ms(moment.timestamp())
    except (OverflowError, ValueError):
        return None
