"""Messages as that API shows them: every number a string, dates as RFC 2822 writes them."""

from __future__ import annotations

import email.utils
from collections.abc import Sequence

import msgspec

from modembank.messages import MessageState
from modembank.twilio.listing import Inbound, Outbound
from modembank.twilio.sids import Kind, message_sid
from modembank.twilio.words import RECEIVED, STATUS, error_of

API_VERSION = "2010-04-01"


class TwilioMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message, outbound or inbound."""

    account_sid: str
    api_version: str
    body: str
    date_created: str
    date_sent: str | None
    date_updated: str
    direction: str
    error_code: int | None
    error_message: str | None
    from_: str | None = msgspec.field(name="from")
    messaging_service_sid: str | None
    num_media: str
    num_segments: str
    price: str | None
    price_unit: str | None
    sid: str
    status: str
    subresource_uris: dict[str, str]
    to: str | None
    uri: str


class TwilioPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of messages, newest first."""

    messages: Sequence[TwilioMessage]
    page: int
    page_size: int
    start: int
    end: int
    uri: str
    first_page_uri: str
    next_page_uri: str | None
    previous_page_uri: str | None


def messages_path(account: str) -> str:
    """Return the address of an account's messages, without the box's own."""
    return f"/{API_VERSION}/Accounts/{account}/Messages"


def rfc2822(ms: int) -> str:
    """Return unix milliseconds as RFC 2822 writes a date, in UTC."""
    return email.utils.formatdate(ms / 1000).replace("-0000", "+0000")


def outbound_view(account: str, message: Outbound) -> TwilioMessage:
    """Return an outbound message; its sender is the SIM's own number once a SIM was chosen."""
    code, meaning = error_of(message.state, message.cause)
    settled = [moment for moment in (message.sent_at, message.settled_at) if moment is not None]
    return _view(
        account,
        message_sid(account, Kind.OUTBOUND, message.id),
        body=message.text,
        created=message.created_at,
        sent=message.sent_at,
        updated=max([message.created_at, *settled]),
        direction="outbound-reply" if message.reply else "outbound-api",
        error_code=code,
        error_message=meaning,
        from_=message.msisdn or message.sender,
        num_segments=str(message.segments),
        status=STATUS[MessageState(message.state)],
        to=message.recipient,
    )


def inbound_view(account: str, message: Inbound) -> TwilioMessage:
    """Return an inbound message."""
    return _view(
        account,
        message_sid(account, Kind.INBOUND, message.id),
        body=message.text,
        created=message.received_at,
        sent=message.received_at,
        updated=message.received_at,
        direction="inbound",
        error_code=None,
        error_message=None,
        from_=message.sender,
        num_segments=str(message.parts),
        status=RECEIVED,
        to=message.msisdn,
    )


def view_of(account: str, message: Outbound | Inbound) -> TwilioMessage:
    """Return a message of either kind."""
    return outbound_view(account, message) if isinstance(message, Outbound) else inbound_view(account, message)


def _view(account: str, sid: str, *, created: int, sent: int | None, updated: int, **more: object) -> TwilioMessage:
    path = f"{messages_path(account)}/{sid}"
    return TwilioMessage(
        account_sid=account,
        api_version=API_VERSION,
        date_created=rfc2822(created),
        date_sent=None if sent is None else rfc2822(sent),
        date_updated=rfc2822(updated),
        messaging_service_sid=None,
        num_media="0",
        price=None,
        price_unit=None,
        sid=sid,
        subresource_uris={},
        uri=f"{path}.json",
        **more,  # type: ignore[arg-type]
    )
