"""The hub's pages of alerts: what they show, what their forms say, and where they lead."""

from __future__ import annotations

import pytest

from fakes.alert_hubs import box_subject, end_alert, open_alert
from fakes.endpoints import endpoint, ok
from fakes.hubs import hub_in
from fakes.pages import Outline
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock, to_ms
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.alerting.rows import Wanted

RULES, SILENCES, CHANNELS = "/ui/alerting/rules", "/ui/alerting/silences", "/ui/alerting/channels"


def now():
    return to_ms(SystemClock().now())


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path) as made:
        yield made


async def opened(hub, kind="box.offline", box="leeds/b1", **figures):
    return await open_alert(hub.store, kind, await box_subject(hub.store, box), figures or {"why": "will"}, at=now())


async def test_where_nothing_is_wrong_the_pages_say_so(hub):
    async with hub.at_a_page() as client:
        assert "Nothing needs you" in (await client.get("/ui/alerts")).text
        assert "Nobody looks after any" in (await client.get("/ui/alerts?state=acknowledged")).text
        assert "None is over yet" in (await client.get("/ui/alerts?state=ended")).text
        assert "No such alerts" in (await client.get("/ui/alerts?site=nowhere")).text
        assert "Nothing is silenced" in (await client.get(SILENCES)).text
        assert "Nobody is told" in (await client.get(CHANNELS)).text
        assert "does not see its boxes" in (await client.get("/ui/alerts")).text
        assert "alert is open" not in (await client.get("/ui/fleet")).text


async def test_a_long_list_goes_on_and_is_filtered(hub):
    await hub.hears_of(*(SaidBox(box=f"b{n:03d}", ep=f"ep{n:04d}") for n in range(60)))
    await hub.hears_of(SaidBox(site="oslo", ep="oslo1"))
    for number in range(60):
        await opened(hub, box=f"leeds/b{number:03d}")
    await opened(hub, "box.queue", "oslo/b1", waiting=1200)
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/alerts")).text
        assert page.count('href="/ui/alerts/') == 50
        more = page.partition('hx-get="/ui/alerts?')[2].partition('"')[0].replace("&amp;", "&")
        rest = (await client.get(f"/ui/alerts?{more}")).text
        assert rest.count('href="/ui/alerts/') == 11
        assert "<!doctype" not in rest
        filtered = (await client.get("/ui/alerts?kind=box.queue&site=oslo")).text
        assert filtered.count('href="/ui/alerts/') == 1
        assert "1200 messages wait" in filtered
        assert 'hx-get="/ui/alerts/now?state=active&amp;kind=box.queue&amp;site=oslo"' in filtered
        fleet = (await client.get("/ui/fleet")).text
        assert "61 alerts are open" in fleet
        assert "60 critical" in fleet


async def test_an_alert_is_acknowledged_on_its_page(hub):
    await hub.hears_of(SaidBox())
    alert = await opened(hub)
    async with hub.at_a_page() as client:
        page = (await client.get(f"/ui/alerts/{alert}")).text
        assert Outline(page).count("h1") == 1
        assert "I look after it" in page
        assert "its connection broke" in page
        done = await client.post(f"/ui/alerts/{alert}/acknowledge", data={"note": "a van goes there"})
        assert "Somebody looks after it" in done.text
        assert "a van goes there" in done.text
        long = await client.post(f"/ui/alerts/{alert}/acknowledge", data={"note": "x" * 1001})
        assert (long.status_code, "at most 1000 characters" in long.text) == (422, True)
        assert "is looked after" in (await client.get("/ui/fleet")).text
        await end_alert(hub.store, alert, now())
        late = await client.post(f"/ui/alerts/{alert}/acknowledge", data={"note": "too late"})
        assert "Over since" in late.text
        assert "too late" not in late.text
        assert (await client.get("/ui/alerts/99")).status_code == 404
        assert (await client.get("/ui/alerts/x")).status_code == 404


async def test_the_page_of_a_box_shows_its_own_alone(hub):
    await hub.hears_of(SaidBox(), SaidBox(box="b2", ep="zz01"), SaidBox(box="b3", ep="zz02"))
    ended = await opened(hub)
    await end_alert(hub.store, ended, now())
    await opened(hub, "box.queue", waiting=1200)
    await opened(hub, box="leeds/b2")
    async with hub.at_a_page() as client:
        assert 'hx-get="/ui/boxes/leeds/b1/alerts"' in (await client.get("/ui/boxes/leeds/b1")).text
        part = (await client.get("/ui/boxes/leeds/b1/alerts")).text
        assert part.index("has a long queue") < part.index("is offline")
        assert "leeds/b2" not in part
        assert "There was none yet" in (await client.get("/ui/boxes/leeds/b3/alerts")).text
        assert (await client.get("/ui/boxes/leeds/b9/alerts")).status_code == 404


async def test_a_rule_is_set_and_taken_back(hub):
    form = {"kind": "box.queue", "place": "site:leeds", "active": "true", "severity": "critical", "hold_s": "60"}
    async with hub.at_a_page() as client:
        done = await client.post(RULES, data=form | {"clear_s": "", "threshold": "5000"})
        assert done.headers["hx-redirect"] == RULES
        page = (await client.get(RULES)).text
        assert "site:leeds" in page
        assert "Take it back" in page
        (mine,) = [rule for rule in await hub.app.alerts.rules(LOCAL_ADMIN) if rule.actor]
        assert (mine.hold_s, mine.clear_s, mine.threshold, mine.severity) == (60, 300, 5000, "critical")
        back = await client.post(f"{RULES}/reset", data={"kind": "box.queue", "place": "site:leeds"})
        assert back.headers["hx-redirect"] == RULES
        assert "Take it back" not in (await client.get(RULES)).text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"place": "leeds"}, "is no place"),
        ({"hold_s": "soon"}, "is no whole number"),
        ({"hold_s": "99999999"}, "0 to 604800"),
        ({"clear_s": "-5"}, "is no whole number"),
        ({"threshold": "0"}, "1 to 1000000 messages"),
        ({"kind": "box.dance"}, "one of the list"),
        ({"severity": "grave"}, "one of the list"),
    ],
)
async def test_a_rule_that_cannot_be_is_shown_with_the_form(hub, form, words):
    given = {"kind": "box.queue", "place": "*", "active": "true", "severity": "warning", "hold_s": "60"}
    async with hub.at_a_page() as client:
        answer = await client.post(RULES, data=given | {"clear_s": "60", "threshold": "10"} | form)
        assert answer.status_code == 422
        assert words in answer.text
        assert answer.text.count('class="error"') == 1


async def test_a_place_is_silenced_and_heard_again(hub):
    await hub.hears_of(SaidBox())
    await opened(hub)
    async with hub.at_a_page() as client:
        assert 'value="box:leeds/b1"' in (await client.get(f"{SILENCES}?place=box:leeds/b1")).text
        form = {"place": "box:leeds/b1", "kind": "", "seconds": "14400", "reason": "a new mast"}
        done = await client.post(SILENCES, data=form)
        assert done.headers["hx-redirect"] == SILENCES
        assert "a new mast" in (await client.get(SILENCES)).text
        assert "silenced" in (await client.get("/ui/alerts")).text
        (one,) = (await hub.app.alerts.listed(LOCAL_ADMIN, Wanted())).items
        assert "Nobody is told of it until" in (await client.get(f"/ui/alerts/{one.row.id}")).text
        ended = await client.post(f"{SILENCES}/{one.silence.id}/end")
        assert ended.headers["hx-redirect"] == SILENCES
        assert "a new mast" not in (await client.get(SILENCES)).text
        for wrong, words in (({"place": "leeds"}, "is no place"), ({"seconds": "x"}, "is no whole number"),
                             ({"seconds": "0"}, "must be after its beginning")):  # fmt: skip
            answer = await client.post(SILENCES, data=form | wrong)
            assert (answer.status_code, words in answer.text) == (422, True)


async def test_a_channel_is_added_tried_changed_and_deleted(hub):
    async with endpoint(ok(status=b"503 later")) as server, hub.at_a_page() as client:
        form = {"name": "on call", "means": "webhook", "url": server.url(), "recipients": "", "least": "warning"}
        refused = await client.post(CHANNELS, data=form | {"place": "*", "ends": "true"})
        assert (refused.status_code, "only an admin can allow" in refused.text or "127.0.0.1" in refused.text) == (
            422, True,
        )  # fmt: skip
        made = await client.post(CHANNELS, data=form | {"place": "*", "ends": "true", "allow_private": "true"})
        assert "whsec_" in made.text
        (channel,) = await hub.app.channels.listed(LOCAL_ADMIN)
        path = f"{CHANNELS}/{channel.id}"
        page = (await client.get(path)).text
        assert "whsec_" not in page
        assert "It was told nothing yet" in page
        tried = await client.post(f"{path}/test")
        assert "it answered 503" in tried.text
        changed = await client.post(path, data=form | {"name": "duty", "place": "site:leeds", "allow_private": "true"})
        assert "Saved." in changed.text
        assert (await client.get(path)).text.count("<h1>duty</h1>") == 1
        wrong = await client.post(path, data=form | {"place": "leeds", "allow_private": "true"})
        assert (wrong.status_code, "is no place" in wrong.text) == (422, True)
        assert "Another secret" in page
        assert "whsec_" in (await client.post(f"{path}/rotate")).text
        stopped = await client.post(f"{path}/active", data={"active": "false"})
        assert "Let it go on" in stopped.text
        assert "Stop it" in (await client.post(f"{path}/active", data={"active": "true"})).text
        gone = await client.post(f"{path}/delete")
        assert gone.headers["hx-redirect"] == CHANNELS
        assert (await client.get(path)).status_code == 404


async def test_without_a_mail_server_the_form_says_how_to_get_one(hub):
    async with hub.at_a_page() as client:
        assert "name one under [mail]" in (await client.get(CHANNELS)).text
        form = {"name": "duty", "means": "mail", "url": "", "recipients": "duty@example.com", "least": "warning"}
        answer = await client.post(CHANNELS, data=form | {"place": "*"})
        assert (answer.status_code, "mail server" in answer.text) == (422, True)
        nothing = await client.post(CHANNELS, data=form | {"means": "webhook", "place": "*"})
        assert "must be an address such as" in nothing.text


async def test_a_channel_that_fails_is_seen_in_the_list(hub):
    channel = await hub.app.channels.create(LOCAL_ADMIN, NewChannel("on call", url="https://example.com/hook"))
    failed = {"failing_since": now(), "last_error": "it answered 500: no success"}
    sets = ", ".join(f"{name} = ?" for name in failed)
    await hub.store.write(
        lambda conn: conn.execute(f"UPDATE alert_channels SET {sets} WHERE id = ?", (*failed.values(), channel.id))
    )
    async with hub.at_a_page() as client:
        page = (await client.get(CHANNELS)).text
        assert "failing" in page
        assert "it answered 500" in page
