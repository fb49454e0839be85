"""API keys: making one, which is shown once, and ending them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any
from urllib.parse import urlencode

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
_A_PAGE = 50
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
    """Whose keys, and where the list goes on."""

    user: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    cursor: Annotated[str, msgspec.Meta(max_length=64)] | None = None

    def address(self, cursor: str) -> str:
        """Return where the page after this one is."""
        return f"{PATH}?{urlencode(({'user': self.user} if self.user else {}) | {'cursor': cursor})}"


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make, as it was filled in."""

    user: Field = ""
    label: Field = ""
    scopes: list[Scope] = []
    networks: Annotated[str, msgspec.Meta(max_length=4_000)] = ""
    expires: Field = ""


_NEW = FormBody(NewKey)


async def keys(call: Call) -> Answer:
    """Show the keys that the caller may see; or the next page of them."""
    query = call.query(KeysQuery)
    found = await call.app.accounts.newest_keys(call.caller, of=query.user, before=query.cursor, limit=_A_PAGE + 1)
    listed = found[:_A_PAGE]
    more = query.address(listed[-1].public_id) if len(found) > _A_PAGE else ""
    if query.cursor is not None:
        return render(call, "keys/_rows.html", keys=listed, more_at=more)
    new = NewKey(user=query.user or call.caller.name)
    shown = await _form(call) | {"keys": listed, "more_at": more, "user": query.user}
    return render(call, "keys/page.html", **shown, new=new, errors={})


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
    if errors:
        return render(call, "keys/_new.html", status=422, new=form, errors=errors, **await _form(call))
    return render(call, "keys/_made.html", key=key, text=text)


async def revoke(call: Call) -> Answer:
    """End a key at once and show it so."""
    key = await call.app.accounts.revoke_key(call.caller, call.path("id"))
    return render(call, "keys/_rows.html", keys=[key], more_at="")


async def _form(call: Call) -> dict[str, Any]:
    actor = call.caller
    users = [one.name for one in await call.app.accounts.users(actor)] if actor.is_admin else []
    return {"user_options": [(name, name) for name in users], "scopes": _grantable(actor)}


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
