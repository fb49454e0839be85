"""API keys: making one, which is shown once, and ending them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any

import msgspec

from modembank.accounts import ROLE_SCOPES, Actor, Role, Scope
from modembank.clock import to_ms
from modembank.errors import Forbidden, InvalidRequest, NotFound
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_by_field
from modembank_web.pages.rendering import render

PATH = f"{ROOT}/keys"
Field = Annotated[str, msgspec.Meta(max_length=1_000)]
SCOPES = (
    (Scope.MESSAGES_SEND, "send messages"),
    (Scope.MESSAGES_READ, "read messages and the inbox"),
    (Scope.MAILINGS, "make and steer mailings"),
    (Scope.OPT_OUTS, "see and change opt-outs"),
    (Scope.WEBHOOKS, "manage webhooks"),
    (Scope.MODEMS, "see and steer modems and SIMs"),
    (Scope.ADMIN, "administer the box"),
)


class KeysQuery(msgspec.Struct, frozen=True):
    """Whose keys."""

    user: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make, as it was filled in."""

    user: Field = ""
    label: Field = ""
    scopes: list[Scope] = []
    networks: Annotated[str, msgspec.Meta(max_length=4_000)] = ""
    expires: Field = ""


_NEW = FormBody(NewKey)


async def keys(call: Call) -> Answer:
    """Show the keys that the caller may see."""
    user = call.query(KeysQuery).user
    return render(
        call, "keys/page.html", **await _all(call, user), new=NewKey(user=user or call.caller.name), errors={}
    )


async def add(call: Call) -> Answer:
    """Make a key and show it, this once."""
    form = await call.form(_NEW)
    errors: dict[str, str] = {}
    key = text = None
    expires_at = _end_of(form.expires, errors)
    if not form.scopes:
        errors["scopes"] = "choose what it may do"
    if not errors:
        try:
            key, text = await call.app.accounts.add_key(
                call.caller,
                form.user.strip() or call.caller.name,
                scopes=form.scopes,
                label=form.label.strip(),
                expires_at=expires_at,
                networks=form.networks.replace(",", " ").split(),
            )
        except InvalidRequest as error:
            errors = errors_by_field(error)
        except NotFound as error:
            errors = {"user": str(error)}
        except Forbidden as error:
            errors = {"scopes": str(error)}
    shown = await _all(call, None)
    if errors:
        return render(call, "keys/_new.html", status=422, new=form, errors=errors, **shown)
    return render(call, "keys/_made.html", key=key, text=text, **shown)


async def revoke(call: Call) -> Answer:
    """End a key at once."""
    await call.app.accounts.revoke_key(call.caller, call.path("id"))
    return render(call, "keys/_list.html", **await _all(call, None))


async def _all(call: Call, user: str | None) -> dict[str, Any]:
    actor, accounts = call.caller, call.app.accounts
    listed = [key for key in await accounts.keys(actor) if user is None or key.user == user]
    users = [one.name for one in await accounts.users(actor)] if actor.is_admin else [actor.name]
    return {
        "keys": listed[::-1],
        "user": user,
        "user_options": [(name, name) for name in users],
        "scopes": _grantable(actor),
    }


def _grantable(actor: Actor) -> list[tuple[Scope, str]]:
    may = frozenset(Scope) if actor.is_admin else ROLE_SCOPES[Role.SENDER] & actor.scopes
    return [(scope, words) for scope, words in SCOPES if scope in may]


def _end_of(day: str, errors: dict[str, str]) -> int | None:
    """Return when a day (UTC) ends, unix milliseconds; None for no day."""
    if not day.strip():
        return None
    try:
        last = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        errors["expires"] = "is a day such as 2027-01-31"
        return None
    return to_ms(datetime.combine(last.date(), time.max, UTC).timestamp())


PAGES = (
    Page("keys", "GET", PATH, keys),
    Page("keyAdd", "POST", PATH, add),
    Page("keyRevoke", "POST", f"{PATH}/{{id}}/revoke", revoke),
)
