"""Events out of a stream: cut anywhere, written in any of its ways, and followed across broken connections."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.client import BoxError, Event, Forbidden, Retry, TooManyRequests, Unreachable
from modembank.client.exchange import Give, Lost, Open, Read, Response, Wait
from modembank.client.following import LONGEST_LINE, EventReader, events

RETRY = Retry(tries=3, first_s=0.5, most_s=2.0, longest_wait_s=20.0)
OPENED = Response(200, {})
GONE = Lost("cut", maybe_done=True)

TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)


@given(
    told=st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), max_size=5),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    bom=st.booleans(),
)
def test_events_are_the_same_however_they_are_cut_and_whatever_ends_a_line(
    told: list[tuple[str, list[str]]], end: str, cuts: list[int], bom: bool
) -> None:
    wire = "".join(
        f"id: {id_}{end}event: x{end}: comment{end}" + "".join(f"data: {line}{end}" for line in lines) + end
        for id_, lines in told
    )
    octets = (("\ufeff" if bom else "") + wire + f": end{end}:{end}").encode()
    reader, found, begin = EventReader(), [], 0
    for cut in [*sorted(cuts), len(octets)]:
        found += reader.feed(octets[begin:cut])
        begin = max(begin, cut)
    assert found == ["\n".join(lines) for _, lines in told]
    assert reader.last_id == (told[-1][0] if told else "")


@given(st.binary(max_size=300))
def test_noise_is_no_event_and_breaks_nothing(octets: bytes) -> None:
    reader = EventReader()
    reader.feed(octets)
    reader.broken_off()
    assert reader.feed(b"data: whole\n\n") == ["whole"]


def test_fields_as_the_standard_wants_them() -> None:
    reader = EventReader()
    assert reader.feed(b"data\n\ndata:a\ndata:  b\nnonsense: 5\n\nid: 7\n\n") == ["", "a\n b"]
    assert reader.last_id == "7"
    reader.feed(b"id: 8\0\nretry: 2500\nretry: x\n\n")
    assert (reader.last_id, reader.retry_s) == ("7", 2.5)
    reader.feed(b"retry: 99999999999999\nid\n\n")
    assert (reader.last_id, reader.retry_s) == ("", 60.0)


def test_a_line_without_an_end_is_bounded() -> None:
    reader = EventReader()
    for _ in range(30):
        reader.feed(b"data: " + b"x" * 100_000)
    assert len(reader._rest) <= LONGEST_LINE
    reader.feed(b"\n\n")
    assert reader.feed(b"data: next\n\n") == ["next"]


def on_the_wire(number: int) -> bytes:
    event = {"id": f"evt_{number}", "type": "message.sent", "timestamp": "t", "data": {"id": "m"}, "future": 1}
    return f"id: evt_{number}\nevent: message.sent\ndata: {json.dumps(event)}\n\n".encode()


def follow(steps: Any, *answers: Any) -> tuple[list[Any], Any]:
    """Answer opens and reads in turn; return all steps, and what was raised when the answers ran out or before."""
    left, seen, came = list(answers), [], None
    while True:
        try:
            step = steps.send(came)
        except (BoxError, Unreachable) as error:
            return seen, error
        seen.append(step)
        came = None
        if isinstance(step, Open | Read):
            if not left:
                return seen, None
            came = left.pop(0)


def of(kind: type, seen: list[Any]) -> list[Any]:
    return [step for step in seen if isinstance(step, kind)]


def test_it_goes_on_after_the_last_event_that_was_given() -> None:
    half = on_the_wire(3)[:20]
    answers = [OPENED, b"retry: 1500\n\n" + on_the_wire(1), on_the_wire(2) + half, GONE]
    seen, _ = follow(events(RETRY, types="message.*"), *answers, OPENED, on_the_wire(3), None, OPENED)
    opens = [step.request for step in of(Open, seen)]
    assert [request.headers.get("Last-Event-ID") for request in opens] == [None, "evt_2", "evt_3"]
    assert {request.path for request in opens} == {"/api/v1/events?types=message.%2A"}
    assert [step.item for step in of(Give, seen)] == [
        Event(f"evt_{number}", "message.sent", "t", {"id": "m"}) for number in (1, 2, 3)
    ]
    assert [step.seconds for step in of(Wait, seen)] == [1.5, 1.5]


def test_it_begins_where_it_is_told() -> None:
    seen, _ = follow(events(RETRY, last_event_id="evt_9"))
    assert seen[0].request.headers["Last-Event-ID"] == "evt_9"


def test_a_box_that_stays_away_is_given_up() -> None:
    seen, error = follow(events(RETRY), *[GONE] * 3)
    assert isinstance(error, Unreachable)
    assert len(of(Wait, seen)) == 2


def test_each_connection_that_stood_renews_the_tries() -> None:
    answers = [GONE, GONE, OPENED, None, GONE, GONE, OPENED, None, GONE, GONE, GONE]
    seen, error = follow(events(RETRY), *answers)
    assert isinstance(error, Unreachable)
    assert len(of(Open, seen)) == 9


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (422, BoxError), (500, BoxError)])
def test_refusals_are_final(status: int, kind: type[BoxError]) -> None:
    error = follow(events(RETRY), Response(status, {}, b"{}"))[1]
    assert isinstance(error, kind)


def test_too_many_listeners_are_waited_for_and_bounded() -> None:
    full = Response(429, {"retry-after": "5"}, b"{}")
    seen, error = follow(events(RETRY), full, full, full)
    assert isinstance(error, TooManyRequests)
    assert [step.seconds for step in of(Wait, seen)] == [5.0, 5.0]
    assert isinstance(follow(events(RETRY), Response(429, {"retry-after": "500"}, b"{}"))[1], TooManyRequests)
