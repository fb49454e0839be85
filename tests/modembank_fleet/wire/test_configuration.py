"""The document of a configuration: what may be in it, what is said of what may not, and what names it."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_fleet.wire import (
    CfgDesired,
    WireError,
    decode,
    desired,
    document_of,
    hash_of,
    judge,
    of_sim,
)
from modembank_fleet.wire.configuration import MOST_DOCUMENT, MOST_ERRORS, MOST_SIMS

ICCID, NAME = "8944110068256270054", "0123456789abcdef"
GOOD = {
    "profile": "lean",
    "quiet_hours": {"from": "21:00", "to": "08:00"},
    "sims": {"*": {"limits": {"per_day": 100}}, ICCID: {"label": "alarm", "paused": False}, NAME: {"paused": True}},
}


def codes(document):
    return {(error.path, error.code) for error in judge(document)[1]}


def test_what_is_good_is_read():
    document, errors = judge(GOOD)
    assert not errors
    assert dict(document.settings()) == {
        "profile": "profile",
        "quiet_hours": "quiet_hours",
        "sims.*.limits.per_day": "sim.limits",
        f"sims.{ICCID}.label": "sim.label",
        f"sims.{ICCID}.paused": "sim.paused",
        f"sims.{NAME}.paused": "sim.paused",
    }
    assert of_sim(document.sims[ICCID]) == {"label": "alarm", "paused": False}
    assert document.quiet_hours.exempt_priority == 9
    assert judge({}) == (judge({})[0], [])


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        ([], "", "wrong_type"),
        (None, "", "wrong_type"),
        ({"pin": "1234"}, "pin", "unknown_key"),
        ({"profile": 3}, "profile", "wrong_type"),
        ({"profile": None}, "profile", "wrong_type"),
        ({"profile": "live"}, "profile", "bad_value"),
        ({"quiet_hours": {"from": "21:00"}}, "quiet_hours", "missing"),
        ({"quiet_hours": {"from": "21:00", "to": "25:00"}}, "quiet_hours.to", "bad_value"),
        ({"quiet_hours": {"from": "21:00", "to": "21:00"}}, "quiet_hours.from", "bad_value"),
        ({"quiet_hours": {"from": "21:00", "to": "22:00", "x": 1}}, "quiet_hours.x", "unknown_key"),
        ({"sims": []}, "sims", "wrong_type"),
        ({"sims": {"slot-03": {}}}, "sims.slot-03", "unknown_key"),
        ({"sims": {"*": 5}}, "sims.*", "wrong_type"),
        ({"sims": {"*": {"pin": "1234"}}}, "sims.*.pin", "unknown_key"),
        ({"sims": {"*": {"label": " x"}}}, "sims.*.label", "bad_value"),
        ({"sims": {"*": {"label": "a\u202eb"}}}, "sims.*.label", "bad_value"),
        ({"sims": {"*": {"paused": "yes"}}}, "sims.*.paused", "wrong_type"),
        ({"sims": {"*": {"limits": 3}}}, "sims.*.limits", "wrong_type"),
        ({"sims": {"*": {"limits": {"per_day": -1}}}}, "sims.*.limits.per_day", "bad_value"),
        ({"sims": {"*": {"limits": {"per_day": None}}}}, "sims.*.limits.per_day", "wrong_type"),
        ({"sims": {"*": {"limits": {"a.b": 1}}}}, "sims.*.limits.a.b", "unknown_key"),
        ({"sims": {f"{number:018d}": {} for number in range(MOST_SIMS + 1)}}, "sims", "bad_value"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(document, path, code):
    assert (path, code) in codes(document)


def test_everything_that_is_wrong_is_said_at_once():
    document = {"x": 1, "profile": 3, "sims": {"*": {"label": 7, "limits": {"per_day": -1, "y": 1}}, "z": {}}}
    assert {path for path, _ in codes(document)} == {
        "x", "profile", "sims.*.label", "sims.*.limits.per_day", "sims.*.limits.y", "sims.z",
    }  # fmt: skip
    assert len(judge({str(number): 1 for number in range(500)})[1]) == MOST_ERRORS


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["sims", "*", ICCID, "limits", "per_day", "label", "paused", "profile", "quiet_hours", "from"]
            )
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(ANY)
def test_whatever_comes_is_judged_and_named(document):
    read, errors = judge(document)
    for error in errors:
        assert error.code in {"unknown_key", "wrong_type", "bad_value", "missing"}
        assert len(error.path) <= 200
    if not errors:
        list(read.settings())
    again = json.loads(json.dumps(document))
    assert hash_of(document) == hash_of(again)


def test_the_hash_is_of_the_content_and_not_of_its_order():
    turned = {name: GOOD[name] for name in reversed(GOOD)}
    assert hash_of(GOOD) == hash_of(turned)
    assert hash_of(GOOD) != hash_of(GOOD | {"profile": "standard"})


@pytest.mark.parametrize("deep", [10, 400, 900])
def test_what_is_nested_without_end_is_only_wrong(deep):
    for where in ({"x": None}, {"sims": {"*": {"limits": None}}}, {"sims": {"*": {"limits": {"per_day": None}}}}):
        document = json.loads(json.dumps(where).replace("null", '{"a":' * deep + "1" + "}" * deep))
        assert judge(document)[1]
        with contextlib.suppress(WireError):  # and nothing else comes of it
            assert len(hash_of(document)) == 32


def test_a_message_carries_it():
    message = decode(CfgDesired, desired(GOOD, ver=7, ep="k3f9", by="anna", at=1.8e9))
    assert (message.ver, message.by, document_of(message)) == (7, "anna", GOOD)
    for wrong in ({"ver": 0}, {"ver": 2**60}, {"ver": "7"}, {"ep": ""}):
        given_ = {"v": 1, "ver": 7, "ep": "k3f9", "doc": {}} | wrong
        with pytest.raises(WireError, match="malformed"):
            decode(CfgDesired, json.dumps(given_).encode())
    with pytest.raises(WireError, match="too_large"):
        desired({"x": "y" * MOST_DOCUMENT}, ver=7, ep="k3f9", by="anna", at=1.8e9)
