"""The judge of the self-test: it must see every kind of broken promise, and see none where there is none."""

from collections import Counter
from types import SimpleNamespace

import pytest

from modembank_emulator import SeenReport, SeenSubmit
from modembank_emulator import pdu as tpdu
from modembank_selftest.judging import judge
from modembank_selftest.witness import Cancelling, Request, Witness

NUMBER = "+19990000000"
ICCID = "8901010000000000017"


def submit(mr=1, outcome="accepted", number=NUMBER, part=None):
    concat = None if part is None else tpdu.Concat(7, part[1], part[0])
    data = tpdu.encode_user_data("hello", concat=concat)
    pdu = tpdu.encode_submit(number, data, first_octet=0x41 if part else 0x01)
    return SeenSubmit(0.0, "001", ICCID, number, mr, pdu.hex().upper(), outcome, wants_report=True)


def report(status=0, mr=1, number=NUMBER):
    return SeenReport(0.0, "001", ICCID, number, mr, status, "00", "direct")


def attempt(outcome="accepted", segment=1, n=1, tp_mr=1):
    return {
        "segment": segment,
        "n": n,
        "outcome": outcome,
        "tp_mr": tp_mr if outcome == "accepted" else None,
        "sim": ICCID,
    }


def message(status, *attempts, segments=1, text="hello", cause=None, waiting_for=None, name="msg_1", to=NUMBER):
    return {
        "id": name, "to": to, "status": status, "segments": segments, "text": text, "cause": cause,
        "waiting_for": waiting_for, "attempts": list(attempts),
    }  # fmt: skip


def request(policy="hold", reports="", cancelling=Cancelling.NOT_ASKED, numbers=(NUMBER,), accepted=True):
    ids = {number: f"msg_{place}" for place, number in enumerate(numbers, 1)} if accepted else {}
    return Request("key", "hello", numbers, policy, reports, 1, cancelling, ids)


def network(*submits, reports=(), waiting=0):
    cards = {"a": SimpleNamespace(waiting=[None] * waiting)}
    return SimpleNamespace(ledger=list(submits), reports=list(reports), cards=cards)


def verdict(asked, seen, *told, inbox=(), injected=()):
    return judge(Witness([asked], list(injected)), seen, told, inbox)


@pytest.mark.parametrize(
    ("asked", "seen", "told"),
    [
        (request(), network(submit()), message("sent", attempt())),
        (request(), network(submit(), reports=[report()]), message("delivered", attempt())),
        (request(), network(submit(), reports=[report(0x42)]), message("undelivered", attempt())),
        (request(), network(submit()), message("unknown", attempt("unknown"))),
        (request(), network(), message("unknown", attempt("unknown"))),
        (
            request(),
            network(submit(outcome="refused:38"), submit()),
            message("sent", attempt("rejected"), attempt(n=2)),
        ),
        (request("resend"), network(submit(), submit(2)), message("sent", attempt("unknown"), attempt(n=2, tp_mr=2))),
        (request(cancelling=Cancelling.DONE), network(), message("cancelled")),
        (request(cancelling=Cancelling.IN_DOUBT), network(), message("cancelled")),
        (request(cancelling=Cancelling.IN_DOUBT), network(submit()), message("sent", attempt())),
        (
            request(),
            network(submit(1, part=(1, 2)), submit(2, part=(2, 2))),
            message("sent", attempt(), attempt(segment=2, tp_mr=2), segments=2),
        ),
    ],
    ids=str,
)
def test_a_kept_promise_is_not_complained_of(asked, seen, told):
    found = verdict(asked, seen, told)
    assert found.holds, [*found.lines()]
    assert found.accepted == 1


LOST = [
    ("not known any more", request(), network(), None),
    ("never sent", request(), network(), message("queued", waiting_for="no modem is registered")),
    ("failed for nothing", request(), network(), message("failed", cause="no_prompt: it said nothing")),
    ("a part is missing", request(), network(submit(part=(1, 2))), message("sent", attempt(), segments=2)),
    ("resend gave up", request("resend"), network(), message("sending", attempt("unknown"))),
]
DUPLICATED = [
    (
        "twice under hold",
        request(),
        network(submit(), submit(2)),
        message("sent", attempt("unknown"), attempt(n=2, tp_mr=2)),
    ),
    ("twice by default", request(""), network(submit(), submit(2)), message("sent", attempt(), attempt(n=2, tp_mr=2))),
    (
        "twice though known",
        request("resend"),
        network(submit(), submit(2)),
        message("sent", attempt(), attempt(n=2, tp_mr=2)),
    ),
    (
        "too often",
        request("resend"),
        network(*(submit(mr) for mr in range(1, 6))),
        message("unknown", *(attempt("unknown", n=n) for n in range(1, 6))),
    ),
]
CONTRADICTIONS = [
    ("sent, never seen", request(), network(), message("sent", attempt())),
    ("delivered without a report", request(), network(submit()), message("delivered", attempt())),
    ("undelivered without one", request(), network(submit()), message("undelivered", attempt())),
    ("failed, but seen", request(), network(submit()), message("failed", attempt("unknown"))),
    ("another reference", request(), network(submit(9)), message("sent", attempt(tp_mr=3))),
    ("taken without an attempt", request(), network(submit()), message("unknown")),
    ("cancelled, but sent", request(cancelling=Cancelling.DONE), network(submit()), message("sent", attempt())),
    ("in flight for ever", request(), network(submit()), message("sent", attempt(), attempt("in_flight", n=2))),
    ("another text", request(), network(submit()), message("sent", attempt(), text="hullo")),
    (
        "late report missed",
        request(reports="late"),
        network(submit(), reports=[report()]),
        message("sent", attempt()),
    ),
]


@pytest.mark.parametrize(("asked", "seen", "told"), [one[1:] for one in LOST], ids=[one[0] for one in LOST])
def test_what_is_lost_is_seen(asked, seen, told):
    found = verdict(asked, seen, *([told] if told else []))
    assert len(found.lost) == 1
    assert not found.holds


@pytest.mark.parametrize(("asked", "seen", "told"), [one[1:] for one in DUPLICATED], ids=[one[0] for one in DUPLICATED])
def test_what_went_twice_is_seen(asked, seen, told):
    found = verdict(asked, seen, told)
    assert len(found.duplicated) == 1
    assert not found.holds


@pytest.mark.parametrize(
    ("asked", "seen", "told"), [one[1:] for one in CONTRADICTIONS], ids=[one[0] for one in CONTRADICTIONS]
)
def test_what_contradicts_the_network_is_seen(asked, seen, told):
    found = verdict(asked, seen, told)
    assert found.contradictions
    assert not found.holds


def test_what_nobody_asked_for_is_seen():
    stranger = message("sent", attempt(), name="msg_9", to="+19990000009")
    found = verdict(request(), network(submit(), submit(number="+19990000009")), message("sent", attempt()), stranger)
    assert len(found.contradictions) == 2


def test_many_recipients_are_many_messages():
    numbers = NUMBER, "+19990000001"
    second = message("unknown", attempt("unknown"), name="msg_2", to=numbers[1])
    found = verdict(request(numbers=numbers), network(submit()), message("sent", attempt()), second)
    assert found.holds
    assert found.states == Counter(sent=1, unknown=1)
    assert (found.in_doubt, found.settled) == (1, 0)


def inbound(text, missing=()):
    return {"text": text, "missing": list(missing)}


@pytest.mark.parametrize(
    ("inbox", "waiting", "lost", "duplicated"),
    [
        ([inbound("reply 1"), inbound("reply 2")], 0, 0, 0),
        ([inbound("reply 1")], 0, 1, 0),
        ([inbound("reply 1"), inbound("reply 2"), inbound("reply 2")], 0, 0, 1),
        ([inbound("reply 1"), inbound("reply 2", missing=[2])], 0, 2, 0),
        ([inbound("reply 1"), inbound("reply 2")], 3, 1, 0),
    ],
)
def test_inbound_is_there_once(inbox, waiting, lost, duplicated):
    found = verdict(
        request(),
        network(submit(), waiting=waiting),
        message("sent", attempt()),
        inbox=inbox,
        injected=["reply 1", "reply 2"],
    )
    assert (len(found.inbound_lost), len(found.inbound_duplicated)) == (lost, duplicated)
    assert found.holds is not (lost or duplicated) or not (lost or duplicated)


def test_the_verdict_says_it_in_words_and_for_machines():
    found = verdict(request(), network(), message("sent", attempt()))
    found.deaths = Counter({"at any moment": 3, "ctrl_z_written": 1})
    text = "\n".join(found.lines())
    assert "killed     4: at any moment 3, ctrl_z_written 1" in text
    assert "lost 1" in text
    assert text.splitlines()[-1].startswith("FAILED")
    plain = found.as_json()
    assert (plain["passed"], plain["kills"], plain["accepted"]) == (False, 4, 1)
    assert len(plain["lost"]) == 1
