"""Times as faces show them, and errors as faces get them."""

import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modembank.clock import SystemClock, rfc3339, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.metrics import Metrics


def test_times_are_rfc3339_with_milliseconds():
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"


@given(st.integers(-(10**18), 10**18))
def test_any_time_has_the_form_that_programs_read(ms):
    shown = rfc3339(ms)
    assert len(shown) == len("2026-11-20T14:05:00.000Z")
    read = datetime.fromisoformat(shown)
    since = (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert since == ms or shown in {"0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"}


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_later_sorts_later(ms):
    assert rfc3339(ms) < rfc3339(ms + 1)


def test_the_system_clock_is_the_machines():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
    assert to_ms(1.0015) == 1002


def test_errors_carry_fields_and_make_a_sentence():
    error = NotFound(what="message", which="msg_1")
    assert (str(error), error.fields, error.key) == (
        "there is no message msg_1",
        {"what": "message", "which": "msg_1"},
        "not_found",
    )
    assert str(Conflict(why="it was sent")) == "it was sent"


def test_a_refused_request_names_every_field():
    error = InvalidRequest(FieldProblem("/to/0", "is empty"), FieldProblem("/text", "is too long"))
    assert [problem.pointer for problem in error.problems] == ["/to/0", "/text"]
    assert str(error) == "/to/0: is empty (and 1 more)"


def test_two_boxes_in_one_process_do_not_mix_their_metrics():
    one, other = Metrics(), Metrics()
    one.accepted.inc()
    assert one.registry.get_sample_value("modembank_messages_accepted_total") == 1
    assert other.registry.get_sample_value("modembank_messages_accepted_total") == 0
