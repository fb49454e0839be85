"""The hub's pages in a browser: every page on a phone and a desk, light and dark; alerts as people work with them."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

from browser.accessible import findings
from browser.looking import look_at
from browser.places import nouns
from fakes.alert_hubs import box_subject, end_alert, open_alert
from fakes.chromium import PHONE, Watch, session
from fakes.endpoints import endpoint, ok
from fakes.lived_in_hub import live_in, running_hub, token_of
from modembank.clock import SystemClock, to_ms
from modembank_hub.events import AlertsChanged
from modembank_web.hub.pages import PAGES
from modembank_web.pages.page import LOGIN, SETUP

NO_PAGES = {"/ui", "/ui/live", SETUP, LOGIN}
"""What leads to another page, a stream without an end, and what nobody sees who is logged in."""
ALL = nouns([page for page in PAGES if page.method == "GET" and page.path not in NO_PAGES])


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def hub(tmp_path_factory):
    async with running_hub(tmp_path_factory.mktemp("hub")) as daemon:
        yield daemon


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def hub_things(hub):
    return await live_in(hub)


@pytest.fixture
def watch(hub):
    """What pages of this test did that they must not do; nothing, once it ends."""
    watch = Watch(hub.url)
    yield watch
    assert not watch.unexpected()


@pytest_asyncio.fixture(loop_scope="package")
async def page(hub, hub_things, browser, watch, size):
    async with session(browser, watch, token=await token_of(hub), size=size) as context:
        yield await context.new_page()


async def an_alert(hub, kind="box.stuck", box="turin/b1", **figures):
    subject = await box_subject(hub.app.store, box)
    alert = await open_alert(hub.app.store, kind, subject, figures or {"waiting": 7}, at=now())
    hub.app.bus.publish(AlertsChanged(now()))
    return alert


def now():
    return to_ms(SystemClock().now())


@pytest.mark.parametrize("noun", ALL)
async def test_it_is_right_in_every_width_and_colour(page, hub_things, noun):
    found = [await look_at(page, hub_things.place(one.path)) for one in ALL[noun]]
    assert not any(found), "\n".join(filter(None, found))


async def test_who_is_not_logged_in_is_led_to_a_right_login(hub, hub_things, browser, watch):
    async with session(browser, watch) as context:
        assert not await look_at(await context.new_page(), LOGIN)


@pytest.mark.parametrize("size", [PHONE])
async def test_an_alert_appears_by_itself_and_is_acknowledged_and_ends(page, hub):
    await page.goto("/ui/alerts")
    await expect(page.locator("#alerts-now")).not_to_contain_text("turin/b1 sends nothing")
    alert = await an_alert(hub)
    await page.get_by_role("link", name="turin/b1 sends nothing").click()
    await expect(page.locator("main")).to_contain_text("7 messages wait")
    await page.get_by_label("Note").fill("I go there after lunch.")
    await page.get_by_role("button", name="I look after it").click()
    await expect(page.locator("#alert-now")).to_contain_text("Somebody looks after it")
    await expect(page.get_by_label("Note")).to_have_value("I go there after lunch.")
    assert not await findings(page)
    await end_alert(hub.app.store, alert, now())
    hub.app.bus.publish(AlertsChanged(now()))
    await expect(page.locator("#alert-now")).to_contain_text("Over since")
    await page.goto("/ui/boxes/turin/b1")
    await expect(page.locator("#box-alerts")).to_contain_text("turin/b1 sends nothing")
    assert not await findings(page)


async def test_a_list_is_filtered(page, hub):
    await an_alert(hub, "box.clock", "oslo/b2", off_s=9.0)
    await page.goto("/ui/alerts")
    await page.get_by_label("Site").select_option("oslo")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody")).to_contain_text("oslo/b2 has a wrong clock")
    await page.get_by_label("State").select_option("ended")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(4)
    await expect(page.get_by_label("Site")).to_have_value("oslo")


@pytest.mark.parametrize("size", [PHONE])
async def test_a_rule_that_cannot_be_is_told_at_its_field(page, watch):
    watch.expects(r"422|Response Status Error Code 422")
    await page.goto("/ui/alerting/rules")
    await page.get_by_role("button", name="Set a rule").click()
    await page.locator("#rule-form").get_by_label("Where").fill("leeds")
    await page.get_by_role("button", name="Set it").click()
    await expect(page.locator("#rule-form .error")).to_contain_text("is no place")
    assert not await findings(page)
    await page.locator("#rule-form").get_by_label("Where").fill("box:leeds/b3")
    await page.get_by_role("button", name="Set it").click()
    await expect(page.locator("tbody")).to_contain_text("box:leeds/b3")
    row = page.locator("tr", has_text="box:leeds/b3")
    await row.get_by_role("button", name="Take it back").click()
    await expect(page.locator("tbody")).not_to_contain_text("box:leeds/b3")


async def test_a_box_is_silenced_from_its_page(page, hub):
    await page.goto("/ui/boxes/oslo/b3")
    await page.get_by_role("link", name="Silence this box").click()
    await page.get_by_role("button", name="Silence", exact=True).first.click()
    form = page.locator("#silence-form")
    await expect(form.get_by_label("Where")).to_have_value("box:oslo/b3")
    await form.get_by_label("Reason").fill("It is moved to another room.")
    await form.get_by_role("button", name="Silence").click()
    row = page.locator("tr", has_text="box:oslo/b3")
    await expect(row).to_contain_text("It is moved to another room.")
    await row.get_by_role("button", name="End it now: box:oslo/b3").click()
    await expect(page.locator("tbody")).not_to_contain_text("box:oslo/b3")


@pytest.mark.parametrize("size", [PHONE])
async def test_a_channel_is_added_and_tried(page, hub):
    async with endpoint(ok(status=b"204 taken")) as server:
        await page.goto("/ui/alerting/channels")
        await page.get_by_role("button", name="Add a channel").click()
        form = page.locator("#channel-new")
        await form.get_by_label("Name").fill("Our own pager")
        await form.get_by_label("Address of the webhook").fill(server.url())
        await form.get_by_label("It may lead into this network").check()
        await form.get_by_role("button", name="Add").click()
        await expect(page.locator("#made-secret")).to_contain_text("whsec_")
        assert not await findings(page)
        await page.get_by_role("link", name="Done").click()
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.locator("#tried")).to_contain_text("It answered 204.")
        assert not await findings(page)
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.get_by_role("button", name="Delete it").click()
        await expect(page.locator("h1")).to_have_text("Channels")
        await expect(page.locator("tbody")).not_to_contain_text("Our own pager")
