"""API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from modembank.accounts import ApiKeyView, Scope, key_view
from modembank.clock import to_ms
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import account_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/api-keys"


class NewApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make."""

    user: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    label: Annotated[str, msgspec.Meta(max_length=100)] = ""
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(max_length=50)] | None = None
    networks: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)] = ()
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class AddedApiKey(msgspec.Struct, frozen=True):
    """A new key: `key` is told only in this answer."""

    key: str
    api_key: ApiKeyView


class ApiKeysPage(msgspec.Struct, frozen=True):
    """The keys, by age, those that ended included."""

    items: Sequence[ApiKeyView]
    next: None = None


_NEW = JsonBody(NewApiKey)


async def list_api_keys(call: Call) -> Answer:
    """Return the keys that the caller may see."""
    return json_answer(ApiKeysPage([key_view(key) for key in await call.app.accounts.keys(call.caller)]))


async def add_api_key(call: Call) -> Answer:
    """Make a key."""
    new = await call.json(_NEW)
    key, text = await call.app.accounts.add_key(
        call.caller,
        new.user or call.caller.name,
        scopes=new.scopes,
        label=new.label,
        expires_at=None if new.expires_at is None else to_ms(new.expires_at.timestamp()),
        networks=new.networks,
    )
    return json_answer(AddedApiKey(text, key_view(key)), 201)


async def revoke_api_key(call: Call) -> Answer:
    """End a key."""
    return json_answer(key_view(await call.app.accounts.revoke_key(call.caller, call.path("id"))))


OPERATIONS = (
    Operation(
        id="listApiKeys",
        method="GET",
        path=PATH,
        tag="API keys",
        summary="List the API keys",
        description="One's own, for an admin everybody's; never their secrets.",
        run=list_api_keys,
        replies=(Reply(200, "The keys", ApiKeysPage, {"items": [examples.KEY], "next": None}),),
    ),
    Operation(
        id="addApiKey",
        method="POST",
        path=PATH,
        tag="API keys",
        summary="Make an API key",
        description=(
            "For oneself, or for anybody as an admin. `key` is told only this once: the box keeps a digest of it. It "
            "cannot be given more than the user's role allows, nor, by who is no admin, more than the key that makes "
            "it has: scopes, networks and end are inherited where none are named."
        ),
        run=add_api_key,
        body=Body(NewApiKey, examples.NEW_KEY),
        replies=(Reply(201, "The key", AddedApiKey, examples.ADDED_KEY),),
        raises=("not_found",),
    ),
    Operation(
        id="revokeApiKey",
        method="DELETE",
        path=f"{PATH}/{{id}}",
        tag="API keys",
        summary="Revoke an API key",
        description=(
            "One's own that can do no more than the key of the request, or any for an admin, by the part after `mb_`. "
            "At once and for good; it stays listed."
        ),
        run=revoke_api_key,
        parameters={"id": ("The key's id", "4fQ2mZ0a")},
        replies=(Reply(200, "The key as it is now", ApiKeyView, examples.REVOKED_KEY),),
    ),
)
