"""Held messages: what an admin sees of them, and what a decision does to exactly which."""

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.outboxes import HOUR, START, route_spec
from fakes.senders import ADMIN, ANNE, SIMS
from modembank.errors import Conflict, Forbidden, InvalidRequest
from modembank.events import MessagesReady
from modembank.messages import HeldMessages
from modembank.messages.held import BUCKETS_S, _route
from modembank.messages.model import MessageState
from modembank.messages.outbox import WAKE_LIMIT, hold_waiting
from modembank.messages.outbox.holding import STEP, Chosen, ages
from modembank.messages.outbox.outages import KEPT, Outage, OutageKind, add, outages
from modembank.messages.routes import intern_route

CAUSE = "outage: nothing could be sent from 2027-01-15 08:00 to 2027-01-15 10:00 UTC: the box was not running"


@pytest.fixture
async def desk(post):
    box = post.box
    return HeldMessages(box.store, box.bus, box.clock, box.outbox.judging, dict)


async def hold(post, cause=CAUSE):
    now = post.box.clock.now_ms
    return await post.box.store.write(lambda conn: hold_waiting(conn, cause, now))


async def ready(post, public):
    return (await post.box.row(post.row_id(public), "ready"))[0]


async def test_nothing_is_held(post, desk):
    await post.one()
    view = await desk.overview(ADMIN)
    assert (view.held, view.oldest_due_at, view.routes, view.outages) == (0, None, (), ())
    assert [age.held for age in view.ages] == [0] * (len(BUCKETS_S) + 1)
    assert (view.rule, view.after_s, view.older_than_s) == ("ask", 1800, 14400)
    assert await desk.count() == 0


async def test_ages_routes_and_outages(post, desk):
    await post.one(pool="sales")
    post.box.clock.turn(3 * HOUR)
    for _ in range(2):
        await post.one(sim=SIMS[2].iccid)
    await post.one()
    post.box.clock.turn(HOUR)
    assert await hold(post) == 4
    view = await desk.overview(ADMIN)
    assert view.held == await desk.count() == 4
    assert view.oldest_due_at == "2027-01-15T08:00:00.000Z"
    assert {(age.from_s, age.to_s): age.held for age in view.ages if age.held} == {(3600, 14400): 3, (14400, 43200): 1}
    assert view.ages[-1].to_s is None
    assert {(route.route, route.held) for route in view.routes} == {
        ("pool sales", 1),
        (f"SIM {SIMS[2].iccid}", 2),
        ("any SIM", 1),
    }
    [outage] = view.outages
    assert (outage.kind, outage.route, outage.held, outage.cause) == (
        "restored",
        "everything",
        4,
        "the data is restored from a backup",
    )


async def test_an_outage_that_goes_on_has_no_end(post):
    box, route = post.box, await post.box.route(route_spec(9))
    desk = HeldMessages(box.store, box.bus, box.clock, box.outbox.judging, lambda: {route: START - HOUR})
    [outage] = (await desk.overview(ADMIN)).outages
    assert (outage.route, outage.kind, outage.until) == ("SIM unknown", "no_sim", None)
    assert outage.since == "2027-01-15T07:00:00.000Z"


async def test_only_an_admin_sees_and_decides(post, desk):
    await post.one(ANNE)
    await hold(post)
    with pytest.raises(Forbidden):
        await desk.overview(ANNE)
    with pytest.raises(Forbidden):
        await desk.decide(ANNE, "send")
    assert await desk.count() == 1


async def test_sending_puts_them_back(post, desk):
    first, second = await post.one(priority=1), await post.one(priority=9)
    await hold(post)
    assert (await post.messages.get(ANNE, first)).cause == CAUSE
    post.box.events.clear()
    decided = await desk.decide(ADMIN, "send")
    assert (decided.sent, decided.expired, decided.held) == (2, 0, 0)
    assert await post.box.row(post.row_id(first), "state, ready, cause") == (MessageState.QUEUED, 1, None)
    told = [event.entries for event in post.told(MessagesReady) if event.entries]
    route = await post.box.route()
    assert told == [((route, 0, post.row_id(second)), (route, 8, post.row_id(first)))]
    again = await desk.decide(ADMIN, "send")
    assert (again.sent, again.expired, again.held) == (0, 0, 0)
    assert await post.states() == {"queued": 2}


async def test_giving_up_says_why_and_who(post, desk):
    public = await post.one()
    await hold(post)
    decided = await desk.decide(ADMIN, "expire")
    assert (decided.sent, decided.expired, decided.held) == (0, 1, 0)
    view = await post.messages.get(ANNE, public)
    assert (view.status, view.cause) == ("expired", f"{CAUSE}; given up by ada")
    assert (await desk.decide(ADMIN, "expire")).expired == 0
    assert await post.states() == {"expired": 1}


async def test_what_is_past_its_validity_is_not_sent_by_a_decision(post, desk):
    public = await post.one(valid_for_s=3600)
    await hold(post)
    post.box.clock.turn(2 * HOUR)
    decided = await desk.decide(ADMIN, "send")
    assert (decided.sent, decided.expired) == (0, 1)
    assert (await post.messages.get(ANNE, public)).status == "expired"


async def test_a_held_schedule_keeps_its_time(post, desk):
    """A backup's scheduled messages: released before their time they wait for it, after it they go."""
    times = [datetime.fromtimestamp((START + hours * HOUR) / 1000, UTC) for hours in (1, 9)]
    soon, late = [await post.one(send_at=when) for when in times]
    await hold(post)
    post.box.clock.turn(2 * HOUR)
    decided = await desk.decide(ADMIN, "send")
    assert decided.sent == 2
    assert await post.box.row(post.row_id(soon), "state, ready") == (MessageState.QUEUED, 1)
    assert await post.box.row(post.row_id(late), "state, ready") == (MessageState.SCHEDULED, 2)
    assert await post.states() == {"queued": 1, "scheduled": 1}


async def test_its_owner_may_cancel_a_held_one(post, desk):
    public = await post.one()
    await hold(post)
    assert (await post.messages.cancel(ANNE, public)).status == "cancelled"
    assert await desk.count() == 0
    assert await post.states() == {"cancelled": 1}


async def test_only_those_of_an_age(post, desk):
    publics = []
    for _ in range(4):
        publics.append(await post.one())
        post.box.clock.turn(HOUR)
    await hold(post)  # they are 4, 3, 2 and 1 hours old
    decided = await desk.decide(ADMIN, "expire", older_than_s=3 * 3600)
    assert (decided.expired, decided.held) == (1, 3)
    decided = await desk.decide(ADMIN, "send", newer_than_s=3 * 3600, older_than_s=3600)
    assert (decided.sent, decided.held) == (1, 2)
    assert [await ready(post, public) for public in publics] == [None, 3, 1, 3]
    with pytest.raises(InvalidRequest) as refused:
        await desk.decide(ADMIN, "send", newer_than_s=3600, older_than_s=3600)
    assert refused.value.problems[0].pointer == "/newer_than_s"


async def test_no_decision_while_an_outage_is_judged(post, desk):
    async with post.box.outbox.judging.lock:
        with pytest.raises(Conflict, match="still being looked through"):
            await desk.decide(ADMIN, "send")


async def test_five_thousand_are_decided_in_bounded_steps_and_in_order(post, desk):
    await post.box.fill(5000, ready=3, cause=CAUSE)
    decided = await desk.decide(ADMIN, "send")
    assert (decided.sent, decided.held) == (5000, 0)
    groups = [event.entries for event in post.told(MessagesReady) if event.entries]
    assert [len(group) for group in groups] == [WAKE_LIMIT] * 10
    places = [entry[1:] for group in groups for entry in group]
    assert places == sorted(places)
    assert await post.states() == {"queued": 5000}


async def test_a_step_looks_at_no_more_than_it_may(post, desk):
    """Those that are not meant are passed by, and the next step goes on behind them."""
    for created in (START, START - HOUR):
        await post.box.fill(STEP, ready=3, cause=CAUSE, created=created)
    decided = await desk.decide(ADMIN, "expire", older_than_s=1800)
    assert (decided.expired, decided.held) == (STEP, STEP)
    assert await post.states() == {"queued": STEP, "expired": STEP}


async def test_old_outages_are_forgotten(post):
    def fill(conn: sqlite3.Connection) -> None:
        for n in range(KEPT + 20):
            add(conn, Outage(None, OutageKind.DOWN, n, n + 1, judged_at=n + 1))

    await post.box.store.write(fill)
    found = await post.box.store.read(outages)
    assert len(found) == KEPT
    assert found[0].since == KEPT + 19


@given(due=st.integers(0, 100), after=st.none() | st.integers(0, 100), until=st.none() | st.integers(0, 100))
def test_every_message_is_older_newer_or_between(due, after, until):
    chosen = Chosen(after, until).includes(due)
    assert chosen == ((after is None or after < due) and (until is None or due < until))


async def test_a_bucket_begins_with_its_bound(post):
    await post.one()
    await hold(post)
    for ms, bucket in ((0, 0), (HOUR - 1, 0), (HOUR, 1), (2 * HOUR, 2)):
        [found] = await post.box.store.read(lambda conn, ms=ms: ages(conn, [HOUR, 2 * HOUR], START + ms))
        assert found.bucket == bucket


async def test_routes_through_providers_have_names(post):
    def make(conn):
        conn.execute(
            "INSERT INTO providers (id, name, kind, channel, settings, sharing, enabled, created_at, changed_at)"
            " VALUES (1, 'alpha', 'http', 'sms', '{}', '{}', 1, 1, 1)"
        )
        specs = (
            '{"stages":[{"providers":[1]},{"bank":true}]}',
            '{"stages":[{"sims":[3]},{"providers":[1,9]}]}',
            '{"channel":"email"}',
        )
        return [_route(conn, intern_route(conn, spec)) for spec in specs]

    assert await post.box.store.write(make) == [
        "provider alpha, else any SIM",
        f"SIM {SIMS[2].iccid}, else provider alpha, unknown",
        "any provider of email",
    ]
