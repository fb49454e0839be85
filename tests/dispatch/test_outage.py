"""Outages: measured per route, judged before anything goes out, and never confused with a slow queue."""

import asyncio
import random

import pytest

from fakes.lines import DispatchBox
from fakes.outboxes import HOUR, START, route_spec
from modembank.accounts import LOCAL_ADMIN
from modembank.config import OutageConfig
from modembank.events import SimChanged
from modembank.messages import HeldMessages
from modembank.messages.model import Fail, MessageState, OnUnknown, RetryAt
from modembank.messages.outbox import WAKE_LIMIT, hold_waiting, holding
from modembank.messages.outbox import outages as outages_of
from modembank.messages.outbox.holding import count_held
from modembank.messages.outbox.outages import Outage, OutageKind, outages
from modembank.messages.waiting import WaitingMessage
from modembank.modem.outcome import AttemptOutcome
from modembank.store import StoreError, Urgency

MINUTE = 60_000


async def held(box):
    """The messages that wait for a decision, oldest first."""
    rows = await box.store.fetch_all("SELECT id FROM messages WHERE ready = 3 ORDER BY id")
    return [row[0] for row in rows]


async def known(box):
    """The outages that are stored, oldest first."""
    return (await box.store.read(outages))[::-1]


async def judged(box):
    """Wait until every outage that has ended was dealt with."""
    await box.until(lambda: not box.dispatcher._vigil._cases, "the end of judging")
    await box.settled()


async def live(box, ms):
    """Time goes by while the box notes that it lives, as it does once a minute."""
    for _ in range(ms // (20 * MINUTE)):
        await box.turn(20 * MINUTE)
        await box.dispatcher.note_alive(Urgency.NOW)


async def down(box, ms, **line):
    """The box is off for a while; its SIM is back in service as it starts again."""
    await box.dispatcher.note_alive(Urgency.NOW)
    await box.close()
    box.clock.turn(ms)
    await box.open()
    if line:
        await box.line(**line)
        await judged(box)


async def why(box, message):
    columns = "id, route_id, rank, state, ready, not_before, window, cause"
    row = await box.row(message, columns)
    waiting = WaitingMessage(*row[:3], MessageState(row[3]), row[4] == 1, *row[5:], held=row[4] == 3)
    return box.dispatcher.explain(waiting)


async def test_story_03_what_grew_old_while_the_box_was_down_is_held(box):
    await box.line(per_day=1)
    await box.accept()
    await box.until(lambda: len(box.air) == 1)
    old = [await box.accept() for _ in range(3)]
    await live(box, 4 * HOUR)
    young = await box.accept()
    await down(box, 2 * HOUR, number=1, per_day=2)
    await box.until(lambda: len(box.air) == 2)
    assert [sent.number for sent in box.air] == ["+447900000001", "+447900000005"]
    assert await box.state(young) is MessageState.SENT
    assert await held(box) == old
    cause = "outage: nothing could be sent from 2027-01-15 12:00 to 2027-01-15 14:00 UTC: the box was not running"
    assert await box.row(old[0], "state, ready, cause") == (MessageState.QUEUED, 3, cause)
    assert await why(box, old[0]) == f"held until an admin decides (POST /api/v1/outage/decide); {cause}"
    [outage] = await known(box)
    assert (outage.kind, outage.since, outage.until) == (OutageKind.DOWN, START + 4 * HOUR, START + 6 * HOUR)
    assert (outage.held, outage.expired, outage.judged_at) == (3, 0, START + 6 * HOUR)
    await box.check_counts()


async def test_a_short_time_down_is_no_outage(box):
    message = await box.accept()
    box.clock.turn(10 * HOUR)
    await down(box, 29 * MINUTE, number=1)
    assert await box.state(message) is MessageState.SENT
    assert await known(box) == []


async def test_an_outage_holds_nothing_that_is_young(box):
    messages = [await box.accept() for _ in range(3)]
    await down(box, 3 * HOUR, number=1)
    assert {await box.state(message) for message in messages} == {MessageState.SENT}
    assert [(outage.held, outage.judged_at is not None) for outage in await known(box)] == [(0, True)]


async def test_nothing_waited_nothing_is_noted(box):
    await down(box, 9 * HOUR, number=1)
    await box.accept()
    await box.settled()
    assert len(box.air) == 1
    assert await known(box) == []


async def test_the_first_start_knows_of_no_outage(tmp_path):
    """Nothing was ever noted: a new box, or one that ran an older release."""
    box = await DispatchBox(tmp_path / "box.db").open()
    message = await box.accept()
    await box.close()
    box.clock.turn(9 * HOUR)
    await box.open()
    await box.line()
    await judged(box)
    assert await box.state(message) is MessageState.SENT
    await box.close()


async def test_a_clock_behind_the_last_note_is_not_misread(box):
    """A box without a clock of its own starts in the past, sends, and is told the time later."""
    box.clock.turn(9 * HOUR)
    first = await box.accept()
    await down(box, -8 * HOUR, number=1)
    assert await box.state(first) is MessageState.SENT
    assert await known(box) == []
    box.dispatcher.line_down(box.air[0].sim_id, "no network")
    waits = await box.accept()
    box.clock.turn(12 * HOUR)  # the time is set
    box.dispatcher.line_up(box.lines[box.air[0].sim_id])
    await judged(box)
    assert await held(box) == [waits]


async def test_a_clock_that_is_set_before_a_sim_is_back_tells_how_long_it_was(box):
    box.clock.turn(9 * HOUR)
    waits = await box.accept()
    await down(box, -8 * HOUR)
    box.clock.turn(14 * HOUR)
    await box.line()
    await judged(box)
    assert await held(box) == [waits]
    [outage] = await known(box)
    assert (outage.kind, outage.until - outage.since) == (OutageKind.CLOCK, 6 * HOUR)


async def test_what_follows_a_jump_of_the_clock_is_judged_with_the_next_note(box):
    line = await box.line(per_hour=1)
    for _ in range(3):
        await box.accept()
    await box.until(lambda: len(box.air) == 1)
    box.clock.turn(5 * HOUR)
    await box.dispatcher.note_alive()
    await judged(box)
    box.dispatcher.recheck()
    await box.settled()
    assert len(box.air) == 1
    assert len(await held(box)) == 2
    assert [outage.kind for outage in await known(box)] == [OutageKind.CLOCK]
    assert line.submits == 1


async def test_story_03_one_route_loses_its_sims_while_another_sends_on(box):
    lost, other = await box.line(1), await box.line(2)
    routes = [await box.route(route_spec(line.sim_id)) for line in (lost, other)]
    box.dispatcher.line_down(lost.sim_id, "no network")
    old = [await box.accept(route=routes[0]) for _ in range(2)]
    await box.until(lambda: routes[0] in box.dispatcher.unserved(), "the route to be watched")
    for _ in range(10):
        await box.turn(HOUR // 2)
        await box.accept(route=routes[1])
        await box.settled()
    young = await box.accept(route=routes[0])
    await box.settled()
    assert len(box.air) == 10
    assert set(box.dispatcher.unserved()) == {routes[0]}
    box.dispatcher.line_up(lost)
    await judged(box)
    assert await held(box) == old
    assert await box.state(young) is MessageState.SENT
    [outage] = await known(box)
    assert (outage.kind, outage.route_id, outage.held) == (OutageKind.NO_SIM, routes[0], 2)
    assert outage.until - outage.since == 5 * HOUR
    assert not box.dispatcher.unserved()


async def test_a_slow_queue_is_never_an_outage(box):
    """Three an hour, for ten hours: what goes out last has waited ten hours, and goes out."""
    await box.line(per_hour=3)
    messages = [await box.accept() for _ in range(31)]
    for _ in range(40):
        await box.turn(20 * MINUTE)
        await box.dispatcher.note_alive()
        await box.settled()
    assert {await box.state(message) for message in messages} == {MessageState.SENT}
    assert max(sent.at for sent in box.air) - START >= 10 * HOUR
    assert await known(box) == []


async def test_a_window_is_no_outage(box):
    await box.line()
    message = await box.accept(window="00:00-00:01", valid_ms=48 * HOUR)
    for _ in range(60):
        await box.turn(25 * MINUTE)
        await box.settled()
    assert not await held(box)
    assert await known(box) == []
    assert await box.state(message) in (MessageState.QUEUED, MessageState.SENT)


async def test_age_counts_from_when_it_was_due(box):
    """Scheduled hours ago for a moment ago is young; what came due early in the outage is old."""
    young = await box.accept(not_before=START + 7 * HOUR)
    old = await box.accept(not_before=START + HOUR)
    later = await box.accept(not_before=START + 9 * HOUR)
    await down(box, 8 * HOUR, number=1)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    assert await held(box) == [old]
    assert await box.state(young) is MessageState.SENT
    assert await box.row(later, "state, ready") == (MessageState.SCHEDULED, 2)
    await box.check_counts()


async def test_validity_goes_first(box):
    gone, kept = await box.accept(valid_ms=5 * HOUR), await box.accept(valid_ms=48 * HOUR)
    await down(box, 6 * HOUR, number=1)
    assert await box.row(gone, "state, cause") == (MessageState.EXPIRED, "expired: its validity ended")
    assert await held(box) == [kept]
    box.clock.turn(43 * HOUR)  # a held one expires as others do
    await box.outbox.sweep()
    assert await box.state(kept) is MessageState.EXPIRED
    await box.check_counts()


@pytest.mark.parametrize("rule", ["send", "expire"])
async def test_the_other_rules(tmp_path, rule):
    box = await DispatchBox(tmp_path / "box.db", outage=OutageConfig(rule=rule)).open()
    message = await box.accept()
    await down(box, 6 * HOUR, number=1)
    [outage] = await known(box)
    assert not await held(box)
    if rule == "send":
        assert await box.state(message) is MessageState.SENT
        assert (outage.held, outage.expired) == (0, 0)
    else:
        assert not box.air
        assert await box.row(message, "state, cause") == (MessageState.EXPIRED, outage.cause)
        assert outage.expired == 1
    counted = box.metrics.registry.get_sample_value("modembank_outages_total", {"kind": "down"})
    assert counted == 1
    await box.check_counts()
    await box.close()


async def test_giving_up_what_may_have_been_sent_says_so(tmp_path):
    box = await DispatchBox(tmp_path / "box.db", outage=OutageConfig(rule="expire")).open()
    message = await box.accept(segments=2, text="x" * 200)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.settle(intent, AttemptOutcome.UNKNOWN, cause="no_final")
    await box.outbox.flush()
    await down(box, 6 * HOUR, number=1)
    state, cause = await box.row(message, "state, cause")
    assert state == MessageState.UNKNOWN
    assert cause.startswith("outage: ")
    assert cause.endswith(" and it may have been sent")
    await box.close()


async def test_held_stays_held_over_restarts_and_is_not_judged_again(box):
    message = await box.accept()
    await down(box, 6 * HOUR, number=1)
    for _ in range(2):
        await down(box, MINUTE, number=1)
        assert await held(box) == [message]
    await down(box, 6 * HOUR, number=1)
    assert len(await known(box)) == 1
    assert not box.air


async def test_an_outage_over_several_lives_is_one(box):
    """No network, a restart, and still no network for a while; each life alone has seen only a part of it."""
    line = await box.line()
    box.dispatcher.line_down(line.sim_id, "no network")
    message = await box.accept()
    await box.settled()
    for _ in range(3):
        box.clock.turn(2 * HOUR)
        await down(box, MINUTE)
    box.clock.turn(MINUTE)
    await box.line()
    await judged(box)
    assert await held(box) == [message]
    [outage] = await known(box)
    assert (outage.kind, outage.until - outage.since) == (OutageKind.NO_SIM, 6 * HOUR + 4 * MINUTE)


async def test_a_crash_in_the_middle_of_judging_is_made_good(box, monkeypatch):
    messages = [await box.accept(publish=False) for _ in range(3)]
    monkeypatch.setattr("modembank.messages.outbox.holding.STEP", 2)
    original = box.outbox.judge
    steps = []

    async def once(*arguments):
        steps.append(arguments)
        if len(steps) == 2:
            await asyncio.Event().wait()
        return await original(*arguments)

    await box.dispatcher.note_alive(Urgency.NOW)
    await box.close()
    box.clock.turn(6 * HOUR)
    await box.open()
    original = box.outbox.judge
    monkeypatch.setattr(box.outbox, "judge", once)
    await box.line()
    await box.until(lambda: len(steps) == 2)
    await box.dispatcher.note_alive(Urgency.NOW)
    assert await held(box) == messages[:2]
    assert not box.air
    await box.crash()
    await box.line()
    await judged(box)
    assert await held(box) == messages
    assert not box.air
    [outage] = await known(box)
    assert outage.held == 3


async def test_a_crash_before_the_outage_is_on_the_disk_forgets_nothing(box, monkeypatch):
    message = await box.accept()
    line = await box.line(up=False)
    await box.settled()
    box.clock.turn(6 * HOUR)
    begun = []

    async def for_ever(*arguments):
        begun.append(arguments)
        await asyncio.Event().wait()

    monkeypatch.setattr(box.outbox.judging, "begin", for_ever)
    box.dispatcher.line_up(line)
    await box.until(lambda: begun)
    await box.dispatcher.note_alive(Urgency.NOW)
    await box.crash()
    await box.line()
    await judged(box)
    assert await held(box) == [message]


async def test_a_store_that_refuses_keeps_the_queue_closed(box, monkeypatch):
    message = await box.accept()
    refusals = []
    begin = box.outbox.judging.begin

    async def refusing(*arguments):
        if len(refusals) < 1:
            refusals.append(arguments)
            raise StoreError(detail="the disk is full")
        return await begin(*arguments)

    line = await box.line(up=False)
    await box.settled()
    box.clock.turn(6 * HOUR)
    monkeypatch.setattr(box.outbox.judging, "begin", refusing)
    box.dispatcher.line_up(line)
    await judged(box)
    assert refusals
    assert not box.air
    assert await held(box) == [message]


async def test_a_paused_sim_and_a_pool_that_changes_are_lines_that_go_and_come(box):
    line = await box.line(1, "alarm")
    pool = await box.route(route_spec(pool="alarm"))
    await box.accept(route=pool)
    await box.until(lambda: len(box.air) == 1)
    await box.sims.set_label(line.sim_id, "other")
    old = await box.accept(route=pool)
    await box.settled()
    assert set(box.dispatcher.unserved()) == {pool}
    await box.turn(5 * HOUR)
    await box.sims.set_label(line.sim_id, "alarm")
    await judged(box)
    assert await held(box) == [old]
    await box.sims.pause(line.sim_id, "out of credit")
    again = await box.accept(route=pool)
    await box.settled()
    await box.turn(5 * HOUR)
    await box.sims.resume(line.sim_id)
    await judged(box)
    assert await held(box) == [old, again]
    assert len(box.air) == 1


async def test_the_rest_of_a_long_message_waits_for_its_route_to_be_judged(box):
    message = await box.accept(segments=2, text="x" * 200)
    line = await box.line(up=False)
    intent = box.intent(message, sim=line.sim_id)
    await box.outbox.begin(intent)
    await box.settle(intent, AttemptOutcome.ACCEPTED, tp_mr=1)
    await box.outbox.flush()
    await down(box, 6 * HOUR, number=1)
    assert not box.air
    assert await held(box) == [message]


async def test_what_is_not_judged_says_so_and_better_places_go_first(box, monkeypatch):
    """The walk goes by rank: what stands before it is free to go, what stands behind it is not."""
    monkeypatch.setattr("modembank.messages.outbox.holding.LOOK", 1)
    line = await box.line(up=False)
    urgent, slow, later = await box.accept(rank=0), await box.accept(rank=4), await box.accept(rank=4)
    await box.settled()
    box.clock.turn(6 * HOUR)
    news = await box.accept(rank=1)
    await box.settled()
    judge, gate = box.outbox.judge, asyncio.Event()
    places = []

    async def slowly(outage, after):
        places.append(after)
        if len(places) == 4:
            await gate.wait()
        return await judge(outage, after)

    monkeypatch.setattr(box.outbox, "judge", slowly)
    box.dispatcher.line_up(line)
    await box.until(lambda: len(box.air) == 1)  # the new one, though two old ones are still to be judged
    assert await box.state(news) is MessageState.SENT
    assert await held(box) == [urgent, slow]
    assert await why(box, later) == "whether it grew too old in an outage is being looked at"
    gate.set()
    await judged(box)
    assert await held(box) == [urgent, slow, later]
    assert places == [(-1, -1), (0, urgent), (1, news), (4, slow), (4, later)]


async def test_a_refusal_that_comes_after_the_hold_leaves_it_held(box):
    message = await box.accept()
    await box.store.write(lambda conn: conn.execute("UPDATE messages SET ready = 3, cause = 'outage: x'"))
    await box.outbox.decide(message, RetryAt(box.clock.now_ms + 5, "cms_38: network out of order"))
    assert await box.row(message, "ready, cause") == (3, "outage: x")
    assert await box.outbox.next_timed() is None
    await box.outbox.decide(message, Fail("cms_1: unassigned number"))
    assert await box.row(message, "state, ready") == (MessageState.FAILED, None)


async def test_many_are_held_in_bounded_steps_while_nothing_old_goes_out(box, monkeypatch):
    count = 3 * WAKE_LIMIT + 7
    line = await box.line(up=False)
    await box.fill(count)
    box.dispatcher._loader.reload()
    await box.settled()
    box.clock.turn(6 * HOUR)
    sizes, judge = [], box.outbox.judge

    async def counted(*arguments):
        step = await judge(*arguments)
        sizes.append(step.held)
        return step

    monkeypatch.setattr(box.outbox, "judge", counted)
    box.dispatcher.line_up(line)
    await judged(box)
    assert sizes == [WAKE_LIMIT] * 3 + [7]
    assert not box.air
    assert await box.store.read(count_held) == count
    assert not box.dispatcher._desk.known()


async def test_looking_through_many_that_may_go_takes_no_turn_of_the_writer(box, monkeypatch):
    """Whoever writes beside the daemon would wait for as long as the queue is long."""
    monkeypatch.setattr("modembank.messages.outbox.holding.LOOK", 100)
    line = await box.line(up=False)
    old = await box.accept()
    box.clock.turn(5 * HOUR)
    await box.fill(1_050)
    box.dispatcher.line_down(line.sim_id, "no network")
    await box.settled()
    box.clock.turn(HOUR)
    looks, writes, judge, write = [], [], box.outbox.judge, holding.judge

    async def looked(*arguments):
        looks.append(arguments)
        return await judge(*arguments)

    def written(*arguments, **named):
        writes.append(arguments)
        return write(*arguments, **named)

    monkeypatch.setattr(box.outbox, "judge", looked)
    monkeypatch.setattr(holding, "judge", written)
    box.dispatcher.line_up(line)
    await judged(box)
    assert await held(box) == [old]
    assert (len(looks), len(writes)) == (11, 2)  # of the first look, and the end of it


async def test_what_ended_after_the_look_is_not_held(box):
    await box.line(up=False)
    ended, waits = [await box.accept() for _ in range(2)]
    route = (await box.store.fetch_one("SELECT route_id FROM messages"))[0]
    until = START + 6 * HOUR
    given = Outage(route, OutageKind.NO_SIM, START, until)
    stored = await box.store.write(lambda conn: outages_of.add(conn, given))
    looked = await box.store.read(lambda conn: holding.look(conn, stored, HOUR, holding.START, until))
    assert (looked.after, looked.old) == (None, (ended, waits))
    await box.outbox.decide(ended, Fail("encoding: no"))
    step = await box.store.write(lambda conn: holding.judge(conn, stored, looked, until, expire=False))
    assert step.held == 1
    assert await held(box) == [waits]
    assert await box.row(ended, "state, ready") == (MessageState.FAILED, None)
    assert [(outage.held, outage.judged_at) for outage in await known(box)] == [(1, until)]


async def test_holding_all_that_waits_in_restored_data(box):
    await box.line(up=False)
    ready, timed = await box.accept(), await box.accept(not_before=START + 9 * HOUR)
    ended = await box.accept()
    await box.outbox.decide(ended, Fail("encoding: no"))
    box.bus.publish(SimChanged(START, 1))
    assert await box.store.write(lambda conn: hold_waiting(conn, "restored: from a backup of Monday", START)) == 2
    assert await held(box) == [ready, timed]
    assert await box.row(ready, "cause") == ("restored: from a backup of Monday",)
    assert await box.state(ended) is MessageState.FAILED
    assert "restored: from a backup of Monday" in await why(box, timed)
    [outage] = await known(box)
    assert (outage.kind, outage.route_id, outage.held) == (OutageKind.RESTORED, None, 2)
    await down(box, MINUTE, number=1)
    assert not box.air


async def test_a_start_that_fails_forgets_nothing(box):
    """The box is away for hours, and its first try to come back ends before anything could be sent."""
    old = await box.accept()
    await box.dispatcher.note_alive(Urgency.NOW)
    await box.close()
    box.clock.turn(6 * HOUR)
    await box.open(start=False)
    await box.dispatcher.note_alive(Urgency.NOW)
    await box.close()
    await box.open()
    await box.line()
    await judged(box)
    assert await held(box) == [old]


async def test_what_is_noted_is_small_and_names_only_routes_on_which_something_waits(box):
    line = await box.line()
    idle, busy = await box.route(route_spec(77)), await box.route(route_spec(78))
    message = await box.accept(route=idle)
    await box.outbox.decide(message, Fail("encoding: no"))
    await box.accept(route=busy)
    await box.until(lambda: busy in box.dispatcher.unserved())
    await box.settled()
    await box.dispatcher.note_alive(Urgency.NOW)
    [noted] = await box.store.fetch_one("SELECT value FROM box WHERE name = 'alive'")
    assert noted == f'{{"at":{START},"unserved":{{"{busy}":{START}}}}}'
    assert line.submits == 0


class Weather:
    """Lines that come and go, restarts and crashes, with a model of how long each route was without a SIM."""

    def __init__(self, box: DispatchBox, seed: int) -> None:
        self.box = box
        self.dice = random.Random(seed)
        self.up: dict[int, bool] = {}
        self.due: dict[int, int] = {}
        self.sims: dict[int, int] = {}
        """Message -> its SIM."""
        self.lost: dict[int, int] = {}
        """SIM -> since when its line is down."""
        self.must_hold: set[int] = set()
        self.may_send: set[int] = set()

    async def begin(self) -> None:
        for number in (1, 2):
            line = await self.box.line(number, up=False)
            self.lost[line.sim_id] = self.box.clock.now_ms

    async def step(self) -> None:
        roll = self.dice.random()
        sim = self.dice.choice(list(self.box.lines))
        if roll < 0.35:
            route = await self.box.route(route_spec(sim))
            message = await self.box.accept(route=route, valid_ms=10_000 * HOUR, rank=self.dice.randrange(10))
            self.due[message], self.sims[message] = self.box.clock.now_ms, sim
        elif roll < 0.65:
            await self.box.turn(self.dice.choice([MINUTE, 10 * MINUTE, HOUR, 3 * HOUR]))
        elif roll < 0.9:
            await self.toggle(sim)
        else:
            await self.restart()
        await self.check()

    async def toggle(self, sim: int) -> None:
        now = self.box.clock.now_ms
        if sim in self.lost:
            self.judge(sim, now - self.lost.pop(sim) >= 30 * MINUTE, now)
            self.box.dispatcher.line_up(self.box.lines[sim])
            await judged(self.box)
        else:
            self.lost[sim] = now
            self.box.dispatcher.line_down(sim, "weather")

    async def restart(self) -> None:
        await self.box.dispatcher.note_alive(Urgency.NOW)
        noted = self.box.clock.now_ms
        self.box.clock.turn(self.dice.choice([MINUTE, 40 * MINUTE]))
        await self.box.crash()
        for number in (1, 2):
            await self.box.line(number, up=False)
        for sim in self.box.lines:
            self.lost.setdefault(sim, noted)

    def judge(self, sim: int, outage: bool, now: int) -> None:
        """Everything that waits for this SIM goes out now, but for what is old after an outage."""
        for message, due in list(self.due.items()):
            if self.sims[message] == sim:
                old = outage and due < now - 4 * HOUR
                (self.must_hold if old else self.may_send).add(message)
                del self.due[message]

    async def check(self) -> None:
        for sim in set(self.box.lines) - set(self.lost):
            self.judge(sim, False, self.box.clock.now_ms)
        for _ in range(200):
            await self.box.settled()
            sent = {row[0] for row in await self.box.store.fetch_all("SELECT id FROM messages WHERE state = 50")}
            if sent == self.may_send:
                break
        assert sent == self.may_send
        assert set(await held(self.box)) == self.must_hold
        await self.box.check_counts()


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_weather_exactly_what_grew_old_in_an_outage_is_held(tmp_path, seed):
    box = await DispatchBox(tmp_path / "box.db").open()
    weather = Weather(box, seed)
    await weather.begin()
    for _ in range(60):
        await weather.step()
    assert weather.may_send
    await box.close()


async def test_a_resent_message_is_held_like_any_other(box):
    message = await box.accept(on_unknown=OnUnknown.RESEND)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.dispatcher.note_alive(Urgency.NOW)
    box.clock.turn(6 * HOUR)
    await box.crash()
    await box.line()
    await judged(box)
    assert await held(box) == [message]
    assert not box.air


async def release(box):
    """An admin says that what is held is to be sent."""
    desk = HeldMessages(box.store, box.bus, box.clock, box.outbox.judging, box.dispatcher.unserved)
    return await desk.decide(LOCAL_ADMIN, "send")


@pytest.mark.parametrize("rule", ["ask", "expire"])
async def test_what_an_admin_released_is_not_judged_by_an_outage_that_goes_on(tmp_path, rule):
    """The decision comes before any SIM is back: when one is, the outage ends, and the decision still holds."""
    box = await DispatchBox(tmp_path / "box.db", outage=OutageConfig(rule=rule)).open()
    message = await box.accept()
    await box.store.write(lambda conn: hold_waiting(conn, "restored: it may have been sent since", START))
    await down(box, 6 * HOUR)
    assert (await release(box)).sent == 1
    await box.settled()
    await box.turn(MINUTE)
    await box.line()
    await judged(box)
    assert await box.state(message) is MessageState.SENT
    assert len(box.air) == 1
    await box.close()


async def test_an_outage_that_is_dealt_with_opens_nothing_that_the_next_one_is_to_judge(box, monkeypatch):
    """Two of one route, looked at in small steps: old enough for the second only is not let out by the first."""
    monkeypatch.setattr("modembank.messages.outbox.holding.STEP", 1)
    line = await box.line(up=False)
    waits = [await box.accept() for _ in range(3)]
    await box.settled()
    box.clock.turn(3 * HOUR)
    judge, gate = box.outbox.judge, asyncio.Event()

    async def slowly(outage, after):
        await gate.wait()
        step = await judge(outage, after)
        asyncio.get_running_loop().call_soon(box.dispatcher.recheck)
        await asyncio.sleep(0)
        return step

    monkeypatch.setattr(box.outbox, "judge", slowly)
    box.dispatcher.line_up(line)
    box.dispatcher.line_down(line.sim_id, "no network")
    box.clock.turn(3 * HOUR)
    box.dispatcher.line_up(line)
    gate.set()
    await judged(box)
    assert await held(box) == waits
    assert not box.air


async def test_what_was_not_looked_through_goes_out_when_the_rule_says_so_now(tmp_path, monkeypatch):
    """A restart in the middle of judging, with another rule: nothing is held under the rule that holds nothing."""
    box = await DispatchBox(tmp_path / "box.db").open()
    message = await box.accept()
    await box.settled()
    began = asyncio.Event()

    async def for_ever(*_):
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(box.outbox, "judge", for_ever)
    box.clock.turn(6 * HOUR)
    await box.line()
    await began.wait()
    box.outage = OutageConfig(rule="send")
    await box.crash()
    await box.line()
    await judged(box)
    assert await box.state(message) is MessageState.SENT
    [outage] = await known(box)
    assert outage.judged_at is not None
    await box.close()


async def test_what_becomes_of_an_attempt_does_not_hide_why_the_rest_is_held(box):
    """It was in a modem's hands as it was held, and was refused there for the moment."""
    message = await box.accept()
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.store.write(lambda conn: conn.execute("UPDATE messages SET ready = 3, cause = 'outage: x'"))
    await box.settle(intent, AttemptOutcome.REJECTED, cause="cms_42: congestion")
    await box.outbox.flush()
    assert await box.row(message, "state, ready, cause") == (MessageState.SENDING, 3, "outage: x")
    assert await why(box, message) == "held until an admin decides (POST /api/v1/outage/decide); outage: x"


async def test_what_comes_after_an_outage_makes_no_outage_known_through_which_nothing_waited(box):
    """A route that was used before the box was away, and again only long after."""
    await box.line()
    await box.accept()
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    await down(box, 6 * HOUR, number=1)
    await box.turn(HOUR)
    for rank in (0, 4):
        await box.accept(rank=rank)
    await box.until(lambda: len(box.air) == 3)
    await judged(box)
    assert await known(box) == []
