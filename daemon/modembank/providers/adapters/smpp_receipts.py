"""Delivery receipts of an SMSC (SMPP 3.4, appendix B, which vendors follow as they like). No I/O, no clock."""

from __future__ import annotations

import calendar
import enum
import re
import time
from typing import Final

from modembank.providers.adapters.smpp_pdu import ShortMessage, Tag
from modembank.providers.model import Receipt, ReceiptStatus

MESSAGE_TYPE: Final = 0x3C
_RECEIPT: Final = 0x04
_INTERMEDIATE: Final = 0x20
REFERENCE_LIMIT: Final = 200
_TEXT_LIMIT: Final = 1024
_ID: Final = re.compile(r"\bid:\s*([^\s:]+)", re.IGNORECASE)
_STATE: Final = re.compile(r"\bstat:\s*([A-Za-z_]+)", re.IGNORECASE)
_ERROR: Final = re.compile(r"\berr:\s*(\w{1,20})", re.IGNORECASE)
_DONE: Final = re.compile(r"\bdone[ _]date:\s*(\d{10}(?:\d\d)?)\b", re.IGNORECASE)
_STATES: Final = {
    "DELIV": ReceiptStatus.DELIVERED,
    "EXPIR": ReceiptStatus.EXPIRED,
    "DELET": ReceiptStatus.FAILED,
    "UNDEL": ReceiptStatus.FAILED,
    "REJEC": ReceiptStatus.FAILED,
    "SKIPP": ReceiptStatus.FAILED,
}
"""By the first five letters, for vendors spell the words of appendix B differently. ENROUTE and ACCEPTD are not the
end; nor is UNKNOWN, with which an SMSC says no more than that it does not know."""
_NUMBERED: Final = ("SCHEDULED", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")
"""message_state (5.2.28)."""


class ReceiptId(enum.StrEnum):
    """How receipts name a message, when the answer to its submit_sm named it otherwise."""

    SAME = "same"
    HEX = "hex"
    """Receipts have it in hexadecimal, answers in decimal."""
    DECIMAL = "decimal"
    """Receipts have it in decimal, answers in hexadecimal."""


_BASES: Final = {ReceiptId.HEX: (10, 16), ReceiptId.DECIMAL: (16, 10)}
"""The base of answers, and that of receipts."""


def reference_of(answered: str, how: ReceiptId) -> str | None:
    """Return by what name receipts will come, from the message_id of an answer; None when there is none."""
    if how is not ReceiptId.SAME:
        from_base, to_base = _BASES[how]
        answered = _rebased(answered, from_base, to_base)
    return answered[:REFERENCE_LIMIT] or None


def is_receipt(message: ShortMessage) -> bool:
    """Whether a message from the SMSC is a receipt: by its type, or by the parameters that only receipts have."""
    kind = message.esm_class & MESSAGE_TYPE
    tlvs = message.tlvs
    return kind in {_RECEIPT, _INTERMEDIATE} or (
        kind == 0 and Tag.RECEIPTED_MESSAGE_ID in tlvs and Tag.MESSAGE_STATE in tlvs
    )


def read_receipt(message: ShortMessage, how: ReceiptId, utc_offset_minutes: int | None) -> Receipt | None:
    """Return what a receipt says; None when it names no message. Never fails.

    ``utc_offset_minutes`` is that of the SMSC's clock; without it its times mean nothing, and none is given.
    """
    text = _text(message)
    named = _reference(message, text, how)
    if not named:
        return None
    state = _state(message, text)
    error = match[1] if (match := _ERROR.search(text)) else ""
    if not error.strip("0") and (code := message.tlvs.get(Tag.NETWORK_ERROR_CODE, b"")):
        error = code.hex()
    detail = state if not error.strip("0") else f"{state} err:{error}"
    return Receipt(
        named[:REFERENCE_LIMIT],
        _STATES.get(state[:5], ReceiptStatus.PENDING),
        detail,
        _done_ms(text, utc_offset_minutes),
    )


def _text(message: ShortMessage) -> str:
    octets = message.content[:_TEXT_LIMIT]
    return octets.decode("utf-16-be", "replace") if message.data_coding == 0x08 else octets.decode("latin-1")


def _reference(message: ShortMessage, text: str, how: ReceiptId) -> str:
    """Return the name in the form of ``reference_of``.

    Where both forms are in use, it is the text that has the other one; receipted_message_id repeats the answer's.
    """
    parameter = message.tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1").strip()
    written = match[1] if (match := _ID.search(text)) else ""
    if how is ReceiptId.SAME:
        return parameter or written
    if written:
        base = _BASES[how][1]
        return _rebased(written, base, base)
    return reference_of(parameter, how) or ""


def _state(message: ShortMessage, text: str) -> str:
    number = message.tlvs.get(Tag.MESSAGE_STATE, b"")[:1]
    if number and number[0] < len(_NUMBERED):
        return _NUMBERED[number[0]]
    return match[1].upper()[:20] if (match := _STATE.search(text)) else "UNKNOWN"


def _rebased(text: str, from_base: int, to_base: int) -> str:
    """Return a number in another base, without leading zeros; what is no number stays as it is."""
    if not re.fullmatch(r"[0-9]{1,64}" if from_base == 10 else r"[0-9A-Fa-f]{1,64}", text):
        return text
    return format(int(text, from_base), "d" if to_base == 10 else "x")


def _done_ms(text: str, utc_offset_minutes: int | None) -> int | None:
    match = _DONE.search(text)
    if match is None or utc_offset_minutes is None:
        return None
    digits = match[1].ljust(12, "0")
    try:
        moment = time.strptime(digits, "%y%m%d%H%M%S")
    except ValueError:
        return None
    return (calendar.timegm(moment) - 60 * utc_offset_minutes) * 1000
