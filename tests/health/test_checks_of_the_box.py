"""Checks of the box itself: room, database, clock, USB, limits, SIMs, waiting and unknown messages, and the books."""

import asyncio
import shutil
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from fakes.healths import ADMIN
from modembank.accounts.model import Actor, Role, Scope
from modembank.backup import BackupFacts
from modembank.config import HealthConfig
from modembank.dispatch import is_refusal
from modembank.dispatch.policy import Blame
from modembank.dispatch.refusals import Refusals
from modembank.errors import Forbidden
from modembank.health.checks import (
    backup_failing,
    clock_not_set,
    conservation,
    disk_nearly_full,
    held_messages,
    limits_nearly_spent,
    sim_without_credit,
    store_failed,
    stuck_messages,
    unknown_messages,
    usb_budget,
)
from modembank.health.checks.clock_not_set import RELEASED_MS, TOLERANCE_MS
from modembank.health.law import REST_S, SHARE
from modembank.messages.outbox import hold_waiting
from modembank.modem import ModemState
from modembank.modem.outcome import AttemptOutcome
from modembank.sim import SimIdentity
from modembank.store import Store, StoreState

MIB = 1 << 20
OPERATOR = Actor(4, "olga", Role.ADMIN, frozenset({Scope.MODEMS}))
ICCID = "8944110068256270054"


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


# -- room


@pytest.mark.parametrize(
    ("total", "free", "severity"),
    [
        (32_000, 1700, None),
        (32_000, 1500, "warning"),  # 5 percent are 1600
        (8_000, 1100, None),
        (8_000, 1000, "warning"),
        (8_000, 20, "warning"),
        (8_000, 15, "critical"),
    ],
)
async def test_little_room(ward, monkeypatch, total, free, severity):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total * MIB, (total - free) * MIB, free * MIB))
    found = await ward.look(disk_nearly_full.CHECK)
    assert [finding.severity.value for finding in found] == ([severity] if severity else [])
    if found:
        assert "Make room" in found[0].summary
        assert found[0].evidence["total_mib"] == total


async def test_room_must_be_a_tenth_more_to_be_enough_again(ward, monkeypatch):
    for free, is_open in ((1030, False), (1020, True), (1100, True), (1020, True), (1130, False), (1030, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(8_000 * MIB, 0, free * MIB))
        await ward.look(disk_nearly_full.CHECK)
        assert bool(ward.book.open()) is is_open, free
    assert len(ward.events) == 2


async def test_room_that_shrinks_by_a_message_is_no_news(ward, monkeypatch):
    for free in (999, 998, 997, 990):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(8_000 * MIB, 0, free * MIB))
        await ward.look(disk_nearly_full.CHECK)
    [issue] = ward.book.open()
    assert issue.changed_at == issue.raised_at
    assert "about 960 MiB" in issue.summary


async def test_thresholds_are_the_configuration_s(ward, monkeypatch):
    settings = HealthConfig(disk_free_mib=0, disk_free_percent=0)
    around = replace(ward.around, config=msgspec.structs.replace(ward.around.config, health=settings))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(8_000 * MIB, 0, 0))
    assert await disk_nearly_full.CHECK.look(around, {}) == []


# -- the database


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"state": StoreState.FULL, "detail": "database or disk is full"}, "has no room"),
        ({"state": StoreState.FAILED, "detail": "disk I/O error"}, "look at the disk"),
        ({"overdue_s": 25.0}, "hangs"),
    ],
)
async def test_a_database_that_takes_nothing(ward, monkeypatch, facts, words):
    well = ward.store.health
    assert await ward.look(store_failed.CHECK) == []
    monkeypatch.setattr(Store, "health", replace(well, **facts))
    [finding] = await ward.look(store_failed.CHECK)
    assert finding.severity == "critical"
    assert words in finding.summary
    assert finding.evidence["error"] == facts.get("detail", "")
    monkeypatch.setattr(Store, "health", well)
    assert await ward.look(store_failed.CHECK) == []


# -- the clock


async def test_a_clock_before_the_release(ward):
    ward.clock.now_ms = 86_400_000
    [finding] = await ward.look(clock_not_set.CHECK)
    assert "2026-11-01" in finding.summary
    assert not finding.evidence["went_back"]
    ward.clock.now_ms = RELEASED_MS
    assert await ward.look(clock_not_set.CHECK) == []


async def test_a_clock_before_the_newest_message(ward):
    await ward.post.one()
    ward.clock.turn(-TOLERANCE_MS)
    assert await ward.look(clock_not_set.CHECK) == []
    ward.clock.turn(-1)
    assert len(await ward.look(clock_not_set.CHECK)) == 1


async def test_a_clock_that_jumps_back_and_is_right_again(ward):
    assert await ward.look(clock_not_set.CHECK) == []
    ward.clock.turn(-3_600_000)
    [finding] = await ward.look(clock_not_set.CHECK)
    assert finding.evidence["went_back"]
    ward.clock.turn(600_000)
    assert await ward.look(clock_not_set.CHECK) == [finding], "waiting is no news"
    ward.clock.turn(3_000_000)
    assert await ward.look(clock_not_set.CHECK) == []


# -- USB


class Usb:
    """A sysfs with USB buses, as the kernel lays it out."""

    def __init__(self, root):
        self.root = root
        (root / "bus/usb/devices").mkdir(parents=True)

    def controller(self, name, vendor="0x8086", device="0x1234"):
        place = self.root / "devices/pci0000:00" / name
        place.mkdir(parents=True)
        (place / "vendor").write_text(vendor + "\n")
        (place / "device").write_text(device + "\n")
        return place

    def bus(self, controller, number):
        place = controller / f"usb{number}"
        self._add(place, 1)
        (place / f"{number}-0:1.0").mkdir()
        self._link(place / f"{number}-0:1.0")
        return place

    def device(self, parent, name, endpoints):
        place = parent / name
        self._add(place, 1)
        interface = place / f"{name}:1.0"
        for number in range(1, endpoints):
            (interface / f"ep_{number:02x}").mkdir(parents=True)
        self._link(interface)
        return place

    def _add(self, place, endpoints):
        for number in range(endpoints):
            (place / f"ep_{number:02x}").mkdir(parents=True)
        self._link(place)

    def _link(self, place):
        place.mkdir(exist_ok=True)
        (self.root / "bus/usb/devices" / place.name).symlink_to(place)


async def test_a_raspberry_pi_4_is_full_at_32_devices_hubs_included(ward):
    usb = Usb(ward.around.sysfs)
    vl805 = usb.controller("0000:01:00.0", "0x1106", "0x3483")
    slow, fast = usb.bus(vl805, 1), usb.bus(vl805, 2)
    usb.device(fast, "2-1", 2)
    hub = usb.device(slow, "1-1", 2)
    for number in range(1, 27):
        usb.device(hub, f"1-1.{number}", 3)
    assert await ward.look(usb_budget.CHECK) == []
    usb.device(hub, "1-1.27", 3)
    [finding] = await ward.look(usb_budget.CHECK)
    assert finding.subject == "0000:01:00.0"
    assert "29 of 32 devices and 85 of 96 endpoints" in finding.summary
    for number in range(28, 31):
        usb.device(hub, f"1-1.{number}", 3)
    [finding] = await ward.look(usb_budget.CHECK)
    assert (finding.severity, finding.evidence["devices"]) == ("critical", 32)


async def test_large_sticks_use_up_the_endpoints_first(ward):
    usb = Usb(ward.around.sysfs)
    bus = usb.bus(usb.controller("0000:01:00.0", "0x1106", "0x3483"), 1)
    for number in range(1, 10):
        usb.device(bus, f"1-{number}", 10)
    [finding] = await ward.look(usb_budget.CHECK)
    assert (finding.evidence["devices"], finding.evidence["endpoints"]) == (9, 90)


async def test_any_other_controller_has_127_addresses(ward):
    usb = Usb(ward.around.sysfs)
    other, pi = usb.controller("0000:02:00.0"), usb.controller("0000:01:00.0", "0x1106", "0x3483")
    bus = usb.bus(other, 3)
    usb.bus(pi, 1)
    for number in range(1, 115):
        usb.device(bus, f"3-{number}", 12)
    assert await ward.look(usb_budget.CHECK) == []
    usb.device(bus, "3-115", 12)
    [finding] = await ward.look(usb_budget.CHECK)
    assert finding.subject == "0000:02:00.0"
    assert "endpoints" not in finding.summary


async def test_a_machine_without_usb_has_no_budget(ward):
    assert usb_budget.loads_of(ward.folder / "nowhere") == []


# -- SIMs


async def sim_in_modem(ward, iccid=ICCID):
    sim = await ward.sims.identify(SimIdentity(iccid=iccid, operator="Example"), "slot-1")
    ward.bank.show(state=ModemState.REGISTERED, sim_id=sim.id)
    return sim


async def test_a_sim_paused_by_refusals_is_an_issue_with_masked_numbers(ward):
    refusals = Refusals()
    numbers = [f"+4479009001{place:02d}" for place in range(3)]
    reasons = [refusals.refused(1, Blame.SIM, number, "+CMS ERROR 21: rejected") for number in numbers]
    sim = await sim_in_modem(ward)
    await ward.sims.pause(sim.id, reasons[-1])
    ward.sending.refused[sim.id] = refusals.numbers[1]
    [finding] = await ward.look(sim_without_credit.CHECK)
    assert finding.subject == ICCID
    assert reasons[-1] in finding.summary
    assert finding.evidence["numbers"] == ["+447*******00", "+447*******01", "+447*******02"]
    assert not any(number in str(finding) for number in numbers)
    ward.sending.refused.clear()  # after a restart
    [finding] = await ward.look(sim_without_credit.CHECK)
    assert finding.evidence["numbers"] == ["+447*******00", "+447*******01", "+447*******02"]
    await ward.sims.resume(sim.id)
    assert await ward.look(sim_without_credit.CHECK) == []


async def test_both_ways_to_be_paused_are_known_and_a_person_s_is_no_issue(ward):
    refusals = Refusals()
    for place in range(5):
        reason = refusals.refused(1, Blame.NETWORK, f"+44790090010{place}", "+CMS ERROR 38: out of order")
        refusals.sent(2)
    assert is_refusal(reason)
    sim = await sim_in_modem(ward)
    for person in ("paused by ada", "the invoice is being clarified", "refused by the director", ""):
        await ward.sims.pause(sim.id, person)
        assert await ward.look(sim_without_credit.CHECK) == []


async def test_limits_that_are_nearly_spent(ward):
    sim = await sim_in_modem(ward)
    await ward.sims.set_limits(sim.id, {"per_minute": 5, "per_hour": 100, "per_day": 200})
    ledger = ward.sims.ledger(sim.id)

    async def after(segments):
        ledger.record(ward.clock.now_ms, segments, None)
        return await ward.look(limits_nearly_spent.CHECK)

    assert await after(89) == [], "a minute's limit is reached all the time"
    [finding] = await after(1)
    assert (finding.subject, finding.severity) == (ICCID, "info")
    assert "90 of 100 this hour" in finding.summary
    ward.clock.turn(3_700_000)
    assert await after(0) == []
    assert await after(70) == []
    [finding] = await after(20)
    assert finding.severity == "warning"
    assert set(finding.evidence["windows"]) == {"per_hour", "per_day"}


async def test_a_limit_is_spent_until_ten_percent_are_free_again(ward):
    sim = await sim_in_modem(ward)
    await ward.sims.set_limits(sim.id, {"per_hour": 0, "per_minute": 0, "per_day": 100})
    ledger = ward.sims.ledger(sim.id)
    ledger.record(ward.clock.now_ms, 8, None)
    ward.clock.turn(3_600_000)
    ledger.record(ward.clock.now_ms, 5, None)
    ward.clock.turn(3_600_000)
    ledger.record(ward.clock.now_ms, 77, None)
    assert len(await ward.look(limits_nearly_spent.CHECK)) == 1
    ward.clock.turn(22 * 3_600_000 + 120_000)
    [finding] = await ward.look(limits_nearly_spent.CHECK)
    assert finding.evidence["windows"]["per_day"]["used"] == 82
    ward.clock.turn(3_600_000)
    assert await ward.look(limits_nearly_spent.CHECK) == []


async def test_a_sim_that_is_in_no_modem_has_no_limits_to_watch(ward):
    sim = await ward.sims.identify(SimIdentity(iccid=ICCID), "slot-1")
    await ward.sims.set_limits(sim.id, {"per_day": 1})
    ward.sims.ledger(sim.id).record(ward.clock.now_ms, 1, None)
    assert await ward.look(limits_nearly_spent.CHECK) == []


# -- messages


async def test_story_06_messages_that_wait_too_long_tell_why_in_groups(ward):
    ids = [await ward.post.one() for _ in range(3)]
    ward.clock.turn(901_000)
    ward.sending.sentence = "SIM sales is paused: out of credit"
    [finding] = await ward.look(stuck_messages.CHECK)
    assert finding.severity == "warning"
    assert finding.evidence["count"] == 3
    assert finding.evidence["reasons"] == [
        {"reason": "SIM sales is paused: out of credit", "count": 3, "oldest": ids[0]}
    ]
    assert finding.summary.startswith(
        "3 messages wait for longer than they should, the first since 2027-01-15T08:00:00Z;"
    )
    ward.clock.turn(60_000)
    assert await ward.look(stuck_messages.CHECK) == [finding], "waiting is no news"


@pytest.mark.parametrize(
    ("sentence", "flying", "severity"),
    [
        ("no modem is registered", 0, "warning"),
        ("SIM slot-1: 200 of 200 this hour, next at 14:05", 0, "info"),
        ("SIM slot-1: 2 s between messages, next at 14:05:07", 0, "info"),
        ("outside its window 08:00-20:00, which opens at 08:00:00", 0, "info"),
        ("12 messages are before it", 1, "info"),
        ("it is next", 0, "warning"),  # nothing moves and nothing keeps it: that must not be hidden
        ("will be tried again at 14:05:07, after cms_42: congestion", 0, "warning"),
    ],
)
async def test_what_goes_on_by_itself_is_only_information(ward, sentence, flying, severity):
    await ward.post.one()
    ward.clock.turn(901_000)
    ward.sending.sentence, ward.sending.flying = sentence, flying
    [finding] = await ward.look(stuck_messages.CHECK)
    assert finding.severity == severity


async def test_many_queues_are_asked_about_in_turns_with_the_rest_of_the_box(ward):
    for priority in range(1, 10):
        await ward.post.one(priority=priority)
    ward.clock.turn(901_000)
    loop, asked = asyncio.get_running_loop(), []

    def tick():
        asked.append(len(ward.sending.asked))
        ticking.append(loop.call_soon(tick))

    ticking = [loop.call_soon(tick)]
    await ward.look(stuck_messages.CHECK)
    ticking[-1].cancel()
    assert set(range(10)) <= set(asked)


async def test_messages_that_are_on_their_way_while_we_look_are_not_stuck(ward):
    await ward.post.one()
    ward.clock.turn(901_000)
    ward.sending.sentence = None
    assert await ward.look(stuck_messages.CHECK) == []


async def test_unknown_messages(ward):
    public = await ward.post.one()
    await ward.post.attempt(public, AttemptOutcome.UNKNOWN)
    assert await ward.look(unknown_messages.CHECK) == []
    ward.clock.turn(3_600_001)
    [finding] = await ward.look(unknown_messages.CHECK)
    assert (finding.evidence["count"], finding.evidence["oldest"]) == (1, public)
    assert finding.summary.startswith("1 message may or may not have been sent")


async def test_story_31_held_messages_are_an_issue_until_somebody_decides(ward):
    assert await ward.look(held_messages.CHECK) == []
    for _ in range(2):
        await ward.post.one()
    ward.clock.turn(5 * 3_600_000)
    await ward.store.write(lambda conn: hold_waiting(conn, "restored: they may have been sent", ward.clock.now_ms))
    [finding] = await ward.look(held_messages.CHECK)
    assert finding.summary.startswith("2 messages wait for a decision")
    assert finding.evidence["held"] == 2
    ward.clock.turn(8 * 3_600_000)  # no figure changes by mere waiting, or the issue would be written again and again
    assert await ward.look(held_messages.CHECK) == [finding]
    assert finding.evidence["routes"] == [{"route": "any SIM", "held": 2}]


@pytest.mark.parametrize(
    ("name", "did", "status"),
    [
        ("send_held", "messages released for sending: 1", "queued"),
        ("expire_held", "messages given up: 1", "expired"),
    ],
)
async def test_a_click_decides_what_is_held(ward, name, did, status):
    public = await ward.post.one()
    await ward.store.write(lambda conn: hold_waiting(conn, "restored: it may have been sent", ward.clock.now_ms))
    health = ward.health(held_messages.CHECK)
    await health.look()
    [issue] = (await health.list(ADMIN)).items
    assert [offer.name for offer in issue.remedies] == ["send_held", "expire_held"]
    with pytest.raises(Forbidden):  # who may reset modems may not decide about other people's messages
        await health.remedy(OPERATOR, issue.id, name)
    assert (await health.remedy(ADMIN, issue.id, name))[0] == did
    assert (await ward.post.messages.get(ADMIN, public)).status == status
    assert (await health.list(ADMIN)).items == ()


async def test_backups_by_the_clock_that_fail_are_an_issue(ward):
    assert await ward.look(backup_failing.CHECK) == []
    facts = BackupFacts(ward.folder, 3_600_000, last_failed_at=ward.clock.now_ms, last_error="no room on the disk")
    ward.around.backups.facts = facts
    [finding] = await ward.look(backup_failing.CHECK)
    assert "no room on the disk; there is none yet" in finding.summary
    ward.around.backups.facts = replace(facts, last_good_at=ward.clock.now_ms + 1)
    assert await ward.look(backup_failing.CHECK) == []


# -- the books


async def sql(ward, statement):
    await ward.store.write(lambda conn: conn.execute(statement).rowcount)


async def test_counters_that_do_not_add_up_are_found_without_reading_the_table(ward):
    await ward.post.one()
    assert await ward.look(conservation.CHECK) == []
    await sql(ward, "UPDATE state_counts SET n = 5 WHERE state = 30")
    [finding] = await ward.look(conservation.CHECK)
    assert finding.severity == "critical"
    assert "1 messages were ever accepted, but the counters by state add up to 5" in finding.summary
    assert ward.around.law.last is None
    await sql(ward, "UPDATE state_counts SET n = 1 WHERE state = 30")
    assert await ward.look(conservation.CHECK) == []


async def test_a_row_that_is_gone_is_found_by_the_next_recount_and_stays_found(ward):
    await ward.post.one()
    await ward.around.law.recount()
    await sql(ward, "UPDATE messages SET ready = NULL")
    assert await ward.look(conservation.CHECK) == []
    await ward.around.law.recount()
    [finding] = await ward.look(conservation.CHECK)
    assert len(finding.evidence["stranded"]) == 1
    await sql(ward, "UPDATE messages SET ready = 1")
    assert len(await ward.look(conservation.CHECK)) == 1, "nobody has counted again"
    await ward.around.law.recount()
    assert await ward.look(conservation.CHECK) == []


async def test_what_is_cheap_is_counted_whenever_somebody_asks(ward):
    for accepted in range(3):
        recount = await ward.around.law.fresh()
        assert (recount.found.accepted, recount.found.rows) == (accepted, accepted)
        await ward.post.one()


async def test_a_recount_takes_one_percent_of_the_time_at_most(ward, monkeypatch):
    law, real, calls = ward.around.law, ward.post.messages.recount, []

    async def slow():
        calls.append(1)
        ward.clock.turn(30_000)
        return await real()

    monkeypatch.setattr(ward.post.messages, "recount", slow)
    assert law.rest_s() == REST_S
    recount = await law.fresh()
    assert recount.duration_s == 30
    assert law.rest_s() == 30 * SHARE
    ward.clock.turn(30_000 * SHARE - 1)
    assert await law.fresh() is recount
    ward.clock.turn(1)
    assert await law.fresh() is not recount
    assert len(calls) == 2
