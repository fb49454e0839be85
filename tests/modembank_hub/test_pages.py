"""The hub's pages: who is let in, what they show, and what a form says."""

import time

import pytest

from fakes.alert_hubs import box_subject, open_alert
from fakes.browsers import PASSWORD
from fakes.hubs import SIGNER, hub_in
from fakes.pages import FOREIGN, Outline
from fakes.voices import NOW, SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.accounts.first_start import read_code
from modembank.clock import to_ms
from modembank_fleet.wire import hash_of
from modembank_hub import rows_of_pool, rows_of_quarantine
from modembank_hub.alerting import rows_of_channels
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.alerting.wording import letter_of
from modembank_web.hub.pages import PAGES, TOPICS, steps_of
from modembank_web.pages.page import SETUP

HOSTILE = "<script>alert(1)</script>\u202e"
CLOSED = [page for page in PAGES if not page.open]


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path) as made:
        yield made


def place(page, command="0123456789abcdef", message="m0123456789abcdef"):
    path = page.path.replace("{site}", "leeds").replace("{box}", "b1").replace("{name}", "ada")
    path = path.replace("{id}", command).replace("{message}", message)
    for name in ("alert", "silence", "channel", "rollout", "token"):
        path = path.replace(f"{{{name}}}", "1")
    return path.replace("{group}", "cellars")


@pytest.mark.parametrize("page", CLOSED, ids=lambda page: page.id)
async def test_who_is_not_logged_in_is_led_to_the_login(hub, page):
    async with hub.at_a_page() as _, hub.client() as stranger:
        answer = await stranger.request(page.method, place(page), headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/login")


@pytest.mark.parametrize("page", [page for page in CLOSED if page.method != "GET"], ids=lambda page: page.id)
async def test_no_page_of_another_site_changes_anything(hub, page):
    async with hub.at_a_page() as client:
        assert (await client.request(page.method, place(page), headers=FOREIGN)).status_code == 403
        without = {"X-Page-Token": ""}
        assert (await client.request(page.method, place(page), headers=without)).status_code == 403


@pytest.mark.parametrize("page", [page for page in CLOSED if page.needs], ids=lambda page: page.id)
async def test_a_sender_has_nothing_to_do_here(hub, page):
    async with hub.at_a_page(), hub.at_a_page("sam", Role.SENDER) as sender:
        assert (await sender.request(page.method, place(page))).status_code == 403


async def test_the_first_start_makes_the_first_admin(hub, tmp_path):
    await hub.app.first_start.offer()
    async with hub.client(**{"Sec-Fetch-Site": "same-origin"}) as client:
        assert (await client.get("/ui/fleet")).headers["location"] == SETUP
        assert "This hub has no users yet" in (await client.get(SETUP)).text
        form = {"code": read_code(tmp_path).text, "name": "ada", "password": PASSWORD, "again": PASSWORD}
        assert (await client.post(SETUP, data=form)).status_code == 303
        assert (await client.get("/ui/fleet")).status_code == 200  # who has set it up is logged in


async def test_every_page_shows_what_there_is_and_nothing_foreign_is_markup(hub):
    box = SaidBox()
    await hub.hears_of(box, events=60)
    await hears(hub.store, box.birth(label=HOSTILE))
    topic, batch = box.events(1)
    batch.ev[0].subj = HOSTILE
    batch.ev[0].data = {"x": HOSTILE}
    await hears(hub.store, (topic, batch))
    await hub.store.write(
        lambda conn: rows_of_quarantine.add(conn, NOW, HOSTILE, "malformed", HOSTILE, HOSTILE.encode())
    )
    hub.app.configs._signer = SIGNER
    document = {"sims": {"*": {"label": HOSTILE[:-1]}}}
    await hub.app.configs.set_group(LOCAL_ADMIN, "cellars", "label:<script>*", document)
    await hub.app.rollouts.begin(LOCAL_ADMIN, "cellars")
    error = {"path": HOSTILE, "code": HOSTILE, "detail": HOSTILE}
    await hears(hub.store, box.reported(1, "rejected", hash_of(document), errs=[error], local=[HOSTILE]))
    lent = rows_of_pool.NewMessage("m-000001", 1, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "amo", NOW, NOW)
    await hub.store.write(lambda conn: rows_of_pool.add(conn, lent))
    told = {"issue": HOSTILE, "why": HOSTILE}
    alert = await open_alert(hub.store, "box.issue", await box_subject(hub.store, "leeds/b1"), told, at=NOW)
    await hub.app.alerts.acknowledge(LOCAL_ADMIN, alert, HOSTILE)
    await hub.app.alerts.silence(LOCAL_ADMIN, "site:leeds", until=to_ms(time.time() + 60), reason=HOSTILE)
    channel = await hub.app.channels.create(LOCAL_ADMIN, NewChannel(HOSTILE[:-1], url="https://example.com/<script>"))
    letter = letter_of(HOSTILE, [], [])
    await hub.store.write(lambda conn: rows_of_channels.add_letter(conn, channel, letter, [], NOW))
    failed = {"failing_since": NOW, "last_error": HOSTILE}
    await hub.store.write(lambda conn: rows_of_channels.change(conn, channel.id, failed))
    async with hub.at_a_page() as client:
        given = await client.post("/ui/boxes/leeds/b1/commands", data={"verb": "ping", "args": "", "ttl": "60"})
        command = given.headers["hx-redirect"].rpartition("/")[2]
        for page in PAGES:
            if page.method != "GET" or page.stream or page.path in {"/ui", SETUP, "/ui/login"}:
                continue
            answer = await client.get(place(page, command, "m-000001"))
            assert answer.status_code == 200, page.path
            assert "<script>alert" not in answer.text, page.path
            assert "\u202e" not in answer.text, page.path
            whole = answer.text.startswith("<!doctype")
            assert Outline(answer.text).count("h1") == int(whole), page.path
            assert "/ui/twilio" not in answer.text
            assert "/ui/mailings" not in answer.text


async def test_the_list_of_boxes_goes_on_and_is_filtered(hub):
    await hub.hears_of(*(SaidBox(box=f"b{n:03d}", ep=f"ep{n:04d}") for n in range(60)))
    async with hub.at_a_page() as client:
        first = (await client.get("/ui/fleet")).text
        assert first.count('href="/ui/boxes/') == 50
        assert 'hx-get="/ui/fleet?cursor=leeds%2Fb049"' in first
        assert (await client.get("/ui/fleet?cursor=leeds%2Fb049")).text.count('href="/ui/boxes/') == 10
        filtered = (await client.get("/ui/fleet?text=b00&standing=online")).text
        assert filtered.count('href="/ui/boxes/') == 10
        assert 'hx-get="/ui/fleet/boxes?standing=online&amp;text=b00' in filtered
        assert "No such boxes" in (await client.get("/ui/fleet?text=nowhere")).text


async def test_an_empty_hub_says_what_to_do(hub):
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/fleet")).text
        assert "No boxes yet" in page
        assert "0 of 3 connections to the broker stand" in page
        assert "Nothing is in quarantine" in (await client.get("/ui/quarantine")).text
        assert "No commands yet" in (await client.get("/ui/commands")).text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"verb": "ping", "args": "[1]", "ttl": ""}, "must be a JSON object"),
        ({"verb": "ping", "args": '{"x": 1}', "ttl": ""}, "x: is nothing that ping takes"),
        ({"verb": "ping", "args": "", "ttl": "soon"}, "must be a number of seconds"),
        ({"verb": "ping", "args": "", "ttl": "99999"}, "must be 1 to 3600"),
        ({"verb": "sim.pause", "args": "{}", "ttl": ""}, "must be signed"),
    ],
)
async def test_a_form_says_what_is_wrong_and_keeps_what_was_typed(hub, form, words):
    await hub.hears_of(SaidBox())
    async with hub.at_a_page() as client:
        answer = await client.post("/ui/boxes/leeds/b1/commands", data=form)
        assert answer.status_code == 422
        assert words in answer.text.replace("&#39;", "'")
        if form["ttl"]:
            assert f'value="{form["ttl"]}"' in answer.text


async def test_a_command_is_followed_and_taken_back(hub):
    box = SaidBox()
    await hub.hears_of(box)
    async with hub.at_a_page() as client:
        given = await client.post("/ui/boxes/leeds/b1/commands", data={"verb": "ping", "args": "{}", "ttl": "60"})
        path = given.headers["hx-redirect"]
        assert "it goes out when the box is there" in (await client.get(path)).text
        taken = await client.post(f"{path}/cancel")
        assert "It was taken back" in taken.text
        other = await client.post("/ui/boxes/leeds/b1/commands", data={"verb": "ping", "args": "{}", "ttl": "60"})
        path = other.headers["hx-redirect"]
        for state, words in (("accepted", "The box has it"), ("running", "40 %"), ("done", "It is done")):
            await hears(hub.store, box.result(path.rpartition("/")[2], state, pct=40 if state == "running" else None))
            assert words in (await client.get(f"{path}/now")).text
        row = await hub.app.orders.get((await hub.app.accounts.authenticate(await hub.key())), path.rpartition("/")[2])
        assert steps_of(row) == ([("", word) for word in ("waiting", "accepted", "running", "done")], 4)


def test_what_is_live_hears_of_something():
    topics = {name for names in TOPICS.values() for name in names}
    assert topics == {"alerts", "boxes", "commands", "configs", "enrolment", "pool", "quarantine"}
