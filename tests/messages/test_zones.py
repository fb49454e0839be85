"""Where a number's holder may be."""

import pytest

from modembank.messages.zones import zones_of


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+4915112345678", {"Europe/Berlin"}),
        ("+12125551234", {"America/New_York"}),
        ("+13105551234", {"America/Los_Angeles"}),
        ("+390612345678", {"Europe/Rome"}),
        ("+80012345678", set()),
        ("12345", set()),
        ("+999", set()),
        ("Example", set()),
    ],
)
def test_zones(number, zones):
    assert {str(zone) for zone in zones_of(number)} == zones


def test_a_mobile_number_of_a_large_country_has_all_of_its_zones():
    zones = {str(zone) for zone in zones_of("+61412345678")}
    assert {"Australia/Perth", "Australia/Sydney"} <= zones


def test_zones_are_the_same_objects_for_all_numbers_of_a_place():
    assert zones_of("+4915112345678")[0] is zones_of("+4915112345679")[0]
