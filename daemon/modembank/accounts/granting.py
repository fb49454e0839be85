"""What a new key may carry: no more than its user's role allows, and no more than who makes it has."""

from __future__ import annotations

import msgspec

from modembank.accounts.model import ROLE_SCOPES, Actor, Scope, User
from modembank.accounts.networks import all_within
from modembank.errors import FieldProblem, Forbidden, InvalidRequest

LABEL_LIMIT = 100


class KeyRequest(msgspec.Struct, frozen=True):
    """What a new key is to be; None leaves it to the maker's and the role's bounds. ``expires_at`` is unix ms."""

    user: str
    scopes: frozenset[Scope] | None = None
    label: str = ""
    expires_at: int | None = None
    networks: tuple[str, ...] = ()


class Granted(msgspec.Struct, frozen=True):
    """What it becomes."""

    scopes: frozenset[Scope]
    expires_at: int | None
    networks: tuple[str, ...]


def grant(actor: Actor, user: User, request: KeyRequest, now: int) -> Granted:
    """Return what a key for ``user`` may carry when ``actor`` makes it.

    Only an admin makes keys for others. Whoever else makes one for itself cannot give it a scope, a network or a
    time that its own does not have: what is not asked for is inherited. Raises Forbidden and InvalidRequest.
    """
    if not actor.is_admin and user.id != actor.user_id:
        raise Forbidden(why="only an admin makes keys for others")
    if request.expires_at is not None and request.expires_at <= now:
        raise InvalidRequest(FieldProblem("/expires_at", "must lie in the future"))
    if len(request.label) > LABEL_LIMIT or not request.label.isprintable():
        raise InvalidRequest(FieldProblem("/label", f"must be at most {LABEL_LIMIT} printable characters"))
    scopes = _scopes(actor, user, request.scopes)
    if actor.is_admin:
        return Granted(scopes, request.expires_at, request.networks)
    networks = request.networks or actor.networks
    if actor.networks and not all_within(networks, actor.networks):
        raise InvalidRequest(FieldProblem("/networks", "must lie within those of the key that makes this one"))
    expires_at = actor.expires_at if request.expires_at is None else request.expires_at
    if actor.expires_at is not None and expires_at is not None and expires_at > actor.expires_at:
        raise InvalidRequest(FieldProblem("/expires_at", "must not be after the end of the key that makes this one"))
    return Granted(scopes, expires_at, networks)


def check_covers(actor: Actor, scopes: frozenset[Scope], ended: str) -> None:
    """Raise Forbidden when what is to be ended can do more than the actor.

    Whoever finds the narrow key in a form on a web page must not lock its user out. Scopes that the user's role does
    not allow (any more) do not count.
    """
    beyond = sorted(scope.value for scope in (scopes & ROLE_SCOPES[actor.role]) - actor.scopes)
    if beyond:
        raise Forbidden(why=f"it carries {', '.join(beyond)}, which yours does not: it is {ended} by one that does")


def _scopes(actor: Actor, user: User, wanted: frozenset[Scope] | None) -> frozenset[Scope]:
    allowed = ROLE_SCOPES[user.role]
    own = allowed if actor.is_admin else allowed & actor.scopes
    if wanted is None:
        return own
    if not wanted:
        raise InvalidRequest(FieldProblem("/scopes", "a key needs at least one scope"))
    beyond_role = sorted(scope.value for scope in wanted - allowed)
    if beyond_role:
        raise InvalidRequest(FieldProblem("/scopes", f"a {user.role.value} cannot carry {', '.join(beyond_role)}"))
    beyond_own = sorted(scope.value for scope in wanted - own)
    if beyond_own:
        detail = f"the key that makes this one does not carry {', '.join(beyond_own)}"
        raise InvalidRequest(FieldProblem("/scopes", detail))
    return wanted
