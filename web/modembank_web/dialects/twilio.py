"""The Twilio Messages API, version 2010-04-01: clients of it work after their base address was changed."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.twilio import Account, Code, MessagesFilter, Refused, TwilioMessage, TwilioPage, messages_path
from modembank_web.answer import Answer, json_answer
from modembank_web.dialects import twilio_examples as examples
from modembank_web.dialects.twilio_failures import FAILURES, authenticate
from modembank_web.dialects.twilio_forms import (
    TwilioMessagesQuery,
    TwilioMessageUpdate,
    TwilioNewMessage,
    new_message,
)
from modembank_web.forms import FORM, FormBody
from modembank_web.operation import Body, Call, Operation, Reply

PATH = "/2010-04-01/Accounts/{AccountSid}/Messages"
_ACCOUNT = {"AccountSid": ("The account's sid", examples.ACCOUNT)}
_MESSAGE = _ACCOUNT | {"Sid": ("The message's sid", examples.SID)}
_TAG = "Twilio dialect"

_NEW = FormBody(TwilioNewMessage)
_UPDATE = FormBody(TwilioMessageUpdate)


async def create_message(call: Call) -> Answer:
    """Accept one message durably."""
    account = await _account(call)
    wanted = new_message(await call.form(_NEW))
    return json_answer(await call.app.twilio.talk.send(call.caller, account, wanted), 201)


async def list_messages(call: Call) -> Answer:
    """Return a page of messages of both directions."""
    account = await _account(call)
    query = call.query(TwilioMessagesQuery)
    if query.page < 0:
        raise Refused(Code.INVALID_PARAMETER, "Page", "must be 0 or more")
    which = MessagesFilter(
        query.to or None, query.sender or None, query.date_sent, query.date_sent_before, query.date_sent_after
    )
    token, size = query.page_token or None, query.page_size
    if token is None and query.page:
        raise Refused(Code.INVALID_PARAMETER, "Page", "needs the PageToken of the page before: follow next_page_uri")
    listed = await call.app.twilio.talk.list(call.caller, account, which, token=token, limit=size)
    start = query.page * size
    page = TwilioPage(
        messages=listed.messages,
        page=query.page,
        page_size=size,
        start=start,
        end=start + max(len(listed.messages) - 1, 0),
        uri=_address(account, query, query.page, token),
        first_page_uri=_address(account, query, 0, None),
        next_page_uri=None if listed.following is None else _address(account, query, query.page + 1, listed.following),
        previous_page_uri=_previous(account, query, listed.previous),
    )
    return json_answer(page)


async def get_message(call: Call) -> Answer:
    """Return one message."""
    account = await _account(call)
    return json_answer(await call.app.twilio.talk.fetch(call.caller, account, call.path("Sid")))


async def update_message(call: Call) -> Answer:
    """Call a message back, or take its text away."""
    account, asked = await _account(call), await call.form(_UPDATE)
    talk, sid = call.app.twilio.talk, call.path("Sid")
    if asked.status is not None and asked.body is not None:
        raise Refused(Code.INVALID_PARAMETER, "Status", "cannot be given together with Body")
    if asked.status is not None:
        if asked.status != "canceled":
            raise Refused(Code.INVALID_PARAMETER, "Status", "can only be canceled")
        return json_answer(await talk.cancel(call.caller, account, sid))
    if asked.body is None:
        raise Refused(Code.INVALID_PARAMETER, "Body", "is required unless Status is given")
    if asked.body:
        raise Refused(Code.INVALID_PARAMETER, "Body", "can only be empty, which takes the text away")
    return json_answer(await talk.redact(call.caller, account, sid))


async def delete_message(call: Call) -> Answer:
    """Let a message vanish."""
    account = await _account(call)
    await call.app.twilio.talk.delete(call.caller, account, call.path("Sid"))
    return Answer(b"", 204)


async def _account(call: Call) -> Account:
    """Return the account of the path, which must be the caller's own; raises NotFound."""
    return await call.app.twilio.account_of(call.caller, call.path("AccountSid"))


def _previous(account: Account, query: TwilioMessagesQuery, token: str | None) -> str | None:
    if token is None or query.page == 0:
        return None
    return _address(account, query, query.page - 1, token)


def _address(account: Account, query: TwilioMessagesQuery, page: int, token: str | None) -> str:
    """Return the address of a page of the same list, without the box's own."""
    given = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
    given["Page"] = page
    given.pop("PageToken", None)
    if token is not None:
        given["PageToken"] = token
    return f"{messages_path(account.sid)}.json?{urlencode(given)}"


OPERATIONS = (
    Operation(
        id="twilioCreateMessage",
        method="POST",
        path=f"{PATH}.json",
        tag=_TAG,
        summary="Send a message",
        description=(
            "Accepts one message durably before it answers 201. `From` may be the number of a SIM of this box, its"
            " label, or the label of several; without it any SIM sends. Fields without which the message would be"
            " another one (`MediaUrl`, `ContentSid`, `MessagingServiceSid` …) are refused, harmless ones ignored."
        ),
        run=create_message,
        needs=(Scope.MESSAGES_SEND,),
        authenticate=authenticate,
        failures=FAILURES,
        parameters=_ACCOUNT,
        body=Body(TwilioNewMessage, examples.NEW, media=FORM),
        replies=(Reply(201, "Accepted and durable", TwilioMessage, examples.MESSAGE),),
        raises=("opted_out", "unknown_provider", "too_many_requests"),
    ),
    Operation(
        id="twilioListMessages",
        method="GET",
        path=f"{PATH}.json",
        tag=_TAG,
        summary="List messages",
        description=(
            "Both directions, newest first. Follow `next_page_uri` until it is null: a page of rare messages can be"
            " short and still have one. Dates are days or times in UTC and go by `date_sent`."
        ),
        run=list_messages,
        needs=(Scope.MESSAGES_READ,),
        authenticate=authenticate,
        failures=FAILURES,
        parameters=_ACCOUNT,
        query=TwilioMessagesQuery,
        replies=(Reply(200, "A page of messages", TwilioPage, examples.PAGE),),
    ),
    Operation(
        id="twilioGetMessage",
        method="GET",
        path=f"{PATH}/{{Sid}}.json",
        tag=_TAG,
        summary="Look up one message",
        description="Of either direction.",
        run=get_message,
        needs=(Scope.MESSAGES_READ,),
        authenticate=authenticate,
        failures=FAILURES,
        parameters=_MESSAGE,
        replies=(Reply(200, "The message", TwilioMessage, examples.MESSAGE),),
    ),
    Operation(
        id="twilioUpdateMessage",
        method="POST",
        path=f"{PATH}/{{Sid}}.json",
        tag=_TAG,
        summary="Cancel or redact a message",
        description=(
            "`Status=canceled` calls a message back that nothing was tried of yet; an empty `Body` takes the text of"
            " one away that was sent, has ended, or was received."
        ),
        run=update_message,
        needs=(Scope.MESSAGES_SEND,),
        authenticate=authenticate,
        failures=FAILURES,
        parameters=_MESSAGE,
        body=Body(TwilioMessageUpdate, examples.UPDATE, media=FORM),
        replies=(Reply(200, "The message as it is now", TwilioMessage, examples.MESSAGE),),
        raises=("conflict",),
    ),
    Operation(
        id="twilioDeleteMessage",
        method="DELETE",
        path=f"{PATH}/{{Sid}}.json",
        tag=_TAG,
        summary="Delete a message",
        description="One that was sent, has ended, or was received: nobody sees it any more, and its text is gone.",
        run=delete_message,
        needs=(Scope.MESSAGES_SEND,),
        authenticate=authenticate,
        failures=FAILURES,
        parameters=_MESSAGE,
        replies=(Reply(204, "It is gone", None, "", media="text/plain"),),
        raises=("conflict",),
    ),
)
