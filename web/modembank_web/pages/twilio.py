"""Accounts of the Twilio dialect: whose they are, what could not be told, making and ending them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.twilio import NewTwilioAccount, TwilioAccountPatch
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_by_field
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/twilio"
_NEEDS = (Scope.ADMIN,)
Text = Annotated[str, msgspec.Meta(max_length=4_000)]


class AccountForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to make, as it was filled in."""

    user: Text = ""
    sms_url: Text = ""
    status_callback: Text = ""
    allow_private: Literal["true", ""] = ""


_FORM = FormBody(AccountForm)


async def accounts(call: Call) -> Answer:
    """Show all accounts."""
    return render(call, "twilio/page.html", **await _all(call))


async def accounts_now(call: Call) -> Answer:
    """Answer the list alone."""
    return render(call, "twilio/_list.html", **await _all(call))


async def add(call: Call) -> Answer:
    """Make one and show its token."""
    form = await call.form(_FORM)
    wanted = NewTwilioAccount(
        user=form.user.strip(),
        sms_url=form.sms_url.strip() or None,
        status_callback=form.status_callback.strip() or None,
        allow_private=bool(form.allow_private),
    )
    try:
        made = await call.app.twilio.create(call.caller, wanted)
    except InvalidRequest as error:
        errors = errors_by_field(error)
    except (NotFound, Conflict) as error:
        errors = {"user": str(error)}
    else:
        return render(call, "twilio/_made.html", made=made)
    return render(call, "twilio/_new.html", status=422, **(await _all(call) | {"form": form, "errors": errors}))


async def rotate(call: Call) -> Answer:
    """Give it another token and show that; the one before is worth nothing at once."""
    made = await call.app.twilio.change(call.caller, call.path("sid"), TwilioAccountPatch(rotate_token=True))
    return render(call, "twilio/_made.html", made=made)


async def delete(call: Call) -> Answer:
    """End it."""
    await call.app.twilio.delete(call.caller, call.path("sid"))
    return await accounts_now(call)


async def _all(call: Call) -> dict[str, Any]:
    listed = await call.app.twilio.list(call.caller)
    taken = {account.user for account in listed}
    users = [user.name for user in await call.app.accounts.users(call.caller) if user.name not in taken]
    options = [("", "–"), *((name, name) for name in users)]
    return {"accounts": listed, "user_options": options, "form": AccountForm(), "errors": {}}


PAGES = (
    Page("twilioAccounts", "GET", PATH, accounts, _NEEDS),
    Page("twilioAccountsNow", "GET", f"{PATH}/now", accounts_now, _NEEDS),
    Page("twilioAccountAdd", "POST", PATH, add, _NEEDS),
    Page("twilioAccountRotate", "POST", f"{PATH}/{{sid}}/rotate", rotate, _NEEDS),
    Page("twilioAccountDelete", "POST", f"{PATH}/{{sid}}/delete", delete, _NEEDS),
)
