"""Who acts: users, their roles, and what a key lets them do."""

from __future__ import annotations

import enum

import msgspec

from modembank.errors import Forbidden


class Role(enum.StrEnum):
    """A sender sees and does only its own; an admin runs the box."""

    ADMIN = "admin"
    SENDER = "sender"


class Scope(enum.StrEnum):
    """What an API key may be used for."""

    MESSAGES_SEND = "messages:send"
    MESSAGES_READ = "messages:read"
    MAILINGS = "mailings"
    OPT_OUTS = "opt-outs"
    WEBHOOKS = "webhooks"
    MODEMS = "modems"
    ADMIN = "admin"


ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset(Scope),
    Role.SENDER: frozenset({Scope.MESSAGES_SEND, Scope.MESSAGES_READ, Scope.MAILINGS, Scope.OPT_OUTS, Scope.WEBHOOKS}),
}
"""What a key of a user of that role may carry at most."""


class Actor(msgspec.Struct, frozen=True):
    """The one on whose behalf a service method runs; every face makes one and passes it down."""

    user_id: int
    name: str
    role: Role
    scopes: frozenset[Scope]
    source: str = ""
    """Where the request came from: an address, or ``local``; for the audit log."""
    session: str = ""
    """Public id of the session that it came with; empty: it came with a key."""
    networks: tuple[str, ...] = ()
    """Where the key may be used from; empty: anywhere."""
    expires_at: int | None = None
    """When the key ends, unix milliseconds."""

    @property
    def is_admin(self) -> bool:
        """Whether the actor may see what is not its own."""
        return self.role is Role.ADMIN and Scope.ADMIN in self.scopes

    def at(self, source: str) -> Actor:
        """Return the same actor, coming from there."""
        return msgspec.structs.replace(self, source=source)

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the actor's key carries the scope (an admin's full key carries all)."""
        if scope not in self.scopes and not self.is_admin:
            raise Forbidden(why=f"this needs the scope {scope.value}")


LOCAL_ADMIN = Actor(0, "local", Role.ADMIN, frozenset(Scope), "local")
"""Whoever may run the command line on the box itself."""


class User(msgspec.Struct, frozen=True):
    """One who owns keys and messages; ``created_at`` is unix milliseconds."""

    id: int
    name: str
    role: Role
    active: bool
    created_at: int
    has_password: bool = False


class ApiKey(msgspec.Struct, frozen=True):
    """What may be shown of a key: never its secret. Times are unix milliseconds."""

    public_id: str
    user: str
    label: str
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    networks: tuple[str, ...] = ()


class Session(msgspec.Struct, frozen=True):
    """One login that lasts: never its token. Times are unix milliseconds."""

    public_id: str
    user: str
    created_at: int
    seen_at: int
    source: str
    agent: str
