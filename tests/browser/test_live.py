"""Pages that stay open: what they ask for again, what they say when nothing comes, and when they let go."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from fakes.browsers import PASSWORD
from fakes.lived_in import SENDER
from modembank.accounts import LOCAL_ADMIN
from modembank.config import WebConfig
from modembank.events import IssueRaised, MessageStateChanged
from modembank_web import create_app, serve

PART = "/ui/login?next=/ui"
"""What the test's part asks for: any page will do."""
ADD_PART = """() => {
    const part = document.createElement("p");
    part.id = "part";
    part.dataset.liveOn = "issues messages";
    const given = {"hx-get": "/ui/login?next=/ui", "hx-trigger": "live", "hx-select": "h1", "hx-swap": "innerHTML"};
    for (const [name, value] of Object.entries(given)) part.setAttribute(name, value);
    document.querySelector("main").append(part);
    htmx.process(part);
}"""
GONE = r"GET \S+ net::ERR_|console error: Failed to load resource: net::ERR_"


@pytest.fixture
def asked(page_as_sender):
    """The headers of every request of the part."""
    seen = []
    page_as_sender.on("request", lambda request: seen.append(request.headers) if request.url.endswith(PART) else None)
    return seen


@pytest.fixture
def happens(box):
    """Have the box tell of something that everybody's pages show."""
    return lambda: box.app.bus.publish(IssueRaised(0, 1, "disk", "", "warning", "little room"))


async def opened(page):
    """A page with a part that is live."""
    await page.goto("/ui/components")
    await page.evaluate(ADD_PART)
    await expect(page.locator("#live-state")).to_have_text("live")
    return page.locator("#part")


async def streams(box, many):
    """Return once so many are open."""
    await box.until(lambda: len([one for one in box.app.events._followers if one.user_id is not None]) == many)


async def test_what_changed_is_asked_for_again_once_for_a_thousand_changes(page_as_sender, box, watch, asked):
    part = await opened(page_as_sender)
    (user,) = [user.id for user in await box.app.accounts.users(LOCAL_ADMIN) if user.name == SENDER.name]
    for message in range(1_000):
        box.app.bus.publish(MessageStateChanged(0, message, user, 40))
    await expect(part).to_have_text("Log in")
    assert len(asked) == 1
    assert watch.streams() == 1
    assert "x-live" not in asked[0]  # somebody has just been there


async def test_s04_what_an_abandoned_page_asks_by_itself_is_marked(page_as_sender, asked, happens):
    part = await opened(page_as_sender)
    await page_as_sender.evaluate("(() => { const now = Date.now(); Date.now = () => now + 120_000; })()")
    happens()
    await expect(part).to_have_text("Log in")
    assert asked[0]["x-live"] == "true"


async def test_a_lost_connection_is_said_and_what_was_missed_is_made_up_for(page_as_sender, box, watch, asked, happens):
    watch.expects(GONE)
    page = page_as_sender
    await opened(page)
    async with without_server(box):
        await expect(page.locator("#offline")).to_be_visible(timeout=15_000)
        await expect(page.locator("#live-state")).to_have_text("connection lost")
        happens()
        assert not asked
    await expect(page.locator("#live-state")).to_have_text("live", timeout=15_000)
    await expect(page.locator("#offline")).to_be_hidden()
    await expect(page.locator("#part")).to_have_text("Log in")


@asynccontextmanager
async def without_server(box):
    """The box answers nothing, and then again where it was."""
    daemon = box.daemon
    host, port = daemon._servers[0].address
    for follower in daemon.box.app.events._followers:
        follower.ended = follower.user_id is not None  # as a box that ends does; its process would take them along
    daemon.box.app.events.wake()
    await daemon._servers[0].stop(1.0)
    try:
        yield
    finally:
        daemon._servers[0] = await serve(create_app(daemon.box.app), WebConfig(listen=f"{host}:{port}"))


async def test_a_hidden_page_holds_no_stream_and_looks_when_it_is_seen_again(page_as_sender, box, asked, happens):
    page = page_as_sender
    await opened(page)
    await streams(box, 1)
    await page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});"
        "window.away = true; document.dispatchEvent(new Event('visibilitychange'))"
    )
    await streams(box, 0)
    happens()
    assert not asked
    await page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("#part")).to_have_text("Log in")
    await streams(box, 1)


async def end_sessions(box):
    for session in await box.app.accounts.sessions.list(LOCAL_ADMIN):
        if session.user == SENDER.name:
            await box.app.accounts.sessions.end(LOCAL_ADMIN, session.public_id)


async def test_a_session_that_ended_leads_to_the_login_and_back(page_as_sender, box, watch, happens):
    page = page_as_sender
    await opened(page)
    await end_sessions(box)
    happens()
    await expect(page).to_have_url(f"{watch.origin}/ui/login?next=%2Fui%2Fcomponents")
    await page.fill("#name", SENDER.name)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{watch.origin}/ui/components")


async def test_a_session_that_ended_while_the_page_was_hidden_leads_to_the_login_too(page_as_sender, box, watch):
    page = page_as_sender
    await page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.away ?? true})")
    await page.goto("/ui/components")
    await end_sessions(box)
    await page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page).to_have_url(f"{watch.origin}/ui/login?next=%2Fui%2Fcomponents")


async def test_what_was_typed_is_not_lost_with_the_session(page_as_sender, box, watch, happens):
    page = page_as_sender
    await opened(page)
    await page.fill("#sample-text", "Dear all, we have moved")
    await end_sessions(box)
    happens()
    await expect(page.get_by_role("link", name="log in again")).to_be_visible()
    await expect(page.locator("#sample-text")).to_have_value("Dear all, we have moved")
    assert page.url.endswith("/ui/components")


async def test_what_is_no_page_takes_no_parts_place(page_as_sender, watch, happens):
    watch.expects("status of 404", "Error Code 404")
    page = page_as_sender
    part = await opened(page)
    await part.evaluate("part => { part.textContent = 'as it was' }")
    await page.route(f"**{PART}", lambda route: route.fulfill(status=404, content_type="application/json", body="{}"))
    happens()
    await expect(page.locator("#notices")).to_contain_text("The box could not do that (404)")
    await expect(part).to_have_text("as it was")


async def test_what_is_refused_is_a_notice_and_the_page_stays(page_as_sender, box, watch):
    watch.expects("status of 403", "Error Code 403")
    page = page_as_sender
    await opened(page)
    await page.context.clear_cookies()
    token = await SENDER.token(box)  # logged in again, in another tab
    url = watch.origin.replace("http:", "https:")
    await page.context.add_cookies([{"name": "__Host-mb", "value": token, "url": url, "secure": True}])
    await page.get_by_role("button", name="Log out").click()
    notice = page.locator("#notices .notice")
    await expect(notice).to_contain_text("this page is older than your session: load it again")
    await notice.get_by_role("button", name="Dismiss").click()
    await expect(notice).to_have_count(0)
    await expect(page.locator("h1")).to_have_text("Components")


async def test_a_list_of_which_more_was_asked_for_stands_still_and_says_what_it_misses(page_as_admin, box):
    later = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    await box.send([f"+1999100{n:04d}" for n in range(60)], send_at=later)
    page, rows = page_as_admin, page_as_admin.locator("#messages-list tbody tr:not(.more)")
    await page.goto("/ui/messages?status=scheduled")
    await expect(page.locator("#live-state")).to_have_text("live")
    await expect(rows).to_have_count(50)
    await page.get_by_role("button", name="Show more").click()
    await expect(rows).not_to_have_count(50)
    shown = await rows.count()
    await box.send("+19991009999", send_at=later)
    newest = page.get_by_role("link", name="Show the newest")
    await expect(newest).to_be_visible()
    await expect(rows).to_have_count(shown)
    await newest.click()
    await expect(rows.first).to_contain_text("+19991009999")
