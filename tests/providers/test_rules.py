"""Which messages a rule means."""

import pytest

from modembank.errors import InvalidRequest
from modembank.providers.rules import MOST_RULES, Rule, check_rules, operator_of

ANY = ("bank",)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(ANY), True),
        (Rule(ANY, prefixes=("+1", "+44")), True),
        (Rule(ANY, prefixes=("+1",)), False),
        (Rule(ANY, users=("sam",)), True),
        (Rule(ANY, users=("kim",)), False),
        (Rule(ANY, priority_from=5, priority_to=5), True),
        (Rule(ANY, priority_from=6), False),
        (Rule(ANY, priority_to=4), False),
        (Rule(ANY, domains=("clinic.example",)), False),
        (Rule(ANY, prefixes=("+44",), users=("kim",)), False),
    ],
)
def test_all_that_is_said_must_fit(rule, fits):
    assert rule.fits("+447911000001", "sam", 5) is fits


def test_domains_are_those_of_addresses():
    rule = Rule(ANY, domains=("clinic.example",))
    assert rule.fits("someone@Clinic.example", "", 5)
    assert not rule.fits("someone@sub.clinic.example", "", 5)


def test_operators_are_those_that_numbers_were_given_to():
    assert operator_of("+447400000000")
    assert operator_of("12345") == ""
    assert operator_of("someone@clinic.example") == ""
    name = operator_of("+447400000000")
    assert Rule(ANY, operators=(name,)).fits("+447400000000", "", 5)
    assert not Rule(ANY, operators=("Nobody",)).fits("+447400000000", "", 5)


def test_no_end_of_rules():
    check_rules([Rule(ANY)] * MOST_RULES)
    with pytest.raises(InvalidRequest, match="at most"):
        check_rules([Rule(ANY)] * (MOST_RULES + 1))
