"""What is posted to a client's endpoints: the forms, and the signature that proves that the box made them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

from modembank.messages import MessageState
from modembank.outgoing import Outcome, Poster, attempt
from modembank.twilio.listing import Inbound, Outbound
from modembank.twilio.model import Account
from modembank.twilio.sids import Kind, message_sid
from modembank.twilio.views import API_VERSION
from modembank.twilio.words import RECEIVED, STATUS, error_of

TIMEOUT_S = 15.0
"""For one exchange, from the look-up of the name to the end of the answer."""


def signature(token: str, url: str, form: Mapping[str, str]) -> str:
    """Return the value of X-Twilio-Signature: of the address, and then every name and value by name."""
    signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode()


def callback_form(account: Account, message: Outbound, state: MessageState) -> dict[str, str]:
    """Return what is told of a message that has come to a state, which may not be its latest."""
    sid = message_sid(account.sid, Kind.OUTBOUND, message.id)
    form = {
        "MessageSid": sid,
        "SmsSid": sid,
        "AccountSid": account.sid,
        "From": message.msisdn or message.sender or "",
        "To": message.recipient,
        "MessageStatus": STATUS[state],
        "SmsStatus": STATUS[state],
        "ApiVersion": API_VERSION,
    }
    code, meaning = error_of(state, message.cause)
    if code is not None and meaning is not None:
        form |= {"ErrorCode": str(code), "ErrorMessage": meaning}
    return form


def inbound_form(account: Account, message: Inbound) -> dict[str, str]:
    """Return what is told of an inbound message."""
    sid = message_sid(account.sid, Kind.INBOUND, message.id)
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": account.sid,
        "From": message.sender,
        "To": message.msisdn or "",
        "Body": message.text,
        "NumMedia": "0",
        "NumSegments": str(message.parts),
        "SmsStatus": RECEIVED,
        "ApiVersion": API_VERSION,
    }


async def post(poster: Poster, account: Account, url: str, form: Mapping[str, str]) -> Outcome:
    """Post a form, signed. Never raises for what the endpoint does."""
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "x-twilio-signature": signature(account.auth_token, url, form),
    }
    body = urlencode(form).encode()
    return await attempt(poster, url, body, headers, allow_private=account.allow_private, timeout_s=TIMEOUT_S)
