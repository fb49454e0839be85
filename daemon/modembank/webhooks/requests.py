"""What callers ask for, checked: where a webhook may lead, and what whoever makes it may hear of."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from modembank.accounts.model import Actor, Role, Scope
from modembank.errors import FieldProblem, Forbidden, InvalidRequest
from modembank.eventlog import BY_NAME, chosen, viewer_of
from modembank.outgoing import why_refused
from modembank.webhooks.signing import is_secret

MOST_KEEP_S = 7 * 86_400
LABEL_LIMIT = 100


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook to be made."""

    url: str
    events: tuple[str, ...]
    label: str = ""
    all_users: bool = False
    allow_private: bool = False
    secret: str | None = None
    user: str | None = None


class WebhookPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a webhook; what is left out stays."""

    url: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET
    label: str | UnsetType = UNSET
    all_users: bool | UnsetType = UNSET
    allow_private: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET


def check_address(url: str, *, allow_private: bool) -> None:
    """Raise InvalidRequest for an address that is never posted to."""
    why = why_refused(url, allow_private=allow_private)
    if why is not None:
        raise InvalidRequest(FieldProblem("/url", why))


def check_events(actor: Actor, patterns: Sequence[str], *, all_users: bool) -> None:
    """Raise Forbidden unless the actor's key may hear all that a webhook would tell; InvalidRequest for no kinds.

    A webhook goes on telling when the key is gone, so that it must not tell more than the key could.
    """
    viewer_of(actor, patterns, "/events")
    if actor.is_admin:
        return
    if all_users:
        raise Forbidden(why="only an admin's key may hear of everybody's events (all_users)")
    for name in sorted(chosen(patterns)):
        kind = BY_NAME[name]
        if kind.of_the_box and actor.role is Role.SENDER:
            continue  # never told to a sender, whatever the patterns
        if kind.scope not in actor.scopes:
            raise Forbidden(why=f"to hear of {name} needs a key with the scope {kind.scope}; name other events")


def check_private(actor: Actor) -> None:
    """Raise Forbidden unless the actor may let a webhook lead into private networks."""
    if not actor.is_admin:
        raise Forbidden(why="only an admin's key may allow addresses of private networks (allow_private)")


def check_label(label: str) -> None:
    """Raise InvalidRequest for a label that is too long."""
    if len(label) > LABEL_LIMIT:
        raise InvalidRequest(FieldProblem("/label", f"has at most {LABEL_LIMIT} characters"))


def check_new(actor: Actor, wanted: NewWebhook) -> None:
    """Raise what is wrong with a new webhook."""
    actor.require(Scope.WEBHOOKS)
    check_events(actor, wanted.events, all_users=wanted.all_users)
    if wanted.allow_private:
        check_private(actor)
    check_address(wanted.url, allow_private=wanted.allow_private)
    check_label(wanted.label)
    if wanted.secret is not None and not is_secret(wanted.secret):
        raise InvalidRequest(FieldProblem("/secret", "must be whsec_ and 24 to 64 octets in base64; or leave it out"))
    if wanted.user is not None and not actor.is_admin:
        raise Forbidden(why="only an admin's key may make a webhook for somebody else (user)")
    if wanted.user is None and actor.user_id == 0:
        raise InvalidRequest(FieldProblem("/user", "is required here: the name of the user whose webhook it is"))
