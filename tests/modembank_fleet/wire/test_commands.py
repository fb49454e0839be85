"""Commands: the table, and arguments that fit it."""

import json

import pytest

from modembank_fleet.wire import BY_VERB, VERBS, Command, If, WireError, arguments, command, decode, encode, verb_of
from modembank_fleet.wire.commands import OneSim, Profile, ResetModem, SimLimits

GIVEN = {"id": "01JDABCD", "iat": 1_794_900_000.0, "ttl": 300, "ep": "k3f9", "by": "anna@hub"}
GOOD = {
    "ping": {}, "rebirth": {}, "diag.run": {}, "tele.profile": {"profile": "lean"},
    "sim.pause": {"iccid": "8944500000000000001"}, "sim.resume": {"iccid": "8944500000000000001"},
    "sim.limits": {"iccid": "8944500000000000001", "per_day": 5}, "cfg.reload": {}, "modem.reset": {"slot": "slot-01"},
    "ussd.run": {"slot": "slot-01", "code": "*100#"}, "logs.collect": {},
    "msg.submit": {"run": "0123456789abcdef", "up": 60.5, "lease": 600, "msgs": [
        {"id": "m-000001", "to": "+447900900123", "body": "x", "fence": 1, "not_after": 2e9}]},
    "msg.recall": {"msgs": [{"id": "m-000001", "fence": 1}]},
    "sw.update": {"job": "j-000001", "version": "1.2", "url": "https://hub.example/x.raucb", "sha256": "0a" * 32},
    "sw.cancel": {"job": "j-000001"}, "sw.rollback": {}, "cred.rotate": {"step": "csr"}, "box.reboot": {},
}  # fmt: skip
BAD = [
    ("tele.profile", {"profile": "all"}), ("tele.profile", {}), ("sim.pause", {"iccid": "12"}),
    ("sim.limits", {"iccid": "8944500000000000001", "per_day": -1}), ("modem.reset", {"slot": "../x"}),
    ("modem.reset", {"slot": "slot-01", "mode": "burn"}), ("ussd.run", {"slot": "slot-01", "code": "*100#;ATD"}),
    ("logs.collect", {"max_kb": 4096}), ("logs.collect", {"unit": "../etc"}),
    ("msg.submit", {"run": "0123456789abcdef", "up": 60.5, "lease": 600, "msgs": []}),
    ("msg.submit", {"lease": 600, "msgs": [GOOD["msg.submit"]["msgs"][0]]}),
    ("sw.update", {"job": "j-000001", "version": "1", "sha256": "0a" * 32, "url": "http://x.example/x"}), ("ping", []),
    ("sw.update", {"job": "j-000001", "version": "1", "sha256": "0A" * 32}),
    ("sw.update", {"job": "j-000001", "version": "1", "sha256": "0a" * 32, "window": "2-5"}),
    ("sw.update", {"job": "j-000001", "version": "1 2", "sha256": "0a" * 32}),
]  # fmt: skip


def test_every_verb_has_an_example():
    assert set(GOOD) == set(BY_VERB)
    assert len(BY_VERB) == len(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_good_arguments_are_read(verb):
    assert verb_of(verb.parts) is verb
    raw = json.dumps(GIVEN | {"v": 1, "args": GOOD[verb.name]}).encode()
    given = decode(Command, raw)
    args = arguments(verb, given)
    assert isinstance(args, verb.args)
    again = decode(Command, encode(command(verb, args, **GIVEN)))
    assert arguments(verb, again) == args


@pytest.mark.parametrize(("name", "args"), BAD)
def test_bad_arguments_are_refused(name, args):
    given = decode(Command, json.dumps(GIVEN | {"v": 1, "args": args}).encode())
    with pytest.raises(WireError) as refused:
        arguments(BY_VERB[name], given)
    assert refused.value.code == "bad_args"


@pytest.mark.parametrize(
    "parts", [("cmd",), ("cmd", "ping", "x"), ("cmd", "msg.submit"), ("msg", "ping"), ("msg",), ("cmd", "x"), ("ack",)]
)
def test_what_is_no_verb(parts):
    with pytest.raises(WireError) as refused:
        verb_of(parts)
    assert refused.value.code == "unknown_verb"


def test_a_command_holds_to_its_verb():
    with pytest.raises(WireError, match="ttl_too_long"):
        command(BY_VERB["ussd.run"], BY_VERB["ussd.run"].args(slot="a", code="*1#"), **GIVEN | {"ttl": 301})
    with pytest.raises(WireError, match="bad_args"):
        command(BY_VERB["ping"], OneSim(iccid="8944500000000000001"), **GIVEN)


def test_a_condition_is_called_if_on_the_wire():
    made = command(BY_VERB["tele.profile"], Profile(profile="lean"), **GIVEN, cond=If(cfg=41))
    assert json.loads(encode(made))["if"] == {"cfg": 41}


@pytest.mark.parametrize("change", [{"id": "a/b/c/d/e"}, {"id": ""}, {"ttl": 0}, {"ep": "?"}, {"iat": -1}, {"by": 3}])
def test_what_is_no_command(change):
    with pytest.raises(WireError):
        decode(Command, json.dumps(GIVEN | {"v": 1} | change).encode())


def test_what_costs_or_sends_is_off_by_itself_and_never_runs_twice():
    assert {verb.name for verb in VERBS if not verb.gate} == {"ussd.run", "msg.submit", "msg.recall"}
    assert not any(BY_VERB[name].rerun for name in ("ussd.run", "modem.reset", "msg.submit", "box.reboot"))
    assert {verb.name for verb in VERBS if not verb.signed} == {"ping", "rebirth", "diag.run", "tele.profile"}


def test_limits_that_are_not_named_are_not_sent():
    assert json.loads(encode(SimLimits(iccid="8944500000000000001", per_day=3))) == {
        "iccid": "8944500000000000001", "per_day": 3
    }  # fmt: skip
    assert ResetModem(slot="a").mode == "soft"
