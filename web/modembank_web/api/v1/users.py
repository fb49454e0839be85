"""Users and their quotas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from modembank.accounts import QuotaView, Role, Scope, UserView, quota_view, user_view
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import account_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/users"
QUOTAS = "/api/v1/quotas"
_USER = {"user": ("The user's name", "ann")}
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Segments = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to add."""

    name: Text
    role: Role
    password: Text | None = None


class UserPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a user; what is left out stays."""

    role: Role | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    password: Text | UnsetType = UNSET
    current_password: Text | UnsetType = UNSET


class UsersPage(msgspec.Struct, frozen=True):
    """All users."""

    items: Sequence[UserView]
    next: None = None


class QuotaPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quotas to set; what is left out stays."""

    per_day: Segments | UnsetType = UNSET
    per_month: Segments | UnsetType = UNSET


class QuotasPage(msgspec.Struct, frozen=True):
    """The quotas of all users."""

    items: Sequence[QuotaView]
    next: None = None


_NEW = JsonBody(NewUser)
_PATCH = JsonBody(UserPatch)
_QUOTA = JsonBody(QuotaPatch)


async def list_users(call: Call) -> Answer:
    """Return all users."""
    return json_answer(UsersPage([user_view(user) for user in await call.app.accounts.users(call.caller)]))


async def add_user(call: Call) -> Answer:
    """Add a user."""
    new = await call.json(_NEW)
    user = await call.app.accounts.add_user(call.caller, new.name, new.role, new.password)
    return json_answer(user_view(user), 201, ((b"location", f"{PATH}/{user.name}".encode("ascii")),))


async def get_user(call: Call) -> Answer:
    """Return one user."""
    return json_answer(user_view(await call.app.accounts.user(call.caller, call.path("user"))))


async def patch_user(call: Call) -> Answer:
    """Change a user."""
    patch = await call.json(_PATCH)
    user = await call.app.accounts.change_user(
        call.caller,
        call.path("user"),
        role=None if patch.role is UNSET else patch.role,
        active=None if patch.active is UNSET else patch.active,
        password=None if patch.password is UNSET else patch.password,
        current_password=None if patch.current_password is UNSET else patch.current_password,
    )
    return json_answer(user_view(user))


async def list_quotas(call: Call) -> Answer:
    """Return the quotas of all users."""
    listed = await call.app.accounts.quotas.list(call.caller)
    return json_answer(QuotasPage([quota_view(one) for one in listed]))


async def patch_quota(call: Call) -> Answer:
    """Set a user's quotas."""
    patch = await call.json(_QUOTA)
    changed = await call.app.accounts.quotas.change(
        call.caller,
        call.path("user"),
        per_day=None if patch.per_day is UNSET else patch.per_day,
        per_month=None if patch.per_month is UNSET else patch.per_month,
    )
    return json_answer(quota_view(changed))


OPERATIONS = (
    Operation(
        id="listUsers",
        method="GET",
        path=PATH,
        tag="Users",
        summary="List the users",
        description="All that were ever added, by age.",
        run=list_users,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "All users", UsersPage, {"items": [examples.USER], "next": None}),),
    ),
    Operation(
        id="addUser",
        method="POST",
        path=PATH,
        tag="Users",
        summary="Add a user",
        description="With a password it can log in; for programs give it an API key. 409 when the name is taken.",
        run=add_user,
        needs=(Scope.ADMIN,),
        body=Body(NewUser, examples.NEW_USER),
        replies=(Reply(201, "Added", UserView, examples.USER, headers={"Location": "Where it is"}),),
        raises=("conflict",),
    ),
    Operation(
        id="getUser",
        method="GET",
        path=f"{PATH}/{{user}}",
        tag="Users",
        summary="Look up one user",
        description="Oneself, or anybody for an admin.",
        run=get_user,
        parameters=_USER,
        replies=(Reply(200, "The user", UserView, examples.USER),),
    ),
    Operation(
        id="patchUser",
        method="PATCH",
        path=f"{PATH}/{{user}}",
        tag="Users",
        summary="Change a user",
        description=(
            "For an admin; but anybody may set the own `password` with the `current_password`. Disabling works at once "
            "for keys and sessions; another role or password ends the user's sessions. 409 when no active admin would "
            "be left."
        ),
        run=patch_user,
        body=Body(UserPatch, examples.USER_PATCH),
        parameters=_USER,
        replies=(Reply(200, "The user as it is now", UserView, examples.USER),),
        raises=("conflict", "too_many_requests"),
    ),
    Operation(
        id="listQuotas",
        method="GET",
        path=QUOTAS,
        tag="Users",
        summary="List the quotas",
        description="Of all users: segments a day and a calendar month of the box, what is used, and when it resets.",
        run=list_quotas,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "All quotas", QuotasPage, {"items": [examples.QUOTA], "next": None}),),
    ),
    Operation(
        id="patchQuota",
        method="PATCH",
        path=f"{QUOTAS}/{{user}}",
        tag="Users",
        summary="Set a user's quotas",
        description="Live with the next message. What was accepted before counts.",
        run=patch_quota,
        needs=(Scope.ADMIN,),
        body=Body(QuotaPatch, examples.QUOTA_PATCH),
        parameters=_USER,
        replies=(Reply(200, "The quotas as they are now", QuotaView, examples.QUOTA),),
    ),
)
