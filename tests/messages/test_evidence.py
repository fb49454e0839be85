"""The evidence for each attempt: what was seen is true, what was not is false, and what nobody knows is null."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.senders import ANNE, NUMBER
from modembank.messages.evidence import evidence_view, verdict
from modembank.messages.outbox import INTERRUPTED, AttemptRow
from modembank.modem.outcome import AttemptOutcome, Evidence

SEEN = ("intent_durable", "prompt_seen", "octets_written", "ctrl_z_written", "final_seen", "final", "report_seen")
WHOLE = Evidence(0.03, 0.04, 2.8, 84, "+CMGS: 17")
NO_ANSWER = Evidence(0.03, 0.04, None, 84, None)
NO_PROMPT = Evidence(None, None, None, 11, None)
REFUSED = Evidence(None, None, 0.2, 11, "+CMS ERROR: 500")
A = AttemptOutcome


def attempt(outcome, evidence=None, **more):
    """An attempt as it is stored: only what is known of its evidence."""
    stored = None
    if evidence is not None:
        kept = {name: value for name, value in msgspec.to_builtins(evidence).items() if value is not None}
        stored = msgspec.json.encode(kept).decode()
    return AttemptRow(1, 1, 1, "slot-1", 0, outcome=outcome, evidence=stored, **more)


@pytest.mark.parametrize(
    ("row", "seen", "words"),
    [
        (attempt(None), (True, None, None, None, None, None, False), "it is being sent: how it ends is not known yet"),
        (
            attempt(A.UNKNOWN, cause=INTERRUPTED),
            (True, None, None, None, None, None, False),
            "the box stopped in the middle, and how far it came is not known: it may have been sent",
        ),
        (
            attempt(A.ACCEPTED, WHOLE),
            (True, True, 84, True, True, "+CMGS: 17", False),
            "it was sent: the network took it",
        ),
        (
            attempt(A.ACCEPTED, WHOLE, report_status=0),
            (True, True, 84, True, True, "+CMGS: 17", True),
            "it arrived: a delivery report says so",
        ),
        (
            attempt(A.ACCEPTED, WHOLE, report_status=0x46),
            (True, True, 84, True, True, "+CMGS: 17", True),
            "it was sent and did not arrive: a delivery report says so",
        ),
        (
            attempt(A.UNKNOWN, NO_ANSWER, report_status=0x21),
            (True, True, 84, True, False, None, True),
            "it was sent: the service centre has it and still tries to deliver it",
        ),
        (
            attempt(A.UNKNOWN, NO_ANSWER, cause="no_final: silence"),
            (True, True, 84, True, False, None, False),
            "the text was given to the modem and no answer came: it may have been sent",
        ),
        (
            attempt(A.UNKNOWN, Evidence(0.03, 0.04, 60.0, 84, "+CMS ERROR: 500"), cause="cms_500: unknown error"),
            (True, True, 84, True, True, "+CMS ERROR: 500", False),
            "the text was given to the modem and its answer leaves the rest open: it may have been sent",
        ),
        (
            attempt(A.NOT_SENT, NO_PROMPT),
            (True, False, 11, False, False, None, False),
            "the modem was not given the text: it was not sent",
        ),
        (
            attempt(A.REJECTED, Evidence(0.03, 0.04, 2.0, 84, "+CMS ERROR: 1")),
            (True, True, 84, True, True, "+CMS ERROR: 1", False),
            "it was refused, so it was not sent",
        ),
        (
            attempt(A.REJECTED, REFUSED),
            (False, False, 11, False, True, "+CMS ERROR: 500", False),
            "it was refused, so it was not sent",
        ),
    ],
)
def test_what_is_shown(row, seen, words):
    view = evidence_view(row)
    assert tuple(getattr(view, name) for name in SEEN) == seen
    assert verdict(row) == words


MAYBE = st.none() | st.floats(0, 100, allow_nan=False)


@given(
    outcome=st.none() | st.sampled_from(AttemptOutcome),
    evidence=st.none() | st.builds(Evidence, MAYBE, MAYBE, MAYBE, st.integers(0, 500), st.none() | st.text(max_size=9)),
    report=st.none() | st.integers(0, 255),
)
def test_nothing_is_claimed_that_was_not_stored(outcome, evidence, report):
    row = attempt(outcome, evidence, report_status=report)
    view = evidence_view(row)
    if evidence is None:
        assert (view.prompt_seen, view.octets_written, view.ctrl_z_written, view.final_seen) == (None,) * 4
    else:
        assert view.ctrl_z_written == (evidence.ctrl_z_s is not None)
        assert view.prompt_seen == (evidence.prompt_s is not None)
        assert view.final_seen == (evidence.final is not None)
    if view.ctrl_z_written:
        assert view.intent_durable
    assert view.report_seen == (report is not None)
    may = outcome is A.UNKNOWN and report is None
    assert ("may have been sent" in verdict(row)) == may


async def test_an_interrupted_attempt_knows_nothing_and_says_so(post):
    public = await post.one(to=NUMBER, on_unknown="resend")
    await post.attempt(public, None, fold=False)
    await post.box.outbox.recover()
    view = await post.messages.get(ANNE, public)
    [shown] = view.attempts
    assert (view.on_unknown, shown.outcome, shown.cause) == ("resend", "unknown", INTERRUPTED)
    assert shown.evidence.intent_durable
    assert shown.evidence.ctrl_z_written is None


async def test_a_part_tells_its_reference_even_when_interrupted(post):
    public = await post.one(to=NUMBER, text="x" * 200)
    intent = post.box.intent(post.row_id(public))
    from msgspec.structs import replace

    await post.box.outbox.begin(replace(intent, concat=77))
    assert (await post.messages.get(ANNE, public)).attempts[0].evidence.concat == 77
    await post.box.outbox.recover()
    evidence = (await post.messages.get(ANNE, public)).attempts[0].evidence
    assert (evidence.concat, evidence.octets_written) == (77, None)
