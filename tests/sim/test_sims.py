"""The registry: identity, limits from three places, pausing, and ledgers that survive everything."""

import asyncio

import pytest

from modembank.bus import Bus
from modembank.config import LimitsConfig, SimConfig, SimLimitsConfig
from modembank.errors import InvalidRequest, NotFound
from modembank.events import SimChanged
from modembank.sim import LimitName, SimIdentity, Sims, UnidentifiedSim, add_usage
from modembank.sim.limits import DAY_MS, HOUR_MS, MINUTE_MS, MONTH_MS
from modembank.sim.model import luhn_digit
from modembank.store import Store

START = 1_790_000_000_000
ICCID = "8949020000001234567"  # 18 digits and no Luhn digit behind
OTHER = "8949020000007654321"
IMSI = "262011234567890"


class HandClock:
    def __init__(self):
        self.ms = START

    def now(self):
        return self.ms / 1000

    def monotonic(self):
        return self.ms / 1000


class Box:
    """A store with a registry on it, and what the bus told."""

    def __init__(self, path):
        self.path = path
        self.clock = HandClock()
        self.configured = ()
        self.defaults = LimitsConfig()
        self.changed = []

    async def start(self):
        self.store = await Store.open(self.path, lazy_s=0.01, soon_s=0.001)
        bus = Bus()
        bus.subscribe(SimChanged, lambda event: self.changed.append(event.sim))
        self.sims = Sims(self.store, bus, self.clock, self.defaults, self.configured)
        await self.sims.load()

    async def stop(self):
        await self.store.close()

    async def restart(self):
        await self.stop()
        await self.start()

    async def send(self, sim_id, segments=1, recipient="+1"):
        now = self.clock.ms
        ledger = self.sims.ledger(sim_id)
        denied = ledger.admit(now, segments, recipient)
        if denied is None:
            ledger.record(now, segments, recipient)
            await self.store.write(lambda c: add_usage(c, sim_id, now, segments, recipient))
        return denied


@pytest.fixture
async def box(tmp_path):
    box = Box(tmp_path / "box.db")
    await box.start()
    yield box
    await box.stop()


async def test_a_sim_gets_its_row_at_first_sight(box):
    sim = await box.sims.identify(SimIdentity(ICCID, IMSI, "+4915112345", "Telekom"), "slot-1")
    assert (sim.iccid, sim.imsi, sim.msisdn, sim.operator, sim.slot) == (
        ICCID,
        IMSI,
        "+4915112345",
        "Telekom",
        "slot-1",
    )
    assert sim.first_seen_at == sim.last_seen_at == START
    assert (sim.label, sim.name, sim.paused) == ("", "slot-1", False)
    assert sim.limits.per_hour == 200
    assert box.changed == [sim.id]
    assert box.sims.all() == (sim,)


async def test_moving_a_sim_to_another_modem_changes_nothing_but_its_slot(box):
    box.defaults = LimitsConfig(per_hour=3, min_interval_s=0)
    await box.restart()
    sim = await box.sims.identify(SimIdentity(ICCID, IMSI), "slot-1")
    for _ in range(3):
        assert await box.send(sim.id) is None
    ledger = box.sims.ledger(sim.id)
    moved = await box.sims.identify(SimIdentity(ICCID, IMSI), "slot-2")
    assert (moved.id, moved.slot) == (sim.id, "slot-2")
    assert box.sims.ledger(sim.id) is ledger
    assert (await box.send(sim.id)).limit is LimitName.PER_HOUR


async def test_the_ledger_survives_a_restart(box):
    box.defaults = LimitsConfig(per_hour=3, min_interval_s=0)
    await box.restart()
    sim = await box.sims.identify(SimIdentity(ICCID), "slot-1")
    for _ in range(3):
        assert await box.send(sim.id) is None
    await box.restart()
    denied = await box.send(sim.id)
    assert (denied.limit, denied.used, denied.until) == (LimitName.PER_HOUR, 3, START + HOUR_MS)
    box.clock.ms = START + HOUR_MS
    assert await box.send(sim.id) is None


async def test_what_a_modem_leaves_out_later_is_not_forgotten(box):
    sim = await box.sims.identify(SimIdentity(ICCID, IMSI, "+491", "Telekom"), "a")
    again = await box.sims.identify(SimIdentity(ICCID), "a")
    assert (again.id, again.imsi, again.operator) == (sim.id, IMSI, "Telekom")


async def test_a_sim_known_by_its_imsi_alone_keeps_its_row_when_the_iccid_is_learned(box):
    first = await box.sims.identify(SimIdentity(None, IMSI), "a")
    assert first.iccid == f"imsi:{IMSI}"
    await box.send(first.id, 5)
    upgraded = await box.sims.identify(SimIdentity(ICCID, IMSI), "b")
    assert (upgraded.id, upgraded.iccid) == (first.id, ICCID)
    assert len(box.sims.all()) == 1
    assert box.sims.ledger(first.id).usage(START)[LimitName.PER_HOUR] == 5
    await box.restart()
    assert box.sims.by_iccid(ICCID).id == first.id


async def test_a_known_card_is_found_by_its_imsi_where_the_iccid_cannot_be_read(box):
    first = await box.sims.identify(SimIdentity(ICCID, IMSI), "a")
    again = await box.sims.identify(SimIdentity(None, IMSI), "b")
    assert (again.id, again.iccid) == (first.id, ICCID)


async def test_two_rows_that_turn_out_to_be_one_card_become_one_and_the_usage_adds_up(box):
    box.defaults = LimitsConfig(recipients_per_month=10, min_interval_s=0)
    await box.restart()
    by_iccid = await box.sims.identify(SimIdentity(ICCID, None), "a")
    by_imsi = await box.sims.identify(SimIdentity(None, IMSI), "b")
    assert by_iccid.id != by_imsi.id
    await box.send(by_iccid.id, 3, "+1")
    await box.send(by_imsi.id, 4, "+2")
    one = await box.sims.identify(SimIdentity(ICCID, IMSI), "c")
    assert one.id == by_iccid.id
    for _ in range(2):
        usage = box.sims.ledger(one.id).usage(START)
        assert (usage[LimitName.PER_HOUR], usage[LimitName.RECIPIENTS_PER_MONTH]) == (7, 2)
        assert box.sims.get(by_imsi.id).id == one.id
        assert box.sims.ledger(by_imsi.id) is box.sims.ledger(one.id)
        assert [sim.id for sim in box.sims.all()] == [one.id]
        assert (await box.sims.identify(SimIdentity(None, IMSI), "d")).id == one.id
        await box.restart()


async def test_one_card_written_with_and_without_its_check_digit_is_one_sim(box):
    body = "894902000000123456"
    with_check = body + luhn_digit(body)
    first = await box.sims.identify(SimIdentity(with_check), "a")
    again = await box.sims.identify(SimIdentity(f'"{body}"'), "b")
    filled = await box.sims.identify(SimIdentity(f"{with_check}F"), "c")
    assert first.id == again.id == filled.id
    assert box.sims.by_iccid(body).id == first.id


async def test_two_cards_with_one_imsi_are_two_sims(box):
    first = await box.sims.identify(SimIdentity(ICCID, IMSI), "a")
    second = await box.sims.identify(SimIdentity(OTHER, IMSI), "b")
    assert first.id != second.id


@pytest.mark.parametrize(
    "identity", [SimIdentity(), SimIdentity("", ""), SimIdentity("ERROR", "ERROR"), SimIdentity("12345", "1" * 40)]
)
async def test_a_sim_that_tells_nothing_usable_is_refused(box, identity):
    with pytest.raises(UnidentifiedSim, match="slot-9"):
        await box.sims.identify(identity, "slot-9")
    assert box.sims.all() == ()


async def test_hostile_identity_texts_are_cut_and_cleaned(box):
    told = SimIdentity(ICCID, IMSI, "<script>", "Tele\x00kom\r\n" + "x" * 500)
    sim = await box.sims.identify(told, "a")
    assert sim.msisdn is None
    assert sim.operator.startswith("Telekom")
    assert len(sim.operator) == 64


async def test_the_file_is_laid_over_the_defaults_and_the_run_time_over_both(box):
    box.defaults = LimitsConfig(per_minute=11, per_hour=22, per_day=33)
    box.configured = (
        SimConfig(ICCID, label="from the file", msisdn="+4930123456", limits=SimLimitsConfig(per_hour=44, per_day=55)),
    )
    await box.restart()
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    assert (sim.label, sim.msisdn) == ("from the file", "+4930123456")
    assert (sim.limits.per_minute, sim.limits.per_hour, sim.limits.per_day) == (11, 44, 55)
    sim = await box.sims.set_limits(sim.id, {"per_day": 66})
    sim = await box.sims.set_label(sim.id, "by hand")
    assert (sim.limits.per_minute, sim.limits.per_hour, sim.limits.per_day) == (11, 44, 66)
    box.defaults = LimitsConfig(per_minute=12)
    await box.restart()
    sim = box.sims.get(sim.id)
    assert (sim.limits.per_minute, sim.limits.per_hour, sim.limits.per_day) == (12, 44, 66)
    assert sim.label == "by hand"
    sim = await box.sims.set_limits(sim.id, {"per_day": None})
    sim = await box.sims.set_label(sim.id, "")
    assert (sim.limits.per_day, sim.label, dict(sim.overrides)) == (55, "from the file", {})


async def test_the_file_finds_a_card_however_its_number_is_written(box):
    body = "894902000000123456"
    box.configured = (SimConfig(body, pin="1234"),)
    await box.restart()
    assert box.sims.configured(f"{body}{luhn_digit(body)}F").pin == "1234"
    assert box.sims.configured(OTHER) is None
    assert box.sims.configured(None) is None


async def test_limits_are_live_at_once(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await box.send(sim.id, 2)
    box.clock.ms += 5_000
    await box.sims.set_limits(sim.id, {"per_hour": 2})
    assert (await box.send(sim.id)).limit is LimitName.PER_HOUR
    await box.sims.set_limits(sim.id, {"per_hour": 0})
    assert await box.send(sim.id) is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"per_second": 1}, "/limits/per_second"),
        ({"per_hour": -1}, "per_hour"),
        ({"per_hour": 1.5}, "per_hour"),
        ({"per_hour": "many"}, "per_hour"),
    ],
)
async def test_bad_limits_are_refused_and_change_nothing(box, changes, where):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    with pytest.raises(InvalidRequest, match=where):
        await box.sims.set_limits(sim.id, changes)
    assert box.sims.get(sim.id) == sim


@pytest.mark.parametrize("label", ["x" * 65, " a", "a\nb", "\x07"])
async def test_bad_labels_are_refused(box, label):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    with pytest.raises(InvalidRequest):
        await box.sims.set_label(sim.id, label)


async def test_a_pause_has_a_reason_and_survives_a_restart(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await box.sims.pause(sim.id, "no credit")
    box.clock.ms += 1000
    await box.sims.pause(sim.id, "no credit for sure")
    await box.restart()
    sim = box.sims.get(sim.id)
    assert (sim.paused, sim.paused_reason, sim.paused_at) == (True, "no credit for sure", START)
    sim = await box.sims.resume(sim.id)
    assert (sim.paused, sim.paused_at) == (False, None)


async def test_changes_are_told_after_they_are_durable(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    seen = []
    box.changed.clear()
    connection_free = box.sims._bus.subscribe(SimChanged, lambda event: seen.append(box.sims.get(event.sim).label))
    await box.sims.set_label(sim.id, "one")
    assert await box.store.fetch_one("SELECT label FROM sims") == ("one",)
    await box.sims.set_label(sim.id, "two")
    assert seen == ["one", "two"]
    connection_free()


async def test_a_change_runs_to_its_end_when_its_caller_goes_away(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    task = asyncio.create_task(box.sims.set_label(sim.id, "kept"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await box.sims.pause(sim.id, "x")  # behind it in the line
    assert box.sims.get(sim.id).label == "kept"
    assert await box.store.fetch_one("SELECT label FROM sims") == ("kept",)


async def test_concurrent_changes_of_one_sim_all_hold(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await asyncio.gather(
        box.sims.set_limits(sim.id, {"per_hour": 5}),
        box.sims.set_limits(sim.id, {"per_day": 6}),
        box.sims.set_label(sim.id, "l"),
        box.sims.pause(sim.id, "p"),
        box.sims.identify(SimIdentity(ICCID, IMSI), "b"),
    )
    found = box.sims.get(sim.id)
    assert (found.limits.per_hour, found.limits.per_day, found.label) == (5, 6, "l")
    assert (found.paused_reason, found.slot) == ("p", "b")
    await box.restart()
    assert box.sims.get(sim.id) == found


async def test_unknown_sims_are_not_found(box):
    for call in (box.sims.set_label(9, "x"), box.sims.set_limits(9, {}), box.sims.pause(9, "x"), box.sims.resume(9)):
        with pytest.raises(NotFound, match="SIM 9"):
            await call
    with pytest.raises(NotFound):
        box.sims.get(9)
    with pytest.raises(NotFound):
        box.sims.ledger(9)
    assert box.sims.by_iccid(ICCID) is None


MESSAGE = (
    "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state, expires_at,"
    " on_unknown, created_at) VALUES (?, 1, ?, 't', 0, 1, 0, 1, 5, 50, 0, 0, 0)"
)
ATTEMPT = (
    "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, outcome) VALUES (?, 1, 1, ?, 's', ?, ?)"
)


async def history(box, sim_id):
    """What was sent before recipients were kept: five that count, three that do not."""
    entries = [
        (1, "+1", sim_id, START - 30 * DAY_MS, 20),
        (2, "+1", sim_id, START - 3 * DAY_MS, 20),
        (3, "+2", sim_id, START - 2 * DAY_MS, 40),
        (4, "+3", sim_id, START - DAY_MS, 30),
        (5, "+4", sim_id, START - HOUR_MS, None),
        (6, "+5", sim_id, START - HOUR_MS, 10),  # never left
        (7, "+6", sim_id, START - MONTH_MS, 20),  # just out of the window
        (8, "+7", sim_id + 1, START - HOUR_MS, 20),  # another SIM
    ]

    def write(connection):
        for number, recipient, sim, at, outcome in entries:
            connection.execute(MESSAGE, (number, recipient))
            connection.execute(ATTEMPT, (number, sim, at, outcome))
        connection.execute(MESSAGE, (9, "+8"))
        connection.execute(
            "INSERT INTO journal (kind, message_id, segment, n, sim_id, at, body) VALUES (1, 9, 1, 1, ?, ?, '{}')",
            (sim_id, START - 1),
        )

    await box.store.write(write)


async def test_story_10_a_recipient_limit_set_later_counts_the_month_before_it(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await history(box, sim.id)
    assert await box.store.fetch_one("SELECT count(*) FROM sim_recipients") == (0,)
    await box.sims.set_limits(sim.id, {"recipients_per_month": 5})
    for _ in range(2):
        ledger = box.sims.ledger(sim.id)
        assert set(ledger.recipients.last_seen()) == {"+1", "+2", "+3", "+4", "+8"}
        assert ledger.admit(START, 1, "+1") is None
        assert ledger.admit(START, 1, "+9").until == START - 3 * DAY_MS + MONTH_MS
        await box.restart()


async def test_a_recipient_limit_from_the_file_counts_the_month_before_it_too(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await history(box, sim.id)
    box.configured = (SimConfig(ICCID, limits=SimLimitsConfig(recipients_per_month=5)),)
    await box.restart()
    assert len(box.sims.ledger(sim.id).recipients.last_seen()) == 5


async def test_recipients_are_stored_only_for_sims_with_that_limit(box):
    box.defaults = LimitsConfig(min_interval_s=0)
    await box.restart()
    limited = await box.sims.identify(SimIdentity(ICCID), "a")
    free = await box.sims.identify(SimIdentity(OTHER), "b")
    await box.sims.set_limits(limited.id, {"recipients_per_month": 100})
    for sim in (limited, free):
        for recipient in ("+1", "+2", "+1"):
            assert await box.send(sim.id, 1, recipient) is None
    query = "SELECT recipient FROM sim_recipients WHERE sim_id = ? AND recipient <> '' ORDER BY 1"
    assert await box.store.fetch_all(query, (limited.id,)) == [("+1",), ("+2",)]
    assert await box.store.fetch_all(query, (free.id,)) == []
    await box.sims.set_limits(limited.id, {"recipients_per_month": 0})
    assert await box.store.fetch_one("SELECT count(*) FROM sim_recipients") == (0,)


async def test_old_usage_is_folded_into_hours_and_dropped_after_the_month(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    ages = [0, MINUTE_MS, DAY_MS, 3 * DAY_MS, 3 * DAY_MS + MINUTE_MS, 20 * DAY_MS, 31 * DAY_MS - 1, 40 * DAY_MS]

    def book(connection):
        for age in ages:
            add_usage(connection, sim.id, START - age, 2, "+1")

    await box.store.write(book)
    await box.sims.compact()
    rows = await box.store.fetch_all("SELECT bucket, segments, last_at FROM sim_usage ORDER BY bucket")
    assert sum(segments for _, segments, _ in rows) == 2 * 7
    old = [bucket for bucket, _, last_at in rows if last_at < START - 2 * DAY_MS - HOUR_MS]
    assert len(old) == 3
    assert all(bucket % 60 == 0 for bucket in old)
    await box.restart()
    usage = box.sims.ledger(sim.id).usage(START)
    assert (usage[LimitName.PER_DAY], usage[LimitName.PER_MONTH]) == (4, 14)
    await box.sims.compact()
    assert await box.store.fetch_all("SELECT bucket, segments, last_at FROM sim_usage ORDER BY bucket") == rows


async def test_compacting_with_a_clock_far_ahead_empties_nothing(box):
    sim = await box.sims.identify(SimIdentity(ICCID), "a")
    await box.send(sim.id, 3)
    box.clock.ms = START + 4000 * DAY_MS
    await box.sims.compact()
    box.clock.ms = START + 1000
    await box.restart()
    assert box.sims.ledger(sim.id).usage(box.clock.ms)[LimitName.PER_HOUR] == 3


async def test_compacting_an_empty_box_is_nothing(box):
    await box.sims.compact()
