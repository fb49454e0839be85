"""Every channel of the AsyncAPI document, with a payload that the code makes: others can rely on what it says.

What whole boxes say in tests is judged by it too (``fakes.fleets.Hub``).
"""

import json

import msgspec
import pytest

from fakes.channels import judge
from fakes.voices import SaidBox
from modembank_fleet import wire
from modembank_fleet.wire import CHANNELS, VERBS, shapes

BOX = SaidBox()
UP = {"v": 1, "ep": "k3f9", "bs": 2, "ts": 1_800_000_000.5, "up": 60.25, "clk": "ntp"}
SAID = {
    "avail": BOX.avail()[1],
    "birth": BOX.birth()[1],
    "tele/box": BOX.box_tele(sent=3, issues=1)[1],
    "tele/modems": BOX.modems_tele()[1],
    "ev": BOX.events(3)[1],
    "res": BOX.result("cmd-000001", "done", pct=100, data={"x": 1})[1],
    "cfg/reported": BOX.reported(
        3, "rejected", "ab", errs=[wire.ReportedError(path="profile", code="bad_value")], local=["profile"]
    )[1],
    "ota": shapes.Ota(**UP, job="j-1", frm="1.2.0", to="1.3.0", ph="downloading", pct=40, next_try=1.8e9),
    "log/{id}/{n}": shapes.LogChunk(v=1, id="cmd-000001", n=0, end=True, lines=["a line"]),
    "ack": shapes.Ack(v=1, ep="k3f9", ev=4711, res=880),
    "cfg/desired": shapes.CfgDesired(v=1, ver=4, ep="k3f9", doc=msgspec.Raw(b'{"profile": "lean"}')),
    "hello": shapes.Hello(v=1, he="h1a2b3", s="online", window=240.0),
}
ARGS = {
    "sim.pause": {"iccid": "8944500000000000001"},
    "sim.resume": {"iccid": "8944500000000000001"},
    "sim.limits": {"iccid": "8944500000000000001", "per_day": 5},
    "tele.profile": {"profile": "lean"},
    "modem.reset": {"slot": "slot-01", "mode": "usb"},
    "ussd.run": {"slot": "slot-01", "code": "*100#"},
    "msg.submit": {
        "run": "0123456789abcdef",
        "up": 60.5,
        "lease": 600,
        "msgs": [{"id": "m-000001", "to": "+447900900123", "body": "x", "fence": 1, "not_after": 2e9}],
    },
    "msg.recall": {"msgs": [{"id": "m-000001", "fence": 1}]},
    "sw.update": {"job": "j-000001", "version": "1.2", "sha256": "0a" * 32, "window": "02:00-05:00"},
    "sw.cancel": {"job": "j-000001"},
}


def _example(channel):
    if channel.shape is not wire.Command:
        return json.loads(wire.encode(SAID[channel.parts]))
    verb = next(verb for verb in VERBS if "/".join(verb.parts) == channel.parts)
    args = msgspec.convert(ARGS.get(verb.name, {}), verb.args)
    given = {"id": "cmd-000001", "iat": 1.8e9, "ttl": 60, "ep": "k3f9", "by": "anna@hub", "cond": wire.If(cfg=4)}
    return json.loads(wire.encode(wire.command(verb, args, **given)))


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.parts)
def test_what_the_code_says_is_what_the_document_says(channel):
    said = _example(channel)
    judge(channel.address).validate(said)
    assert not judge(channel.address).is_valid({key: value for key, value in said.items() if key != "v"})
    assert not judge(channel.address).is_valid(said | {"v": "one"})


@pytest.mark.parametrize("verb", [verb for verb in VERBS if ARGS.get(verb.name)], ids=lambda verb: verb.name)
def test_the_document_knows_the_arguments_of_each_command(verb):
    channel = next(channel for channel in CHANNELS if channel.parts == "/".join(verb.parts))
    said = _example(channel)
    assert not judge(channel.address).is_valid(said | {"args": []})
    needed = [field.name for field in msgspec.structs.fields(verb.args) if field.required]
    for name in needed:
        less = {key: value for key, value in said["args"].items() if key != name}
        assert not judge(channel.address).is_valid(said | {"args": less}), name


def test_no_channel_is_without_an_example():
    assert set(SAID) == {channel.parts for channel in CHANNELS if channel.shape is not wire.Command}
    assert set(ARGS) <= {verb.name for verb in VERBS}
