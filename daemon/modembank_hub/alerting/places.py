"""Where a rule or a silence holds: everywhere, at the hub, at a site, in a group of boxes, or for one box."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from modembank.errors import FieldProblem
from modembank_hub.rows_of_config import GroupRow

EVERYWHERE, HUB = "*", "hub"
_NAME = r"[a-z0-9][a-z0-9-]{0,31}"
_PLACE = re.compile(rf"\*|hub|site:{_NAME}|group:{_NAME}|box:{_NAME}/{_NAME}")
_RANKS = {"*": 0, "site": 1, "group": 2, "box": 3, "hub": 3}


class Subject(msgspec.Struct, frozen=True):
    """What an alert is about."""

    name: str
    """``site/box``, or ``hub``."""
    site: str = ""
    label: str = ""
    box_id: int | None = None

    @property
    def is_hub(self) -> bool:
        """Whether it is the hub itself."""
        return self.name == HUB


THE_HUB = Subject(HUB)


class Places:
    """Which subjects a place covers; groups are as they are now."""

    def __init__(self, groups: Sequence[GroupRow]) -> None:
        """Of a group whose pattern is not there any more, nothing is covered."""
        self._groups = {group.name: group for group in groups}

    def cover(self, place: str, subject: Subject) -> bool:
        """Return whether a subject is there."""
        what, _, name = place.partition(":")
        if what == EVERYWHERE:
            return True
        if subject.is_hub or what == HUB:
            return subject.is_hub and what == HUB
        if what == "site":
            return subject.site == name
        if what == "box":
            return subject.name == name
        group = self._groups.get(name)
        return group is not None and group.has(subject.name, subject.label)

    def problem(self, place: str, pointer: str = "/place") -> FieldProblem | None:
        """Return what is wrong with a place that somebody wrote."""
        if not _PLACE.fullmatch(place):
            forms = "*, hub, site:NAME, group:NAME or box:SITE/NAME"
            return FieldProblem(pointer, f"{place[:60]!a} is no place: write {forms}")
        what, _, name = place.partition(":")
        if what == "group" and name not in self._groups:
            return FieldProblem(
                pointer, f"there is no group {name}: make it under Configuration, or name a site or box"
            )
        return None


def rank(place: str) -> int:
    """Return how closely a place names its subjects: of two rules the closer one holds."""
    return _RANKS[place.partition(":")[0]]
