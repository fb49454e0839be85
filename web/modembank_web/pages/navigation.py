"""The menu: which pages there are, for whom, in what order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Actor, Scope


class Entry(msgspec.Struct, frozen=True):
    """A page in the menu."""

    label: str
    path: str
    icon: str
    needs: Scope | None = None
    """None: everybody who is logged in."""
    also: str = ""
    """Another page that is a tab of this one."""
    of_image: bool = False
    """Whether it is only there on a box that was started from the appliance image."""


class Group(msgspec.Struct, frozen=True):
    """Entries under a heading."""

    label: str
    entries: tuple[Entry, ...]


GROUPS = (
    Group(
        "Sending",
        (
            Entry("Mailings", "/ui/mailings", "mailing", Scope.MAILINGS),
            Entry("Messages", "/ui/messages", "message", Scope.MESSAGES_READ),
            Entry("Conversations", "/ui/conversations", "talk", Scope.MESSAGES_READ),
        ),
    ),
    Group(
        "Operation",
        (
            Entry("Bank", "/ui/bank", "bank", Scope.ADMIN, also="/ui/sims"),
            Entry("Routes", "/ui/routes", "send", Scope.ADMIN),
            Entry("Providers", "/ui/providers", "provider", Scope.ADMIN, also="/ui/routing"),
            Entry("Issues", "/ui/issues", "issue", Scope.ADMIN),
            Entry("Report", "/ui/report", "report", Scope.ADMIN),
            Entry("Opt-outs", "/ui/opt-outs", "optout", Scope.OPT_OUTS),
        ),
    ),
    Group(
        "Administration",
        (
            Entry("Users", "/ui/users", "users", Scope.ADMIN),
            Entry("API keys", "/ui/keys", "key", also="/ui/twilio"),
            Entry("Webhooks", "/ui/webhooks", "webhook", Scope.WEBHOOKS),
            Entry("Audit", "/ui/audit", "audit", Scope.ADMIN),
            Entry("System", "/ui/system", "system", Scope.ADMIN),
            Entry("Box", "/ui/box", "box", Scope.ADMIN, of_image=True),
        ),
    ),
)


class Item(msgspec.Struct, frozen=True):
    """An entry as it is shown."""

    entry: Entry
    current: bool
    """Whether the page that is shown is this one, or lies below it."""


def menu(
    actor: Actor | None, here: str, groups: Sequence[Group] | None = None, *, image: bool = False
) -> Sequence[tuple[str, Sequence[Item]]]:
    """Return what the actor's menu holds, group by group.

    ``groups`` are of another role than the box's; ``image``: the box was started from the appliance image.
    """
    if actor is None:
        return ()
    shown = [
        (
            group.label,
            [
                Item(entry, _is_at(entry, here))
                for entry in group.entries
                if _may(actor, entry) and (image or not entry.of_image)
            ],
        )
        for group in (GROUPS if groups is None else groups)
    ]
    return [(label, items) for label, items in shown if items]


def _may(actor: Actor, entry: Entry) -> bool:
    return entry.needs is None or actor.is_admin or entry.needs in actor.scopes


def _is_at(entry: Entry, here: str) -> bool:
    return any(here == path or here.startswith(path + "/") for path in (entry.path, entry.also) if path)
