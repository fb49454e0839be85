"""How mailings are told: charts of their history, why they wait, what columns are called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args, get_type_hints

import pytest

from modembank.errors import InvalidRequest
from modembank.mailings.requests import MailingRequest
from modembank.mailings.views import MailingView, MomentView
from modembank.messages import MessageState
from modembank_web.pages.mailing_forms import OptionsForm, field_of, with_options
from modembank_web.pages.mailing_words import COLUMNS, STATES, STATES_OF, bar_of, chart_of, plain, route_words


def moment(seconds: int, **messages: int) -> MomentView:
    return MomentView(datetime.fromtimestamp(1_800_000_000 + seconds, UTC).isoformat(), messages)


def test_a_chart_shows_all_that_grew_and_where() -> None:
    chart = chart_of([moment(0, queued=100), moment(50, sent=80, queued=20), moment(100, delivered=90, failed=10)])
    assert chart is not None
    assert (sum(chart.sent), sum(chart.failed), len(chart.sent)) == (100, 10, 50)
    assert sum(chart.sent[:25]) == 80
    assert sum(chart.failed[:25]) == 0


def test_a_chart_of_many_has_no_more_columns_and_one_of_little_is_none() -> None:
    large = chart_of([moment(at, sent=at * 1000) for at in range(0, 2_000, 7)])
    assert large is not None
    assert len(large.sent) == COLUMNS
    assert abs(sum(large.sent) - 1_995_000) <= COLUMNS
    assert chart_of([moment(0), moment(10, sent=1)]) is None
    assert chart_of([moment(0), moment(0, sent=1), moment(0, sent=2)]) is None
    still = chart_of([moment(0, sent=3), moment(5, sent=3), moment(9, sent=3)])
    assert still is not None
    assert still.sent == [0]


def test_a_chart_does_not_fall_where_a_counter_does() -> None:
    chart = chart_of([moment(0, sent=10), moment(5, sent=4), moment(10, sent=8)])
    assert chart is not None
    assert min(chart.sent) >= 0


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("17 messages are before it", None),
        ("being sent through SIM slot-03", None),
        ("SIM sales is paused: no credit", "SIM sales is paused: no credit"),
        ("held until an admin decides (POST /api/v1/outage/decide); after an outage",
         "held until an admin decides; after an outage"),
    ],
)  # fmt: skip
def test_why_it_waits_is_said_without_operations(why: str, told: str | None) -> None:
    assert plain(why) == told


def test_every_state_of_mailings_and_messages_is_told() -> None:
    assert set(get_args(get_type_hints(MailingView)["status"])) == set(STATES)
    waiting = {"accepted", "scheduled", "queued", "sending"}
    one_each = {state.word: 1 for state in MessageState}
    assert sum(count for _, count, _ in bar_of(one_each)) == len(MessageState) - len(waiting)
    assert sorted(",".join(STATES_OF.values()).split(",")) == sorted(one_each)
    assert set(STATES_OF["waiting"].split(",")) == waiting
    assert {word for _, _, word in bar_of(one_each)} == set(STATES_OF) - {"waiting"}


def test_a_route_is_named_as_people_name_it() -> None:
    assert route_words('{"sims":[]}', ()) == "any SIM"
    assert route_words('{"pool":"sales"}', ()) == "SIMs called “sales”"


def test_a_column_is_written_so_that_the_template_means_it() -> None:
    columns = ("name", "Name", "a{b}", "phone")
    assert [field_of(columns, at) for at in range(4)] == ["{name}", "{Name}", "{3}", "{phone}"]
    assert field_of(("x", "x"), 1) == "{2}"


def test_options_become_a_request() -> None:
    options = OptionsForm(
        name=" Evening ", when="later", send_at="2027-01-15T09:30", zone="Europe/Zurich", windowed=True,
        window_from="08:00", window_to="20:00", through="pool:a:b", canary=True, canary_then="rule",
    )  # fmt: skip
    request = with_options(MailingRequest(template="x"), options)
    assert request.send_at == datetime(2027, 1, 15, 8, 30, tzinfo=UTC)
    assert (request.name, request.window, request.pool, request.sim) == ("Evening", "08:00-20:00", "a:b", None)
    assert (request.canary_share, request.canary_minutes, request.canary_max_failed, request.hold) == (1, 30, 5, False)
    for wrong in ("", "tomorrow", "0001-01-01T00:00", "2027-13-01T00:00"):
        with pytest.raises(InvalidRequest, match="/send_at"):
            with_options(request, OptionsForm(when="later", send_at=wrong, zone="Asia/Tokyo"))
    somewhere = with_options(request, OptionsForm(when="later", send_at="2027-01-15T09:30", zone="../etc/passwd"))
    assert somewhere.send_at is not None  # in the box's own zone
