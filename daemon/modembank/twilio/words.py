"""The words of that API for what became of a message."""

from __future__ import annotations

from modembank.messages import MessageState
from modembank.twilio.errors import Code

STATUS = {
    MessageState.ACCEPTED: "queued",
    MessageState.SCHEDULED: "scheduled",
    MessageState.QUEUED: "queued",
    MessageState.SENDING: "sending",
    MessageState.SENT: "sent",
    # It may have been sent: "failed" would invite sending it again, and nobody has said that it arrived.
    MessageState.UNKNOWN: "sent",
    MessageState.UNDELIVERED: "undelivered",
    MessageState.EXPIRED: "failed",
    MessageState.FAILED: "failed",
    MessageState.CANCELLED: "canceled",
    MessageState.DELIVERED: "delivered",
}
RECEIVED = "received"
STATE_OF_EVENT = {f"message.{state.word}": state for state in MessageState}
_ENDED_BADLY = {MessageState.UNDELIVERED, MessageState.EXPIRED, MessageState.FAILED}
# By the start of a cause as it is stored: +CMS ERROR 1 to 127 are those of 3GPP TS 24.011 annex E-2, report_.. the
# TP-ST of 3GPP TS 23.040 9.2.3.15.
_BY_CAUSE = {
    "cms_1": Code.UNKNOWN_HANDSET,  # unassigned number
    "cms_28": Code.UNKNOWN_HANDSET,  # unidentified subscriber
    "cms_30": Code.UNKNOWN_HANDSET,  # unknown subscriber
    "report_43": Code.UNKNOWN_HANDSET,  # not obtainable
    "cms_27": Code.UNREACHABLE_HANDSET,  # destination out of service
    "report_46": Code.UNREACHABLE_HANDSET,  # the service centre's validity period expired
    "report_61": Code.UNREACHABLE_HANDSET,  # SME busy
    "report_62": Code.UNREACHABLE_HANDSET,  # no response from SME
    "opted_out": Code.OPTED_OUT,
    "opted out": Code.OPTED_OUT,
}
_MEANING = {
    Code.UNKNOWN_HANDSET: "Unknown destination handset",
    Code.UNREACHABLE_HANDSET: "Unreachable destination handset",
    Code.UNKNOWN_ERROR: "Unknown error",
    Code.VALIDITY_EXPIRED: "Validity period expired",
    Code.OPTED_OUT: "The recipient has opted out",
}


def error_of(state: MessageState, cause: str | None) -> tuple[int | None, str | None]:
    """Return the error code of a message and what it means, with the box's own words; None twice when it has none."""
    if state not in _ENDED_BADLY:
        return None, None
    start = (cause or "").partition(":")[0].strip()
    code = Code.VALIDITY_EXPIRED if state is MessageState.EXPIRED else _BY_CAUSE.get(start, Code.UNKNOWN_ERROR)
    return int(code), _MEANING[code] + (f" ({cause})" if cause else "")
