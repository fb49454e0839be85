"""Adding and changing users: the rules, inside the write that makes the change and records it."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field

import msgspec

from modembank import audit
from modembank.accounts import login_limits, repository, session_rows
from modembank.accounts.logins import Proven
from modembank.accounts.model import LOCAL_ADMIN, Actor, Role, User
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound

_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change of a user; None leaves it as it is."""

    role: Role | None = None
    active: bool | None = None
    password_hash: str | None = field(default=None, repr=False)
    proven: Proven | None = None
    """The password that the user gave to be allowed to change it."""


def check_name(name: str) -> None:
    """Raise InvalidRequest for what is no user's name."""
    if _USER_NAME.fullmatch(name) is None:
        detail = "a name has 1 to 64 letters, digits or . _ @ -, and starts with a letter or digit"
        raise InvalidRequest(FieldProblem("/name", detail))
    if name.casefold() == LOCAL_ADMIN.name:
        detail = f"{name} stands for whoever runs commands on the box itself: choose another name"
        raise InvalidRequest(FieldProblem("/name", detail))


def named(conn: sqlite3.Connection, name: str) -> User:
    """Return the user of that name; raises NotFound."""
    user = repository.user_named(conn, name)
    if user is None:
        raise NotFound(what="user", which=f"{name[:64]}")
    return user


def add(conn: sqlite3.Connection, actor: Actor, name: str, role: Role, password_hash: str | None, now: int) -> User:
    """Add a user; raises Conflict when the name is taken."""
    user = repository.insert_user(conn, name, role, now, password_hash)
    if user is None:
        raise Conflict(why=f"there is already a user {name}")
    audit.record(conn, actor, "user.add", name, now, {"role": role.value, "password": password_hash is not None})
    return user


def change(conn: sqlite3.Connection, actor: Actor, name: str, wanted: UserChange, now: int) -> User:
    """Change a user; its sessions end with another role, another password, or when it is put out.

    Raises NotFound, and Conflict when no active admin would be left.
    """
    before = named(conn, name)
    role = before.role if wanted.role is None else wanted.role
    active = before.active if wanted.active is None else wanted.active
    was_admin = before.active and before.role is Role.ADMIN
    if was_admin and not (active and role is Role.ADMIN) and not repository.other_active_admins(conn, before.id):
        raise Conflict(why=f"{before.name} is the last active admin: make another one first")
    repository.set_role_and_active(conn, before.id, role, active)
    if wanted.password_hash is not None:
        if wanted.proven is not None:
            wanted.proven.settle(conn)
        login_limits.forgive_account(conn, before.name)
        repository.set_password_hash(conn, before.id, wanted.password_hash)
    ended = 0
    if role is not before.role or not active or wanted.password_hash is not None:
        ended = session_rows.end_all_of(conn, before.id)
    detail: dict[str, object] = {"sessions_ended": ended}
    if wanted.role is not None:
        detail["role"] = [before.role.value, role.value]
    if wanted.active is not None:
        detail["active"] = [before.active, active]
    if wanted.password_hash is not None:
        detail["password"] = True
    audit.record(conn, actor, "user.change", before.name, now, detail)
    has_password = before.has_password or wanted.password_hash is not None
    return msgspec.structs.replace(before, role=role, active=active, has_password=has_password)
