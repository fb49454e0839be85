"""The hub's API of alerts, rules, silences and channels, as programs call it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from fakes.alert_hubs import box_subject, end_alert, open_alert
from fakes.endpoints import endpoint, ok
from fakes.hubs import hub_in
from fakes.voices import SaidBox
from modembank.accounts import Role, Scope
from modembank.clock import SystemClock, to_ms
from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.places import THE_HUB

RULES, SILENCES, CHANNELS = "/api/v1/alert-rules", "/api/v1/alert-silences", "/api/v1/alert-channels"
HOOK = {"name": "on call", "url": "https://pager.example.com/hook"}


def now():
    return to_ms(SystemClock().now())


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path) as made:
        await made.hears_of(SaidBox(), SaidBox(site="oslo", ep="oslo1"))
        yield made


@pytest.fixture
async def client(hub):
    async with hub.client(await hub.key()) as client:
        yield client


async def opened(hub, kind="box.offline", box="leeds/b1", at=0, **figures):
    subject = THE_HUB if box == "hub" else await box_subject(hub.store, box)
    return await open_alert(hub.store, kind, subject, figures or {"why": "will"}, at=at or now())


async def test_alerts_are_listed_filtered_and_gone_through(hub, client):
    assert (await client.get("/api/v1/alerts")).json() == {"items": [], "next": None}
    first = await opened(hub)
    await opened(hub, "box.queue", waiting=1200)
    await opened(hub, box="oslo/b1")
    await opened(hub, "hub.broker", "hub", stand=0, of=3, why="refused")
    await end_alert(hub.store, first, now())

    async def titles(query=""):
        return [one["title"] for one in (await client.get(f"/api/v1/alerts?{query}")).json()["items"]]

    assert await titles() == [
        "The hub has no broker", "oslo/b1 is offline", "leeds/b1 has a long queue", "leeds/b1 is offline",
    ]  # fmt: skip
    assert await titles("state=active") == ["The hub has no broker", "oslo/b1 is offline", "leeds/b1 has a long queue"]
    assert await titles("state=ended") == ["leeds/b1 is offline"]
    assert await titles("site=oslo") == ["oslo/b1 is offline"]
    assert await titles("kind=box.queue") == ["leeds/b1 has a long queue"]
    assert await titles("severity=critical&state=open") == ["The hub has no broker", "oslo/b1 is offline"]
    page = (await client.get("/api/v1/alerts?limit=3")).json()
    rest = (await client.get(page["next"])).json()
    assert ([one["title"] for one in rest["items"]], rest["next"]) == (["leeds/b1 is offline"], None)
    for wrong in ("state=lost", "severity=bad", "cursor=x", "cursor=1", "cursor=1.x", "limit=0"):
        assert (await client.get(f"/api/v1/alerts?{wrong}")).status_code == 422


async def test_one_alert_is_acknowledged_and_tells_its_way(hub, client):
    alert = await opened(hub)
    found = (await client.get(f"/api/v1/alerts/{alert}")).json()
    assert (found["state"], found["particulars"], found["detail"]) == ("open", "its connection broke", {"why": "will"})
    done = await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={"note": "a van goes there"})
    assert (done.json()["state"], done.json()["acknowledged_by"]) == ("acknowledged", "admin")
    again = await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={"note": "the van is there"})
    assert again.json()["note"] == "the van is there"
    way = (await client.get(f"/api/v1/alerts/{alert}")).json()["way"]
    assert [(step["what"], step["by"], step["note"]) for step in way] == [
        ("opened", "", ""),
        ("acknowledged", "admin", "a van goes there"),
        ("acknowledged", "admin", "the van is there"),
    ]  # fmt: skip
    await end_alert(hub.store, alert, now())
    ended = await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={})
    assert (ended.status_code, "has ended" in ended.text) == (409, True)
    assert (await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={"note": "x" * 1001})).status_code == 422
    for nothing in ("99", "x", "1" * 30):
        assert (await client.get(f"/api/v1/alerts/{nothing}")).status_code == 404
    actions = [entry["action"] for entry in (await client.get("/api/v1/audit")).json()["items"]]
    assert actions[:2] == ["alert.acknowledge", "alert.acknowledge"]


async def test_the_sums_are_told_and_measured(hub, client):
    alert = await opened(hub)
    await opened(hub, "box.queue", waiting=1200)
    await opened(hub, box="oslo/b1")
    await client.post(f"/api/v1/alerts/{alert}/acknowledge", json={})
    assert (await client.get("/api/v1/alert-summary")).json() == {
        "open": 2, "acknowledged": 1, "critical": 1, "pending": 0, "kinds": {"box.queue": 1, "box.offline": 1},
    }  # fmt: skip
    figures = (await client.get("/metrics")).text
    assert 'modembank_hub_alerts{kind="box.offline",state="open"} 1.0' in figures
    assert 'modembank_hub_alerts{kind="box.offline",state="acknowledged"} 1.0' in figures
    assert 'modembank_hub_alerts{kind="box.queue",state="open"} 1.0' in figures
    assert 'modembank_hub_alerts{kind="hub.broker",state="pending"} 0.0' in figures


async def test_rules_are_set_for_places_and_taken_back(hub, client):
    listed = (await client.get(RULES)).json()["items"]
    assert [rule["kind"] for rule in listed] == list(KINDS)
    assert {rule["by"] for rule in listed} == {""}
    given = await client.put(RULES, json={"kind": "box.queue", "place": "site:leeds", "threshold": 5000})
    assert given.json() | {"at": None} == {
        "kind": "box.queue", "when": "so many messages wait to be sent", "place": "site:leeds", "active": True,
        "severity": "warning", "hold_s": 900, "clear_s": 300, "threshold": 5000, "unit": "messages", "by": "admin",
        "at": None,
    }  # fmt: skip
    await client.put(RULES, json={"kind": "box.queue", "place": "site:leeds", "active": False})
    mine = [rule for rule in (await client.get(RULES)).json()["items"] if rule["by"]]
    assert [(rule["active"], rule["threshold"]) for rule in mine] == [(False, 1000)]
    left = await client.post(f"{RULES}/reset", json={"kind": "box.queue", "place": "site:leeds"})
    assert not [rule for rule in left.json()["items"] if rule["by"]]
    assert (await client.post(f"{RULES}/reset", json={"kind": "box.queue", "place": "site:leeds"})).status_code == 404


@pytest.mark.parametrize(
    ("rule", "pointer", "words"),
    [
        ({"kind": "box.dance"}, "/kind", "box.offline"),
        ({"kind": "box.queue", "place": "leeds"}, "/place", "site:NAME"),
        ({"kind": "box.queue", "place": "group:none"}, "/place", "no group none"),
        ({"kind": "box.queue", "place": "hub"}, "/place", "about boxes"),
        ({"kind": "hub.broker", "place": "site:leeds"}, "/place", "about the hub"),
        ({"kind": "box.offline", "threshold": 5}, "/threshold", "has none"),
        ({"kind": "box.queue", "threshold": 0}, "/threshold", ""),
        ({"kind": "box.queue", "hold_s": -1}, "/hold_s", ""),
        ({"kind": "box.queue", "severity": "grave"}, "/severity", ""),
        ({"kind": "box.queue", "hold": 5}, "/hold", ""),
    ],
)
async def test_a_rule_that_cannot_be_says_why(client, rule, pointer, words):
    answer = await client.put(RULES, json=rule)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert words in problem["detail"]


async def test_a_silence_is_seen_at_the_alerts_and_ended(hub, client):
    alert = await opened(hub)
    made = await client.post(SILENCES, json={"place": "site:leeds", "for_s": 7200, "reason": "a new mast"})
    assert (made.status_code, made.json()["by"]) == (201, "admin")
    assert (await client.get(f"/api/v1/alerts/{alert}")).json()["silenced_until"] == made.json()["until"]
    assert [one["reason"] for one in (await client.get(SILENCES)).json()["items"]] == ["a new mast"]
    silence = made.json()["id"]
    assert (await client.post(f"{SILENCES}/{silence}/end")).status_code == 200
    assert (await client.post(f"{SILENCES}/{silence}/end")).status_code == 404
    assert (await client.get(SILENCES)).json()["items"] == []
    assert (await client.get(f"/api/v1/alerts/{alert}")).json()["silenced_until"] is None


@pytest.mark.parametrize(
    ("silence", "pointer"),
    [
        ({"place": "*"}, "/for_s"),
        ({"place": "*", "for_s": 5, "until": "2099-01-01T00:00:00Z"}, "/for_s"),
        ({"place": "*", "until": "2099-01-01T00:00:00Z"}, "/until"),
        ({"place": "*", "until": "2001-01-01T00:00:00Z"}, "/until"),
        ({"place": "*", "until": "2027-01-01T00:00:00"}, "/until"),
        ({"place": "*", "until": "tomorrow"}, "/until"),
        ({"place": "*", "for_s": 0}, "/for_s"),
        ({"place": "everywhere", "for_s": 60}, "/place"),
        ({"place": "*", "for_s": 60, "kind": "box.dance"}, "/kind"),
        ({"for_s": 60}, "/place"),
    ],
)
async def test_a_silence_that_cannot_be_says_why(client, silence, pointer):
    answer = await client.post(SILENCES, json=silence)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]


async def test_a_silence_may_begin_later(hub, client):
    begin = (now() + 3_600_000) / 1000
    when = datetime.fromtimestamp(begin, UTC).isoformat()
    made = await client.post(SILENCES, json={"place": "*", "for_s": 60, "begin": when})
    found = made.json()
    assert found["begin"] < found["until"]
    alert = await opened(hub)
    assert (await client.get(f"/api/v1/alerts/{alert}")).json()["silenced_until"] is None


async def test_a_channel_is_made_changed_tried_and_deleted(hub, client):
    async with endpoint(ok()) as server:
        given = {"name": "on call", "url": server.url(), "allow_private": True}
        made = await client.post(CHANNELS, json=given)
        assert made.status_code == 201
        place, secret = made.headers["location"], made.json()["secret"]
        assert secret.startswith("whsec_")
        found = (await client.get(place)).json()
        assert (found["state"], found["means"], found["letters"]) == ("working", "webhook", [])
        assert secret not in json.dumps(found)
        changed = await client.patch(place, json={"least": "critical", "place": "site:leeds"})
        assert (changed.json()["least"], changed.json()["name"]) == ("critical", "on call")
        assert (await client.post(f"{place}/test")).json() == {"ok": True, "status": 200, "error": None}
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert b"webhook-signature: v1," in head
        assert json.loads(body)["type"] == "alerts.test"
        rotated = (await client.post(f"{place}/rotate")).json()
        assert rotated["secret"] not in {secret, None}
        assert (await client.patch(place, json={"active": False})).json()["state"] == "stopped"
        assert [one["name"] for one in (await client.get(CHANNELS)).json()["items"]] == ["on call"]
        assert (await client.delete(place)).status_code == 204
        assert (await client.get(place)).status_code == 404
        assert (await client.delete(place)).status_code == 404
    actions = {entry["action"] for entry in (await client.get("/api/v1/audit")).json()["items"]}
    assert actions >= {f"alert.channel_{what}" for what in ("create", "change", "rotate", "delete")}


@pytest.mark.parametrize(
    ("channel", "pointer"),
    [
        ({"name": "x", "url": "http://localhost/hook"}, "/url"),
        ({"name": "x", "url": "https://example.com:22/hook"}, "/url"),
        ({"name": "x", "url": "https://user@example.com/hook"}, "/url"),
        ({"name": "x", "recipients": ["duty@example.com"]}, "/recipients"),
        ({"name": "x" * 61, "url": "https://example.com"}, "/name"),
        ({"name": "a\nb", "url": "https://example.com"}, "/name"),
        ({"name": "x", "url": "https://example.com", "least": "worst"}, "/least"),
        ({"url": "https://example.com"}, "/name"),
        ({"name": "ON CALL", "url": "https://example.com"}, "/name"),
    ],
)
async def test_a_channel_that_cannot_be_says_why(client, channel, pointer):
    assert (await client.post(CHANNELS, json=HOOK)).status_code == 201
    answer = await client.post(CHANNELS, json=channel)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]
    assert len((await client.get(CHANNELS)).json()["items"]) == 1


async def test_who_reads_sees_alerts_and_no_channels_and_changes_nothing(hub):
    alert = await opened(hub)
    async with hub.client(await hub.key(Role.ADMIN, Scope.MODEMS)) as reader:
        for path in ("/api/v1/alerts", f"/api/v1/alerts/{alert}", "/api/v1/alert-summary", RULES, SILENCES):
            assert (await reader.get(path)).status_code == 200
        assert (await reader.get(CHANNELS)).status_code == 403
        for method, path, body in (
            ("POST", f"/api/v1/alerts/{alert}/acknowledge", {"note": ""}),
            ("PUT", RULES, {"kind": "box.queue", "threshold": 5}),
            ("POST", f"{RULES}/reset", {"kind": "box.queue"}),
            ("POST", SILENCES, {"place": "*", "for_s": 60}),
            ("POST", f"{SILENCES}/1/end", {}),
            ("POST", CHANNELS, HOOK),
        ):
            assert (await reader.request(method, path, json=body)).status_code == 403, path
