"""What clients of the Twilio Messages API may write: every field that API has, and what becomes of each here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from modembank.twilio import Code, NewMessage, Refused

Flag = Literal["true", "false", "True", "False"]
_NAMES = {"sender": "From", "date_sent_before": "DateSent<", "date_sent_after": "DateSent>"}


def _pascal(name: str) -> str:
    return _NAMES.get(name) or "".join(part.capitalize() for part in name.split("_"))


class TwilioNewMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_pascal):
    """A message to be sent, as a form."""

    to: str
    sender: str | None = None
    body: str = ""
    status_callback: str | None = None
    validity_period: int | None = None
    send_at: str | None = None
    schedule_type: str | None = None
    smart_encoded: Flag | None = None
    provide_feedback: Flag | None = None
    max_price: str | None = None
    attempt: str | None = None
    force_delivery: Flag | None = None
    traffic_type: str | None = None
    message_intent: str | None = None
    risk_check: str | None = None
    content_retention: str | None = None
    address_retention: str | None = None
    shorten_urls: Flag | None = None
    send_as_mms: Flag | None = None
    messaging_service_sid: str | None = None
    fallback_from: str | None = None
    application_sid: str | None = None
    content_sid: str | None = None
    content_variables: str | None = None
    media_url: Sequence[str] = ()
    persistent_action: Sequence[str] = ()


class TwilioMessageUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_pascal):
    """What to do with a message: one of the two."""

    body: str | None = None
    status: str | None = None


class TwilioMessagesQuery(msgspec.Struct, frozen=True, kw_only=True, rename=_pascal):
    """Which messages to list."""

    to: str | None = None
    sender: str | None = None
    date_sent: str | None = None
    date_sent_before: str | None = None
    date_sent_after: str | None = None
    page_size: int = 50
    page: int = 0
    page_token: str | None = None


_REFUSED = {
    "messaging_service_sid": "there are no messaging services: name a SIM's number, its label, or a pool's in From",
    "fallback_from": "there is no other channel to fall back from",
    "application_sid": "there are no applications: name the address in StatusCallback",
    "content_sid": "there are no content templates: write the text into Body",
    "content_variables": "there are no content templates: write the text into Body",
    "media_url": "the box sends SMS, which carry no media",
    "persistent_action": "the box sends SMS, which carry no actions",
}
"""Fields without which a message would be another one."""
_HARMLESS = {
    "content_retention": ("retain", "the box keeps what it sends: redact the message (Body empty) when it was sent"),
    "address_retention": ("retain", "the box keeps numbers as long as the message"),
    "shorten_urls": ("false", "the box shortens no links"),
    "send_as_mms": ("false", "the box sends SMS"),
}
"""Fields of which one value asks for nothing."""


def new_message(form: TwilioNewMessage) -> NewMessage:
    """Return what a form asks for; raises Refused for what the box cannot do."""
    for name, why in _REFUSED.items():
        if getattr(form, name):
            raise Refused(Code.INVALID_PARAMETER, _pascal(name), f"is not supported: {why}")
    for name, (harmless, why) in _HARMLESS.items():
        value = getattr(form, name)
        if value is not None and value.lower() != harmless:
            raise Refused(Code.INVALID_PARAMETER, _pascal(name), f"can only be {harmless}: {why}")
    return NewMessage(
        to=form.to,
        body=form.body,
        sender=form.sender or None,
        status_callback=form.status_callback or None,
        validity_s=form.validity_period,
        send_at=_send_at(form),
        smart_encoded=(form.smart_encoded or "").lower() == "true",
    )


def _send_at(form: TwilioNewMessage) -> dt.datetime | None:
    if form.schedule_type not in {None, "fixed"}:
        raise Refused(Code.INVALID_PARAMETER, "ScheduleType", "can only be fixed")
    if form.send_at is None:
        if form.schedule_type is not None:
            raise Refused(Code.INVALID_PARAMETER, "SendAt", "is required with ScheduleType")
        return None
    if form.schedule_type is None:
        raise Refused(Code.INVALID_PARAMETER, "ScheduleType", "must be fixed when SendAt is given")
    try:
        moment = dt.datetime.fromisoformat(form.send_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(Code.INVALID_PARAMETER, "SendAt", "must be a time of ISO 8601 such as 2026-11-20T14:05:00Z")
    return moment
