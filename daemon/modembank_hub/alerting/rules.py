"""Rules in force: the program's own, and over them what somebody has set for a place; the closest one holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from modembank.errors import FieldProblem
from modembank_hub.alerting.kinds_table import KINDS, Kind, Severity
from modembank_hub.alerting.places import EVERYWHERE, HUB, Places, Subject, rank

MOST_HOLD_S = 7 * 86_400
MOST_THRESHOLD = 1_000_000


class Rule(msgspec.Struct, frozen=True):
    """How alerts of a kind open and end at a place; times are seconds."""

    kind: str
    place: str
    active: bool
    severity: Severity
    hold_s: int
    clear_s: int
    threshold: int
    actor: str = ""
    """Who set it; empty: it is the program's."""
    at: int = 0


def default_rule(kind: Kind) -> Rule:
    """Return the program's own rule for a kind."""
    place = HUB if kind.of_hub else EVERYWHERE
    return Rule(kind.name, place, True, kind.severity, kind.hold_s, kind.clear_s, kind.threshold)


class Rulebook:
    """All rules at one moment."""

    def __init__(self, changed: Iterable[Rule], places: Places) -> None:
        """``changed`` are those that somebody has set."""
        self._places = places
        self._default = {name: default_rule(kind) for name, kind in KINDS.items()}
        self._changed: dict[str, list[Rule]] = {}
        for rule in sorted(changed, key=lambda rule: -rank(rule.place)):
            self._changed.setdefault(rule.kind, []).append(rule)

    def of(self, kind: str, subject: Subject) -> Rule:
        """Return the rule that holds for a subject."""
        for rule in self._changed.get(kind, ()):
            if self._places.cover(rule.place, subject):
                return rule
        return self._default[kind]

    def most_threshold(self, kind: str) -> int:
        """Return the greatest threshold that any rule of a kind has."""
        return max([self._default[kind].threshold, *(rule.threshold for rule in self._changed.get(kind, ()))])


def problems_of(rule: Rule, places: Places) -> Sequence[FieldProblem]:
    """Return what is wrong with a rule that somebody wrote."""
    kind = KINDS.get(rule.kind)
    if kind is None:
        return [FieldProblem("/kind", f"{rule.kind[:40]!a} is no kind of alert: one of {', '.join(KINDS)}")]
    found = []
    if (problem := places.problem(rule.place)) is not None:
        found.append(problem)
    elif kind.of_hub and rule.place not in {HUB, EVERYWHERE}:
        found.append(FieldProblem("/place", f"{kind.name} is about the hub: its place is hub"))
    elif not kind.of_hub and rule.place == HUB:
        found.append(FieldProblem("/place", f"{kind.name} is about boxes: * is all of them"))
    found += [
        FieldProblem(f"/{name}", f"must be 0 to {MOST_HOLD_S} seconds")
        for name, seconds in (("hold_s", rule.hold_s), ("clear_s", rule.clear_s))
        if not 0 <= seconds <= MOST_HOLD_S
    ]
    if kind.unit and not 1 <= rule.threshold <= MOST_THRESHOLD:
        found.append(FieldProblem("/threshold", f"must be 1 to {MOST_THRESHOLD} {kind.unit}"))
    if not kind.unit and rule.threshold:
        found.append(FieldProblem("/threshold", f"{kind.name} has none: leave it out"))
    return found
