"""Looking at a real database: what opens, what ends, what is not said while nobody can know it."""

from __future__ import annotations

import time

import pytest

from fakes.alert_hubs import TurnedClock, alert_hub
from fakes.endpoints import certificate
from fakes.hubs import SIGNER
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import to_ms
from modembank_fleet.wire import Event, hash_of
from modembank_hub import rows_of_quarantine
from modembank_hub.alerting.facts import HubState
from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.rows import Wanted
from modembank_hub.alerting.rules import Rule
from modembank_hub.alerting.watching import find
from modembank_hub.alerting.wording import particulars_of, title_of
from modembank_hub.config import HubConfig, MqttConfig, WebConfig


@pytest.fixture
async def hub(tmp_path, stored):
    async with alert_hub(tmp_path, store=stored) as made:
        yield made


async def set_rule(hub, kind, place="*", *, active=True, hold_s=0, clear_s=0, threshold=0):
    rule = Rule(kind, place, active, KINDS[kind].severity, hold_s, clear_s, threshold or KINDS[kind].threshold)
    await hub.app.alerts.set_rule(LOCAL_ADMIN, rule)


async def test_a_box_that_is_gone_for_long_is_an_alert_that_ends_when_it_is_back(hub):
    box = SaidBox()
    await hub.settled(box)
    assert await hub.told() == []
    await hub.goes(box)
    await hub.pass_time(290)
    assert await hub.told() == []
    assert (await hub.app.alerts.summary(LOCAL_ADMIN)).pending == 1
    await hub.pass_time(30)
    assert await hub.told() == [("box.offline", "leeds/b1", "open")]
    await hub.pass_time(3600)
    assert await hub.told() == [("box.offline", "leeds/b1", "open")]  # once, however long it lasts
    await hub.comes(box)
    await hub.pass_time(50, box)
    assert await hub.told() == [("box.offline", "leeds/b1", "open")]
    await hub.pass_time(30, box)
    assert await hub.told() == [("box.offline", "leeds/b1", "ended")]


async def test_a_box_that_comes_and_goes_is_one_alert(hub):
    box = SaidBox()
    await hub.settled(box)
    for _ in range(6):
        await hub.goes(box)
        await hub.pass_time(320)
        await hub.comes(box)
        await hub.pass_time(100, box)
    (only,) = await hub.alerts()
    assert (only.row.kind, only.row.state, only.row.round) == ("box.offline", "open", 2)  # damped from the second on
    _, steps = await hub.app.alerts.get(LOCAL_ADMIN, only.row.id)
    assert [step.what for step in steps] == ["opened", "ended", "reopened"]
    await hub.pass_time(200, box)
    assert await hub.told() == [("box.offline", "leeds/b1", "ended")]
    await hub.pass_time(7 * 3600, box, step=50, sent=1)
    await hub.goes(box)
    await hub.pass_time(320)
    assert await hub.told() == [("box.offline", "leeds/b1", "open"), ("box.offline", "leeds/b1", "ended")]


async def test_short_breaks_are_no_alert(hub):
    box = SaidBox()
    await hub.settled(box)
    for _ in range(10):
        await hub.goes(box)
        await hub.pass_time(200)
        await hub.comes(box)
        await hub.pass_time(50, box)
    assert await hub.told() == []


async def test_a_silent_box_is_stale_and_not_offline(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.pass_time(150 + 330)
    assert await hub.told() == [("box.stale", "leeds/b1", "open")]


async def test_while_the_hub_has_no_broker_no_box_is_called_offline(hub):
    boxes = [SaidBox(box=f"b{n}", ep=f"ep{n:03d}") for n in range(5)]
    await hub.settled(*boxes)
    hub.connected(False)
    await hub.pass_time(3600)
    assert await hub.told() == [("hub.broker", "hub", "open")]
    hub.connected()
    await hub.goes(*boxes[:1])
    await hub.pass_time(30)  # boxes have not had the time to speak
    assert [kind for kind, _, state in await hub.told() if state != "ended"] == ["hub.broker"]
    await hub.comes(*boxes[1:])
    await hub.pass_time(600, *boxes[1:])
    assert await hub.told() == [("box.offline", "leeds/b0", "open"), ("hub.broker", "hub", "ended")]


async def test_what_is_open_stays_open_while_the_hub_is_away(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.goes(box)
    await hub.pass_time(330)
    hub.connected(False)
    await hub.comes(box)  # written down a moment before
    await hub.pass_time(600)
    assert ("box.offline", "leeds/b1", "open") in await hub.told()


@pytest.mark.parametrize("what", ["asleep", "clock set"])
async def test_a_hub_that_slept_or_whose_clock_was_set_is_sure_of_nothing_at_first(hub, what):
    box = SaidBox()
    await hub.settled(box)
    if what == "asleep":
        hub.clock.turn(3600)
    else:
        hub.clock.wall += 3600
    await hub.app.watch.look()
    assert hub.app.watch.sees is False
    await hub.pass_time(30)
    assert await hub.told() == []
    await hub.comes(box)
    await hub.pass_time(400, box)
    assert hub.app.watch.sees is True
    assert await hub.told() == []


async def test_a_restart_loses_nothing_and_opens_nothing_twice(tmp_path):
    clock, box = TurnedClock(), SaidBox()
    async with alert_hub(tmp_path, clock) as hub:
        await hub.settled(box)
        await hub.goes(box)
        await hub.pass_time(330)
        before = [one.row for one in await hub.alerts()]
    clock.turn(1800)
    async with alert_hub(tmp_path, clock) as hub:
        hub.connected()
        await hub.pass_time(600)
        after = [one.row for one in await hub.alerts(active=True)]
        assert [row[:14] for row in after] == [row[:14] for row in before]
        await hub.comes(box)
        await hub.pass_time(100, box)
        assert await hub.told(kind="box.offline") == [("box.offline", "leeds/b1", "ended")]


async def test_a_critical_issue_is_an_alert_each_until_the_box_says_that_it_is_over(hub):
    box = SaidBox()
    await hub.settled(box)

    async def says(what, issue, severity="critical"):
        seq = box.next_ev
        box.next_ev += 1
        data = {"id": issue, "kind": "disk_full"} | ({"severity": severity} if what == "issue.raised" else {})
        event = Event(seq=seq, type=what, sev="warning", data=data)
        topic, batch = box.events(1, hub.now, first=seq)
        await hears(hub.store, (topic, _with(batch, event)), now=hub.now)

    await says("issue.raised", "iss_1")
    await says("issue.raised", "iss_2")
    await says("issue.raised", "iss_3", "warning")
    await hub.pass_time(90, box, issues=3)
    assert sorted(one.row.topic for one in await hub.alerts(kind="box.issue")) == ["iss_1", "iss_2"]
    await says("issue.cleared", "iss_1")
    await hub.pass_time(90, box, issues=2)
    assert {one.row.topic: one.row.state for one in await hub.alerts(kind="box.issue")} == {
        "iss_1": "ended", "iss_2": "open",
    }  # fmt: skip
    await hub.pass_time(120, box, issues=0)  # the word that it was cleared is lost; the count is not
    assert {one.row.state for one in await hub.alerts(kind="box.issue")} == {"ended"}


async def test_a_cleared_issue_whose_events_come_in_the_wrong_order_is_cleared(hub):
    box = SaidBox()
    await hub.settled(box)
    told = {"id": "iss_9", "kind": "disk_full", "severity": "critical"}
    for seq, what in ((2, "issue.cleared"), (1, "issue.raised")):
        topic, batch = box.events(1, hub.now, first=seq)
        await hears(hub.store, (topic, _with(batch, Event(seq=seq, type=what, data=told))), now=hub.now)
    await hub.pass_time(120, box, issues=1)
    assert await hub.told() == []


def _with(batch, event):
    batch.ev[0] = event
    return batch


async def test_what_an_absent_box_told_last_is_no_news(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.pass_time(700, box, err=4)
    assert await hub.told() == [("box.modems", "leeds/b1", "open")]
    await hub.goes(box)
    await hub.pass_time(400)
    assert sorted(await hub.told()) == [("box.modems", "leeds/b1", "open"), ("box.offline", "leeds/b1", "open")]


async def test_a_queue_is_long_by_the_rule_of_its_place(hub):
    long, short = SaidBox(), SaidBox(site="oslo", ep="oslo1")
    await hub.settled(long, short)
    await set_rule(hub, "box.queue", "site:leeds", threshold=10)  # 12 wait at each
    await hub.pass_time(20, long, short)
    assert await hub.told() == [("box.queue", "leeds/b1", "open")]
    await set_rule(hub, "box.queue", "box:leeds/b1", threshold=100)
    await hub.pass_time(20, long, short)
    assert await hub.told() == [("box.queue", "leeds/b1", "ended")]
    await hub.app.alerts.reset_rule(LOCAL_ADMIN, "box.queue", "box:leeds/b1")
    await set_rule(hub, "box.queue", "site:leeds", active=False)
    await hub.pass_time(20, long, short)
    assert [state for _, _, state in await hub.told()] == ["ended"]


async def test_messages_that_wait_while_nothing_is_sent_are_an_alert(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.pass_time(3000, box, step=30, sent=1)
    await hub.pass_time(7200 + 500, box, step=30)
    assert await hub.told() == []
    await hub.pass_time(900, box, step=30)
    assert await hub.told() == [("box.stuck", "leeds/b1", "open")]
    await hub.pass_time(120, box, step=30, sent=1)
    assert await hub.told() == [("box.stuck", "leeds/b1", "ended")]


async def test_a_configuration_that_was_not_taken_is_an_alert_until_another_one_is(hub):
    box = SaidBox()
    hub.app.configs._signer = SIGNER
    await hub.settled(box)
    document = {"profile": "lean"}
    await hub.app.configs.set_own(LOCAL_ADMIN, "leeds", "b1", document)
    await hears(hub.store, box.reported(1, "rolled_back", hash_of(document)), now=hub.now)
    await hub.pass_time(10, box)
    (only,) = await hub.alerts()
    assert (title_of(only.row), particulars_of(only.row)) == (
        "leeds/b1 has not taken its configuration", "version 1 was rolled back",
    )  # fmt: skip
    await hub.app.configs.set_own(LOCAL_ADMIN, "leeds", "b1", {})
    await hub.pass_time(10, box)
    assert await hub.told() == [("box.config", "leeds/b1", "ended")]


async def test_a_gap_and_a_wrong_clock_are_seen(hub):
    box = SaidBox()
    await hub.settled(box)
    topic, batch = box.events(1, hub.now, first=5)
    gap = Event(seq=5, type="gap", data={"stream": "ev", "from": 1, "to": 4, "why": "full"})
    await hears(hub.store, (topic, _with(batch, gap)), now=hub.now)
    await hub.pass_time(10, box)
    (only,) = await hub.alerts()
    assert (only.row.kind, only.row.topic, particulars_of(only.row)) == ("box.gap", "ev", "4 events are lost")
    await hub.pass_time(25 * 3600, box, step=50, sent=1)
    assert await hub.told() == [("box.gap", "leeds/b1", "ended")]
    for _ in range(70):
        hub.clock.turn(10)
        await hears(hub.store, box.box_tele(hub.now - 9_000), now=hub.now)
        await hub.app.watch.look()
    assert await hub.told(active=True) == [("box.clock", "leeds/b1", "open")]


async def test_the_hub_tells_of_itself(hub, tmp_path):
    await hub.settled()
    for number in range(10):
        await hub.store.write(
            lambda conn, n=number: rows_of_quarantine.add(conn, hub.now, f"t/{n}", "malformed", "why", b"x")
        )
    hub.app.ingest.stuck_since, hub.app.ingest.stuck_why = 1.0, "the disk is full"
    await hub.pass_time(40)
    assert sorted(kind for kind, _, _ in await hub.told()) == ["hub.database", "hub.quarantine"]
    hub.app.ingest.stuck_since, hub.app.ingest.stuck_why = None, ""
    await hub.pass_time(4300, step=50)
    assert {state for _, _, state in await hub.told()} == {"ended"}


async def test_a_certificate_of_the_hub_that_ends_soon_is_an_alert(tmp_path):
    cert, key = certificate(tmp_path, "hub")
    async with alert_hub(tmp_path) as hub:
        config = HubConfig(
            mqtt=MqttConfig(tls_ca=str(cert), tls_cert=str(cert), tls_key=str(key)),
            web=WebConfig(tls_cert=str(tmp_path / "none.pem"), tls_key=str(key)),
        )
        hub.app.watch._config = config
        hub.clock.wall = time.time()
        await hub.pass_time(10)
        (only,) = await hub.alerts(kind="hub.certificate")
        assert (only.row.topic, only.row.severity) == ("the broker", "warning")
        assert title_of(only.row) == "The hub has a certificate that ends soon"


async def given(hub, box, days, revoked=None):
    """A certificate that ends in so many days from now."""
    now = to_ms(hub.clock.now())
    row = (f"{box}{days}", "leeds", box, f"{box}{days}".encode(), "pem", now, now + int(days * 86_400_000), revoked)
    await hub.app.store.write(
        lambda conn: conn.execute(
            "INSERT INTO certificates (serial, site, box, key_digest, pem, issued_at, ends_at, how, revoked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'token', ?)",
            row,
        )
    )


async def test_a_box_that_does_not_renew_its_certificate_is_an_alert_until_it_does(hub):
    await hub.settled(SaidBox(), SaidBox(box="b2", ep="zz01"), SaidBox(box="b3", ep="zz02"))
    await given(hub, "b1", 13.5)
    await given(hub, "b2", 31)
    await given(hub, "b3", 2, revoked=1)
    await hub.pass_time(10)
    (only,) = await hub.alerts(kind="box.certificate")
    assert (only.row.subject, only.row.state) == ("leeds/b1", "open")
    assert title_of(only.row) == "leeds/b1 has not renewed its certificate"
    assert particulars_of(only.row) == "it ends in 13 days"
    await given(hub, "b1", 90)
    await hub.pass_time(10)
    (only,) = await hub.alerts(kind="box.certificate")
    assert only.row.state == "ended"


async def test_a_rule_of_a_group_holds_for_its_boxes(hub):
    boxes = [SaidBox(), SaidBox(box="b2", ep="zz01")]
    await hub.settled(*boxes)
    await hub.app.configs.set_group(LOCAL_ADMIN, "cellars", "leeds/b2", {})
    await set_rule(hub, "box.offline", "group:cellars", active=False)
    await hub.goes(*boxes)
    await hub.pass_time(330)
    assert await hub.told() == [("box.offline", "leeds/b1", "open")]
    await hub.app.configs.delete_group(LOCAL_ADMIN, "cellars")  # the rule has nowhere to hold any more
    await hub.pass_time(330)
    assert await hub.told(state="open", site="leeds") == [
        ("box.offline", "leeds/b2", "open"), ("box.offline", "leeds/b1", "open"),
    ]  # fmt: skip


async def test_what_is_acknowledged_stays_so_until_it_opens_again(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.goes(box)
    await hub.pass_time(330)
    (only,) = await hub.alerts()
    await hub.app.alerts.acknowledge(LOCAL_ADMIN, only.row.id, " a van is on its way ")
    (found,) = await hub.alerts(state="acknowledged")
    assert (found.row.note, found.row.acked_by) == ("a van is on its way", LOCAL_ADMIN.name)
    await hub.comes(box)
    await hub.pass_time(100, box)
    await hub.goes(box)
    await hub.pass_time(330)
    (found,) = await hub.alerts()
    assert (found.row.state, found.row.round, found.row.acked_by) == ("open", 2, "")


async def test_a_quiet_look_writes_nothing(tmp_path):
    """The card, or the disk, is not written to each ten seconds for nothing."""
    async with alert_hub(tmp_path) as hub:
        await hub.settled(*(SaidBox(box=f"b{n}", ep=f"ep{n:03d}") for n in range(3)))
        before = (await hub.store.fetch_one("PRAGMA data_version"))[0]
        total = await hub.store.write(lambda conn: conn.total_changes)
        await hub.pass_time(10)
        assert await hub.store.write(lambda conn: conn.total_changes) == total
        assert before == (await hub.store.fetch_one("PRAGMA data_version"))[0]


async def test_alerts_are_forgotten_with_the_events(hub):
    box = SaidBox()
    await hub.settled(box)
    await hub.goes(box)
    await hub.pass_time(330)
    await hub.comes(box)
    await hub.pass_time(100, box)
    hub.clock.turn(91 * 86_400)
    await hub.app.watch.forget_old()
    assert await hub.told() == []


async def test_a_thousand_boxes_are_looked_at_at_once(hub):
    boxes = [SaidBox(site=f"s{n % 10}", box=f"b{n}", ep=f"ep{n:05d}") for n in range(1000)]
    said = [word for box in boxes for word in (box.avail(), box.birth(hub.now), box.box_tele(hub.now))]
    await hears(hub.store, *said, now=hub.now)
    await hears(hub.store, *(box.avail("offline", "will") for box in boxes), now=hub.now)
    state = HubState(3, 3)
    begun = await hub.store.read(lambda conn: find(conn, state, hub.now, sees=True))
    assert len(begun) == 1000
    hub.connected()
    await hub.pass_time(400)
    summary = await hub.app.alerts.summary(LOCAL_ADMIN)
    assert (summary.open, summary.critical, summary.kinds) == (1000, 1000, {"box.offline": 1000})
    page = await hub.app.alerts.listed(LOCAL_ADMIN, Wanted(severity=Severity.CRITICAL, site="s3"), limit=60)
    rest = await hub.app.alerts.listed(LOCAL_ADMIN, Wanted(site="s3"), cursor=page.cursor, limit=60)
    assert (len(page.items), len(rest.items), rest.cursor) == (60, 40, None)
    assert len({one.row.id for one in (*page.items, *rest.items)}) == 100
