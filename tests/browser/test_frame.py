"""The frame in a real browser: logging in and out, with and without a script; menus, dialogs, the theme."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from fakes.browsers import PASSWORD
from fakes.chromium import PHONE, session
from modembank.accounts import LOCAL_ADMIN

COMPONENTS = "/ui/components"
REFUSED = r"console error: Failed to load resource: the server responded with a status of 422 .*/ui/login"


async def test_somebody_logs_in_and_out(page_as_stranger, watch):
    page = page_as_stranger
    watch.expects(REFUSED)
    await page.goto(f"{COMPONENTS}?x=1")
    await expect(page).to_have_url(f"{watch.origin}/ui/login?next=%2Fui%2Fcomponents%3Fx%3D1")
    await expect(page.locator("#name")).to_be_focused()
    await page.fill("#name", "ann")
    await page.fill("#password", "wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.locator("#name")).to_have_value("ann")
    await expect(page.locator("#password")).to_be_focused()
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{watch.origin}{COMPONENTS}?x=1")
    await page.get_by_role("button", name="Log out").click()
    await expect(page).to_have_url(f"{watch.origin}/ui/login")
    await page.goto(COMPONENTS)
    await expect(page.locator("#password")).to_be_visible()


async def test_a_login_needs_no_script(box, things, browser, watch):
    watch.expects(REFUSED)
    async with session(browser, watch, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(COMPONENTS)
        for password in ("wrong", PASSWORD):
            await page.fill("#name", "ann")
            await page.fill("#password", password)
            await page.click("button[type=submit]")
        await expect(page).to_have_url(f"{watch.origin}{COMPONENTS}")
        await expect(page.locator("h1")).to_have_text("Components")


@pytest.mark.parametrize("size", [PHONE])
async def test_on_a_phone_the_menu_opens_and_closes(page_as_admin, size):
    page = page_as_admin
    await page.goto(COMPONENTS)
    side, opener = page.locator("#side"), page.get_by_role("button", name="Menu", exact=True)
    await expect(side).to_be_hidden()
    await opener.click()
    await expect(side).to_be_visible()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Escape")
    await expect(side).to_be_hidden()
    await expect(opener).to_have_attribute("aria-expanded", "false")
    await expect(opener).to_be_focused()
    await opener.click()
    await page.get_by_role("button", name="Close the menu").click()
    await expect(side).to_be_hidden()


async def test_a_dialog_opens_and_closes_from_the_keyboard(page_as_admin):
    page = page_as_admin
    await page.goto(COMPONENTS)
    opener, dialog = page.get_by_role("button", name="Open a dialog"), page.locator("#sample-dialog")
    await opener.press("Enter")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()
    await opener.press("Space")
    await dialog.get_by_role("button", name="Close").press("Enter")
    await expect(dialog).to_be_hidden()


async def test_a_shared_dialog_asks_about_the_row_whose_button_was_pressed(page_as_admin, box):
    page, accounts = page_as_admin, box.app.accounts
    made = [(await accounts.add_key(LOCAL_ADMIN, "ann", label=f"asked about {at}"))[0] for at in range(2)]
    await page.goto("/ui/keys?user=ann")
    rows = [page.locator("tr", has_text=key.public_id) for key in made]
    dialog = page.locator("#revoke")
    await rows[0].get_by_role("button", name="Revoke").click()
    await expect(dialog).to_contain_text(made[0].public_id)
    await dialog.get_by_role("button", name="Keep").click()
    await rows[1].get_by_role("button", name="Revoke").click()
    await expect(dialog).to_contain_text(made[1].public_id)
    await dialog.get_by_role("button", name="Revoke it").click()
    await expect(rows[1]).to_contain_text("revoked")
    await expect(dialog).to_be_hidden()
    await expect(rows[0].get_by_role("button", name="Revoke")).to_be_visible()


async def test_light_or_dark_is_remembered(page_as_admin):
    page = page_as_admin
    await page.goto(COMPONENTS)
    light = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    await page.get_by_role("button", name="Light or dark").click()
    dark = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert light != dark
    await page.reload()
    assert await page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == dark


async def test_the_first_key_skips_to_the_content(page_as_admin):
    page = page_as_admin
    await page.goto(COMPONENTS)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
