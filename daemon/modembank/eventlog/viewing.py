"""Who hears which events: by the scopes of a key, and the kinds that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from modembank.errors import Forbidden, InvalidRequest
from modembank.eventlog.kinds import BY_NAME, chosen, pattern_problems


class Hearer(Protocol):
    """Who asks; an Actor is one."""

    @property
    def user_id(self) -> int:
        """Row id of the user."""

    @property
    def is_admin(self) -> bool:
        """Whether it hears everything."""

    @property
    def scopes(self) -> AbstractSet[str]:
        """What its key may be used for."""


class Viewer(msgspec.Struct, frozen=True):
    """Who hears what: these kinds, of one user (None: of everybody)."""

    kinds: frozenset[str]
    user_id: int | None

    def hears(self, kind: str, user_id: int | None) -> bool:
        """Whether an entry is for it."""
        if kind not in self.kinds:
            return False
        return self.user_id is None or user_id == self.user_id or BY_NAME[kind].of_the_box


def viewer_of(who: Hearer, patterns: Sequence[str], pointer: str) -> Viewer:
    """Return what somebody hears of the kinds asked for: a sender its own, an admin everything.

    Raises InvalidRequest for what is no kind, Forbidden when the key's scopes allow nothing of a pattern.
    """
    if problems := pattern_problems(patterns, pointer):
        raise InvalidRequest(*problems)
    if who.is_admin:
        return Viewer(chosen(patterns), None)
    heard: set[str] = set()
    for pattern in patterns:
        kinds = chosen([pattern])
        allowed = {name for name in kinds if BY_NAME[name].scope in who.scopes}
        if not allowed:
            needed = " or ".join(sorted({BY_NAME[name].scope for name in kinds}))
            raise Forbidden(why=f"to hear of {pattern} needs a key with the scope {needed}")
        heard |= allowed
    return Viewer(frozenset(heard), who.user_id)
