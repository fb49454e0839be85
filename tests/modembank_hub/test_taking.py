"""What the hub makes of messages: presence by epoch, streams once and whole, telemetry that falsifies nothing."""

import random
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.voices import NOW, SaidBox, hears
from modembank.store.schema import known_migrations
from modembank_fleet import wire
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_commands as commands
from modembank_hub import rows_of_quarantine as quarantine
from modembank_hub import rows_of_streams as streams
from modembank_hub import rows_of_telemetry as telemetry
from modembank_hub.schema import HUB
from modembank_hub.taking import Told, Unreadable, read

SHARED = ("box", "users", "api_keys", "user_usage", "sessions", "login_failures", "audit")


def made_by(schema=None):
    conn = sqlite3.connect(":memory:")
    for migration in known_migrations() if schema is None else known_migrations(schema):
        for statement in migration.statements:
            conn.execute(statement)
    return conn


@pytest.mark.parametrize("table", SHARED)
def test_the_tables_of_accounts_are_the_box_s_own(table):
    ours, theirs = (
        [row[1:] for row in conn.execute(f"PRAGMA table_info({table})")] for conn in (made_by(HUB), made_by())
    )
    assert ours == theirs


async def seen(store, box, now=NOW):
    return await store.read(lambda conn: boxes.get(conn, box.site, box.box, now))


async def test_a_box_is_known_from_the_first_word_on(store, box):
    await hears(store, box.avail(), box.birth(), box.box_tele())
    row = await seen(store, box)
    assert row.standing == "online"
    assert (row.version, row.label, row.epoch, row.boot, row.conn) == ("1.2.0", "Cellar of leeds", "k3f9", 1, 1)
    assert row.skew_ms == 0
    late = await seen(store, box, NOW + 151_000)
    assert late.standing == "stale"


async def test_an_offline_ends_only_the_connection_that_it_names(store, box):
    await hears(store, box.avail())
    old_will = box.avail("offline", "will")
    box.conn = 2
    await hears(store, box.avail())
    await hears(store, old_will)
    assert (await seen(store, box)).standing == "online"
    await hears(store, box.avail("offline", "will"))
    row = await seen(store, box)
    assert (row.standing, row.why) == ("offline", "will")
    await hears(store, box.avail())  # that connection is over: its birth came late
    assert (await seen(store, box)).standing == "offline"


async def test_what_comes_late_of_an_old_epoch_does_not_count(store, box):
    await hears(store, box.avail(), box.birth(), box.box_tele(sent=5))
    again = SaidBox(ep="zz99", bs=1)
    await hears(store, again.avail(), again.birth(label="Attic"), again.box_tele(sent=3))
    await hears(store, box.avail("offline", "will"), box.avail(), box.birth(), box.box_tele(sent=100))
    row = await seen(store, box)
    assert (row.epoch, row.label, row.standing) == ("zz99", "Attic", "online")
    (day,) = await store.read(lambda conn: telemetry.series(conn, row.id, 300, 0))
    assert day.sent == 3


@pytest.mark.parametrize(
    ("said", "online"),
    [(("on1", "off1", "on2"), True), (("off1", "on1"), False), (("on2", "on1", "off1"), True), (("on1", "off2"), True)],
)
async def test_order_of_arrival_decides_nothing(store, said, online):
    words = {}
    for number in (1, 2):
        voice = SaidBox(conn=number)
        words |= {f"on{number}": voice.avail(), f"off{number}": voice.avail("offline", "will")}
    await hears(store, *(words[one] for one in said))
    assert (await seen(store, SaidBox())).online == online


async def test_events_are_stored_once_and_acknowledged_as_far_as_they_are_whole(store, box):
    first, second, third = box.events(10), box.events(10), box.events(10)
    outcome = await hears(store, first, third, first)
    (known,) = outcome.streams
    assert await acked(store, known) == {"ev": 10}
    await hears(store, second, third)
    assert await acked(store, known) == {"ev": 30}
    rows = await store.read(lambda conn: streams.events_before(conn, known[1], None, 100))
    assert [row.seq for row in rows] == list(range(30, 0, -1))
    assert await store.fetch_all("SELECT * FROM spans") == []


async def acked(store, known):
    return await store.read(lambda conn: streams.whole_until(conn, known[1], known[2]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_any_order_of_stretches_comes_to_the_same(sizes, dice):
    conn = made_by(HUB)
    conn.execute("INSERT INTO boxes (id, site, box, first_at, seen_at) VALUES (1, 'a', 'b', 0, 0)")
    stream, whole = streams.stream_of(conn, 1, "k3f9", "ev", 1)
    stretches, at = [], 1
    for size in sizes:
        stretches.append((at, at + size - 1))
        at += size
    arriving = stretches + dice.sample(stretches, len(stretches) // 2)
    dice.shuffle(arriving)
    have = set()
    for first, last in arriving:
        if last > whole:
            whole = streams.extend(conn, stream, whole, first, last)
        have.update(range(first, last + 1))
        assert whole == next(number for number in range(1, at + 1) if number not in have) - 1
    assert whole == at - 1
    assert conn.execute("SELECT count(*) FROM spans").fetchone() == (0,)


async def test_what_a_box_can_not_give_any_more_is_a_gap(store, box):
    await hears(store, box.events(5))
    box.base = 9
    outcome = await hears(store, box.events(3, first=9))
    (known,) = outcome.streams
    assert await acked(store, known) == {"ev": 11}
    assert await store.read(lambda conn: streams.gaps_of(conn, known[1], 10)) == [
        ("ev", 6, 8, "never reached this hub", NOW)
    ]


async def test_a_gap_that_the_box_tells_is_noted(store, box):
    told = wire.Event(seq=40, type="gap", sev="warning", data={"from": 1, "to": 40, "why": "full"})
    outcome = await hears(store, box.events(1, first=1, last=40, ev=[told]))
    (known,) = outcome.streams
    assert await acked(store, known) == {"ev": 40}
    assert await store.read(lambda conn: streams.gaps_of(conn, known[1], 10)) == [("ev", 1, 40, "full", NOW)]


@pytest.mark.parametrize("data", [{}, {"from": "1", "to": 2}, {"from": 5, "to": 2}, {"from": 1, "to": 2**70}])
async def test_a_gap_that_makes_no_sense_stays_an_event(store, box, data):
    told = wire.Event(seq=1, type="gap", data=data)
    await hears(store, box.events(1, ev=[told]))
    assert await store.fetch_all("SELECT type FROM events") == [("gap",)]
    assert await store.fetch_all("SELECT * FROM gaps") == []


async def test_telemetry_counts_growth_and_nothing_twice(store, box):
    first = box.box_tele(sent=1000)
    await hears(store, first)  # what was before the hub knew the box is nothing of now
    second = box.box_tele(sent=7, fail=1)
    lost = box.box_tele(sent=5)
    third = box.box_tele(sent=2, recv=4)
    await hears(store, second, third, second, lost, now=NOW + 1000)
    row = await seen(store, box)
    (stretch,) = await store.read(lambda conn: telemetry.series(conn, row.id, 300, 0))
    assert (stretch.sent, stretch.failed, stretch.received, stretch.reports) == (14, 1, 4, 3)
    assert row.problems == 0
    await hears(store, box.box_tele(err=2, issues=1))
    assert (await seen(store, box)).problems == 3


async def test_hours_and_days_are_rolled_up(store, box):
    hour = 3_600_000
    start = NOW - NOW % (24 * hour)
    for step in range(30):
        await hears(store, box.box_tele(sent=2), now=start + step * hour // 6)
    row = await seen(store, box)
    for at in (start + hour // 2, start + 5 * hour, start + 5 * hour):
        await store.write(lambda conn, at=at: telemetry.roll_up(conn, at // 1000))
    hours = await store.read(lambda conn: telemetry.series(conn, row.id, 3600, 0))
    (day,) = await store.read(lambda conn: telemetry.series(conn, row.id, 86_400, 0))
    assert [one.sent for one in hours] == [10, 12, 12, 12, 12]
    assert (day.sent, day.reports, day.cpu) == (58, 30, 0.21)


async def test_the_state_of_modems_is_the_newest(store, box):
    box.tele = 5
    new = box.modems_tele(states=("registered", "locked"))
    box.tele = 4
    await hears(store, new, box.modems_tele(states=("absent",)))
    assert '"locked"' in (await seen(store, box)).modems


BAD = [
    ("modembank/v1/leeds/b1/up/ev", b"{", "malformed"),
    ("modembank/v1/leeds/b1/up/ev", b"\xff\xfe", "malformed"),
    ("modembank/v1/leeds/b1/up/ev", b"[" * 100_000, "malformed"),
    ("modembank/v1/leeds/b1/up/avail", b"{}", "malformed"),
    ("modembank/v1/leeds/b1/up/nothing", b"{}", "bad_topic"),
    ("modembank/v1/Leeds/b1/up/ev", b"{}", "bad_name"),
    ("modembank/v1/leeds/b1/down/ack", b"{}", "bad_topic"),
    ("modembank/v2/leeds/b1/up/ev", b"{}", "bad_topic"),
    ("", b"", "bad_topic"),
]


@pytest.mark.parametrize(("topic", "payload", "code"), BAD)
def test_what_can_not_be_read_says_why(topic, payload, code):
    found = read(topic, payload, "", NOW)
    assert isinstance(found, Unreadable)
    assert found.code == code


def test_a_batch_must_cover_what_it_holds(box):
    topic, said = box.events(3, last=2)
    assert isinstance(read(topic, wire.encode(said), "", NOW), Unreadable)
    topic, said = box.events(1, first=0)
    assert isinstance(read(topic, wire.encode(said), "", NOW), Unreadable)


def test_what_is_packed_is_unpacked(box):
    topic, said = box.birth()
    packed, way = wire.pack(wire.encode(said))
    assert way == "deflate"
    assert isinstance(read(topic, packed, way, NOW), Told)


async def test_what_is_unreadable_is_kept_with_its_topic_and_bounded(store):
    for number in range(30):
        found = read(f"modembank/v1/leeds/b{number}/up/ev", b"x" * 20_000, "", NOW)
        await store.write(lambda conn, found=found: quarantine.add(
            conn, found.received_at, found.topic, found.code, found.reason, found.payload))  # fmt: skip
    await store.write(lambda conn: quarantine.keep_newest(conn, 10))
    kept = await store.read(lambda conn: quarantine.page(conn, None, 50))
    assert [one.topic for one in kept][:2] == ["modembank/v1/leeds/b29/up/ev", "modembank/v1/leeds/b28/up/ev"]
    assert len(kept) == 10
    assert (kept[0].octets, len(kept[0].payload)) == (20_000, quarantine.KEPT_OCTETS)


def ordered(box_id, number=1, ttl_s=300):
    return commands.NewCommand(f"cmd-{number:08d}", box_id, "ping", "{}", "k3f9", "anna", NOW, ttl_s)


async def test_a_result_moves_a_command_forward_only(store, box):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id)))
    await store.write(lambda conn: commands.note_sent(conn, "cmd-00000001", NOW, NOW + 60_000))
    running, accepted = box.result("cmd-00000001", "running", pct=40), box.result("cmd-00000001", "accepted")
    assert (await hears(store, running)).commands
    assert not (await hears(store, accepted)).commands
    row = await store.read(lambda conn: commands.get(conn, "cmd-00000001"))
    assert (row.state, row.percent, row.sends) == ("running", 40, 1)
    done, failed = box.result("cmd-00000001", "done", data={"x": 1}), box.result("cmd-00000001", "failed")
    await hears(store, done, failed)
    row = await store.read(lambda conn: commands.get(conn, "cmd-00000001"))
    assert (row.state, row.data, row.ended_at) == ("done", '{"x":1}', NOW)
    assert await store.read(commands.next_due) is None


async def test_nobody_answers_for_another_box(store, box):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id)))
    stranger = SaidBox(box="b2")
    await hears(store, stranger.result("cmd-00000001", "done"))
    assert (await store.read(lambda conn: commands.get(conn, "cmd-00000001"))).state == "waiting"


@pytest.mark.parametrize(("sent", "state"), [(False, "expired"), (True, "unknown")])
async def test_a_late_answer_wins_over_none(store, box, sent, state):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id)))
    if sent:
        await store.write(lambda conn: commands.note_sent(conn, "cmd-00000001", NOW, NOW + 60_000))
    await store.write(lambda conn: commands.end_unanswered(conn, "cmd-00000001", NOW + 1))
    assert (await store.read(lambda conn: commands.get(conn, "cmd-00000001"))).state == state
    await hears(store, box.result("cmd-00000001", "accepted"), box.result("cmd-00000001", "done"))
    assert (await store.read(lambda conn: commands.get(conn, "cmd-00000001"))).state == "done"


async def test_a_box_that_is_back_gets_what_it_has_not_answered(store, box):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id)))
    await store.write(lambda conn: commands.note_sent(conn, "cmd-00000001", NOW, NOW + 60_000))
    box.conn = 2
    assert (await hears(store, box.avail(), now=NOW + 10)).commands
    assert await store.read(commands.next_due) == NOW + 10


async def test_lists_walk_by_cursor_and_filter(store):
    for number in random.Random(7).sample(range(40), 40):
        voice = SaidBox(site=f"site-{number % 4}", box=f"b{number:02d}", ep=f"ep{number:04d}")
        await hears(store, voice.avail(), voice.birth(), voice.box_tele(err=int(number % 10 == 0)))
    found, after = [], ("", "")
    while page := await store.read(lambda conn, after=after: boxes.page(conn, boxes.Wanted(), after, 7, NOW)):
        found += page
        after = (page[-1].site, page[-1].box)
    assert [row.name for row in found] == sorted(row.name for row in found)
    assert len(found) == 40

    async def count(**wanted):
        return len(await store.read(lambda conn: boxes.page(conn, boxes.Wanted(**wanted), ("", ""), 99, NOW)))

    assert await count(problems=True) == 4
    assert await count(text="SITE-1") == 10
    assert await count(text="cellar of site-2") == 10
    assert await count(version="1.2.0") == 40
    assert await count(standing="offline") == 0
    totals = await store.read(lambda conn: boxes.totals(conn, NOW))
    assert (totals["boxes"], totals["online"], totals["modems"], totals["modems_ready"]) == (40, 40, 160, 156)
    assert await store.read(boxes.versions) == [("1.2.0", 40)]


async def test_old_events_go_and_young_ones_stay(store, box):
    await hears(store, box.events(50), now=NOW)
    await hears(store, box.events(50), now=NOW + 1000)
    assert await store.write(lambda conn: streams.drop_old(conn, NOW + 1, 30)) == 30
    assert await store.write(lambda conn: streams.drop_old(conn, NOW + 1, 30)) == 20
    assert await store.fetch_one("SELECT min(seq), max(seq) FROM events") == (51, 100)
    again = SaidBox()
    await hears(store, again.events(50))  # what was acknowledged and dropped does not come back
    assert await store.fetch_one("SELECT count(*) FROM events") == (50,)


@pytest.mark.parametrize(
    ("sends", "late_ms", "ended"), [(0, 0, True), (0, -1, False), (1, 0, False), (1, 120_000, True)]
)
async def test_what_never_left_ends_at_once_and_what_was_sent_after_a_grace(store, box, sends, late_ms, ended):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id, ttl_s=60)))
    if sends:
        await store.write(lambda conn: commands.note_sent(conn, "cmd-00000001", NOW, NOW + 60_000))
    now = NOW + 60_000 + late_ms
    found = await store.read(lambda conn: commands.unanswered_since(conn, now, 120_000, 10))
    assert found == ["cmd-00000001"] * ended


def piece(box, command, n, *lines, **more):
    fields = {"v": 1, "id": command, "n": n, "lines": list(lines)}
    return box.topic("log", command, str(n)), wire.LogChunk(**(fields | more))


async def test_a_log_that_was_asked_for_is_kept_in_order_and_no_other(store, box):
    await hears(store, box.avail())
    box_id = (await seen(store, box)).id
    await store.write(lambda conn: commands.add(conn, ordered(box_id)))
    last, first = piece(box, "cmd-00000001", 1, "two", end=True), piece(box, "cmd-00000001", 0, "one")
    await hears(store, last, first, first)
    assert await store.read(lambda conn: commands.log_of(conn, "cmd-00000001")) == ['["one"]', '["two"]']
    stranger = SaidBox(box="b2")
    outcome = await hears(store, piece(stranger, "cmd-00000001", 2, "x"), piece(box, "cmd-00000002", 0, "x"))
    assert outcome.quarantined == 2
    assert await store.fetch_one("SELECT count(*) FROM log_chunks") == (2,)


def test_a_piece_of_a_log_is_what_its_topic_says(box):
    _, said = piece(box, "cmd-00000001", 1)
    assert isinstance(read(box.topic("log", "cmd-00000001", "2"), wire.encode(said), "", NOW), Unreadable)
    assert isinstance(read(box.topic("log", "cmd-00000001"), wire.encode(said), "", NOW), Unreadable)
