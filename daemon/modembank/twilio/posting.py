"""What is posted to a client's endpoints: the forms, and the signature that proves that the box made them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from modembank.messages import MessageState
from modembank.outgoing import AddressRefused, EndpointFailed, Poster
from modembank.outgoing import Reply as Answered
from modembank.twilio.listing import Inbound, Outbound
from modembank.twilio.model import Account
from modembank.twilio.sids import Kind, message_sid
from modembank.twilio.views import API_VERSION
from modembank.twilio.words import RECEIVED, STATUS, error_of

TIMEOUT_S = 15.0
"""For one exchange, from the look-up of the name to the end of the answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one post ended."""

    answer: Answered | None
    """None: no answer came."""
    error: str | None
    """None: it was taken."""

    @property
    def status(self) -> int | None:
        """The answer's."""
        return None if self.answer is None else self.answer.status


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
    try:
        answer = await poster.post(
            url, urlencode(form).encode(), headers, allow_private=account.allow_private, timeout_s=TIMEOUT_S
        )
    except (AddressRefused, EndpointFailed) as error:
        return Outcome(None, error.reason)
    if 200 <= answer.status < 300:
        return Outcome(answer, None)
    what = "a redirect, which is not followed" if 300 <= answer.status < 400 else "no success"
    return Outcome(answer, f"it answered {answer.status}: {what}")
