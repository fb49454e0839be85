"""Accounts of the Twilio dialect: one for each user whose clients speak it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Scope
from modembank.twilio import NewTwilioAccount, TwilioAccountPatch, TwilioAccountView, TwilioAccountWithToken
from modembank_web.answer import Answer, json_answer
from modembank_web.dialects import twilio_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/twilio-accounts"
_SID = {"sid": ("The account's sid", examples.ACCOUNT)}
_TAG = "Twilio dialect"


class TwilioAccountsPage(msgspec.Struct, frozen=True):
    """All accounts of the dialect."""

    items: Sequence[TwilioAccountView]
    next: None = None


_NEW = JsonBody(NewTwilioAccount)
_PATCH = JsonBody(TwilioAccountPatch)


async def list_accounts(call: Call) -> Answer:
    """Return all accounts, without their tokens."""
    return json_answer(TwilioAccountsPage(await call.app.twilio.list(call.caller)))


async def create_account(call: Call) -> Answer:
    """Make an account."""
    made = await call.app.twilio.create(call.caller, await call.json(_NEW))
    return json_answer(made, 201, ((b"location", f"{PATH}/{made.sid}".encode()),))


async def get_account(call: Call) -> Answer:
    """Return one account with its token."""
    return json_answer(await call.app.twilio.get(call.caller, call.path("sid")))


async def patch_account(call: Call) -> Answer:
    """Change an account."""
    return json_answer(await call.app.twilio.change(call.caller, call.path("sid"), await call.json(_PATCH)))


async def delete_account(call: Call) -> Answer:
    """Delete an account."""
    await call.app.twilio.delete(call.caller, call.path("sid"))
    return Answer(b"", 204)


OPERATIONS = (
    Operation(
        id="listTwilioAccounts",
        method="GET",
        path=PATH,
        tag=_TAG,
        summary="List the accounts of the dialect",
        description="Without their tokens. With how their endpoints do: what the last post came to, and what waits.",
        run=list_accounts,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The accounts", TwilioAccountsPage, {"items": [examples.ACCOUNT_VIEW], "next": None}),),
    ),
    Operation(
        id="createTwilioAccount",
        method="POST",
        path=PATH,
        tag=_TAG,
        summary="Let a user speak the dialect",
        description=(
            "Makes the sid and the auth token that a client of that API logs in with; a user has one account at most."
            " The token can be looked up again, since it signs what the box posts to the client."
        ),
        run=create_account,
        needs=(Scope.ADMIN,),
        body=Body(NewTwilioAccount, examples.NEW_ACCOUNT),
        replies=(
            Reply(
                201,
                "The account and its token",
                TwilioAccountWithToken,
                examples.ACCOUNT_WITH_TOKEN,
                headers={"Location": "Where it is"},
            ),
        ),
        raises=("not_found", "conflict"),
    ),
    Operation(
        id="getTwilioAccount",
        method="GET",
        path=f"{PATH}/{{sid}}",
        tag=_TAG,
        summary="Look up one account, with its token",
        description="With how its endpoints do.",
        run=get_account,
        needs=(Scope.ADMIN,),
        parameters=_SID,
        replies=(Reply(200, "The account and its token", TwilioAccountWithToken, examples.ACCOUNT_WITH_TOKEN),),
    ),
    Operation(
        id="patchTwilioAccount",
        method="PATCH",
        path=f"{PATH}/{{sid}}",
        tag=_TAG,
        summary="Change an account",
        description=(
            "What is left out stays. What waits to be told goes to the new addresses, and is tried again at once. A new"
            " token is worth something, and the one before nothing, from this answer on."
        ),
        run=patch_account,
        needs=(Scope.ADMIN,),
        parameters=_SID,
        body=Body(TwilioAccountPatch, examples.ACCOUNT_PATCH),
        replies=(Reply(200, "The account as it is now", TwilioAccountWithToken, examples.ACCOUNT_WITH_TOKEN),),
    ),
    Operation(
        id="deleteTwilioAccount",
        method="DELETE",
        path=f"{PATH}/{{sid}}",
        tag=_TAG,
        summary="Delete an account",
        description="Its messages stay, the sids under which it knew them are worth nothing any more.",
        run=delete_account,
        needs=(Scope.ADMIN,),
        parameters=_SID,
        replies=(Reply(204, "It is gone", None, "", media="text/plain"),),
    ),
)
