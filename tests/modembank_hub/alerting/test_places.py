"""Which subjects a place covers, and which of several rules holds."""

from __future__ import annotations

import pytest

from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.places import THE_HUB, Places, Subject, rank
from modembank_hub.alerting.rules import Rule, Rulebook, default_rule, problems_of
from modembank_hub.rows_of_config import GroupRow

B1 = Subject("leeds/b1", "leeds", "Cellar of Leeds", 1)
B2 = Subject("leeds/b2", "leeds", "Roof", 2)
OSLO = Subject("oslo/b1", "oslo", "", 3)


def a_group(name, pattern):
    return GroupRow(1, name, pattern, 0, 1, "{}", "ada", 0)


PLACES = Places([a_group("cellars", "label:*cellar*"), a_group("firsts", "*/b1")])


@pytest.mark.parametrize(
    ("place", "covered"),
    [
        ("*", {"leeds/b1", "leeds/b2", "oslo/b1", "hub"}),
        ("hub", {"hub"}),
        ("site:leeds", {"leeds/b1", "leeds/b2"}),
        ("site:hub", set()),
        ("box:leeds/b2", {"leeds/b2"}),
        ("group:cellars", {"leeds/b1"}),
        ("group:firsts", {"leeds/b1", "oslo/b1"}),
        ("group:gone", set()),
    ],
)
def test_a_place_covers(place, covered):
    assert {one.name for one in (B1, B2, OSLO, THE_HUB) if PLACES.cover(place, one)} == covered


@pytest.mark.parametrize(
    "place",
    ["", "leeds", "site:", "site:Leeds", "site:leeds/b1", "box:leeds", "box:leeds/b1/x", "group:gone", "hub:x", "*:x",
     "site:leeds\n", "box:-a/b", "SITE:leeds"],
)  # fmt: skip
def test_what_is_no_place_is_said_to_be_none(place):
    problem = PLACES.problem(place)
    assert problem is not None
    assert problem.pointer == "/place"


@pytest.mark.parametrize("place", ["*", "hub", "site:leeds", "group:cellars", "box:leeds/b1"])
def test_what_is_a_place_has_no_problem(place):
    assert PLACES.problem(place) is None


def test_the_closer_place_counts():
    assert rank("*") < rank("site:leeds") < rank("group:cellars") < rank("box:leeds/b1")


def a_rule(place, threshold, kind="box.queue", **more):
    given = {"active": True, "severity": Severity.WARNING, "hold_s": 1, "clear_s": 1}
    return Rule(kind=kind, place=place, threshold=threshold, **(given | more))


def test_of_several_rules_the_closest_holds():
    changed = [
        a_rule("*", 10), a_rule("box:leeds/b1", 40), a_rule("site:leeds", 20), a_rule("group:firsts", 30),
    ]  # fmt: skip
    book = Rulebook(changed, PLACES)
    assert [book.of("box.queue", one).threshold for one in (B1, B2, OSLO)] == [40, 20, 30]
    assert book.of("box.queue", Subject("turin/b9", "turin")).threshold == 10
    assert book.of("box.offline", B1) == default_rule(KINDS["box.offline"])
    assert book.most_threshold("box.queue") == 1000
    assert book.most_threshold("box.gap") == 24


@pytest.mark.parametrize(
    ("rule", "pointers"),
    [
        (a_rule("site:leeds", 10), []),
        (a_rule("*", 0, "box.offline"), []),
        (a_rule("*", 10, "box.offline"), ["/threshold"]),
        (a_rule("hub", 10), ["/place"]),
        (a_rule("site:leeds", 10, "hub.quarantine"), ["/place"]),
        (a_rule("*", 10, "hub.quarantine"), []),
        (a_rule("nowhere", 0, hold_s=-1, clear_s=10**9), ["/place", "/hold_s", "/clear_s", "/threshold"]),
        (a_rule("*", 10, "box.dance"), ["/kind"]),
    ],
)
def test_everything_that_is_wrong_with_a_rule_is_said(rule, pointers):
    assert [problem.pointer for problem in problems_of(rule, PLACES)] == pointers
