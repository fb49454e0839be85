"""Every field checked, every problem named with its pointer, nothing stored."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fakes.outboxes import START
from fakes.senders import NUMBER, Directory, NamedSim
from modembank.config import SendingConfig
from modembank.errors import InvalidRequest
from modembank.messages import Admission, SubmitRequest, UnknownProvider
from modembank.messages.admission import MAX_AHEAD_MS, MAX_PROVIDERS, MAX_REFERENCE, MAX_VALID_FOR_S, moment_ms
from modembank.messages.model import MessageFlags, OnUnknown
from modembank.messages.requests import MAX_RECIPIENTS
from modembank.messages.routes import SimNames, pool_spec, sims_spec

NOW = datetime.fromtimestamp(START / 1000, UTC)


def admission(**sending) -> Admission:
    return Admission(Directory(), SendingConfig(**sending), "GB")


def check(**fields):
    return admission().check(SubmitRequest(**({"to": NUMBER, "text": "hi"} | fields)), START)


def test_the_defaults():
    admitted = check()
    assert admitted.recipients == (NUMBER,)
    assert (admitted.route, admitted.rank, admitted.many, admitted.notes) == ("{}", 4, False, ())
    assert (admitted.not_before, admitted.expires_at) == (None, START + 2 * 86_400_000)
    assert admitted.flags == MessageFlags.DELIVERY_REPORT
    assert admitted.on_unknown is OnUnknown.HOLD


def test_the_boxs_own_defaults():
    desk = admission(valid_for_s=60, on_unknown="resend", max_segments=1)
    admitted = desk.check(SubmitRequest(to=NUMBER, text="hi"), START)
    assert (admitted.expires_at, admitted.on_unknown) == (START + 60_000, OnUnknown.RESEND)
    with pytest.raises(InvalidRequest):
        desk.check(SubmitRequest(to=NUMBER, text="a" * 161), START)
    assert desk.check(SubmitRequest(to=NUMBER, text="a" * 161, max_segments=2), START).segments == 2


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"to": "nobody"}, ["/to"]),
        ({"to": []}, ["/to"]),
        ({"to": ["12345"] * (MAX_RECIPIENTS + 1)}, ["/to"]),
        ({"to": [NUMBER, "x", "12345", ""]}, ["/to/1", "/to/3"]),
        ({"text": ""}, ["/text"]),
        ({"text": "ж", "encoding": "gsm7"}, ["/text"]),
        ({"text": "a" * 161, "max_segments": 1}, ["/text"]),
        ({"max_segments": 0}, ["/max_segments"]),
        ({"max_segments": 256}, ["/max_segments"]),
        ({"reference": ""}, ["/reference"]),
        ({"reference": "x" * (MAX_REFERENCE + 1)}, ["/reference"]),
        ({"reference": "a\nb"}, ["/reference"]),
        ({"priority": 10}, ["/priority"]),
        ({"priority": -1}, ["/priority"]),
        ({"valid_for_s": 0}, ["/valid_for_s"]),
        ({"valid_for_s": MAX_VALID_FOR_S + 1}, ["/valid_for_s"]),
        ({"send_at": NOW + timedelta(milliseconds=MAX_AHEAD_MS + 1000)}, ["/send_at"]),
        ({"send_at": NOW - timedelta(days=3)}, ["/send_at"]),
        ({"send_at": NOW.replace(tzinfo=None)}, ["/send_at"]),
        ({"window": "8-20"}, ["/window"]),
        ({"window": "08:00-24:00"}, ["/window"]),
        ({"window": "08:00-08:00"}, ["/window"]),
        ({"window": "08:00-20:00\n"}, ["/window"]),
        ({"sim": "sales"}, ["/sim"]),
        ({"sim": "slot-1", "pool": "sales"}, ["/pool"]),
        ({"sim": "slot-1", "pool": "sales", "providers": ["slot-1"]}, ["/pool", "/providers"]),
        ({"providers": ["slot-1"] * (MAX_PROVIDERS + 1)}, ["/providers"]),
        (
            {"to": "x", "text": "", "priority": 11, "window": "", "sim": "gone"},
            ["/to", "/text", "/priority", "/window", "/sim"],
        ),
    ],
)
def test_refusals_name_every_field(fields, pointers):
    with pytest.raises(InvalidRequest) as refused:
        check(**fields)
    assert [problem.pointer for problem in refused.value.problems] == pointers
    assert all(problem.detail for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"sim": "gone"}, ["/sim"]),
        ({"sim": ""}, ["/sim"]),
        ({"pool": "gone"}, ["/pool"]),
        ({"pool": ""}, ["/pool"]),
        ({"providers": ["slot-1", "gone", "sales", "off"]}, ["/providers/1", "/providers/3"]),
    ],
)
def test_names_that_nobody_has(fields, pointers):
    with pytest.raises(UnknownProvider) as refused:
        check(**fields)
    assert [problem.pointer for problem in refused.value.problems] == pointers


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ({"sim": "8944110000000000002"}, sims_spec([2])),
        ({"sim": "slot-3"}, sims_spec([3])),
        ({"sim": "alarm"}, sims_spec([3])),
        ({"pool": "sales"}, pool_spec("sales")),
        ({"providers": ["slot-3", "sales"]}, sims_spec([1, 2, 3])),
        ({"providers": ["slot-1", "slot-1"]}, sims_spec([1])),
    ],
)
def test_routes(fields, spec):
    assert check(**fields).route == spec


def test_an_iccid_beats_a_slot_beats_a_label():
    sims = (NamedSim(1, "1", "b", "a"), NamedSim(2, "a", "c", "b"), NamedSim(3, "3", "a", "c"))
    names = SimNames(Directory(sims))
    assert (names.one("a"), names.one("b"), names.one("c")) == ((2,), (2,), (3,))
    assert names.one("") == ()
    assert not names.is_pool("")


def test_a_new_label_is_seen_at_once():
    directory = Directory(())
    desk = Admission(directory, SendingConfig())
    with pytest.raises(UnknownProvider):
        desk.check(SubmitRequest(to=NUMBER, text="hi", pool="new"), START)
    directory.sims = (NamedSim(9, "9", "new"),)
    assert desk.check(SubmitRequest(to=NUMBER, text="hi", pool="new"), START).route == pool_spec("new")


def test_times():
    later = check(send_at=NOW + timedelta(hours=1), valid_for_s=60)
    assert (later.not_before, later.expires_at) == (START + 3_600_000, START + 3_660_000)
    abroad = NOW.astimezone(timezone(timedelta(hours=5, minutes=30))) + timedelta(hours=1)
    assert check(send_at=abroad).not_before == START + 3_600_000
    past = check(send_at=NOW - timedelta(hours=1))
    assert (past.not_before, past.expires_at) == (None, START - 3_600_000 + 2 * 86_400_000)
    assert [note.pointer for note in past.notes] == ["/send_at"]


def test_flags():
    assert check(flash=True, encoding="ucs2").flags == (
        MessageFlags.FLASH | MessageFlags.FORCE_UCS2 | MessageFlags.DELIVERY_REPORT
    )
    assert check(delivery_report=False).flags == MessageFlags.NONE
    assert check(priority=0).rank == 9


def test_repeated_recipients_are_told_where_they_stood():
    admitted = check(to=[NUMBER, "12345", "07911 123456", "12345"])
    assert admitted.recipients == (NUMBER, "12345")
    assert [(note.pointer, "/to/0" in note.detail) for note in admitted.notes] == [("/to/2", True), ("/to/3", False)]
    assert admitted.many


def test_one_left_of_many_is_still_a_batch():
    assert check(to=[NUMBER, NUMBER]).many
    assert not check(to=[NUMBER]).many


def test_moments_need_a_zone():
    assert moment_ms(NOW, "/since") == START
    with pytest.raises(InvalidRequest) as refused:
        moment_ms(NOW.replace(tzinfo=None), "/since")
    assert refused.value.problems[0].pointer == "/since"
